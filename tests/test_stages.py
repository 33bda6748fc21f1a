"""Single stages on bad input: one clear line, the old output untouched."""

import csv
import hashlib
import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import edit
from thorax.datasets import kermany
from thorax.errors import ThoraxError
from thorax.examples import Examples
from thorax.recipe import Phantom


@pytest.fixture(autouse=True)
def in_project(project, monkeypatch):
    monkeypatch.chdir(project)


def stage(name: str, *arguments: str) -> None:
    importlib.import_module(f"stages.{name}").main(*arguments)


def refusal(name: str, *arguments: str) -> str:
    with pytest.raises(ThoraxError) as refused:
        stage(name, *arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.fixture(scope="session")
def films(tmp_path_factory) -> Path:
    """A folder of films in Kermany's layout, as somebody's own download would be."""
    folder = tmp_path_factory.mktemp("films")
    for name, data in kermany.simulate(["normal", "bacteria", "virus"], Phantom(patients=8, image_size=64), seed=1):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture
def own_films(project, films, tmp_path) -> Path:
    """The project with study kermany on a private copy of these films."""
    copy = shutil.copytree(films, tmp_path / "films")
    stage("select", "kermany")
    edit(project / "params.yaml", lambda params: params.update(source=f"folder:{copy}"))
    edit(project / "studies" / "kermany.yaml", lambda recipe: (
        recipe["download"]["datasets"]["kermany"].pop("expected"),
        recipe["split"]["grouped"].update(train=0.5, validation=0.25, test=0.25)))
    return copy


def test_films_of_a_folder_are_referred_to_and_not_copied(project, own_films, capsys):
    stage("download", "kermany")
    raw = project / "data" / "raw" / "kermany" / "kermany"
    assert sorted(path.name for path in raw.iterdir()) == ["manifest.csv", "source.json"]
    source = json.loads((raw / "source.json").read_text())
    assert source["folder"] == str(own_films)
    assert source["left_out"]["the second copy of the tree"] == source["films"]
    assert source["left_out"]["a resource fork of macOS, no film"] == source["films"]
    assert "files: the second copy of the tree" in capsys.readouterr().out
    stage("enhance", "kermany")
    stage("split", "kermany")
    assert "films per label and part" in capsys.readouterr().out


def test_a_missing_source_folder_is_named(project, own_films):
    edit(project / "params.yaml", lambda params: params.update(source="folder:/nowhere/at/all"))
    assert "params.yaml: source folder:/nowhere/at/all: no such folder" in refusal("download", "kermany")


def test_an_empty_source_folder_is_named(project, own_films, tmp_path):
    (tmp_path / "empty").mkdir()
    edit(project / "params.yaml", lambda params: params.update(source=f"folder:{tmp_path / 'empty'}"))
    assert "the folder is empty" in refusal("download", "kermany")


def test_a_folder_of_other_files_says_what_it_should_hold(project, own_films, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("no film")
    edit(project / "params.yaml", lambda params: params.update(source=f"folder:{tmp_path / 'other'}"))
    assert "it should hold chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg" in refusal("download", "kermany")


def test_a_class_without_films_is_named(project, own_films):
    for path in own_films.rglob("*virus*"):
        path.unlink()
    assert "no film of label 'virus'" in refusal("download", "kermany")


def test_an_unknown_label_is_answered_with_the_known_ones(project, own_films):
    edit(project / "studies" / "kermany.yaml", lambda recipe: (
        recipe["download"]["datasets"]["kermany"].update(labels=["normal", "bacteria", "virus", "bacterium"])))
    assert "unknown label 'bacterium'; did you mean 'bacteria'? (known: bacteria, normal, virus)" in refusal(
        "download", "kermany")


def test_counts_that_differ_from_the_expected_ones_say_how_to_accept_them(project, own_films):
    edit(project / "studies" / "kermany.yaml", lambda recipe: (
        recipe["download"]["datasets"]["kermany"].update(expected={"normal": 1341, "bacteria": 2530, "virus": 1345})))
    line = refusal("download", "kermany")
    assert "instead of 1341" in line
    assert "put these counts into download.datasets.kermany.expected" in line


def test_a_stage_without_the_films_of_the_one_before_says_how_to_get_them(project):
    assert refusal("enhance", "phantom") == "data/raw/phantom: no films; run `dvc repro`, which brings them"


def test_selecting_with_a_broken_params_yaml_names_its_line_and_changes_nothing(project):
    broken = (project / "params.yaml").read_text() + "runs: [\n"
    (project / "params.yaml").write_text(broken)
    assert refusal("select", "phantom").startswith("params.yaml:")
    assert (project / "params.yaml").read_text() == broken


def test_an_unknown_study_is_answered_with_the_known_ones(project):
    assert "no study 'phantm'; did you mean 'phantom'?" in refusal("download", "phantm")


def test_an_unknown_model_is_refused_before_anything_is_loaded(project):
    assert "no model 'smal_cnn'; did you mean 'small_cnn'?" in refusal("train", "phantom", "smal_cnn")


@pytest.fixture
def enhanced(project) -> Path:
    for name in ("download", "enhance", "split"):
        stage(name, "phantom")
    return project


def spoilt_model(project, **changes) -> str:
    edit(project / "studies" / "phantom.yaml", lambda recipe: recipe["models"]["small_cnn"].update(changes))
    if "architecture" in changes:
        edit(project / "params.yaml", lambda params: params["runs"]["phantom_small_cnn"].update(
            architecture=changes["architecture"]))
    line = refusal("train", "phantom", "small_cnn")
    assert not (project / "models" / "phantom" / "small_cnn" / "model.json").exists()
    return line


def test_what_cannot_be_trained_is_refused_with_file_and_key_before_a_training_starts(enhanced, monkeypatch):
    import stages.train

    monkeypatch.setattr(stages.train, "prepare", lambda *_: None)  # this process has computed before
    monkeypatch.setattr(stages.train, "fit", None)
    where = "studies/phantom.yaml: models.small_cnn"
    blocks = {"filters": [4] * 6, "convolutions": 1}
    assert spoilt_model(enhanced, arguments=blocks).startswith(
        f"{where}: architecture 'cnn' cannot be built for films of 32x32 with arguments ")
    assert spoilt_model(enhanced, architecture="inception_resnet_v2", arguments={}).startswith(
        f"{where}: architecture 'inception_resnet_v2' cannot be built for films of 32x32")
    other = enhanced / "other.weights.h5"
    from thorax import models

    models.build("cnn", {"filters": [4]}, ["gap"], 3, 32).save_weights(other)
    known = hashlib.sha256(other.read_bytes()).hexdigest()
    assert spoilt_model(enhanced, architecture="resnet50", weights=str(other), weights_sha256=known).startswith(
        f"{where}: weights: {other}: not the weights of resnet50 without its classifier: ")
    assert spoilt_model(enhanced, weights_sha256="a" * 64).startswith(
        f"{where}: weights: {other}: another file than the recipe means, with SHA-256 {known}; ")


def test_a_model_that_does_not_fit_its_films_is_refused_as_its_study_is_selected(project):
    before = (project / "params.yaml").read_bytes()
    edit(project / "studies" / "phantom.yaml", lambda recipe: recipe["models"]["small_cnn_plain"].update(
        arguments={"filters": [4] * 6}))
    assert refusal("select", "phantom").startswith(
        "studies/phantom.yaml: models.small_cnn_plain: architecture 'cnn' cannot be built for films of 32x32")
    assert (project / "params.yaml").read_bytes() == before


def test_classes_that_the_films_do_not_have_are_refused_before_a_training_starts(enhanced, monkeypatch):
    import stages.train

    monkeypatch.setattr(stages.train, "prepare", lambda *_: None)
    monkeypatch.setattr(stages.train, "fit", None)
    # The recipe asks for another label than the films were brought with, as without a `dvc repro` in between.
    edit(enhanced / "studies" / "phantom.yaml", lambda recipe: (
        recipe["download"]["datasets"]["phantom"]["labels"].append("viral"),
        recipe["tasks"]["findings"].update(viral=["viral"])))
    assert refusal("train", "phantom", "small_cnn") == (
        "study 'phantom': no film of class 'viral' in the train part; bring more films of it or leave the class out of "
        "the task")


def test_an_unknown_operation_is_refused_before_any_film_is_read(project):
    edit(project / "studies" / "phantom.yaml",
         lambda recipe: recipe["enhance"]["variants"].update(enhanced={"image_size": 32, "steps": [{"op": "clahee"}]}))
    assert "unknown operation 'clahee'; did you mean 'clahe'?" in refusal("enhance", "phantom")


def test_a_corrupt_film_is_rejected_with_its_reason_and_the_rest_goes_on(project, own_films):
    edit(project / "studies" / "kermany.yaml", lambda recipe: recipe["enhance"].update(reject_limit=0.1))
    victim = sorted(own_films.glob("chest_xray/train/NORMAL/*.jpeg"))[0]
    victim.write_bytes(victim.read_bytes()[:400])
    stage("download", "kermany")
    stage("enhance", "kermany")
    out = project / "data" / "enhanced" / "kermany"
    [reject] = csv.DictReader((out / "rejects.csv").open())
    assert reject["path"].endswith(victim.name)
    assert reject["reason"]
    assert victim.name not in (out / "films.csv").read_text()


def test_too_many_corrupt_films_stop_the_stage_and_keep_the_old_output(project, own_films):
    stage("download", "kermany")
    stage("enhance", "kermany")
    before = (project / "data/enhanced/kermany/films.csv").read_bytes()
    for victim in sorted(own_films.glob("chest_xray/train/NORMAL/*.jpeg"))[:3]:
        victim.write_bytes(b"no film")
    stage("download", "kermany")
    line = refusal("enhance", "kermany")
    assert "3 of " in line
    assert "more than reject_limit 0.01 allows" in line
    assert (project / "data/enhanced/kermany/films.csv").read_bytes() == before


def test_a_label_of_which_all_films_are_corrupt_stops_the_stage_whatever_the_limit(project, own_films):
    edit(project / "studies" / "kermany.yaml", lambda recipe: recipe["enhance"].update(reject_limit=0.9))
    for victim in own_films.glob("chest_xray/train/NORMAL/*.jpeg"):
        victim.write_bytes(b"no film")
    stage("download", "kermany")
    assert "all films of normal are unreadable" in refusal("enhance", "kermany")


def test_a_film_that_changed_since_it_was_indexed_is_named(project, own_films):
    stage("download", "kermany")
    victim = sorted(own_films.glob("chest_xray/train/NORMAL/*.jpeg"))[0]
    victim.write_bytes(victim.read_bytes() + b"\0")
    line = refusal("enhance", "kermany")
    assert victim.name in line
    assert "run `dvc repro --force download@kermany`" in line


def test_a_near_duplicate_under_another_name_stays_with_its_film(project, own_films):
    from thorax.duplicates import pairs

    stage("download", "kermany")
    stage("enhance", "kermany")
    enhanced = project / "data" / "enhanced" / "kermany"
    films = pd.read_csv(enhanced / "films.csv", dtype=str)
    thumbnails = np.load(enhanced / "thumbnails.npy")
    assert thumbnails.shape == (len(films), 16, 16)
    assert thumbnails.dtype == np.uint8
    # Every film of one label once more, a little brighter, as groups of their own.
    again = films[films["label"] == "virus"].assign(
        id=lambda rows: "again/" + rows["id"], group=lambda rows: "again/" + rows["group"],
        sha256=lambda rows: "again/" + rows["sha256"])
    pd.concat([films, again]).to_csv(enhanced / "films.csv", index=False)
    both = np.concatenate([thumbnails, thumbnails[again.index] // 2 + 20])
    np.save(enhanced / "thumbnails.npy", both)
    assert len(pairs(both)[0]) >= len(again)
    stage("split", "kermany")
    part = pd.read_csv(project / "data" / "split" / "kermany" / "grouped.csv", dtype=str).set_index("id")["split"]
    assert all(part[name] == part[name.removeprefix("again/")] for name in again["id"])
    audit = json.loads((project / "data" / "audit" / "kermany.json").read_text())["grouped"]
    assert audit["near_duplicate_pairs"] >= len(again)


@pytest.fixture
def films_to_split(project, monkeypatch) -> pd.DataFrame:
    """What the enhance stage leaves of 240 films in 80 groups, two labels; films 238 and 239 are near-duplicates of
    films 0 and 1 under other names."""
    films = pd.DataFrame({"id": [f"phantom/{row}" for row in range(240)], "dataset": "phantom",
                          "label": np.repeat(["normal", "bacterial"], [180, 60]),
                          "group": [f"phantom/p{row // 3}" for row in range(240)], "group_quality": "metadata",
                          "sha256": [f"{row:064}" for row in range(240)]})
    films.loc[238:, "label"] = "normal"
    thumbnails = np.random.default_rng(0).integers(0, 256, (240, 16, 16)).astype("uint8")
    thumbnails[238:] = thumbnails[:2] // 2
    enhanced = project / "data" / "enhanced" / "phantom"
    enhanced.mkdir(parents=True)
    films.to_csv(enhanced / "films.csv", index=False)
    np.save(enhanced / "thumbnails.npy", thumbnails)
    return films


def split_as(project: Path, **protocols: dict) -> None:
    fractions = {"train": 0.6, "validation": 0.2, "test": 0.2}
    edit(project / "studies" / "phantom.yaml", lambda recipe: recipe.update(
        split={"grouped": fractions} | {name: fractions | more for name, more in protocols.items()}))


def audits(project: Path) -> dict:
    return json.loads((project / "data" / "audit" / "phantom.json").read_text())


def test_a_study_offers_several_splits_and_the_audit_counts_what_each_leaks(project, films_to_split, capsys):
    split_as(project, as_published={"unit": "film"}, copied={"unit": "film", "per_class": {"bacterial": 182}})
    stage("split", "phantom")
    folder = project / "data" / "split" / "phantom"
    assert sorted(path.name for path in folder.iterdir()) == ["as_published.csv", "copied.csv", "grouped.csv"]
    found = audits(project)
    kinds = ("groups", "exact_duplicates", "near_duplicate_pairs", "copied_films")
    assert [found["grouped"][f"{kind}_in_two_parts"] for kind in kinds] == [0, 0, 0, 0]
    assert found["grouped"]["test_share_with_a_relative_in_train"] == 0
    assert found["grouped"]["near_duplicate_pairs"] == 2
    assert found["as_published"]["groups_in_two_parts"] > 40
    assert found["as_published"]["copied_films_in_two_parts"] == 0
    assert found["as_published"]["test_share_with_a_relative_in_train"] > 0.5
    assert found["copied"]["copies"] == 182 - 58
    assert found["copied"]["copied_films_in_two_parts"] > 20
    table = pd.read_csv(folder / "copied.csv")
    assert table["id"].duplicated().sum() == 182 - 58
    assert f"{found['as_published']['groups_in_two_parts']} groups, 0 exact duplicates" in capsys.readouterr().out


def test_numbers_of_films_are_reached_by_label_in_every_part(project, films_to_split):
    numbers = {"train": {"normal": 90, "bacterial": 90}, "test": {"normal": 12, "bacterial": 12}}
    split_as(project, published_numbers={"films": numbers})
    stage("split", "phantom")
    found = audits(project)["published_numbers"]
    assert {part: {label: row[part] for label, row in found["counts"].items()} for part in numbers} == numbers
    assert found["copies"] > 0
    assert found["groups_in_two_parts"] == found["copied_films_in_two_parts"] == 0


BROKEN = {
    "by film": (lambda films, pairs: np.arange(len(films)), "groups, such as phantom/p"),
    "blind to near-duplicates": (lambda films, pairs: np.unique(films["group"], return_inverse=True)[1],
                                 "near duplicate pairs, such as phantom/"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_grouped_split_that_leaks_fails_by_name_and_keeps_the_old_one(project, films_to_split, monkeypatch, how):
    split_as(project)
    stage("split", "phantom")
    old = (project / "data" / "split" / "phantom" / "grouped.csv").read_bytes()
    cluster, said = BROKEN[how]
    monkeypatch.setattr("stages.split.clusters", lambda *keys, pairs: cluster(films_to_split, pairs))
    for seed in range(20):  # with one of 20 seeds the pairs part
        edit(project / "params.yaml", lambda params, seed=seed: params.update(seed=seed))
        try:
            stage("split", "phantom")
        except ThoraxError as error:
            assert str(error).startswith("studies/phantom.yaml: split.grouped: `unit: group`, yet in two parts: ")
            assert said in str(error)
            break
        old = (project / "data" / "split" / "phantom" / "grouped.csv").read_bytes()
    else:
        pytest.fail("no seed of 20 parted the films")
    assert (project / "data" / "split" / "phantom" / "grouped.csv").read_bytes() == old


def test_films_that_a_split_lacks_are_named_with_their_key(project, films_to_split):
    split_as(project, mine={"per_class": {"bacterial": 59}})
    assert refusal("split", "phantom").startswith(
        "studies/phantom.yaml: split.mine.per_class: phantom/bacterial has 58 films, fewer than 59")


def test_too_few_groups_for_three_parts_are_named(project, own_films):
    for path in sorted(own_films.glob("chest_xray/train/NORMAL/*.jpeg"))[2:]:
        path.unlink()
    stage("download", "kermany")
    stage("enhance", "kermany")
    assert "too few groups for these fractions: normal has none in" in refusal("split", "kermany")


def test_the_same_films_under_another_file_order_are_split_alike(project):
    from thorax.splits import split

    stage("download", "phantom")
    stage("enhance", "phantom")
    rows = list(csv.DictReader((project / "data/enhanced/phantom/films.csv").open()))
    groups = {group: number for number, group in enumerate(dict.fromkeys(row["group"] for row in rows))}
    fractions = {"train": 0.6, "validation": 0.2, "test": 0.2}

    def parts(some: list[dict]) -> dict[str, str]:
        found = split([row["id"] for row in some], [row["label"] for row in some],
                      [groups[row["group"]] for row in some], fractions, seed=3)
        return dict(zip((row["id"] for row in some), found, strict=True))

    assert parts(rows) == parts(rows[::-1])


@pytest.mark.parametrize("name, argument", [("train", "small_cnn"), ("tune", "wide")])
def test_a_training_and_a_search_look_at_the_training_and_the_validation_part_alone(name, argument, project,
                                                                                    monkeypatch):
    space = {"train.phases.0.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}
    edit(project / "studies" / "phantom.yaml", lambda recipe: recipe.update(
        tune={"wide": {"base": "small_cnn", "trials": 2, "epochs": 1, "startup_trials": 1, "space": space}}))
    stage("select", "phantom")
    for before in ("download", "enhance", "split"):
        stage(before, "phantom")
    split = pd.read_csv("data/split/phantom/grouped.csv").set_index("id")["split"]
    part_of = pd.read_csv("data/enhanced/phantom/films.csv")["id"].map(split).to_numpy()
    asked, given = [], {"fit": set(), "predict": set()}
    module = importlib.import_module(f"stages.{name}")

    def listen(function: str, hear) -> None:
        real = getattr(module, function)
        monkeypatch.setattr(module, function, lambda *arguments: hear(arguments) or real(*arguments))

    def parts_in(arguments: tuple) -> tuple[str, ...]:
        return tuple("+".join(sorted(set(part_of[each.rows]))) for each in arguments if isinstance(each, Examples))

    listen("part_of_task", lambda arguments: asked.append(arguments[-1]))
    for function, parts in given.items():
        listen(function, lambda arguments, parts=parts: parts.add(parts_in(arguments)))
    monkeypatch.setattr(module, "prepare", lambda *_: None)  # threads cannot be set twice in a process
    stage(name, "phantom", argument)
    assert asked == ["train", "validation"]
    assert given == {"fit": {("train", "validation")}, "predict": {("validation",)}}

"""Models tested on films of another study, through DVC, on two twins of which one holds films of the other."""

import json
import re
import shutil
import sys
import warnings
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages import select
from tests.conftest import ROOT, edit, make_project, run
from tests.test_pipeline import ran
from thorax import predictions, tracking
from thorax.errors import ThoraxError
from thorax.phantom import twin
from thorax.reader import external_runs, load_params, load_study
from thorax.recipe import Phantom
from thorax.reporting import look
from thorax.reporting.external_tables import external_lines, matrices, matrix_lines
from thorax.reporting.matrix_chart import broken, matrix_chart
from thorax.reporting.results import study_block

KEY = "crosssource_small_small_cnn_on_cohen"
FOLDER = "models/crosssource_small/small_cnn/external/cohen"
MET, ALL = 8, 14  # patients of each label in the twins of radiography and of cohen: of one seed, they are the same ones


def shrink_studies(folder) -> None:
    def crosssource(recipe):
        recipe["download"]["phantom"].update(patients=MET, films_per_patient=[1, 2], image_size=64)
        recipe["split"]["grouped"] = {"train": 0.5, "validation": 0.2, "test": 0.3}
        recipe["enhance"]["variants"]["enhanced"] = {"image_size": 32, "steps": [{"op": "gray"}]}
        recipe["enhance"]["variants"]["plain"]["image_size"] = 32
        recipe["models"] = {"small_cnn": recipe["models"]["small_cnn"]}
        del recipe["published"], recipe["split"]["as_published"]
        recipe["models"]["small_cnn"]["arguments"] = {"filters": [4, 8], "convolutions": 1}
        recipe["models"]["small_cnn"]["train"]["phases"] = [{"trainable": "all", "epochs": 1, "learning_rate": 1e-2}]
        recipe["evaluate"]["resamples"] = 200
        del recipe["external"]["cohen_kermany"]

    def cohen(recipe):
        recipe["download"]["phantom"].update(patients=ALL, films_per_patient=[1, 2], image_size=64)
        recipe["split"]["grouped"] = {"train": 0.5, "validation": 0.2, "test": 0.3}
        recipe["download"]["datasets"]["cohen"]["labels"] = ["normal", "covid", "virus"]
        recipe["enhance"]["variants"] = {"same_films": {"image_size": 32, "steps": [{"op": "gray"}]},
                                         "others": {"image_size": 48}}

    edit(folder / "studies" / "crosssource_small.yaml", crosssource)
    edit(folder / "studies" / "cohen_small.yaml", cohen)


@pytest.fixture
def selected(tmp_path, monkeypatch):
    """A folder with params.yaml and recipes alone, where the study has been selected."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    monkeypatch.chdir(tmp_path)
    shrink_studies(tmp_path)
    select.main("crosssource_small")
    return tmp_path


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    """The same after `dvc repro` of the tests."""
    folder = make_project(tmp_path_factory.mktemp("external") / "project")
    shrink_studies(folder)
    run(folder, sys.executable, "-m", "stages.select", "crosssource_small")
    run(folder, "dvc", "repro", "external", "evaluate")
    return folder


def test_the_committed_default_has_no_external_test(project):
    assert YAML(typ="safe").load((project / "params.yaml").read_text())["externals"] == {}
    assert "external@" not in run(project, "dvc", "stage", "list", "--name-only").stdout


def test_select_brings_the_other_study_along_without_its_models_and_does_so_again(selected):
    params = load_params()
    assert params.studies == ["crosssource_small", "cohen_small"]
    assert list(params.runs) == ["crosssource_small_small_cnn"]
    assert params.externals[KEY].other_films == "same_films"
    before = Path("params.yaml").read_text()
    select.main("crosssource_small")
    assert Path("params.yaml").read_text() == before
    select.main("phantom")
    assert load_params().externals == {}


def test_selecting_films_without_a_model_is_refused_and_changes_nothing(selected):
    before = Path("params.yaml").read_text()
    with pytest.raises(ThoraxError, match="cohen_small: no models, only films for other studies"):
        select.main("cohen_small")
    assert Path("params.yaml").read_text() == before


def test_the_test_stands_between_both_studies_and_the_report(tested):
    dag = run(tested, "dvc", "dag", "--dot").stdout
    test = f"external@{KEY}"
    for edge in (("enhance@cohen_small", test), ("split@cohen_small", test), ("split@crosssource_small", test),
                 ("train@crosssource_small_small_cnn", test), (test, "report"), (test, "track")):
        assert '"{}" -> "{}"'.format(*edge) in dag


def test_the_second_repro_does_nothing(tested):
    assert ran(run(tested, "dvc", "repro", "external", "evaluate").stdout) == []


def test_no_film_of_a_patient_whose_films_were_trained_on_is_left(tested):
    """The film names of both twins are known by their plans; nothing of thorax.external is used."""
    seed = load_params(tested).seed
    labels = {"radiography": ["normal", "covid"], "cohen": ["normal", "covid", "virus"]}
    plans = {name: twin.plan(each, Phantom(patients=patients, films_per_patient=[1, 2], image_size=64), seed)
             for (name, each), patients in zip(labels.items(), (MET, ALL), strict=True)}
    number, patient_of = {"normal": 0, "covid": 0}, {}
    for label, plan in plans["radiography"]:
        number[label] += 1
        folder = {"normal": "Normal", "covid": "COVID"}[label]
        patient_of[f"{folder}-{number[label]}.png"] = plan.patient
    split = (tested / "data/split/crosssource_small/grouped.csv").read_text().splitlines()[1:]
    seen = {patient_of[line.split(",")[0].rpartition("/")[2]] for line in split if line.split(",")[1] != "test"}
    table = predictions.read(tested / FOLDER / "predictions.csv")
    patients = {f"p{int(group.rpartition('/')[2]):04d}" for group in table["group"]}
    everyone = {plan.patient for label, plan in plans["cohen"] if label != "virus"}
    assert patients == everyone - seen
    counts = json.loads((tested / FOLDER / "films.json").read_text())
    assert sum(each["tested"] for each in counts["classes"].values()) == len(table)
    films = [plan.patient for label, plan in plans["cohen"] if label != "virus"]
    removed = sum(each["near_duplicates"] + each["their_relatives"] for each in counts["classes"].values())
    recovered = plans["cohen"][0][1]  # its film comes a second time, without finding
    assert removed == sum(patient in seen for patient in films) + (recovered.patient in seen)
    assert counts["other_labels"] == {"virus": sum(label == "virus" for label, _ in plans["cohen"])}


def test_the_tables_say_what_was_removed_and_how_far_the_model_falls(tested, monkeypatch):
    monkeypatch.chdir(tested)
    params, recipe = load_params(), load_study("crosssource_small")
    lines = external_lines(recipe, list(params.externals.values()), params.seed)
    counts = json.loads((tested / FOLDER / "films.json").read_text())["classes"].values()
    [line] = [line for line in lines if "`cohen`: cohen_small (grouped, all)" in line]
    tested_films, copies = (sum(each[kind] for each in counts) for kind in ("tested", "near_duplicates"))
    assert f"| {tested_films} | {copies} copies, " in line
    other_labels = json.loads((tested / FOLDER / "films.json").read_text())["other_labels"]
    assert f", {other_labels['virus']} of other labels |" in line
    inside, outside = (json.loads((tested / place / "metrics.json").read_text())["balanced_accuracy"]
                       for place in ("models/crosssource_small/small_cnn/evaluation", FOLDER))
    change = re.search(r"\| ([+-]\d\.\d{3})( \([+-]\d\.\d{3} to [+-]\d\.\d{3}\))? \| [+-]", line)
    assert float(change[1]) == pytest.approx(outside["value"] - inside["value"], abs=1.1e-3)
    assert bool(change[2]) == (None not in (inside["low"], outside["low"]))
    assert external_lines(recipe, [], params.seed) == []


@pytest.mark.parametrize("known", [True, False])
def test_a_change_has_an_interval_where_both_figures_have_one(known, tested, tmp_path):
    copy = shutil.copytree(tested / "models", tmp_path / "models").parent
    for place in ("models/crosssource_small/small_cnn/evaluation", FOLDER):
        path = copy / place / "metrics.json"
        bounds = {"low": 0.1, "high": 0.9} if known or place == FOLDER else {"low": None, "high": None}
        path.write_text(json.dumps({name: {"value": 0.5} | bounds for name in ("balanced_accuracy", "macro_auc")}))
    params, recipe = load_params(tested), load_study("crosssource_small", tested)
    lines = external_lines(recipe, list(params.externals.values()), params.seed, copy)
    assert len(re.findall(r"[+-]\d\.\d{3} to [+-]\d\.\d{3}", "\n".join(lines))) == (2 if known else 0)


def test_the_matrix_shows_the_own_test_part_first_and_in_bold(tested, tmp_path, monkeypatch):
    monkeypatch.setattr(look, "DPI", 30)
    params = load_params(tested)
    [matrix] = matrices(params, {study: load_study(study, tested) for study in params.studies}, tested)
    assert matrix.columns == ["crosssource_small (grouped, test)", "cohen_small (grouped, all)"]
    own = json.loads((tested / "models/crosssource_small/small_cnn/evaluation/metrics.json").read_text())
    assert f"**{own['balanced_accuracy']['value']:.3f}" in "\n".join(matrix_lines(matrix, "figure.png"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A second model, not tested on the same films and without interval.
        cells = matrix.cells | {"a/b": {"cohen_small (grouped, all)": {"value": 0.25, "low": None, "high": None}}}
        figure = matrix_chart(cells, matrix.own | {"a/b": "cohen_small (grouped, all)"}, matrix.columns,
                              tmp_path / "matrix.png", "two classes")
    texts = [text.get_text().split("\n")[0] for text in figure.axes[0].texts]
    assert texts[0] == f"{own['balanced_accuracy']['value']:.3f}"
    assert texts[2:] == ["–", "0.250"]


def test_long_names_below_the_matrix_are_broken_into_lines():
    lines = broken("crosssource_small (as_published, test)", 15).splitlines()
    assert lines == ["crosssource_", "small (as_", "published,", "test)"]


def test_a_study_of_films_alone_says_so_in_the_report(tested):
    audit = study_block("cohen_small", load_params(tested), "figures", tested)
    assert "No models of its own" in audit


def test_the_external_metrics_go_to_mlflow_under_their_own_names(tested):
    params = load_params(tested)
    sets = tracking.external_sets(params.runs["crosssource_small_small_cnn"], params)
    names = {metric.key for metric in tracking.metrics(tested / "models/crosssource_small/small_cnn", sets)}
    assert {"test_balanced_accuracy", "external_cohen_balanced_accuracy", "external_cohen_recall_covid"} <= names
    lock = YAML(typ="safe").load((tested / "dvc.lock").read_text())
    entries = tracking.lock_entries(lock, "crosssource_small_small_cnn", params)
    assert entries["external_cohen"]["outs"]


def test_a_model_that_has_met_all_films_of_a_class_is_not_tested(tested, tmp_path):
    copy = shutil.copytree(tested, tmp_path / "project", symlinks=True)
    unmet = {line.split(",")[0] for line in (copy / FOLDER / "predictions.csv").read_text().splitlines()
             if line.split(",")[3] == "normal"}
    split = copy / "data/split/cohen_small/grouped.csv"
    kept = [line for line in split.read_text().splitlines() if line.split(",")[0] not in unmet]
    split.unlink()  # rather than to write into DVC's cache, should it be a link
    split.write_text("\n".join(kept) + "\n")
    done = run(copy, sys.executable, "-m", "stages.external", "crosssource_small", "small_cnn", "cohen", check=False)
    assert done.returncode == 1
    assert re.search(r"external: error: studies/crosssource_small.yaml: external.cohen: of the [1-9]\d* films of class "
                     r"'normal' none is left, as 'small_cnn' was trained on", done.stdout)


def without_variant(recipe):
    del recipe["enhance"]["variants"]["same_films"]


def set_of(**changes):
    return lambda recipe: recipe["external"]["cohen"].update(changes)


SMALL, FILMS = "crosssource_small", "cohen_small"
MISTAKES = {
    "films of another kind": (FILMS, without_variant, "external.cohen: study 'cohen_small' has no variant with the "
                              "steps and the image_size of 'enhanced', on which model 'small_cnn' is trained"),
    "an unknown label": (SMALL, set_of(classes={"normal": ["normal"], "covid": ["covidd"]}), "external.cohen: classes: "
                         "unknown label 'covidd' of study 'cohen_small'; did you mean 'covid'?"),
    "another class": (SMALL, set_of(classes={"covid": ["covid"], "virus": ["virus"]}), "external.cohen.classes: covid, "
                      "virus are the classes of no task; name every class of one (tasks: covid: normal, covid)"),
    "a label in two classes": (SMALL, set_of(classes={"covid": ["covid"], "normal": ["covid"]}),
                               "external.cohen.classes: label 'covid' is named more than once"),
    "the own study": (SMALL, set_of(study=SMALL), "external.cohen: study: 'crosssource_small' is this study itself"),
    "an unknown study": (SMALL, set_of(study="cohen_smal"), "external.cohen: "),
    "an unknown split": (SMALL, set_of(split="groupd"), "external.cohen: split: unknown split 'groupd' of study "
                         "'cohen_small'; did you mean 'grouped'?"),
    "another part": (SMALL, set_of(part="train"), "external.cohen.part: 'train' (str) is not allowed: must be 'test' "
                     "or 'all'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_recipes_that_do_not_fit_are_refused_before_anything_is_read(mistake, selected):
    study, change, expected = MISTAKES[mistake]
    edit(selected / "studies" / f"{study}.yaml", change)
    for read in (lambda: external_runs(SMALL, selected), lambda: load_params(selected)):
        with pytest.raises(ThoraxError, match=re.escape(expected)) as refused:
            read()
        assert "\n" not in str(refused.value)


PARAMS_MISTAKES = {
    "another name": (lambda params: params["externals"].update(x=params["externals"].pop(KEY)),
                     f"externals.x must be called {KEY}"),
    "a model that is no run": (lambda params: params["externals"].update(
        crosssource_small_other_on_cohen=params["externals"].pop(KEY) | {"model": "other"}),
        "tests model 'other' of study 'crosssource_small', which is not among the runs"),
    "a study that is not built": (lambda params: params["studies"].remove(FILMS),
                                  f"externals.{KEY} needs the films of study 'cohen_small', which studies does not"),
    "films without a test": (lambda params: params.update(externals={}), "study 'cohen_small' has no run"),
    "other films than the recipes'": (lambda params: params["externals"][KEY].update(other_films="others"),
                                      f"externals.{KEY}: not what studies/crosssource_small.yaml says; `python -m "
                                      "stages.select crosssource_small cohen_small` mends the list"),
}


@pytest.mark.parametrize("mistake", PARAMS_MISTAKES)
def test_a_list_of_externals_that_is_not_that_of_the_recipes_is_refused(mistake, selected):
    change, expected = PARAMS_MISTAKES[mistake]
    edit(selected / "params.yaml", change)
    with pytest.raises(ThoraxError, match=re.escape(expected)) as refused:
        load_params(selected)
    assert "\n" not in str(refused.value)

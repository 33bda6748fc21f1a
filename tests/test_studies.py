"""The studies of the published systems: their numbers are the published ones, and each runs whole on phantoms."""

import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT, edit
from thorax.models import build
from thorax.reader import load_params, load_study
from thorax.recipe import Study
from thorax.training import freeze

# Letters as in docs/published.md: A enhancement, B radiography, C pooled, D from scratch, E external validation.
ENHANCEMENT = {"batch_size": 64, "weights": "imagenet", "head": ["gap", {"dropout": 0.2}, {"dropout": 0.5}],
               "augment": {"flip": 0.5, "rotate": 36}, "image_size": 224,
               "phases": [("head", 50, 1e-3), ("all", 30, 1e-4)], "monitor": ("val_accuracy", 20)}
THREE_LAYERS = {"batch_size": 32, "weights": "imagenet", "image_size": 224,
                "head": ["gap", {"dense": 2048}, {"dense": 512}, {"dense": 128}],
                "augment": {"flip": 0.5, "rotate": 5, "shift": 0.05, "brightness": 0.1, "zoom": 0.1},
                "phases": [("head", 20, 1e-4)]}
# E's augmentation never ran, so that `_augmented` alone has it.
DECLARED = [("", {}), ("_as_published", {}), ("_augmented", {"flip": 0.5, "rotate": 10, "brightness": 0.2,
                                                             "contrast": 0.2, "noise": 0.03, "speckle": 0.05})]
PUBLISHED = {
    **{(f"enhancement_{films}", f"{architecture}_{task}{suffix}"): {"architecture": architecture, **ENHANCEMENT}
       for films, tasks in (("kermany", ("pneumonia", "subtype")), ("ieee", ("covid", "findings"))) for task in tasks
       for architecture in ("nasnet_mobile", "resnet101", "inception_resnet_v2")
       for suffix in ("", "_plain", "_as_published")},                                                           # A
    **{("radiography_resnet", f"resnet50{suffix}"): {
        "architecture": "resnet50", **THREE_LAYERS, "class_weights": "balanced" if suffix == "_weighted" else "none"}
       for suffix in ("", "_as_published", "_weighted", "_undersampled", "_oversampled")},                       # B
    **{("pooled_densenet", f"densenet121{suffix}"): {
        "architecture": "densenet121", "batch_size": 8, "weights": "imagenet", "head": ["gap"], "image_size": 150,
        "augment": {"flip": 0.4, "rotate": 10}, "phases": [("all", 10, 5e-3)], "train_batch_norm": True}
       for suffix in ("", "_as_published")},                                                                     # C
    **{("scratch_cnn", f"cnn{suffix}"): {
        "architecture": "cnn", "batch_size": 32, "weights": "none", "image_size": 224, "augment": {"flip": 0.5},
        "arguments": {"filters": [64, 128, 256, 512], "convolutions": 2, "padding": "valid", "batch_norm": False,
                      "input_norm": True, "input_range": "unit", "channels": 3},
        "head": ["flatten", {"dense": 512}, {"dropout": 0.3}, {"dense": 1024}, {"dropout": 0.3}],
        "phases": [("all", 25, 1e-4)], "monitor": ("val_loss", 10)}
       for suffix in ("", "_as_published")},                                                                     # D
    **{("external_validation", f"simple_cnn{suffix}"): {
        "architecture": "cnn", "batch_size": 32, "weights": "none", "image_size": 224,
        "arguments": {"filters": [32, 64, 128], "batch_norm": False},
        "head": ["flatten", {"dense": 256}, {"dropout": 0.4}], "augment": augment, "phases": [("all", 10, 1e-3)],
        "class_weights": {"covid": 1.0, "normal": 1.0, "pneumonia": 1.3}}
       for suffix, augment in DECLARED},                                                                         # E
    **{("external_validation", f"resnet50{suffix}"): {
        "architecture": "resnet50", "arguments": {"stem": "one_channel"}, "batch_size": 32, "weights": "imagenet",
        "image_size": 224, "head": ["gap", {"dense": 256}, {"dropout": 0.4}], "augment": augment,
        "phases": [("head", 10, 5e-4)], "class_weights": {"covid": 1.0, "normal": 1.0, "pneumonia": 1.3}}
       for suffix, augment in DECLARED},                                                                         # E
}
# Of every system above that does not say otherwise.
COMMON = {"optimizer": "adam", "arguments": {}, "train_batch_norm": False, "class_weights": "none"}
STUDIES = sorted({study for study, _ in PUBLISHED})
SMALL = ["pooled_small", "radiography_small", "scratch_small"]
SIBLINGS = [*SMALL, "kermany", "crosssource_small"]


def parameters(study: Study, name: str) -> dict:
    model = study.models[name]
    return {"architecture": model.architecture, "arguments": model.arguments, "weights": model.weights,
            "head": model.head, "train_batch_norm": any(phase.train_batch_norm for phase in model.train.phases),
            "batch_size": model.train.batch_size, "class_weights": model.train.class_weights,
            "augment": model.train.augment.model_dump(exclude_defaults=True),
            "image_size": study.enhance.variants[model.films].image_size,
            "phases": [(phase.trainable, phase.epochs, phase.learning_rate) for phase in model.train.phases],
            "monitor": (model.train.early_stopping.monitor, model.train.early_stopping.patience),
            "optimizer": model.train.optimizer.name}


@pytest.mark.parametrize(("study", "model"), PUBLISHED)
def test_a_model_is_trained_with_the_published_numbers(study, model):
    found = parameters(load_study(study, ROOT), model)
    published = COMMON | PUBLISHED[study, model]
    assert {key: found[key] for key in published} == published


@pytest.mark.parametrize("study", STUDIES)
def test_every_model_of_a_published_study_is_compared_with_the_published_numbers(study):
    assert {model for name, model in PUBLISHED if name == study} == set(load_study(study, ROOT).models)


@pytest.mark.parametrize(("study", "model", "published"), [
    ("radiography_resnet", "resnet50", {"trained": 5_311_620, "frozen": 23_587_712}),
    ("pooled_densenet", "densenet121", {"trained": 6_955_906}),
    ("scratch_cnn", "cnn", {"all": 31_429_712}),
    ("external_validation", "simple_cnn", {"all": 25_783_811}),
])
def test_the_model_that_a_recipe_describes_has_the_published_parameters(study, model, published):
    recipe = load_study(study, ROOT)
    wanted = recipe.models[model]
    network = build(wanted.architecture, wanted.arguments, wanted.head, len(recipe.tasks[wanted.task]),
                    recipe.enhance.variants[wanted.films].image_size)
    freeze(network, wanted.train.phases[0], wanted.weights != "none")
    trained = sum(math.prod(variable.shape) for variable in network.trainable_variables)
    found = {"trained": trained, "frozen": network.count_params() - trained, "all": network.count_params()}
    assert {key: found[key] for key in published} == published


# Beside it stand the configuration set by hand, `cnn`, and the same search at random.
SEARCH = {"base": "cnn", "sampler": "tpe", "pruner": "median", "trials": 40, "epochs": 10, "startup_trials": 10}
SPACE = {"train.phases.0.learning_rate": {"low": 1e-5, "high": 3e-3, "log": True},
         "train.optimizer": {"choices": [{"name": "adam"}, {"name": "adamw", "weight_decay": 1e-4},
                                         {"name": "sgd", "momentum": 0.9}, {"name": "rmsprop"}]},
         "train.batch_size": {"choices": [16, 32, 64]}, "head.0": {"choices": ["flatten", "gap"]},
         "head.*.dense": {"choices": [64, 128, 256, 512]}, "head.*.dropout": {"low": 0.0, "high": 0.5},
         "blocks": {"low": 3, "high": 5}, "base_filters": {"choices": [16, 32, 64]},
         "arguments.convolutions": {"low": 1, "high": 2}, "train.l2": {"low": 1e-6, "high": 1e-3, "log": True}}


def test_the_study_from_scratch_alone_searches_and_does_so_on_the_grouped_split_within_the_agreed_space():
    assert [study for study in STUDIES if load_study(study, ROOT).tune] == ["scratch_cnn"]
    recipe = load_study("scratch_cnn", ROOT)
    found = recipe.tune["tpe"].model_dump(exclude_none=True)
    space = {key: {bound: value for bound, value in dimension.items() if value is not False}
             for key, dimension in found.pop("space").items()}
    assert (found, space) == (SEARCH, SPACE)
    assert recipe.models["cnn"].split == "grouped"


@pytest.mark.parametrize("study", ["scratch_cnn", "scratch_small", "search_small"])
def test_a_search_has_a_random_one_beside_it_that_differs_in_the_sampler_alone(study):
    tune = load_study(study, ROOT).tune
    assert tune == {"tpe": tune["tpe"], "random": tune["tpe"].model_copy(update={"sampler": "random"})}
    assert tune["tpe"].sampler == "tpe"


# train, validation and test of the published split; A's by group as this project splits.
FRACTIONS = {"enhancement_kermany": (0.7, 0.15, 0.15), "enhancement_ieee": (0.7, 0.15, 0.15),
             "radiography_resnet": (0.7, 0.1, 0.2), "scratch_cnn": (0.8, 0.1, 0.1),
             "external_validation": (0.7, 0.15, 0.15)}


@pytest.mark.parametrize("study", FRACTIONS)
def test_the_published_split_is_film_by_film_in_the_published_shares(study):
    split = load_study(study, ROOT).split["as_published"]
    assert (split.unit, split.train, split.validation, split.test) == ("film", *FRACTIONS[study])


@pytest.mark.parametrize("study", [*STUDIES, *SIBLINGS])
def test_every_split_by_group_is_70_10_20(study):
    splits = load_study(study, ROOT).split
    assert splits["grouped"].unit == "group"
    assert {(split.train, split.validation, split.test) for split in splits.values() if split.unit == "group"} == {
        (0.7, 0.1, 0.2)}


@pytest.mark.parametrize("study", ["enhancement_kermany", "enhancement_ieee"])
def test_enhancement_keeps_the_published_order_and_parameters(study):
    recipe = load_study(study, ROOT)
    assert recipe.enhance.variants["enhanced"].steps == [
        {"op": "white_balance", "low": 0.05, "high": 99.95}, {"op": "gray"},
        {"op": "clahe", "clip_limit": 2.0, "tiles": 16}]
    plateaus = {model.train.plateau and tuple(model.train.plateau.model_dump().values())
                for model in recipe.models.values()}
    assert plateaus == {(0.1, 8, 2e-6)}


def test_the_pooled_study_trains_on_850_films_and_tests_on_400_of_the_published_sources():
    for split in load_study("pooled_densenet", ROOT).split.values():
        numbers = pd.DataFrame({part: split.films[part] for part in ("train", "validation", "test")})
        assert numbers["train"].sum() + numbers["validation"].sum() == 850
        assert numbers["test"].to_dict() == {"cohen/covid": 100, "radiography/covid": 100, "kermany/normal": 100,
                                             "radiography/normal": 100}
        assert (numbers["train"] + numbers["validation"]).to_dict() == {
            "cohen/covid": 450, "radiography/covid": 0, "kermany/normal": 200, "radiography/normal": 200}


def test_the_study_from_scratch_takes_1500_films_of_each_class():
    for split in load_study("scratch_cnn", ROOT).split.values():
        assert split.per_class == dict.fromkeys(("covid", "normal", "bacteria", "pneumothorax"), 1500)


# docs/published.md names the places.
FIGURES = {
    ("enhancement_ieee", "nasnet_mobile_covid_as_published"): [{"accuracy": 1.0}],
    ("enhancement_ieee", "inception_resnet_v2_covid_as_published"): [{"accuracy": 1.0}],
    ("enhancement_ieee", "resnet101_covid_as_published"): [{"accuracy": 0.98}],
    ("enhancement_ieee", "nasnet_mobile_findings_as_published"): [{"accuracy": 0.95}],
    ("enhancement_ieee", "inception_resnet_v2_findings_as_published"): [{"accuracy": 0.9745}],
    ("enhancement_ieee", "resnet101_findings_as_published"): [{"accuracy": 0.9}],
    ("radiography_resnet", "resnet50_as_published"): [
        {"accuracy": 0.928, "log_loss": 0.207, "micro_precision": 0.933, "micro_recall": 0.926}],
    ("pooled_densenet", "densenet121_as_published"): [
        {"accuracy": 0.81, "precision_covid": 0.73, "recall_covid": 0.95, "precision_healthy": 0.94,
         "recall_healthy": 0.66}],
    ("scratch_cnn", "cnn_as_published"): [{"accuracy": 0.9783}, {"accuracy": 0.74, "recall_pneumothorax": 0.38}],
    ("external_validation", "simple_cnn_as_published"): [{"accuracy": 0.97}],
    ("external_validation", "resnet50_as_published"): [
        {"accuracy": 0.93}, {"accuracy": 0.92, "f1_covid": 0.93, "f1_normal": 0.87, "f1_pneumonia": 0.94}],
}


def test_the_recipes_state_the_published_figures_and_those_of_external_films_as_such():
    found: dict = {}
    for study in STUDIES:
        published = load_study(study, ROOT).published
        assert published.source and published.note
        for figure in published.figures:
            found.setdefault((study, figure.model), []).append(figure.metrics)
            assert (figure.external == "prashant") == ("f1_covid" in figure.metrics)
    assert found == FIGURES


@pytest.mark.parametrize("study", STUDIES)
def test_a_published_study_has_60_stages_at_most(study):
    others = ("download", "enhance", "split", "probe", "report", "track")
    assert 3 * len(load_study(study, ROOT).models) + len(others) <= 60


@pytest.mark.parametrize("study", [*STUDIES, *SIBLINGS])
def test_every_model_on_the_published_split_has_a_twin_that_differs_in_the_split_alone(study):
    models = load_study(study, ROOT).models
    leaky = {name for name, model in models.items() if model.split == "as_published"}
    assert leaky
    for name in leaky:
        assert models[name].model_copy(update={"split": "grouped"}) == models[name.removesuffix("_as_published")]


# The models that a study is run with here: those of both protocols, and what else is particular to the study.
SHOWN = {"enhancement_kermany": "nasnet_mobile_subtype", "enhancement_ieee": "resnet101_covid",
         "radiography_resnet": "resnet50(_as_published|_weighted)?$", "pooled_densenet": "", "scratch_cnn": "",
         "external_validation": "simple_cnn"}
FILMS = 24  # about, of every label: what numbers of films in a recipe are scaled down to
LARGEST = {"radiography_resnet": 3616, "radiography_small": 3616, "pooled_densenet": 330, "pooled_small": 330,
           "scratch_cnn": 1500, "scratch_small": 600}


def shrink(name: str, recipe: dict) -> None:
    """Films of 32 pixels, a tiny CNN in the place of every architecture, one epoch that trains all."""
    recipe["download"]["phantom"].update(patients=FILMS // 2 + 2, films_per_patient=[2, 2], image_size=64)
    for variant in recipe["enhance"]["variants"].values():
        variant["image_size"] = 32
        for step in variant.get("steps", []):
            step.update({"tiles": 4} if step["op"] == "clahe" else {})
    for split in recipe["split"].values():
        for numbers in (split.get("per_class", {}), *split.get("films", {}).values()):
            numbers.update({label: count and max(2, round(count * FILMS / LARGEST[name]))
                            for label, count in numbers.items()})
    recipe["models"] = {key: tiny(model) for key, model in recipe.get("models", {}).items()
                        if re.match(SHOWN.get(name, ""), key)}
    if "published" in recipe:
        recipe["published"]["figures"] = [figure for figure in recipe["published"].get("figures", [])
                                          if figure["model"] in recipe["models"]]
    # The random search differs from it in the sampler alone.
    recipe["tune"] = {key: small(search) for key, search in recipe.get("tune", {}).items() if key == "tpe"}
    recipe["evaluate"] = {"resamples": 100}
    recipe["explain"] = {"right": 1, "wrong": 1, "sanity_films": 2, "sanity_draws": 1}


def tiny(model: dict) -> dict:
    pooling, *steps = model["head"]
    head = [pooling, *({"dense": 8} if "dense" in step else step for step in steps)]
    train = dict(model["train"]) | {"phases": [{"trainable": "all", "epochs": 1, "learning_rate": 1e-3}]}
    return dict(model) | {"architecture": "cnn", "arguments": {"filters": [4, 8]}, "weights": "none", "head": head,
                          "train": train}


def small(search: dict) -> dict:
    """Two trials of an epoch; the keys are those of the recipe, the values a tiny CNN's."""
    values = {"head.*.dense": {"choices": [4, 8]}, "base_filters": {"choices": [2, 4]}, "blocks": {"low": 1, "high": 2}}
    space = {key: values.get(key, dimension) for key, dimension in search["space"].items()}
    return dict(search) | {"trials": 2, "epochs": 1, "startup_trials": 1, "pruner": "none", "space": space}


@pytest.fixture
def dealt(request, project, monkeypatch) -> str:
    """A small project with one study, shrunk, after its first three stages."""
    from stages import download, enhance, select, split

    study = request.param
    monkeypatch.chdir(project)
    edit(project / "studies" / f"{study}.yaml", lambda recipe: shrink(study, recipe))
    edit(project / "studies" / "prashant.yaml", lambda recipe: (
        shrink("prashant", recipe), recipe["download"]["phantom"].update(patients=2 * FILMS)))
    select.main(study)
    for each in load_params().studies:  # prashant comes along with external_validation
        for stage in (download, enhance, split):
            stage.main(each)
    return study


def assert_films_cross_the_parts_in_the_published_split_alone(study: str) -> None:
    for name, found in json.loads(Path(f"data/audit/{study}.json").read_text()).items():
        crossing = (found["groups_in_two_parts"] + found["copied_films_in_two_parts"]
                    + found["near_duplicate_pairs_in_two_parts"])
        assert crossing == 0 or name == "as_published"


@pytest.mark.parametrize("dealt", SMALL, indirect=True)
def test_the_films_of_a_small_sibling_are_dealt_and_cross_the_parts_in_the_published_split_alone(dealt):
    assert_films_cross_the_parts_in_the_published_split_alone(dealt)


@pytest.mark.parametrize("dealt", STUDIES, indirect=True)
def test_a_study_runs_whole_on_phantoms_and_reports_both_protocols(dealt, monkeypatch):
    """From download to report, in one process, with the search of a study that has one. Splits, tasks, films and their
    labels are those of the recipe, scaled down; the architectures, their weights and the phases are not: those are
    built above and in `tests/models`, and `tests/test_training.py` trains frozen bases. The models are those that
    SHOWN matches. The small siblings differ from their studies in nothing that is left here, so that they end with the
    split."""
    from stages import evaluate, explain, external, probe, report, train, tune

    for stage in (tune, train, evaluate, explain, external):
        monkeypatch.setattr(stage, "prepare", lambda *_: None)  # threads cannot be set twice in a process
    study = dealt
    assert_films_cross_the_parts_in_the_published_split_alone(study)
    recipe = load_study(study)
    for search in recipe.tune:
        tune.main(study, search)
    for model in recipe.cells():  # the winner of a search among them
        for stage in (train, evaluate, explain):
            stage.main(study, model)
    for run in load_params().externals.values():
        external.main(run.study, run.model, run.name)
    for each in load_params().studies:
        probe.main(each)
    report.main()
    text = Path("reports/results.md").read_text()
    for search in recipe.tune:
        assert f"| {search}: {recipe.tune[search].sampler}" in text
    for model in recipe.cells():
        assert f"| {model} |" in text
        if model.endswith("_as_published"):
            row = re.search(rf"\| `{model}` \| accuracy \|(.*) \|\n", text)[1].split(" | ")
            assert re.fullmatch(r"[+-]\d\.\d{3}( \([+-]\d\.\d{3} to [+-]\d\.\d{3}\))?", row[-1].strip())
            assert len(row) == (4 if recipe.published and recipe.published.figures else 3)
    for figure in (*re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text), f"{study}/samples.png"):
        assert (Path("reports") / figure).stat().st_size > 0
    page = (Path("reports") / study / "index.html").read_text()
    assert "Films of every label" in page
    if not any(model.train.augment.is_off() for model in recipe.models.values()):
        assert "Films as epochs of its training change them" in page
    if study == "external_validation":
        assert re.search(r"\| simple_cnn \| `prashant`: prashant \(grouped, all\) \| [1-9]", text)

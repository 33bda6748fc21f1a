import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, edit
from thorax.errors import ThoraxError
from thorax.reader import architectures, external_runs, load_params, load_run, load_study
from thorax.recipe import Augment


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    """A folder with the project's own params.yaml and recipes, free to be spoilt."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    edit(tmp_path / "params.yaml", lambda params: params.update(
        studies=["phantom"],
        runs={"phantom_small_cnn": {"study": "phantom", "model": "small_cnn", "architecture": "cnn",
                                    "films": "enhanced", "split": "grouped",
                                    "recipe": "studies/phantom.yaml"}}))
    return tmp_path


def spoil(recipes: Path, key: str, value, file: str = "studies/phantom.yaml") -> str:
    """Set one key of a recipe (dots between keys) and return the message of the refusal."""
    def change(content):
        *way, last = key.split(".")
        for name in way:
            content = content[int(name)] if isinstance(content, list) else content[name]
        content[int(last) if isinstance(content, list) else last] = value

    edit(recipes / file, change)
    with pytest.raises(ThoraxError) as refused:
        load_params(recipes)
        load_study("phantom", recipes)
    return str(refused.value).replace(f"{recipes}/", "")


@pytest.mark.parametrize("study", sorted(path.stem for path in (ROOT / "studies").glob("*.yaml")))
def test_every_committed_recipe_is_valid(study):
    load_study(study, ROOT)
    external_runs(study, ROOT)


def test_the_committed_params_name_every_model_of_the_phantom_study():
    params = load_params(ROOT)
    assert params.studies == ["phantom"]
    assert {run.model for run in params.runs.values()} == set(load_study("phantom", ROOT).models)


def test_exponents_without_a_dot_are_numbers(recipes):
    text = (recipes / "studies" / "phantom.yaml").read_text()
    (recipes / "studies" / "phantom.yaml").write_text(re.sub(r"learning_rate: [^,}]+", "learning_rate: 1e-3", text))
    assert load_study("phantom", recipes).models["small_cnn"].train.phases[0].learning_rate == 0.001


MISTAKES = {
    "an unknown key": ("models.small_cnn.train.batchsize", 8,
                       "models.small_cnn.train: unknown key 'batchsize'; did you mean 'batch_size'?"),
    "a probe of an unknown task": ("probes.tasks", ["finding"],
                                   "probes.tasks: unknown task 'finding'; did you mean 'findings'?"),
    "a probe of unknown films": ("probes.films", "plane",
                                 "probes.films: unknown variant 'plane'; did you mean 'plain'?"),
    "a box without an inside": ("probes.box", {"left": 0.8, "right": 0.2},
                                "probes.box: top must be less than bottom and left less than right"),
    "an unknown section": ("enhanse", {}, "unknown key 'enhanse'; did you mean 'enhance'?"),
    "a word for a number": ("models.small_cnn.train.batch_size", "many",
                            "models.small_cnn.train.batch_size: 'many' (str) is not allowed: must be a valid integer"),
    "a number as text": ("models.small_cnn.train.phases.0.learning_rate", "1e-3",
                         "models.small_cnn.train.phases.0.learning_rate: '1e-3' (str) is not allowed"),
    "a number out of range": ("enhance.reject_limit", 1.5,
                              "enhance.reject_limit: 1.5 (float) is not allowed: must be less than 1"),
    "yes for a number": ("evaluate.resamples", True, "evaluate.resamples: True (bool) is not allowed"),
    "not a number": ("split.grouped.train", float("nan"), "split.grouped.train: nan (float) is not allowed"),
    "fractions that miss one": ("split.grouped.train", 0.5,
                                 "split.grouped: train + validation + test must be 1, not 0.8"),
    "a split that is not there": ("models.small_cnn.split", "groupd",
                                  "models.small_cnn.split: unknown split 'groupd'; did you mean 'grouped'?"),
    "another unit than film or group": ("split.grouped.unit", "patient", "must be 'group' or 'film'"),
    "numbers for an unknown label": ("split.grouped.per_class", {"viral": 3, "covd": 3},
                                     "split.grouped.per_class: unknown label 'covd'; did you mean 'covid'?"),
    "numbers for an unknown part": ("split.grouped.films", {"tests": {"viral": 3}}, "split.grouped.films"),
    "numbers for a label twice": ("split.grouped.films", {"test": {"viral": 3, "phantom/viral": 4}},
                                  "split.grouped.films.test names a label twice: viral, phantom/viral"),

    "a published figure of no model": ("published", {"source": "a paper", "figures": [
        {"model": "small_cn", "films": "its test films", "metrics": {"accuracy": 0.9}}]},
        "published.figures.0.model: unknown model 'small_cn'; did you mean 'small_cnn'?"),
    "a published figure of no class": ("published", {"source": "a paper", "figures": [
        {"model": "small_cnn", "films": "its test films", "metrics": {"recall_covd": 0.9}}]},
        "published.figures.0.metrics: unknown metric 'recall_covd'; did you mean 'recall_covid'?"),
    "an unknown label": ("tasks.findings.covid", ["covvid"],
                         "tasks.findings.covid: unknown label 'covvid'; did you mean 'covid'?"),
    "a label in two classes": ("tasks.findings.covid", ["normal"], "label 'normal' belongs to more than one class"),
    "a class called like a column": ("tasks.findings.label", ["normal"], "a class may not be called 'label'"),
    "an unknown task": ("models.small_cnn.task", "finding", "unknown task 'finding'; did you mean 'findings'?"),
    "an unknown variant": ("models.deep_cnn.films", "enhancd", "unknown variant 'enhancd'; did you mean 'enhanced'?"),
    "an unknown architecture": ("models.deep_cnn.architecture", "resnet52", "did you mean 'resnet50'?"),
    "an unknown kind of phase": ("models.small_cnn.train.phases.0.trainable", "tail", "must be 'head' or 'all'"),
    "a step without operation": ("enhance.variants.plain.steps", [{"clip": 2}],
                                 "enhance.variants.plain.steps: step 1 must be a mapping"),
    "no phase at all": ("models.small_cnn.train.phases", [], "models.small_cnn.train.phases"),
    "a head phase after all": ("models.small_cnn.train.phases",
                               [{"trainable": "all", "epochs": 1, "learning_rate": 1e-3},
                                {"trainable": "head", "epochs": 1, "learning_rate": 1e-3}],
                               "a phase that trains the head cannot follow one that trains all"),
    "a frozen base without weights": ("models.resnet50.train.phases",
                                      [{"trainable": "head", "epochs": 1, "learning_rate": 1e-3}],
                                      "models.resnet50: train.phases[0] trains the head alone, which needs a trained"),
    "a head without pooling": ("models.small_cnn.head", [{"dense": 4}, "gap"],
                               "models.small_cnn.head: the first step must be one of gap, flatten, not"),
    "a head without steps": ("models.small_cnn.head", [], "the first step must be one of gap, flatten, not []"),
    "an unknown pooling": ("models.small_cnn.head", ["max"], "must be one of gap, flatten, not ['max']"),
    "a second pooling": ("models.small_cnn.head", ["gap", "flatten"],
                         "head: step 2: 'flatten' must be a mapping with one key"),
    "two steps in one": ("models.small_cnn.head", ["gap", {"dense": 4, "dropout": 0.1}],
                         "{'dense': 4, 'dropout': 0.1} must be a mapping with one key"),
    "an unknown step of a head": ("models.small_cnn.head", ["gap", {"dropuot": 0.1}],
                                  "models.small_cnn.head: step 2: unknown step 'dropuot'; did you mean 'dropout'?"),
    "no units": ("models.small_cnn.head", ["gap", {"dense": 0}],
                 "dense: 0 is not allowed: must be a whole number of units, at least 1"),
    "half a unit": ("models.small_cnn.head", ["gap", {"dense": 2.5}], "dense: 2.5 is not allowed"),
    "yes for units": ("models.small_cnn.head", ["gap", {"dense": True}], "dense: True is not allowed"),
    "everything dropped": ("models.small_cnn.head", ["gap", {"dropout": 1.0}],
                           "dropout: 1.0 is not allowed: must be a rate from 0 to below 1"),
    "an argument of no architecture": ("models.small_cnn.arguments", {"filtres": [4]},
                                       "models.small_cnn: architecture 'cnn' takes no argument 'filtres'; did you "
                                       "mean 'filters'?"),
    "an unknown operation": ("enhance.variants.enhanced.steps.2.op", "clahee",
                             "enhance.variants.enhanced: enhance step 3: unknown operation 'clahee'; did you mean "
                             "'clahe'?"),
    "an operation's unknown argument": ("enhance.variants.enhanced.steps.2.tile", 4,
                                        "enhance step 3: clahe has no argument 'tile'; did you mean 'tiles'?"),
    "tiles finer than the film": ("enhance.variants.enhanced_small.steps.2.tiles", 64,
                                  "enhance.variants.enhanced_small: clahe: tiles = 64 but the film is 48x48 pixels"),
    "a level that the resamples cannot give": ("evaluate.level", 0.9999,
                                               "evaluate: level 0.9999 needs 20000 resamples or more, not 2000"),
    "a decay without its factor": ("models.small_cnn.train.phases.0.decay", "step",
                                   "phases.0: decay: step goes with a decay_factor"),
    "a factor without its decay": ("models.resnet50.train.phases.0",
                                   {"trainable": "all", "epochs": 1, "learning_rate": 1e-3, "decay_factor": 0.5},
                                   "phases.0: decay: none goes without decay_factor"),
    "batch normalisation of a frozen base": ("models.resnet50.train.phases.0",
                                             {"trainable": "head", "epochs": 1, "learning_rate": 1e-3,
                                              "train_batch_norm": True}, "train_batch_norm is for a phase that trains"),
    "an unknown optimizer": ("models.small_cnn.train.optimizer", {"name": "adma"},
                             "optimizer.name: 'adma' (str) is not allowed: must be 'adam', 'adamw', 'sgd' or"),
    "momentum for adam": ("models.small_cnn.train.optimizer", {"momentum": 0.9}, "adam has no momentum to set"),
    "adam with weight decay": ("models.small_cnn.train.optimizer", {"weight_decay": 0.1}, "say name: adamw"),
    "adamw without weight decay": ("models.small_cnn.train.optimizer", {"name": "adamw"}, "adamw needs weight_decay"),
    "an unknown precision": ("models.small_cnn.train.precision", "float16",
                             "must be 'auto', 'float32', 'mixed_float16' or 'mixed_bfloat16'"),
    "a file of weights without its hash": ("models.resnet50.weights", "base.weights.h5",
                                           "models.resnet50: weights_sha256 belongs to the path of a file"),
    "a hash of weights that are no file": ("models.resnet50.weights_sha256", "a" * 64, "weights_sha256 belongs to"),
    "an unknown way to weigh classes": ("models.small_cnn.train.class_weights", "balancd",
                                        "train.class_weights: 'balancd' (str) is not allowed: must be 'none' or"),
    "a class weight of zero": ("models.small_cnn.train.class_weights", {"covid": 0},
                               "train.class_weights.covid: 0 (int) is not allowed: must be greater than 0"),
    "class weights of other classes": ("models.small_cnn.train.class_weights", {"covid": 2.0, "healthy": 1.0},
                                       "models.small_cnn.train.class_weights: names covid, healthy, but the classes of "
                                       "task 'findings' are normal, covid, bacterial, viral, opacity, pneumothorax"),
    "a plateau above the start": ("models.small_cnn.train",
                                  {"batch_size": 8, "plateau": {"min_learning_rate": 0.1},
                                   "phases": [{"trainable": "all", "epochs": 1, "learning_rate": 1e-3}]},
                                  "not above plateau.min_learning_rate 0.1"),
    "a plateau beside a decay": ("models.small_cnn.train.plateau", {"factor": 0.5},
                                 "models.small_cnn.train: plateau and a phase's decay both set the learning rate"),
    "a name that DVC's cache ignores": ("download.phantom.size", 3, "download.phantom.size: this name is refused"),
    "dashes in a name": ("download.datasets.phan-tom", {"labels": ["normal"]}, "download.datasets.phan-tom"),
    "films in the wrong order": ("download.phantom.films_per_patient", [3, 1], "must be [fewest, most]"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_file_key_and_what_is_allowed(mistake, recipes):
    key, value, expected = MISTAKES[mistake]
    message = spoil(recipes, key, value)
    assert message.startswith("studies/phantom.yaml: ")
    assert expected in message
    assert "\n" not in message


PARAMS_MISTAKES = {
    "an unknown study": ("studies", ["phantum"], "runs.phantom_small_cnn is of study 'phantom', which studies does"),
    "a study without a recipe": ("runs", {"x_y": {"study": "x", "model": "y", "architecture": "cnn", "films": "z",
                                                     "split": "grouped", "recipe": "studies/x.yaml"}},
                                 "runs.x_y is of study 'x'"),
    "a study named twice": ("studies", ["phantom", "phantom"], "studies names a study twice"),
    "a study without runs": ("studies", ["phantom", "kermany"], "study 'kermany' has no run; `python -m stages.select"),
    "an unknown model": ("runs.phantom_small_cnn.model", "small_cn", "must be called phantom_small_cn"),
    "another architecture than the recipe's": ("runs.phantom_small_cnn.architecture", "resnet50",
                                               "'resnet50', but studies/phantom.yaml says 'cnn'"),
    "another split than the recipe's": ("runs.phantom_small_cnn.split", "as_published",
                                        "'as_published', but studies/phantom.yaml says 'grouped'"),
    "an unknown source": ("source", "kagle", "source: must be phantom, download"),
    "a service instead of its source": ("source", "kaggle", "source: say download instead of kaggle"),
    "a folder without path": ("sources", {"kermany": "folder:"}, "sources: must be phantom, download"),
    "a source for an unknown data set": ("sources", {"kermanny": "folder:/films"},
                                         "sources: unknown data set 'kermanny'; did you mean 'kermany'?"),
    "an unknown device": ("device", "cuda", "device: 'cuda' (str) is not allowed: must be 'auto', 'cpu' or 'gpu'"),
    "a negative seed": ("seed", -1, "seed: -1 (int) is not allowed: must be greater than or equal to 0"),
}


@pytest.mark.parametrize("mistake", PARAMS_MISTAKES)
def test_a_mistake_in_params_names_the_key_and_the_way_out(mistake, recipes):
    key, value, expected = PARAMS_MISTAKES[mistake]
    message = spoil(recipes, key, value, "params.yaml")
    assert message.startswith("params.yaml: ")
    assert expected in message
    assert "\n" not in message


def test_two_mistakes_are_two_lines(recipes):
    edit(recipes / "studies" / "phantom.yaml", lambda recipe: recipe["evaluate"].update(resamples=1, level=2))
    with pytest.raises(ThoraxError) as refused:
        load_study("phantom", recipes)
    assert len(str(refused.value).splitlines()) == 2


def test_a_key_given_twice_is_refused_with_its_line(recipes):
    path = recipes / "studies" / "phantom.yaml"
    path.write_text(path.read_text() + "\ntitle: again\n")
    with pytest.raises(ThoraxError, match=r'phantom\.yaml:\d+: found duplicate key "title"'):
        load_study("phantom", recipes)


def test_broken_yaml_is_refused_with_its_line(recipes):
    (recipes / "params.yaml").write_text("seed: 1\nstudies: [phantom\nruns: {}\n")
    with pytest.raises(ThoraxError, match=r"params\.yaml:\d: not valid YAML"):
        load_params(recipes)


def test_a_value_that_yaml_takes_for_an_impossible_date_is_refused_in_one_line(recipes):
    (recipes / "params.yaml").write_text("seed: 2026-13-45\n")
    with pytest.raises(ThoraxError, match=r"params\.yaml: a value cannot be read: month must be in"):
        load_params(recipes)


def test_an_unknown_study_is_answered_with_the_nearest_one(recipes):
    with pytest.raises(ThoraxError, match="no study 'phantm'; did you mean 'phantom'"):
        load_study("phantm", recipes)


def test_an_unknown_model_is_answered_with_the_nearest_one(recipes):
    with pytest.raises(ThoraxError, match="no model 'small_cn'; did you mean 'small_cnn'"):
        load_run("phantom", "small_cn", recipes)


def test_reading_a_recipe_does_not_import_tensorflow(recipes):
    script = ("import sys; from pathlib import Path; from thorax.reader import load_study; "
              "load_study('phantom', Path(sys.argv[1])); assert not {'keras', 'tensorflow'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", script, str(recipes)], check=True, cwd=ROOT, timeout=60)


def test_true_flips_half_of_the_films_and_a_number_that_share():
    assert [Augment(flip=flip).flip for flip in (True, False, 0.4)] == [0.5, 0.0, 0.4]


def test_every_architecture_is_a_module_with_a_function_of_features():
    for name in architectures():
        assert "def features(film, weights" in (ROOT / "thorax" / "models" / f"{name}.py").read_text()


def test_no_committed_recipe_uses_merge_keys():
    # `dvc exp run -S` writes recipes back with merge keys expanded: the two models would part without a word.
    for path in (ROOT / "studies").glob("*.yaml"):
        assert "<<" not in path.read_text()
        YAML(typ="safe").load(path.read_text())


def test_a_label_of_several_data_sets_must_say_of_which(recipes):
    def change(recipe, label):
        recipe["download"]["datasets"]["kermany"] = {"labels": ["normal"]}
        recipe["split"]["grouped"]["films"] = {"test": {label: 5}}

    path = recipes / "studies" / "phantom.yaml"
    edit(path, lambda recipe: change(recipe, "normal"))
    with pytest.raises(ThoraxError, match=r"split\.grouped\.films\.test: several data sets have label 'normal'; say "
                                          "which: phantom/normal, kermany/normal"):
        load_study("phantom", recipes)
    edit(path, lambda recipe: change(recipe, "kermany/normal"))
    assert load_study("phantom", recipes).split["grouped"].films == {"test": {"kermany/normal": 5}}

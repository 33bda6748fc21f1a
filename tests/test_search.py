"""A search as a stage: what it leaves, what its winner becomes, how it goes on after a kill."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import edit, environment, make_project, run
from tests.test_pipeline import ran
from thorax.errors import ThoraxError
from thorax.intervals import as_text
from thorax.reader import load_params, load_run, load_study
from thorax.reporting.results import study_block
from thorax.space import with_values

SEARCH = {"base": "small_cnn", "trials": 3, "epochs": 1, "startup_trials": 2, "space": {
    "train.phases.0.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
    "train.batch_size": {"choices": [4, 8]}, "head.0": {"choices": ["gap", "flatten"]}}}
TUNE = (sys.executable, "-m", "stages.tune", "phantom", "wide")


def searching(folder: Path) -> Path:
    make_project(folder)
    edit(folder / "studies" / "phantom.yaml", lambda recipe: (
        recipe["models"].pop("small_cnn_plain"), recipe.update(tune={"wide": SEARCH})))
    run(folder, sys.executable, "-m", "stages.select", "phantom")
    return folder


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    folder = searching(tmp_path_factory.mktemp("searched") / "project")
    (folder / "repro.txt").write_text(run(folder, "dvc", "repro").stdout)
    return folder


@pytest.fixture
def searched_copy(searched, tmp_path) -> Path:
    return shutil.copytree(searched, tmp_path / "project", symlinks=True)


def test_the_search_runs_before_its_winner_is_trained_and_once(searched):
    stages = ran((searched / "repro.txt").read_text())
    assert stages.index("tune@phantom_wide") < stages.index("train@phantom_wide") < stages.index("report")
    assert ran(run(searched, "dvc", "repro").stdout) == []


def test_the_winner_is_the_best_trial_and_is_trained_at_the_length_of_the_base(searched):
    trials = pd.read_csv(searched / "models/phantom/wide/tuning/trials.csv")
    assert len(trials) == 3
    [best] = trials[trials["best"] == 1].to_dict("records")
    assert best["macro_f1"] == trials["macro_f1"].max()
    params, recipe, winner = load_run("phantom", "wide", searched)
    assert winner == with_values(recipe.models["small_cnn"], {key: best[key] for key in SEARCH["space"]})
    assert json.loads((searched / "models/phantom/wide/model.json").read_text())["head"] == winner.head
    assert json.loads((searched / "models/phantom/wide/training.json").read_text())["epochs"] == 2
    assert params.runs["phantom_wide"].recipe == "models/phantom/wide/tuning/best.yaml"


def test_the_table_shows_the_search_beside_the_configuration_set_by_hand(searched):
    text = study_block("phantom", load_params(searched), "figures", searched)
    trials = pd.read_csv(searched / "models/phantom/wide/tuning/trials.csv")
    assert "selected on validation (macro F1, split `grouped`, one seed; 3 trials); the test films chose" in text
    [row] = [line for line in text.splitlines() if line.startswith("| wide: tpe")]
    assert f"| 3 | 3 | 0 | 0 | {trials['macro_f1'].max():.3f} | " in row
    f1 = json.loads((searched / "models/phantom/wide/evaluation/metrics.json").read_text())["macro_f1"]
    assert f"| {as_text(f1)} |" in row
    assert "| small_cnn, set by hand | - | - | - | - | - | " in text
    assert "Search, `wide` minus `small_cnn` on the same test films: macro F1 " in text
    assert "Enhancement, `wide`" not in text


def test_trials_are_child_runs_of_the_winner_s_run_and_come_once(searched):
    run(searched, sys.executable, "-m", "stages.track")
    trials = pd.read_csv(searched / "models/phantom/wide/tuning/trials.csv")
    with sqlite3.connect(searched / "mlflow.db") as store:
        children = store.execute(
            "SELECT child.name, child.status, m.value, parent.name FROM runs child "
            "JOIN tags t ON t.run_uuid = child.run_uuid AND t.key = 'mlflow.parentRunId' "
            "JOIN runs parent ON parent.run_uuid = t.value JOIN metrics m ON m.run_uuid = child.run_uuid "
            "ORDER BY child.name").fetchall()
        rates = store.execute("SELECT count(*) FROM params WHERE key = 'train.phases.0.learning_rate'").fetchone()
    assert [child[:2] + child[3:] for child in children] == [
        (f"trial {number}", "FINISHED", "wide") for number in (1, 2, 3)]
    assert [child[2] for child in children] == pytest.approx(trials["macro_f1"].tolist())
    assert rates == (3,)


def test_another_number_of_trials_searches_again_and_trains_nothing_else(searched_copy):
    edit(searched_copy / "studies" / "phantom.yaml", lambda recipe: recipe["tune"]["wide"].update(trials=4))
    done = run(searched_copy, "dvc", "repro", "train")
    assert ran(done.stdout) in (["tune@phantom_wide"], ["tune@phantom_wide", "train@phantom_wide"])
    assert "3 trials of an earlier start are kept" in done.stdout


def test_a_search_killed_after_its_first_trial_ends_with_the_same_files(searched, searched_copy):
    shutil.rmtree(searched_copy / "logs")
    shutil.rmtree(searched_copy / "models/phantom/wide/tuning")
    with subprocess.Popen(TUNE, cwd=searched_copy, env=environment(), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as search:
        for line in search.stdout:
            if "trial 1 of 3" in line:
                search.send_signal(signal.SIGKILL)
    assert search.returncode == -signal.SIGKILL
    assert not (searched_copy / "models/phantom/wide/tuning").exists()
    assert "1 trials of an earlier start are kept" in run(searched_copy, *TUNE).stdout
    for name in ("trials.csv", "best.yaml", "history.png", "importance.png", "slices.png"):
        path = Path("models/phantom/wide/tuning") / name
        assert (searched_copy / path).read_bytes() == (searched / path).read_bytes()


def test_trials_that_do_not_fit_the_films_or_diverge_are_told_and_a_search_of_nothing_else_fails(searched_copy):
    edit(searched_copy / "studies" / "phantom.yaml", lambda recipe: recipe["tune"]["wide"].update(
        space={"blocks": {"low": 6, "high": 7}}))
    done = run(searched_copy, *TUNE, check=False)
    assert done.returncode == 1
    assert ("error: tune: phantom: wide: none of 3 trials finished; the last one pruned: architecture 'cnn' cannot be "
            "built for films of 32x32 with arguments") in done.stdout
    edit(searched_copy / "studies" / "phantom.yaml", lambda recipe: (
        recipe["models"]["small_cnn"]["arguments"].update(batch_norm=False),
        # The penalty makes every step multiply the weights, until they overflow.
        recipe["models"]["small_cnn"]["train"].update(optimizer={"name": "sgd", "momentum": 0.99}, l2=0.9),
        recipe["tune"]["wide"].update(space={"train.phases.0.learning_rate": {"choices": [10.0, 9.0]}}, epochs=2)))
    done = run(searched_copy, *TUNE, check=False)
    assert done.returncode == 1
    assert "none of 3 trials finished; the last one failed: training diverged: the loss is" in done.stdout
    assert (searched_copy / "models/phantom/wide/tuning/trials.csv").exists()  # the last good search stands


def test_a_winner_that_is_not_there_yet_is_asked_for_with_the_way_to_it(tmp_path):
    project = searching(tmp_path / "project")
    with pytest.raises(ThoraxError, match=r"tuning/best\.yaml: no such file; run `dvc repro`, which searches"):
        load_run("phantom", "wide", project)
    edit(project / "params.yaml", lambda params: params.update(searches={}))
    with pytest.raises(ThoraxError, match=r"searches\.phantom_wide: not what studies/phantom\.yaml says; `python -m "
                                          r"stages\.select phantom` mends the runs"):
        load_params(project)


MISTAKES = {
    "an unknown base": ({"base": "smal_cnn"}, "tune.wide.base: unknown model 'smal_cnn'; did you mean 'small_cnn'?"),
    "tpe that never starts": ({"startup_trials": 3}, "tune.wide: tpe starts after startup_trials (3), but there are 3"),
    "a pruner between no epochs": ({"pruner": "median"}, "pruner: median ends trials between epochs, and there is one"),
    "an unknown sampler": ({"sampler": "grid"}, "tune.wide.sampler: 'grid' (str) is not allowed: must be 'tpe' or"),
    "no range at all": ({"space": {"blocks": {"low": 2}}}, "must be {choices: [...]}, or {low: ..., high: ...}"),
    "a range and choices": ({"space": {"blocks": {"low": 2, "high": 3, "choices": [2, 3]}}}, "must be {choices: [...]"),
    "a range upside down": ({"space": {"blocks": {"low": 3, "high": 2}}}, "low (3) must be below high (2)"),
    "the logarithm of nothing": ({"space": {"train.l2": {"low": 0, "high": 0.1, "log": True}}}, "log needs a low"),
    "a word as bound": ({"space": {"blocks": {"low": "few", "high": 2}}}, "'few' is no number; low and high must be"),
    "a key of no recipe": ({"space": {"trian.l2": {"low": 0.0, "high": 0.1}}}, "tune.wide.space: trian.l2: no key"),
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    return searching(tmp_path_factory.mktemp("recipe") / "project")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_search_is_one_line_with_its_key(mistake, recipe):
    changes, expected = MISTAKES[mistake]
    edit(recipe / "studies" / "phantom.yaml", lambda content: content.update(tune={"wide": SEARCH | changes}))
    with pytest.raises(ThoraxError) as refused:
        load_study("phantom", recipe)
    assert "studies/phantom.yaml: tune.wide" in str(refused.value)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_search_on_a_split_that_leaks_and_a_name_taken_twice_are_refused(recipe):
    def leak(content):
        content["split"]["leaky"] = content["split"]["grouped"] | {"unit": "film"}
        content["models"]["leaky"] = content["models"]["small_cnn"] | {"split": "leaky"}
        content["tune"] = {"wide": SEARCH | {"base": "leaky"}}

    edit(recipe / "studies" / "phantom.yaml", leak)
    with pytest.raises(ThoraxError, match="base 'leaky' is split film by film, and a search would choose what leaks"):
        load_study("phantom", recipe)
    edit(recipe / "studies" / "phantom.yaml", lambda content: content.update(tune={"small_cnn": SEARCH}))
    with pytest.raises(ThoraxError, match=r"its winner would be called as models\.small_cnn is; rename one"):
        load_study("phantom", recipe)


def test_a_base_that_does_not_fit_ends_the_search_before_its_first_trial(searched_copy):
    edit(searched_copy / "studies" / "phantom.yaml", lambda recipe: recipe["models"]["small_cnn"].update(
        arguments={"filters": [4] * 6}))
    done = run(searched_copy, *TUNE, check=False)
    assert done.returncode == 1
    assert "tune: error: studies/phantom.yaml: models.small_cnn: architecture 'cnn' cannot be built" in done.stdout
    assert "trial" not in done.stdout

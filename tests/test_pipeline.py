"""The pipeline as DVC runs it, on a small phantom study: what re-runs, what stays, what survives a kill."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import IDENTITY, ROOT, edit, environment, make_project, run
from tests.import_graph import needed

STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
ARCHITECTURE = "thorax/models/${item.architecture}.py"
# Run by MLflow itself when the model is loaded; the stage copies it.
BY_NAME = {"track": {"thorax/serving.py"}, "train": {ARCHITECTURE}, "evaluate": {ARCHITECTURE},
           "explain": {ARCHITECTURE}, "external": {ARCHITECTURE}, "tune": {ARCHITECTURE}}


def ran(output: str) -> list[str]:
    """The stages that DVC says it runs."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_modules_that_it_runs(stage):
    declared = {dep for dep in STAGES[stage].get("do", STAGES[stage])["deps"]
                if dep.startswith(("thorax", "stages"))}
    folders = {dep for dep in declared if not dep.endswith(".py")}
    modules = needed(ROOT, Path(f"stages/{stage}.py"))
    if "thorax/datasets/__init__.py" in modules:  # which imports the others by name
        modules |= set().union(*(needed(ROOT, path.relative_to(ROOT))
                                 for path in (ROOT / "thorax" / "datasets").glob("*.py")))
    inside = {module for module in modules if any(module.startswith(f"{folder}/") for folder in folders)}
    assert declared - folders - BY_NAME.get(stage, set()) == modules - inside
    assert all(any(module.startswith(f"{folder}/") for module in inside) for folder in folders)


def test_an_architecture_runs_no_other_module_than_the_shared_ones():
    shared = {dep for dep in STAGES["train"]["do"]["deps"] if dep.endswith(".py")}
    for path in (ROOT / "thorax" / "models").glob("*.py"):
        own = path.relative_to(ROOT)
        assert needed(ROOT, own) - {own.as_posix()} <= shared


def test_the_second_repro_does_nothing_and_says_so(finished):
    done = run(finished, "dvc", "repro")
    assert ran(done.stdout) == []
    assert "Data and pipelines are up to date." in done.stdout
    assert "up to date" in run(finished, "dvc", "status").stdout


def test_everything_that_the_first_repro_made_is_committed_or_ignored_on_purpose(finished):
    untracked = run(finished, "git", "status", "--short", "--untracked-files=all").stdout
    kept_by_git = {line[3:] for line in untracked.splitlines()}
    names = {Path(name).name for name in kept_by_git}
    assert {"dvc.lock", "metrics.json", "explanation.json", "predictions.csv", "training.json", "history.csv",
            "phantom.json", "probes.json", "results.md"} <= names
    assert not any(name.endswith((".npy", ".h5", ".zip", ".db")) or "/.lock-" in name or "/.tmp-" in name
                   for name in kept_by_git)


def test_a_learning_rate_reruns_its_model_only(finished_copy):
    edit(finished_copy / "studies" / "phantom.yaml",
         lambda recipe: recipe["models"]["small_cnn"]["train"]["phases"][0].update(learning_rate=5e-3))
    name = "phantom_small_cnn"
    assert ran(run(finished_copy, "dvc", "repro").stdout) == [
        f"train@{name}", f"evaluate@{name}", f"explain@{name}", "report", "track"]


def test_the_enhancement_reruns_its_study_only(project):
    edit(project / "params.yaml", lambda params: (
        params["studies"].append("kermany"),
        params["runs"].update(kermany_subtype_small_cnn={"study": "kermany", "model": "subtype_small_cnn",
                                                         "architecture": "cnn", "films": "enhanced",
                                                         "split": "grouped",
                                                         "recipe": "studies/kermany.yaml"})))
    edit(project / "studies" / "kermany.yaml", lambda recipe: (
        recipe["download"]["phantom"].update(patients=8, image_size=64),
        recipe["split"]["grouped"].update(train=0.5, validation=0.25, test=0.25)))
    assert set(ran(run(project, "dvc", "repro", "split").stdout)) == {
        f"{stage}@{study}" for stage in ("download", "enhance", "split") for study in ("phantom", "kermany")}
    edit(project / "studies" / "phantom.yaml",
         lambda recipe: recipe["enhance"]["variants"]["enhanced"]["steps"][2].update(clip_limit=9.0))
    assert ran(run(project, "dvc", "repro", "split").stdout) == ["enhance@phantom"]
    status = json.loads(run(project, "dvc", "status", "--json", "train").stdout)
    changed = {dep for reasons in status["train@phantom_small_cnn"] for dep in reasons.get("changed deps", {})
               if dep.endswith(".npy")}
    assert changed == {"data/enhanced/phantom/enhanced.npy"}  # the plain films are the same bytes


def test_two_clones_give_the_same_lock(finished, tmp_path):
    clone = make_project(tmp_path / "clone")
    run(clone, "dvc", "repro")
    assert (clone / "dvc.lock").read_text() == (finished / "dvc.lock").read_text()


def test_another_seed_gives_another_lock(finished, project):
    edit(project / "params.yaml", lambda params: params.update(seed=7))
    run(project, "dvc", "repro", "split")
    yaml = YAML(typ="safe")
    first, second = (yaml.load((folder / "dvc.lock").read_text())["stages"] for folder in (finished, project))
    for stage in ("download@phantom", "enhance@phantom", "split@phantom"):
        assert first[stage]["outs"] != second[stage]["outs"]


# The moments are random but written down: a failure can be seen again.
@pytest.mark.parametrize(("whom", "moments"), [("the group", random.Random(1).sample(range(3, 40), 2)),
                                               ("the parent", random.Random(2).sample(range(3, 40), 3))])
def test_after_kills_at_random_moments_a_rerun_ends_with_the_undisturbed_lock(whom, moments, finished, project):
    for moment in sorted(moments):
        # Its own log file: a pipe would be held open by what outlives it.
        with open(project / "killed.log", "w") as log:
            repro = subprocess.Popen(["dvc", "repro"], cwd=project, env=environment(), stdout=log, stderr=log,
                                     start_new_session=True)
            time.sleep(moment)
            if whom == "the parent":
                os.kill(repro.pid, signal.SIGKILL)
            else:
                os.killpg(repro.pid, signal.SIGKILL)
            repro.wait()
    run(project, "dvc", "repro")
    assert (project / "dvc.lock").read_text() == (finished / "dvc.lock").read_text()


def test_a_changed_metric_shows_against_the_last_commit(finished_copy):
    run(finished_copy, "git", "add", "-A")
    run(finished_copy, "git", *IDENTITY, "commit", "-qm", "results")
    path = finished_copy / "models/phantom/small_cnn/evaluation/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["accuracy"]["value"] = 0.125
    path.write_text(json.dumps(metrics))
    difference = json.loads(run(finished_copy, "dvc", "metrics", "diff", "--json").stdout)
    assert difference[path.relative_to(finished_copy).as_posix()]["accuracy.value"]["new"] == 0.125


def test_dvc_shows_dag_metrics_and_plots(finished):
    dag = run(finished, "dvc", "dag", "--dot").stdout
    assert '"train@phantom_small_cnn" -> "evaluate@phantom_small_cnn"' in dag
    metrics = json.loads(run(finished, "dvc", "metrics", "show", "--json").stdout)[""]["data"]
    shown = metrics["models/phantom/small_cnn/evaluation/metrics.json"]["data"]["accuracy"]
    assert set(shown) >= {"value", "low", "high"}
    run(finished, "dvc", "plots", "show", "-o", "dvc_plots")
    page = (finished / "dvc_plots" / "index.html").read_text()
    assert "val_loss" in page
    assert "confusion" in page


def test_an_experiment_changes_one_number_and_shows_up(finished_copy):
    run(finished_copy, "git", "add", "-A")
    run(finished_copy, "git", *IDENTITY, "commit", "-qm", "results")
    done = run(finished_copy, "dvc", "exp", "run", "--name", "fewer", "-S", "studies/phantom.yaml:explain.right=3")
    assert ran(done.stdout) == ["explain@phantom_small_cnn", "explain@phantom_small_cnn_plain", "report", "track"]
    assert "fewer" in run(finished_copy, "dvc", "exp", "show", "--csv").stdout


def test_a_removed_evaluation_comes_back_from_the_run_cache_tables_and_all(finished_copy):
    folder = finished_copy / "models/phantom/small_cnn/evaluation"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {"predictions.csv", "validation.csv", "calibration.json", "subgroups.json", "odd_inputs.json",
            "input_gate.json", "reliability.png", "risk_coverage.png"} <= set(before)
    shutil.rmtree(folder)
    assert ran(run(finished_copy, "dvc", "repro", "evaluate").stdout) == []
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_removed_weights_come_back_from_the_cache_without_a_training(finished_copy):
    weights = finished_copy / "models/phantom/small_cnn/model.weights.h5"
    before = weights.read_bytes()
    weights.unlink()
    assert ran(run(finished_copy, "dvc", "repro", "train").stdout) == []
    assert weights.read_bytes() == before

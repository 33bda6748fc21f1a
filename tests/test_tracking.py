"""MLflow as a projection of the outputs: each run once, whatever happened before; an outage costs a line of text."""

import shutil
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import environment, run


def track(folder: Path, **changes: str) -> str:
    return run(folder, sys.executable, "-m", "stages.track", **changes).stdout


def query(folder: Path, sql: str) -> list[tuple]:
    with sqlite3.connect(folder / "mlflow.db") as store:
        return store.execute(sql).fetchall()


def runs(folder: Path) -> list[tuple]:
    return sorted(query(folder, "SELECT e.name, r.name, r.status FROM runs r JOIN experiments e USING (experiment_id) "
                                "WHERE r.lifecycle_stage = 'active'"))


BOTH = [("phantom", "small_cnn", "FINISHED"), ("phantom", "small_cnn_plain", "FINISHED")]


def test_repro_leaves_one_run_per_model_in_the_study_s_experiment(finished):
    assert runs(finished) == BOTH


def test_a_run_holds_recipe_curves_bounds_figures_hashes_and_the_model(finished):
    params = dict(query(finished, "SELECT DISTINCT key, value FROM params"))
    assert params["train.phases.1.learning_rate"] == "0.01"
    assert params["enhance.image_size"] == "32"
    assert params["seed"] == "2026"
    curves = query(finished, "SELECT step, value FROM metrics WHERE key = 'val_loss' ORDER BY run_uuid, step")
    assert [step for step, _ in curves] == [1, 2, 1, 2]
    keys = {key for (key,) in query(finished, "SELECT DISTINCT key FROM metrics")}
    assert {"test_accuracy", "test_accuracy_low", "test_accuracy_high", "test_macro_auc"} <= keys
    tags = dict(query(finished, "SELECT DISTINCT key, value FROM tags"))
    assert len(tags["git_commit"].removesuffix("-dirty")) == 40
    assert len(tags["thorax.key"]) == 64
    assert len(tags["films_md5"]) == len(tags["split_md5"]) == 32
    files = {path.name for path in (finished / "mlruns").rglob("*")}
    assert {"confusion.png", "gradcam.png", "predictions.csv", "MLmodel", "model.weights.h5"} <= files


def test_tracking_again_adds_nothing(finished_copy):
    assert "0 new runs in MLflow, 2 were there" in track(finished_copy)
    assert runs(finished_copy) == BOTH


def test_an_empty_store_is_filled_by_the_next_repro_with_the_same_runs(finished_copy):
    keys = query(finished_copy, "SELECT value FROM tags WHERE key = 'thorax.key'")
    (finished_copy / "mlflow.db").unlink()
    shutil.rmtree(finished_copy / "mlruns")
    output = run(finished_copy, "dvc", "repro").stdout
    assert [line for line in output.splitlines() if line.startswith("Running")] == ["Running stage 'track':"]
    assert runs(finished_copy) == BOTH
    assert sorted(query(finished_copy, "SELECT value FROM tags WHERE key = 'thorax.key'")) == sorted(keys)


def test_a_run_whose_projection_was_cut_off_is_made_anew_and_not_twice(finished_copy):
    with sqlite3.connect(finished_copy / "mlflow.db") as store:
        store.execute("UPDATE runs SET status = 'RUNNING' WHERE name = 'small_cnn'")
    assert "1 new runs" in track(finished_copy)
    assert runs(finished_copy) == BOTH


def test_a_server_that_is_not_there_costs_a_line_and_no_failure(finished_copy):
    started = time.monotonic()
    output = track(finished_copy, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert time.monotonic() - started < 60
    assert "MLflow has not been written" in output
    assert "python -m stages.track" in output
    assert "Traceback" not in output
    assert "up to date" in run(finished_copy, "dvc", "status", "track").stdout


def test_the_tracking_uri_of_the_environment_is_used(finished_copy, tmp_path):
    output = track(finished_copy, MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/elsewhere.db")
    assert "2 new runs" in output
    assert (tmp_path / "elsewhere.db").exists()


@pytest.fixture(scope="module")
def served(finished) -> str:
    """What `mlflow.pyfunc.load_model` makes of a run, against the predictions that were evaluated."""
    code = """if True:
        import csv, io, json, os
        from pathlib import Path
        import mlflow, numpy as np
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
        [run] = mlflow.search_runs(experiment_names=["phantom"], filter_string="tags.model = 'small_cnn'",
                                   output_format="list")
        model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
        films = np.load("data/enhanced/phantom/enhanced.npy")
        rows = list(csv.DictReader(open("data/enhanced/phantom/films.csv")))
        table = list(csv.DictReader(open("models/phantom/small_cnn/evaluation/predictions.csv")))
        place = {row["id"]: number for number, row in enumerate(rows)}
        names = ["normal", "bacterial", "pneumothorax"]
        test = films[[place[row["id"]] for row in table]]
        got = model.predict(test)
        wanted = np.array([[float(row[name]) for name in names] for row in table])
        chosen = json.loads(Path("models/phantom/small_cnn/evaluation/calibration.json").read_text())
        wanted = wanted ** (1 / chosen["temperature"])
        wanted /= wanted.sum(axis=1, keepdims=True)
        answered = ~got["refused"].to_numpy(bool)
        print("difference", float(np.abs(got[names].to_numpy(float) - wanted)[answered].max()))
        above = [",".join(name for name, value in zip(names, row)
                          if value >= chosen["operating_points"][name]["threshold"]) for row in wanted]
        print("flags", "right" if (got["flagged"][answered] == np.array(above)[answered]).all() else "wrong")
        blank = model.predict(np.stack([np.zeros_like(test[0]), test[int(np.flatnonzero(answered)[0])]]))
        from mlflow.pyfunc.scoring_server import predictions_to_json
        sink = io.StringIO()
        predictions_to_json(blank, sink)
        first, second = json.loads(sink.getvalue())["predictions"]
        print("blank", json.dumps(first))
        print("film", second["refused"], sum(second[name] for name in names))
        try:
            model.predict(films.astype("float32"))
            print("floats taken")
        except Exception as error:
            print("floats refused")
        assert "uint8" in str(model.metadata.signature)
    """
    return run(finished, sys.executable, "-c", code).stdout


def test_the_logged_model_gives_the_evaluated_probabilities_calibrated_and_flags_what_reaches_its_point(served):
    [difference] = [line for line in served.splitlines() if line.startswith("difference")]
    assert float(difference.split()[1]) < 1e-5
    assert "flags right" in served


def test_a_blank_page_is_refused_and_gets_no_probabilities_in_valid_json_while_a_film_gets_its_own(served):
    assert ('blank {"normal": null, "bacterial": null, "pneumothorax": null, "flagged": null, "refused": true}'
            in served)
    [film] = [line.split() for line in served.splitlines() if line.startswith("film")]
    assert film[1] == "False"
    assert abs(float(film[2]) - 1) < 1e-6


def test_the_signature_refuses_films_of_another_type(served):
    assert "floats refused" in served


def test_live_curves_to_a_dead_server_change_neither_weights_nor_status(finished_copy):
    weights = finished_copy / "models/phantom/small_cnn/model.weights.h5"
    before = weights.read_bytes()
    weights.unlink()
    output = run(finished_copy, sys.executable, "-m", "stages.train", "phantom", "small_cnn", THORAX_LIVE="1",
                 MLFLOW_TRACKING_URI="http://127.0.0.1:9").stdout
    assert weights.read_bytes() == before
    assert "Traceback" not in output


def test_live_curves_go_to_an_experiment_of_their_own(finished_copy):
    run(finished_copy, sys.executable, "-m", "stages.train", "phantom", "small_cnn", THORAX_LIVE="1")
    assert runs(finished_copy) == [*BOTH, ("phantom-live", "small_cnn", "FINISHED")]
    assert query(finished_copy, "SELECT count(*) FROM metrics m JOIN runs r USING (run_uuid) JOIN experiments e "
                                "USING (experiment_id) WHERE e.name = 'phantom-live' AND m.key = 'val_loss'") == [(2,)]


def test_two_projections_at_once_give_each_run_once(finished_copy):
    import subprocess

    (finished_copy / "mlflow.db").unlink()
    shutil.rmtree(finished_copy / "mlruns")
    both = [subprocess.Popen([sys.executable, "-m", "stages.track"], cwd=finished_copy, env=environment(),
                             stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(300) for process in both] == [0, 0]
    assert runs(finished_copy) == BOTH

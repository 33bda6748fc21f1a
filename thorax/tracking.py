"""MLflow as a lab book: written from the finished outputs, never by a training.

DVC is the source of truth. A cached stage runs no Python, so that logging at run time would miss runs; instead one
idempotent step walks the runs of params.yaml and creates the MLflow run of each whose key the store lacks. The key is
a hash of what dvc.lock says of the run: a second repro, results pulled from elsewhere and an empty store all end in
the same runs, none twice.
"""

import hashlib
import json
import logging
import math
import os
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

# MLflow reads these when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# A server that does not answer costs seconds, not the 7 tries of 120 s that are MLflow's own patience.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Metric, Param, RunTag
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

from thorax.reader import load_model, read_yaml
from thorax.recipe import Params, Run, Study
from thorax.running import locked

DEFAULT_STORE = "sqlite:///mlflow.db"
KEY = "thorax.key"
TRIAL_OF = "thorax.trial_of"  # the key of the run whose search a child run was a trial of
STAGES = ("train", "evaluate", "explain")
STORE_WAIT_S = 120.0
MOST_RUNS = 10_000  # that a search may have


def connect() -> mlflow.MlflowClient:
    """A client of the store that MLFLOW_TRACKING_URI names, by default a database in this folder."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_STORE
    mlflow.set_tracking_uri(uri)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # it reports every table that it makes
    client = mlflow.MlflowClient(uri)
    # Two processes that create the tables of a new database at once break it for good.
    with locked(Path("mlflow.db"), STORE_WAIT_S):
        client.search_experiments(max_results=1)
    return client


def experiment(client: mlflow.MlflowClient, name: str) -> str:
    """The id of the experiment, made or taken out of the bin where need be."""
    found = client.get_experiment_by_name(name)
    if found is None:
        return client.create_experiment(name)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def lock_entries(lock: dict, name: str, params: Params) -> dict:
    """What dvc.lock says of the stages of a run."""
    keys = {stage: f"{stage}@{name}" for stage in (("tune", *STAGES) if name in params.searches else STAGES)}
    keys |= {f"external_{each}": f"external@{name}_on_{each}" for each in external_sets(params.runs[name], params)}
    return {stage: lock["stages"].get(key) for stage, key in keys.items()}


def external_sets(run: Run, params: Params) -> list[str]:
    return [each.name for each in params.externals.values() if (each.study, each.model) == (run.study, run.model)]


def key_of(entries: dict) -> str:
    """Of the parameters and outputs: code that changes without changing a result is no other run."""
    content = {stage: [entry.get("params"), entry["outs"]] for stage, entry in entries.items()}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def keys(params: Params, root: Path = Path(".")) -> dict[str, str]:
    """The key of every run of params.yaml that dvc.lock knows all of."""
    lock = read_yaml(root / "dvc.lock")
    entries = {name: lock_entries(lock, name, params) for name in params.runs}
    return {name: key_of(found) for name, found in entries.items() if all(found.values())}


def project(params: Params, recipes: dict[str, Study]) -> list[str]:
    """Create the MLflow runs that the store lacks; returns their names."""
    lock = read_yaml(Path("dvc.lock"))
    created = []
    # Before connecting: a second process that looks at a new database while its tables are filled may lock it.
    with locked(Path("mlruns"), STORE_WAIT_S):
        client = connect()
        for name, key in keys(params).items():
            run = params.runs[name]
            home = experiment(client, run.study)
            found = client.search_runs([home], f"tags.`{KEY}` = '{key}'")
            if any(other.info.status == "FINISHED" for other in found):
                continue
            trials = client.search_runs([home], f"tags.`{TRIAL_OF}` = '{key}'", max_results=MOST_RUNS)
            for broken in (*found, *trials):  # its projection was cut off
                client.delete_run(broken.info.run_id)
            create(client, home, run, recipes[run.study], params, lock_entries(lock, name, params), key)
            created.append(name)
    return created


def create(client: mlflow.MlflowClient, home: str, run: Run, recipe: Study, params: Params, entries: dict,
           key: str) -> None:
    folder = Path("models") / run.study / run.model
    description = json.loads((folder / "model.json").read_text())
    data = {dep["path"]: dep.get("md5", "") for dep in entries["train"]["deps"]}
    tags = {KEY: key, "study": run.study, "model": run.model, "task": description["task"], "films": run.films,
            "split": run.split,
            "git_commit": git_commit(), "films_md5": data.get(f"data/enhanced/{run.study}/{run.films}.npy", ""),
            "split_md5": data.get(f"data/split/{run.study}/{run.split}.csv", ""),
            "weights_sha256": description["weights_sha256"], "mlflow.note.content": recipe.title}
    with mlflow.start_run(experiment_id=home, run_name=run.model, tags={KEY: key}) as active:
        identity = active.info.run_id
        client.log_batch(identity, tags=[RunTag(name, str(value)) for name, value in tags.items()],
                         params=[Param(name, value) for name, value in parameters(run, recipe, params, description)])
        sets = external_sets(run, params)
        points = list(metrics(folder, sets))
        for start in range(0, len(points), 1000):  # the most that a server takes at once
            client.log_batch(identity, metrics=points[start:start + 1000])
        for outputs in ("evaluation", "explanation", *(f"external/{each}" for each in sets)):
            mlflow.log_artifacts(str(folder / outputs), outputs)
        mlflow.log_artifact(str(folder / "history.csv"))
        log_model(folder, description)
        if "tune" in entries:
            log_trials(client, home, identity, folder / "tuning", key)


def log_trials(client: mlflow.MlflowClient, home: str, parent: str, folder: Path, key: str) -> None:
    """The trials of a search as child runs of its winner's run: values, macro F1 on the validation part, and how each
    ended."""
    ends = {"finished": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
    for trial in pd.read_csv(folder / "trials.csv", dtype=str, keep_default_na=False).to_dict("records"):
        facts = {name: trial.pop(name) for name in ("trial", "state", "best", "epochs", "macro_f1", "reason")}
        tags = {"mlflow.parentRunId": parent, TRIAL_OF: key, "state": facts["state"], "reason": facts["reason"]}
        run = client.create_run(home, run_name=f"trial {facts['trial']}", tags=tags).info.run_id
        measured = [Metric("val_macro_f1", float(facts["macro_f1"]), 0, 0)] if facts["macro_f1"] else []
        client.log_batch(run, measured, [Param(name.replace("*", "each"), value) for name, value in trial.items()])
        client.set_terminated(run, ends[facts["state"]])
    mlflow.log_artifacts(str(folder), "tuning")


def parameters(run: Run, recipe: Study, params: Params, description: dict):
    """Name and text of every number of the recipe that the run depends on."""
    sections = {"seed": params.seed, "threads": params.threads, "device": params.device,
                "enhance": recipe.enhance.variants[run.films].model_dump(),
                **load_model(run.study, run.model, recipe).model_dump(),
                "split": {"name": run.split, **recipe.split[run.split].model_dump()},
                "classes": list(description["classes"]), "parameters": description["parameters"],
                "computed_with": description["computed_with"]}
    return [(name, text[:6000]) for name, text in flat(sections)]  # MLflow's limit


def flat(node, name: str = ""):
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from flat(value, f"{name}.{key}" if name else str(key))
    elif isinstance(node, list) and any(isinstance(value, dict) for value in node):
        for number, value in enumerate(node, 1):
            yield from flat(value, f"{name}.{number}")
    else:
        yield name, str(node)


def metrics(folder: Path, external: list[str]):
    """The metrics on test part and external sets with their bounds, and the curves with the epoch as step."""
    places = {"test": folder / "evaluation"} | {f"external_{each}": folder / "external" / each for each in external}
    for prefix, place in places.items():
        for name, entry in json.loads((place / "metrics.json").read_text()).items():
            for bound, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
                if entry[bound] is not None:
                    yield Metric(f"{prefix}_{name}{suffix}", float(entry[bound]), 0, 0)
    history = pd.read_csv(folder / "history.csv")
    for row in history.to_dict("records"):
        for name in ("learning_rate", "loss", "accuracy", "val_loss", "val_accuracy"):
            if math.isfinite(row[name]):  # MLflow would store a NaN without a word
                yield Metric(name, float(row[name]), 0, int(row["epoch"]))


def log_model(folder: Path, description: dict) -> None:
    """The model with what loads it (thorax/serving.py): uint8 films in, calibrated probabilities or a refusal out."""
    side = description["image_size"]
    answer = [ColSpec("double", name, required=False) for name in description["classes"]]
    signature = ModelSignature(Schema([TensorSpec(np.dtype("uint8"), (-1, side, side), "films")]),
                               Schema([*answer, ColSpec("string", "flagged", required=False),
                                       ColSpec("boolean", "refused")]))
    root = Path(__file__).parent
    with tempfile.TemporaryDirectory() as files:
        for name in ("model.json", "model.weights.h5", "evaluation/calibration.json", "evaluation/input_gate.json"):
            shutil.copy(folder / name, files)
        with warnings.catch_warnings():
            # It advises to add type hints and an example, from which it would derive the signature given here.
            warnings.simplefilter("ignore", UserWarning)
            mlflow.pyfunc.log_model(name="model", python_model=str(root / "serving.py"), signature=signature,
                                    artifacts={"model": files}, code_paths=[str(root)],
                                    pip_requirements=str(root.parent / "requirements.txt"))


def git_commit() -> str:
    """The commit that is checked out, with `-dirty` where tracked files differ; `none` outside a repository."""
    found = subprocess.run(["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
                           capture_output=True, text=True)
    return found.stdout.strip() or "none"

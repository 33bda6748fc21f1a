"""What the tests share: a small copy of the project, built once, that runs the real stages through the real DVC."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from thorax.raw import open_archive

ROOT = Path(__file__).parent.parent
PARTS = ["stages", "thorax", "studies", "dvc.yaml", "params.yaml", "README.md", "requirements.txt", ".dvcignore",
         ".gitignore", ".dvc/config", ".dvc/.gitignore",
         "data/.gitignore", "models/.gitignore"]

# What a commit in a project under test needs to be told.
IDENTITY = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]


def environment(**changes: str) -> dict[str, str]:
    """The environment for commands of the project: this interpreter first on the path, no tracking server."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("MLFLOW_", "DVC_", "GIT_", "THORAX_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | changes


def run(folder: Path, *command: str, check: bool = True, timeout: float = 600, **changes: str):
    """Run a command in a project; its whole output as text in `.stdout`."""
    done = subprocess.run(command, cwd=folder, env=environment(**changes), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout, stdin=subprocess.DEVNULL)
    assert not check or done.returncode == 0, f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}"
    return done


def edit(path: Path, change) -> None:
    """Apply `change` to the mapping in a YAML file."""
    yaml = YAML()
    content = yaml.load(path.read_text())
    change(content)
    with open(path, "w") as file:
        yaml.dump(content, file)


def shrink(recipe: dict) -> None:
    """The phantom study small enough for a test: three findings, two tiny models, two epochs."""
    findings = ["normal", "bacterial", "pneumothorax"]
    recipe["download"]["datasets"]["phantom"]["labels"] = findings
    recipe["download"]["phantom"] |= {"patients": 12, "films_per_patient": [1, 2], "image_size": 64}
    steps = [{"op": "white_balance"}, {"op": "gray"}, {"op": "clahe", "tiles": 4}]
    recipe["enhance"]["variants"] = {"enhanced": {"image_size": 32, "steps": steps}, "plain": {"image_size": 32}}
    recipe["split"] = {"grouped": {"train": 0.6, "validation": 0.2, "test": 0.2}}
    recipe["tasks"] = {"findings": {finding: [finding] for finding in findings}}
    recipe["evaluate"]["resamples"] = 200
    for name in list(recipe["models"]):
        if not name.startswith("small_cnn"):
            del recipe["models"][name]
    for model in recipe["models"].values():
        model["arguments"] = {"filters": [4, 8], "convolutions": 1}
        model["train"]["batch_size"] = 8
        model["train"]["phases"] = [{"trainable": "all", "epochs": 2, "learning_rate": 1e-2}]


@pytest.fixture(autouse=True)
def archives_of_this_test_alone():
    """Stages run in this process find their archives by relative paths, which the next test means otherwise."""
    open_archive.cache_clear()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh copy of the project with the small recipe, committed to a Git repository of its own."""
    return make_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The small project after `dvc repro`. Shared: tests that change it work on `finished_copy`."""
    folder = make_project(tmp_path_factory.mktemp("finished") / "project")
    done = run(folder, "dvc", "repro")
    (folder / ".dvc" / "tmp" / "output.txt").write_text(done.stdout)
    return folder


@pytest.fixture
def finished_copy(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "project", symlinks=True)


def make_project(folder: Path) -> Path:
    for part in PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(source, target)
    edit(folder / "studies" / "phantom.yaml", shrink)
    edit(folder / "params.yaml", lambda params: params.update(
        studies=["phantom"], source="phantom", sources={}, externals={},
        runs={f"phantom_{model}": {"study": "phantom", "model": model, "architecture": "cnn", "films": films,
                                   "split": "grouped", "recipe": "studies/phantom.yaml"}
              for model, films in (("small_cnn", "enhanced"), ("small_cnn_plain", "plain"))}))
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", *IDENTITY, "commit", "-qm", "start")
    return folder

"""python -m thorax.gate: places, exit statuses, Git, and what it writes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import IDENTITY, ROOT, edit, run
from thorax import predictions
from thorax.gate.__main__ import main

CLASSES = ["normal", "viral"]
RUN = "models/phantom/small_cnn/evaluation/predictions.csv"


def write(path: Path, accuracy: float = 0.9, seed: int = 0, films: int = 200) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    labels = np.arange(films) % 2
    answers = np.where(random.random(films) < accuracy, labels, 1 - labels)
    table = pd.DataFrame({"id": [f"f{n}" for n in range(films)], "group": [f"p{n // 2}" for n in range(films)],
                          "source": "s", "label": [CLASSES[label] for label in labels]})
    sure = random.uniform(0.6, 0.9, films)
    table = table.assign(**{name: np.where(answers == c, sure, 1 - sure) for c, name in enumerate(CLASSES)})
    predictions.write(table, path)
    return table


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A repository with the recipes and one run, committed on the branch main."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    shutil.copytree(ROOT / "studies", folder / "studies")
    edit(folder / "params.yaml", lambda params: params["gate"].update(resamples=200))
    write(folder / RUN)
    run(folder, "git", "init", "-qb", "main")
    commit(folder, "results")
    monkeypatch.chdir(folder)
    return folder


def commit(folder: Path, message: str) -> str:
    run(folder, "git", "add", "-A")
    run(folder, "git", *IDENTITY, "commit", "-qm", message, "--allow-empty")
    return run(folder, "git", "rev-parse", "HEAD").stdout.strip()


def test_two_files_two_runs_and_two_folders_of_runs_are_compared(project, tmp_path, capsys):
    other = shutil.copytree(project / "models", tmp_path / "other" / "models")
    for before, after in ((project / RUN, other / RUN.removeprefix("models/")),
                          (project / "models/phantom/small_cnn", other / "phantom/small_cnn"),
                          (project / "models", other), (project, other.parent), (project / RUN, other.parent / RUN)):
        assert main([str(before), str(after)]) == 0
        assert "PASS: the same predictions" in capsys.readouterr().out


@pytest.mark.parametrize(("damage", "said"), [
    (lambda table: table.assign(normal=np.nan), "not finite"),
    (lambda table: table.assign(normal=table["normal"] * 100), "outside [0, 1]"),
    (lambda table: table.assign(normal=0.9, viral=0.9), "do not sum to 1"),
    (lambda table: pd.concat([table, table.iloc[:2]]), "duplicate ids f0, f1"),
    (lambda table: table.iloc[:0], "no rows"),
    (lambda table: table.drop(columns="group"), "missing columns group"),
    (lambda table: table.iloc[5:], "lacks 5 of 200 test films")])
def test_unusable_predictions_fail_as_candidate_and_compare_with_nothing_as_baseline(damage, said, project, tmp_path,
                                                                                     capsys):
    bad = tmp_path / "bad.csv"
    damage(pd.read_csv(RUN, dtype={"id": str})).to_csv(bad, index=False)
    assert main([RUN, str(bad)]) == 1
    assert said in capsys.readouterr().out
    assert main([str(bad), RUN]) == 2
    assert "NOT COMPARABLE" in capsys.readouterr().out


def test_a_missing_run_fails_and_a_new_one_is_listed(project, tmp_path, capsys):
    other = shutil.copytree(project / "models", tmp_path / "models")
    write(other / "phantom/deep_cnn/evaluation/predictions.csv")
    assert main([str(project), str(other)]) == 0
    assert "phantom/deep_cnn: NEW" in capsys.readouterr().out
    assert main([str(other), str(project)]) == 1
    assert "phantom/deep_cnn: FAIL: the candidate lacks this run" in capsys.readouterr().out
    assert main([RUN, str(tmp_path / "none.csv")]) == 1
    assert main([str(tmp_path / "nowhere"), RUN]) == 2
    assert "gate: error: " in capsys.readouterr().err


def test_inconclusive_is_an_error_only_where_asked(project, tmp_path):
    write(tmp_path / "other.csv", accuracy=0.85, seed=1)
    assert main([RUN, str(tmp_path / "other.csv")]) == 0
    assert main([RUN, str(tmp_path / "other.csv"), "--strict"]) == 3


def test_changed_results_are_compared_with_the_last_commit_of_main(project, capsys):
    assert main([]) == 0
    assert "NEW" in capsys.readouterr().out  # the first commit has none before it
    write(project / RUN, accuracy=0.6)
    assert main([]) == 1
    out = capsys.readouterr().out
    assert "results (the last commit: its results have been changed since)" in out
    assert "phantom/small_cnn (200 test films in 100 groups): FAIL: accuracy fell by" in out
    commit(project, "worse")
    assert main([]) == 1
    assert "results (the commit before HEAD, which is on main)" in capsys.readouterr().out


def test_a_branch_is_compared_with_where_it_left_main(project, capsys):
    run(project, "git", "checkout", "-qb", "work")
    write(project / RUN, accuracy=0.6)
    commit(project, "worse")
    commit(project, "more work")
    run(project, "git", "checkout", "-q", "main")
    commit(project, "meanwhile")
    run(project, "git", "checkout", "-q", "work")
    assert main([]) == 1
    assert "results (where this work left main)" in capsys.readouterr().out
    assert main(["--since", "HEAD^"]) == 0
    assert main(["--since", "no_such"]) == 2
    assert "no_such) is not in this clone; fetch it" in capsys.readouterr().err


def test_without_a_main_branch_the_commit_before_is_the_baseline(project, capsys):
    write(project / RUN, accuracy=0.6)
    commit(project, "worse")
    run(project, "git", "checkout", "-q", "--detach")
    run(project, "git", "branch", "-qD", "main")
    assert main([]) == 1
    assert "results (the commit before HEAD: no branch origin/main or main is known here)" in capsys.readouterr().out


def test_a_shallow_clone_without_the_baseline_says_how_to_get_it(project, tmp_path, monkeypatch, capsys):
    commit(project, "second")
    run(tmp_path, "git", "clone", "-q", "--depth", "1", f"file://{project}", "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    assert main([]) == 2
    assert "git fetch --unshallow" in capsys.readouterr().err
    run(tmp_path / "shallow", "git", "fetch", "-q", "--unshallow")
    assert main([]) == 0


def test_a_folder_without_git_is_told_to_name_two_places(project, monkeypatch, capsys):
    shutil.rmtree(project / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    assert main([]) == 2
    assert "name two places" in capsys.readouterr().err


def test_a_deleted_run_of_the_working_tree_fails(project):
    (project / RUN).unlink()
    assert main([]) == 1


def test_what_was_accepted_with_a_reason_passes_and_the_next_regression_does_not(project, capsys):
    write(project / RUN, accuracy=0.6)
    assert main([]) == 1
    key = next(line for line in capsys.readouterr().out.splitlines() if "<the reason>" in line).split(":")[0].strip()
    edit(project / "params.yaml", lambda params: params["gate"].update(accepted={key: "half the size"}))
    assert main([]) == 0
    assert "ACCEPTED: half the size (was FAIL: accuracy fell" in capsys.readouterr().out
    write(project / RUN, accuracy=0.5)
    assert main([]) == 1


def test_an_acceptance_without_a_reason_is_refused(project, capsys):
    edit(project / "params.yaml", lambda params: params["gate"].update(accepted={"run@0": " "}))
    assert main([]) == 2
    assert "gate.accepted.run@0" in capsys.readouterr().err


def test_the_files_say_what_the_terminal_says(project, tmp_path, capsys):
    write(tmp_path / "worse.csv", accuracy=0.6)
    code = main([RUN, str(tmp_path / "worse.csv"), "--json", str(tmp_path / "gate.json"),
                 "--markdown", str(tmp_path / "gate.md")])
    out = capsys.readouterr().out
    content = json.loads((tmp_path / "gate.json").read_text())
    page = (tmp_path / "gate.md").read_text()
    assert (content["verdict"], content["exit_status"]) == ("FAIL", code) == ("FAIL", 1)
    assert content["settings"]["margins"]["accuracy"] == 0.02
    checks = content["runs"][0]["checks"]
    assert [each["metric"] for each in checks] == ["accuracy", "macro_f1", "macro_auc", "recall_normal",
                                                   "recall_viral"]
    for each in checks:
        row = [each["metric"], f"{each['baseline']:.3f}", f"{each['candidate']:.3f}", f"{each['difference']:+.3f}"]
        assert row == next(line for line in out.splitlines() if line.strip().startswith(row[0])).split()[:4]
        assert f"| {' | '.join(row)} | " in page
    assert content["runs"][0]["reason"] in page
    assert page.startswith("### Regression gate: ❌ FAIL")

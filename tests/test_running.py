import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, edit, environment, run
from thorax import running
from thorax.errors import ThoraxError
from thorax.running import writing, writing_into


def start(code: str, folder: Path, *arguments: str, **options) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=folder, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment(PYTHONPATH=str(ROOT)), **options)


def wait_for(condition, seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(found)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_output_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "out"
    with writing(target) as fresh:
        (fresh / "one.txt").write_text("1")
        assert not target.exists()
    assert (target / "one.txt").read_text() == "1"


def test_a_new_output_replaces_the_old_one_with_all_its_files(tmp_path):
    for name in ("old", "new"):
        with writing(tmp_path / "out") as fresh:
            (fresh / name).write_text(name)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]


def test_after_an_error_the_old_output_stands_and_nothing_is_left_over(tmp_path):
    with writing(tmp_path / "out") as fresh:
        (fresh / "kept").write_text("old")
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "out") as fresh:
        (fresh / "kept").write_text("half")
        raise ZeroDivisionError
    assert (tmp_path / "out" / "kept").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock-out", "out"]


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    (tmp_path / ".tmp-out").mkdir()
    (tmp_path / ".tmp-out" / "half").write_text("half")
    with writing(tmp_path / "out") as fresh:
        assert not list(fresh.iterdir())
    assert not list((tmp_path / "out").iterdir())


def test_files_that_share_a_folder_leave_each_other_alone(tmp_path):
    (tmp_path / "other").write_text("mine")
    with writing_into(tmp_path, "train") as fresh:
        (fresh / "model").write_text("new")
    assert (tmp_path / "other").read_text() == "mine"
    assert (tmp_path / "model").read_text() == "new"


def test_two_writers_of_one_output_never_meet(tmp_path):
    code = """if True:
        import sys, time
        from pathlib import Path
        from thorax.running import writing
        with writing(Path("out")) as fresh:
            with open("log", "a") as log:
                print("in", file=log, flush=True)
                time.sleep(0.3)
                print("out", file=log, flush=True)
    """
    writers = [start(code, tmp_path) for _ in range(3)]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    assert (tmp_path / "log").read_text().split() == ["in", "out"] * 3


def test_a_writer_that_waits_too_long_names_the_holder(tmp_path):
    with writing(tmp_path / "out"), pytest.raises(ThoraxError, match=f"out: process {os.getpid()} is writing it"), \
            writing(tmp_path / "out", wait_s=0.2):
        pass


PARENT = """if True:  # runs a command as dvc does
    import os, subprocess, sys
    subprocess.run(sys.argv[1:], env=os.environ | {"DVC_STAGE": "train"})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_stage_and_its_workers_die_when_its_parent_is_killed(tmp_path):
    stage = """if True:
        import os, time
        from pathlib import Path
        from thorax.lifeline import follow_dvc
        from thorax.running import worker_pool
        if __name__ == "__main__":
            follow_dvc()
            with worker_pool() as pool:
                workers = {future.result() for future in [pool.submit(os.getpid) for _ in range(8)]}
                Path("pids").write_text(" ".join(map(str, [os.getpid(), *workers])))
                time.sleep(60)
    """
    (tmp_path / "stage.py").write_text(stage)
    parent = start(PARENT, tmp_path, sys.executable, "stage.py")
    assert wait_for(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text())
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) > 1
    assert all(map(alive, pids))
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not any(map(alive, pids)), 5), "a process outlived its parent"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_stage_whose_parent_died_before_it_ran_does_not_run(tmp_path):
    stage = "import time; time.sleep(1); from thorax.lifeline import follow_dvc; follow_dvc(); open('ran', 'w')"
    parent = start(PARENT, tmp_path, sys.executable, "-c", stage)
    time.sleep(0.5)
    parent.kill()
    _, errors = parent.communicate(timeout=30)  # the stage holds the pipe until it ends
    assert not (tmp_path / "ran").exists()
    assert "the `dvc` that started this stage is gone" in errors


def test_a_stage_run_by_hand_does_not_follow_its_parent(tmp_path):
    code = """if True:
        import subprocess, sys
        stage = "import time; from thorax.lifeline import follow_dvc; follow_dvc(); time.sleep(1); open('ran', 'w')"
        subprocess.Popen([sys.executable, "-c", stage])
    """
    start(code, tmp_path).wait(30)
    assert wait_for((tmp_path / "ran").exists, 10)


def test_a_worker_that_starts_after_its_stage_died_does_not_live_on(tmp_path):
    code = "from thorax.lifeline import die_with; die_with(1 << 22); open('lives', 'w')"
    assert start(code, tmp_path).wait(30) == -signal.SIGKILL
    assert not (tmp_path / "lives").exists()


FAILING = """if True:
    import errno, os, sys
    from thorax.errors import ThoraxError
    from thorax.running import run
    def main(kind: str) -> None:
        "Fail in one way."
        raise {"user": ThoraxError("x.yaml: key: wrong"), "stop": KeyboardInterrupt(),
               "full": OSError(errno.ENOSPC, "no space", "data/x"), "read-only": OSError(errno.EROFS, "ro", "data/x"),
               "memory": MemoryError(), "bug": ZeroDivisionError()}[kind]
    run(main)
"""


@pytest.mark.parametrize(("kind", "status", "text"), [
    ("user", 1, "error: x.yaml: key: wrong"),
    ("stop", 130, "error: interrupted"),
    ("full", 1, "error: data/x: the disk is full; free some space, then run the same command again"),
    ("memory", 1, "error: out of memory, or a worker process was killed"),
    ("read-only", 1, "error: data/x: the disk is read-only; make it writable"),
])
def test_what_the_user_can_mend_is_one_line_without_a_traceback(kind, status, text, tmp_path):
    stage = start(FAILING, tmp_path, kind)
    _, errors = stage.communicate(timeout=30)
    assert stage.returncode == status
    assert text in errors
    assert len(errors.splitlines()) == 1


def test_a_bug_keeps_its_traceback(tmp_path):
    stage = start(FAILING, tmp_path, "bug")
    _, errors = stage.communicate(timeout=30)
    assert stage.returncode == 1
    assert "Traceback" in errors


def test_a_missing_argument_is_answered_with_the_usage(tmp_path):
    done = run(ROOT, sys.executable, "-m", "stages.split", check=False)
    assert done.returncode == 2
    assert "usage: python -m stages.split" in done.stdout
    assert "study" in done.stdout


def test_costs_are_logged_where_no_output_depends_on_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    running.log_cost("train", ["phantom", "cnn"], 1.25)
    assert '"seconds": 1.2' in (tmp_path / "logs" / "train" / "phantom-cnn.json").read_text()


def test_a_real_write_beyond_the_limit_is_a_clear_error_and_leaves_nothing(project):
    limited = f"ulimit -f 100; exec {sys.executable} -m stages.download phantom"
    done = run(project, "bash", "-c", limited, check=False)
    assert done.returncode == 1
    assert "the file is larger than this system allows" in done.stdout
    assert "Traceback" not in done.stdout
    assert [path.name for path in (project / "data" / "raw").iterdir()] == [".lock-phantom"]


def test_ctrl_c_in_the_middle_of_a_stage_leaves_no_half_output(project):
    # Enough films to be in the middle of them.
    edit(project / "studies" / "phantom.yaml", lambda recipe: recipe["download"]["phantom"].update(patients=500))
    stage = subprocess.Popen([sys.executable, "-m", "stages.download", "phantom"], cwd=project, env=environment(),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert wait_for((project / "data" / "raw" / ".tmp-phantom" / "phantom" / "films.zip").exists)
    os.killpg(stage.pid, signal.SIGINT)
    _, errors = stage.communicate(timeout=30)
    assert stage.returncode == 130
    assert "download: error: interrupted" in errors
    assert "Traceback" not in errors
    assert not (project / "data" / "raw" / "phantom").exists()
    assert not (project / "data" / "raw" / ".tmp-phantom").exists()

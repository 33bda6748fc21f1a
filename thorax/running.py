"""How a stage runs: its arguments, its errors in one line, its workers, its output in one piece.

A killed `dvc repro` leaves the stage it started alive, and the next `dvc repro` starts the same stage again: two
writers of one output, exit status 0, a wrong lock. Three things prevent it. A stage dies with DVC (thorax/lifeline.py);
it holds a lock on its output; and it writes under a temporary name that is renamed at the end. DVC ignores the
temporary names and the locks (.dvcignore).
"""

import argparse
import contextlib
import errno
import fcntl
import inspect
import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from multiprocessing import active_children, get_context
from pathlib import Path

from thorax.errors import ThoraxError
from thorax.lifeline import die_with

LOCK_WAIT_S = 30.0
# What a stage measures of itself, for its log.
MEASURED: dict[str, float] = {}

# Where the machine, not the recipe, is at fault: what to say instead of a traceback.
MACHINE_FAULTS = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "the file is larger than this system allows; raise `ulimit -f`",
    errno.EROFS: "the disk is read-only; make it writable",
    errno.EACCES: "no permission; check owner and mode",
    errno.EPERM: "not permitted; check owner and mode",
    errno.EIO: "the disk reports an input/output error; check it",
}


def run(main: Callable[..., None]) -> None:
    """Call `main` with the command line's arguments (its parameters, all text) and exit.

    Exit status 0, 1 after an error (one line on stderr), 2 for wrong arguments, 130 when interrupted. Wall time and
    peak memory go to logs/, which nothing depends on: hashed outputs must be the same on every run.
    """
    stage = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(prog=f"python -m stages.{stage}", description=inspect.getdoc(main))
    for parameter in inspect.signature(main).parameters.values():
        many = parameter.kind is parameter.VAR_POSITIONAL
        parser.add_argument(parameter.name, **({"nargs": "+"} if many else {}))
    given = vars(parser.parse_args())
    arguments = [item for value in given.values() for item in (value if isinstance(value, list) else [value])]
    started = time.monotonic()
    try:
        main(*arguments)
    except ThoraxError as error:
        fail(stage, str(error), 1)
    except KeyboardInterrupt:
        fail(stage, "interrupted; finished outputs are kept, half-written ones are not", 130)
    except FileNotFoundError as error:
        fail(stage, f"{error.filename}: no such file; run `dvc repro`, which makes what a stage needs", 1)
    except (MemoryError, BrokenProcessPool):
        fail(stage, "out of memory, or a worker process was killed from outside (the system does so when memory is "
             "short); free some, or choose a smaller image_size or batch_size, then run the same command again", 1)
    except OSError as error:
        if error.errno not in MACHINE_FAULTS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        fail(stage, f"{where}{MACHINE_FAULTS[error.errno]}, then run the same command again", 1)
    log_cost(stage, arguments, time.monotonic() - started)


def fail(stage: str, message: str, status: int) -> None:
    sys.stdout.flush()
    for line in message.splitlines():
        print(f"{stage}: error: {line}", file=sys.stderr)
    sys.stderr.flush()
    # Worker threads of the libraries would hold a normal exit back until they are done.
    os._exit(status)


def log_cost(stage: str, arguments: list[str], seconds: float) -> None:
    """Write logs/<stage>/<arguments>.json: when, how long, how much memory. Losing it loses nothing else."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1024 if sys.platform == "linux" else 1
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * unit
    cost = {"finished": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": round(seconds, 1),
            "peak_memory_mb": round(peak / 1e6), "cpus": usable_cpus(), **MEASURED}
    with contextlib.suppress(OSError):
        path = Path("logs") / stage / ("-".join(arguments or ["all"]) + ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(cost, indent=2) + "\n")


@contextlib.contextmanager
def writing(target: Path, wait_s: float = LOCK_WAIT_S) -> Iterator[Path]:
    """A temporary folder beside the folder `target` that takes its place, whole, when the block ends well.

    Holds the lock of `target` meanwhile, waits `wait_s` seconds for it, and raises ThoraxError naming the holder if it
    stays taken. After an exception the old `target` stands as it was.
    """
    with locked(target, wait_s), temporary(target) as fresh:
        yield fresh
        replace(fresh, target)


@contextlib.contextmanager
def writing_into(target: Path, purpose: str, wait_s: float = LOCK_WAIT_S) -> Iterator[Path]:
    """Like `writing`, for files that share the folder `target` with other stages' outputs: each file that the block
    leaves in the temporary folder is moved there by a rename. `purpose` tells the sharers' locks apart."""
    target.mkdir(parents=True, exist_ok=True)
    with locked(target / purpose, wait_s), temporary(target / purpose) as fresh:
        yield fresh
        for path in sorted(fresh.iterdir()):
            replace(path, target / path.name)


@contextlib.contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """An empty folder `.tmp-<name>` beside `target`: the same file system, so that a rename is enough. The name is
    fixed, so that what a killed run left is found and removed."""
    fresh = target.parent / f".tmp-{target.name}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def replace(fresh: Path, target: Path) -> None:
    """Rename the file or folder `fresh` to `target`; an old folder there goes aside first, as no system call swaps
    folders everywhere."""
    if not target.is_dir():
        os.replace(fresh, target)
        return
    aside = target.parent / f".tmp-old-{target.name}"
    shutil.rmtree(aside, ignore_errors=True)
    os.replace(target, aside)
    os.replace(fresh, target)
    shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def locked(target: Path, wait_s: float) -> Iterator[None]:
    """Hold the lock file `.lock-<name>` beside `target`; the system frees it when the process dies, however."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.parent / f".lock-{target.name}"
    with open(path, "a+") as file:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    file.seek(0)
                    raise ThoraxError(f"{target}: process {file.read().strip() or '?'} is writing it; wait for that "
                                      "process or stop it, then run the same command again") from None
                time.sleep(0.1)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def usable_cpus() -> int:
    """CPUs this process may use (a container's share can be smaller than the machine)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def worker_pool() -> Iterator[ProcessPoolExecutor]:
    """One process per usable CPU, started afresh (a fork would copy the threads' locks); they die with the stage."""
    pool = ProcessPoolExecutor(usable_cpus(), mp_context=get_context("spawn"), initializer=die_with,
                               initargs=(os.getpid(),))
    # Ctrl-C goes to all processes; the stage alone reports it. Workers inherit that they are deaf to it.
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(usable_cpus()):
            pool.submit(os.getpid)  # starts a worker, as none is idle
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        yield pool
    except BaseException:
        # Not left to the stage's death, which a worker that is just starting would report with a traceback, as would
        # the pool's own thread the death of its workers.
        threading.excepthook = lambda _: None
        for worker in active_children():
            worker.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()

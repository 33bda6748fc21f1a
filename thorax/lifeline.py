"""Dying with the parent: a killed `dvc repro` must not leave a stage behind, nor a stage its workers.

Only the standard library: this runs before anything that takes time to import, for a stage is an orphan unawares until
it has run.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

PARENT_POLL_S = 0.5
PR_SET_PDEATHSIG = 1


def follow_dvc() -> None:
    """Die with the `dvc` that started this stage, or now if it is dead already. A stage run by hand lives on."""
    # DVC sets it for the commands that it runs. Taken out, because the stage's workers, which import it again, are not
    # DVC's children.
    if os.environ.pop("DVC_STAGE", None) is None:
        return
    parent = os.getppid()
    command = command_of(parent)
    # Whoever adopted an orphan (not always process 1) is not DVC.
    if parent == 1 or "dvc" not in command:
        print(f"stopped: the `dvc` that started this stage is gone (its parent is {command or parent}); run "
              "`dvc repro` again. A program that drives DVC from Python must have 'dvc' in its command line.",
              file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    die_with(parent)


def command_of(process: int) -> str:
    """The command line of a process; where the system has no /proc, `dvc`, as nothing else can be told of it."""
    if sys.platform != "linux":
        return "dvc"
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def die_with(parent: int) -> None:
    """Have this process killed when its parent, the process `parent`, dies; at once if it has died."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)
    os.kill(os.getpid(), signal.SIGKILL)

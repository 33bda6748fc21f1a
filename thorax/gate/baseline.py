"""The baseline in Git: which commit the working tree is compared with, and that commit's predictions."""

import io
import subprocess
import tarfile
from pathlib import Path

from thorax.errors import ThoraxError

MAIN = ("origin/main", "main")  # the first that exists; what is published, where that is known


def find(since: str | None = None) -> tuple[str | None, str]:
    """The commit to compare with, and why this one: where the work left the main branch.

    On the main branch itself, or where it is not known, that is the last commit while results are changed and not
    committed, and the one before it otherwise. None where there is no earlier commit.

    Raises:
        ThoraxError: no Git repository, an unknown commit, or a shallow clone that lacks it.
    """
    if git("rev-parse", "HEAD") is None:
        raise ThoraxError("this folder is no Git repository with a commit: name two places to compare instead, "
                          "`python -m thorax.gate BASELINE CANDIDATE`")
    if since:
        return resolve(since, f"as asked: {since}"), f"as asked: {since}"
    branch = next((name for name in MAIN if git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")), None)
    if branch is not None:
        base = git("merge-base", "HEAD", branch)
        if base is None:
            raise ThoraxError(f"the common commit of HEAD and {branch} is not in this clone{remedy()}")
        if base != git("rev-parse", "HEAD"):
            return base, f"where this work left {branch}"
    if git("status", "--porcelain", "--", "models"):
        return git("rev-parse", "HEAD"), "the last commit: its results have been changed since"
    parent = git("rev-parse", "--verify", "--quiet", "HEAD^")
    if parent is None and is_shallow():
        raise ThoraxError(f"the commit before HEAD is not in this clone{remedy()}")
    where = f", which is on {branch}" if branch else f": no branch {' or '.join(MAIN)} is known here"
    return parent, f"the commit before HEAD{where}" if parent else "HEAD is the first commit"


def resolve(name: str, why: str) -> str:
    commit = git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if commit is None:
        raise ThoraxError(f"the commit to compare with ({why}) is not in this clone{remedy()}")
    return commit


def remedy() -> str:
    """What to do about a commit that is missing."""
    if is_shallow():
        return ", which is shallow: `git fetch --unshallow` (GitHub: fetch-depth: 0) brings the history"
    return "; fetch it, or name another one with --since"


def is_shallow() -> bool:
    return git("rev-parse", "--is-shallow-repository") == "true"


def subject(commit: str) -> str:
    """The commit's first twelve digits and the first line of its message."""
    return git("log", "-1", "--format=%h %s", "--abbrev=12", commit) or commit[:12]


def extract(commit: str, folder: Path) -> None:
    """Write the models' predictions of a commit below `folder`, as they lie in the project; none is no error."""
    listed = git("ls-tree", "-r", "--name-only", "-z", commit, "--", "models") or ""
    names = [name for name in listed.split("\0") if name.endswith("/evaluation/predictions.csv")]
    if names:
        archive = subprocess.run(["git", "archive", "--format=tar", commit, "--", *names], check=True,
                                 stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")


def git(*arguments: str) -> str | None:
    """What a Git command prints, without the last line break; None where it fails."""
    try:
        done = subprocess.run(["git", *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        raise ThoraxError("git: no such command; install it, or name two places to compare") from None
    return done.stdout.strip() if done.returncode == 0 else None

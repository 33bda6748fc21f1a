"""The rule for all runs of two places; what was accepted; the verdict and exit status of the whole."""

import hashlib
from dataclasses import replace
from pathlib import Path

from thorax import predictions
from thorax.errors import ThoraxError
from thorax.gate.rule import FAIL, INCONCLUSIVE, NOT_COMPARABLE, PASS, Judgement, judge
from thorax.recipe import Gate

NEW, ACCEPTED = "NEW", "ACCEPTED"
STATUS = {FAIL: 1, NOT_COMPARABLE: 2, INCONCLUSIVE: 0, PASS: 0}  # of the process, the gravest verdict first
STRICT_STATUS = 3  # of INCONCLUSIVE, where that is not good enough


def judge_all(baseline: Path, candidate: Path, settings: Gate, seed: int) -> list[Judgement]:
    """All runs of two places, each a predictions.csv, a run's folder, or a folder of runs (models/ or the project)."""
    before = runs_in(baseline)
    after = {"": table_of(candidate)} if list(before) == [""] else runs_in(candidate)
    judgements = [accepted(judge_files(run, before[run], after.get(run), settings, seed), settings) for run in before]
    return judgements + [Judgement(run, NEW, "not in the baseline: nothing to compare with")
                         for run in after if run not in before]


def runs_in(place: Path) -> dict[str, Path]:
    """The predictions.csv of every run, by `<study>/<model>`; a single file or run is called ""."""
    if table_of(place).is_file():
        return {"": table_of(place)}
    folder = place / "models" if (place / "models").is_dir() else place
    return {"/".join(path.parts[-4:-2]): path for path in sorted(folder.glob("*/*/evaluation/predictions.csv"))}


def table_of(place: Path) -> Path:
    return place / "evaluation" / "predictions.csv" if place.is_dir() else place


def judge_files(run: str, baseline: Path, candidate: Path | None, settings: Gate, seed: int) -> Judgement:
    """A baseline that cannot be read compares with nothing; a candidate that cannot be read is a regression."""
    key = f"{run or 'run'}@{digest(baseline, candidate)}"
    try:
        before = predictions.read(baseline)
    except ThoraxError as error:
        return Judgement(run, NOT_COMPARABLE, f"baseline: {error}", key=key)
    if candidate is None:
        return Judgement(run, FAIL, "the candidate lacks this run; run `dvc repro`, which makes it", key=key)
    try:
        after = predictions.read(candidate)
    except ThoraxError as error:
        return Judgement(run, FAIL, f"candidate: {error}", key=key)
    return judge(run, before, after, settings, seed, key)


def digest(*paths: Path | None) -> str:
    """Of the files' bytes, so that what was accepted once is no licence for the next regression."""
    parts = [path.read_bytes() if path and path.is_file() else b"" for path in paths]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:12]


def accepted(judgement: Judgement, settings: Gate) -> Judgement:
    if judgement.verdict in (FAIL, NOT_COMPARABLE) and judgement.key in settings.accepted:
        reason = f"{settings.accepted[judgement.key]} (was {judgement.verdict}: {judgement.reason})"
        return replace(judgement, verdict=ACCEPTED, reason=reason)
    return judgement


def status(judgements: list[Judgement], strict: bool) -> tuple[str, int]:
    """The verdict on all runs and the exit status: that of the gravest. New runs and accepted ones don't count, and
    where there are no others nothing was compared."""
    if all(judgement.verdict == NEW for judgement in judgements):
        return NEW, 0
    for verdict in STATUS:
        if any(judgement.verdict == verdict for judgement in judgements):
            return verdict, STRICT_STATUS if strict and verdict == INCONCLUSIVE else STATUS[verdict]
    return PASS, 0

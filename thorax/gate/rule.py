"""The rule for one run: two tables of predictions of the same films, a verdict, and why."""

from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import pandas as pd

from thorax import predictions, scoring
from thorax.comparison import accuracy_bound, bootstrap_p, holm, mcnemar, paired_samples
from thorax.intervals import MIN_GROUPS
from thorax.recipe import Gate

PASS, INCONCLUSIVE, FAIL, NOT_COMPARABLE = "PASS", "INCONCLUSIVE", "FAIL", "NOT COMPARABLE"
BOOTSTRAPPED = ("macro_f1", "macro_auc")
# Probabilities that differ by less, with the same answers, are one model: other last bits, another format of the file.
ROUNDING = 1e-4
POWER = 0.8  # of the sample size that is named: the chance that a model without a drop passes


@dataclass(frozen=True)
class Check:
    """One metric. `bound`: one-sided lower confidence bound of the difference; `p`: two-sided, of no difference,
    Holm-corrected among the recalls; `films`: how many would decide an inconclusive one. None where not defined."""

    metric: str
    margin: float
    baseline: float | None
    candidate: float | None
    difference: float | None
    bound: float | None
    p: float | None
    verdict: str
    films: int | None = None


@dataclass(frozen=True)
class Judgement:
    """One run: its verdict, why in words, and the checks behind it. `key` names this very pair of files."""

    run: str
    verdict: str
    reason: str
    films: int = 0
    groups: int = 0
    checks: list[Check] = field(default_factory=list)
    key: str = ""


def judge(run: str, before: pd.DataFrame, after: pd.DataFrame, settings: Gate, seed: int, key: str = "") -> Judgement:
    """Compare two valid tables, in any order of their rows."""
    shape = {"films": len(before), "groups": before["group"].nunique(), "key": key}
    verdict, reason = differing_films(before, after)
    if verdict:
        return Judgement(run, verdict, reason, **shape)
    after = after.set_index("id").loc[before["id"]].reset_index()
    labels, first, groups = predictions.to_arrays(before)
    second = predictions.to_arrays(after)[1]
    if np.abs(first - second).max() < ROUNDING and (first.argmax(axis=1) == second.argmax(axis=1)).all():
        return Judgement(run, PASS, "the same predictions", **shape)
    checks = check(labels, first, second, groups, predictions.classes_of(before), settings, seed)
    return Judgement(run, *conclude(checks), **shape, checks=checks)


def differing_films(before: pd.DataFrame, after: pd.DataFrame) -> tuple[str, str]:
    """Verdict and reason where the tables are not of the same films, labels and classes; "" where they are."""
    old, new = predictions.classes_of(before), predictions.classes_of(after)
    if set(old) != set(new):
        return NOT_COMPARABLE, f"other classes: {', '.join(old)} in the baseline, {', '.join(new)} in the candidate"
    if old != new:
        # Whoever takes the columns by position, as serving does, would call one finding by another's name.
        return FAIL, f"the candidate's classes are in another order: {', '.join(new)} instead of {', '.join(old)}"
    absent, added = set(before["id"]) - set(after["id"]), set(after["id"]) - set(before["id"])
    if added:
        return NOT_COMPARABLE, (f"other test films: {len(added)} are not in the baseline, {len(absent)} not in the "
                                f"candidate, such as {min(added)}")
    if absent:
        return FAIL, f"the candidate lacks {len(absent)} of {len(before)} test films, such as {min(absent)}"
    there = after.set_index("id").loc[before["id"]]
    for column in ("label", "group"):
        changed = before["id"][before[column].to_numpy() != there[column].to_numpy()]
        if len(changed):
            return NOT_COMPARABLE, (f"another {column} for {len(changed)} of {len(before)} films, such as "
                                    f"{changed.iloc[0]}")
    return "", ""


def conclude(checks: list[Check]) -> tuple[str, str]:
    """Any check can fail the run. Accuracy, macro F1 and macro AUC must all pass for it to pass: a recall rests on the
    films of one class, too few to rule out a drop."""
    failed = [check for check in checks if check.verdict == FAIL]
    if failed:
        return FAIL, "; ".join(f"{check.metric} fell by {-check.difference:.3f}, more than {check.margin:g} "
                               f"(p = {check.p:.2g})" for check in failed)
    open_checks = [check for check in checks if check.verdict == INCONCLUSIVE and not check.metric.startswith("recall")]
    if not open_checks:
        return PASS, "drops as large as the margins are ruled out"
    needed = [check.films for check in open_checks]
    films = "" if None in needed else f"; about {max(needed):,} test films would decide"
    return INCONCLUSIVE, f"{', '.join(check.metric for check in open_checks)}: too few films to tell{films}"


def check(labels, before, after, groups, classes: list[str], settings: Gate, seed: int,
          draw=paired_samples) -> list[Check]:
    """Accuracy, macro F1 and macro AUC, then the recall of each class.

    Args: labels (n,) int; before, after (n, k) probabilities of the same films; groups (n,) ids; draw: what resamples.
    """
    old, new = scoring.scores(labels, before), scoring.scores(labels, after)
    right, still_right = before.argmax(axis=1) == labels, after.argmax(axis=1) == labels
    films = len(labels)

    def proportion(metric: str, margin: float, of, values, p: float) -> Check:
        bound, error = accuracy_bound(right[of], still_right[of], groups[of], settings.level)
        return decide(metric, margin, *values, bound, error, p, of.sum(), settings.level)

    everyone = np.ones(films, dtype=bool)
    checks = [proportion("accuracy", settings.margins.accuracy, everyone, (old["accuracy"], new["accuracy"]),
                         mcnemar(right, still_right, groups))]
    samples = draw(labels, before, after, groups, list(BOOTSTRAPPED), settings.resamples, seed)
    enough = min(len(set(groups[labels == c])) for c in np.unique(labels)) >= MIN_GROUPS
    for metric in BOOTSTRAPPED:
        margin, drawn = getattr(settings.margins, metric), samples[metric][~np.isnan(samples[metric])]
        known = enough and len(drawn) >= settings.level * settings.resamples
        bound = float(np.quantile(drawn, 1 - settings.level)) if known else None
        error, p = (float(drawn.std()), bootstrap_p(drawn)) if known else (None, None)
        checks.append(decide(metric, margin, old[metric], new[metric], bound, error, p, films, settings.level))
    present = np.unique(labels)
    adjusted = holm([mcnemar(right[labels == c], still_right[labels == c], groups[labels == c]) for c in present])
    return checks + [proportion(f"recall_{classes[c]}", settings.margins.recall, labels == c,
                                (old["recall"][c], new["recall"][c]), float(p))
                     for c, p in zip(present, adjusted, strict=True)]


def decide(metric: str, margin: float, baseline, candidate, bound: float | None, error: float | None, p: float | None,
           films: int, level: float) -> Check:
    """One check's verdict, and the number of films (of the class, for a recall) with which it would be decided: that
    at which a model without a drop passes with probability `POWER`, from the standard error `error` of these films."""
    difference = candidate - baseline
    if bound is None or np.isnan(difference):
        values = [None if np.isnan(value) else float(value) for value in (baseline, candidate, difference)]
        return Check(metric, margin, *values, None, None, INCONCLUSIVE)
    needed = None
    if p < 1 - level and difference < -margin:
        verdict = FAIL
    elif bound > -margin:
        verdict = PASS
    else:
        verdict = INCONCLUSIVE
        quantiles = NormalDist().inv_cdf(level) + NormalDist().inv_cdf(POWER)
        needed = max(films + 1, int(np.ceil(films * (quantiles * error / margin) ** 2)))
    return Check(metric, margin, float(baseline), float(candidate), float(difference), bound, p, verdict, needed)

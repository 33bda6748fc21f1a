"""What a probe found, how well it is known, and what follows: the rule is the same for every probe.

With chance c (or the majority's share) and margin m the threshold is c + m (1 - c): the share m of the way from chance
to always right. The verdict is

- alarm, where the whole interval lies above the threshold;
- ok, where the whole interval lies below it;
- not decided, where the interval contains it, or there is none.
"""

import numpy as np

from thorax.intervals import DIGITS, MIN_GROUPS, group_weights, percentile_interval, wilson


def share_right(labels: np.ndarray, predicted: np.ndarray, groups, resamples: int, level: float, seed: int,
                balanced: bool = True) -> dict:
    """Balanced accuracy (or accuracy) with the percentile interval of the bootstrap over whole groups.

    Args: labels and predicted, int (n,); groups, (n,) ids; resamples, level and seed as in thorax.intervals.

    Returns metric, value, low, high, films, groups. Below MIN_GROUPS groups (of a class, for balanced accuracy) low and
    high are None and `reason` says so. Where everything is right all resamples agree, and Wilson's interval stands in,
    with that number of groups as n.
    """
    labels, predicted, groups = np.asarray(labels), np.asarray(predicted), np.asarray(groups)
    right = (labels == predicted).astype(float)
    members = labels[:, None] == np.unique(labels) if balanced else np.ones((len(labels), 1), bool)
    fewest = min(len(np.unique(groups[rows])) for rows in members.T)
    figure = {"metric": "balanced_accuracy" if balanced else "accuracy",
              "value": round(float(np.mean([right[rows].mean() for rows in members.T])), DIGITS),
              "low": None, "high": None, "films": len(labels), "groups": len(np.unique(groups))}
    if fewest < MIN_GROUPS:
        where = "of a class " if balanced else ""
        return figure | {"reason": f"{fewest} group(s) {where}among these films; an interval needs {MIN_GROUPS}"}
    if right.all():
        low, high = wilson(fewest, fewest, level)
    else:
        samples = np.concatenate([resampled(weights, members.astype(float), right)
                                  for weights in group_weights(groups, resamples, seed)])
        low, high = percentile_interval(samples, level)
    return figure | {"low": round(low, DIGITS), "high": round(high, DIGITS)}


def resampled(weights: np.ndarray, members: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(b,) mean over the classes of the share that is right; a class that a resample lacks is left out of its mean."""
    support = weights @ members
    shares = np.divide((weights * right) @ members, support, out=np.full(support.shape, np.nan), where=support > 0)
    return np.nanmean(shares, axis=1)


def threshold(chance: float, margin: float) -> float:
    return chance + margin * (1 - chance)


def judged(figure: dict, chance: float, margin: float) -> dict:
    """`figure` of `share_right` with chance, threshold, verdict and the reason in words."""
    limit = threshold(chance, margin)
    figure = figure | {"chance": round(chance, DIGITS), "threshold": round(limit, DIGITS)}
    if figure["low"] is None:
        return figure | {"verdict": "not decided"}
    span = f"the interval {figure['low']:.3f} to {figure['high']:.3f}"
    if figure["low"] > limit:
        return figure | {"verdict": "alarm", "reason": f"{span} lies above the threshold {limit:.3f}"}
    if figure["high"] < limit:
        return figure | {"verdict": "ok", "reason": f"{span} lies below the threshold {limit:.3f}"}
    return figure | {"verdict": "not decided", "reason": f"{span} contains the threshold {limit:.3f}"}


def undecided(figure: dict, reason: str) -> dict:
    """A verdict that cannot be upheld, taken back."""
    return figure | {"verdict": "not decided", "reason": reason}

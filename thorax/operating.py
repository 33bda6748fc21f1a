"""Operating points: from which probability on a class counts as found; chosen on validation films, measured on test.

Each class stands against the rest, so that a film can be flagged for several classes or for none. The argmax, which all
other metrics use, needs no threshold; a reader who must not miss a finding does.
"""

import numpy as np

from thorax import scoring
from thorax.intervals import DIGITS, LEVEL, RESAMPLES, bootstrap, distinct, entry, weighted_mean

MEASURES = ("sensitivity", "specificity", "ppv", "npv")


def choose(labels, probabilities, classes: list[str], sensitivity: float | None = None) -> dict[str, dict]:
    """The threshold of every class; films with at least this probability are flagged.

    Without `sensitivity` it is the one of largest Youden index, sensitivity + specificity - 1, of equals the one with
    the highest sensitivity; with it the highest threshold that reaches this sensitivity. It lies half way to the next
    lower score, so that rounding flags no other film.

    Args: labels (n,) int and probabilities (n, k), as they will be served, of the validation films; k class names.

    Returns per class `threshold`, and `sensitivity` and `specificity` on these films; all None, with a `note`, where
    the films are all or none of the class, or their scores all equal.

    Source: Youden, Cancer 3:32 (1950).
    """
    labels, points = np.asarray(labels), {}
    for number, name in enumerate(classes):
        positive, score = labels == number, np.asarray(probabilities, dtype=np.float64)[:, number]
        levels = np.unique(score)[::-1]
        if not positive.any() or positive.all() or len(levels) == 1:
            note = ("validation films of this class only" if positive.all() else "no validation film of this class"
                    if not positive.any() else "all validation films have the same score")
            points[name] = {"threshold": None, "sensitivity": None, "specificity": None, "note": note}
            continue
        true, false = scoring.threshold_counts(positive, score)
        found, passed = true / true[-1], 1 - false / false[-1]
        if sensitivity is None:
            index = found + passed
            best = np.flatnonzero(index >= index.max() - 1e-12)[-1]
        else:
            best = np.flatnonzero(found >= sensitivity - 1e-12)[0]
        below = levels[best + 1] if best + 1 < len(levels) else 0.0
        points[name] = {"threshold": float(f"{(levels[best] + below) / 2:.9g}"),
                        "sensitivity": round(float(found[best]), DIGITS),
                        "specificity": round(float(passed[best]), DIGITS)}
    return points


def flags(probabilities, points: dict[str, dict]) -> np.ndarray:
    """(n, k) bool: which films are flagged for which class. A class without a threshold flags none."""
    thresholds = [np.inf if point["threshold"] is None else point["threshold"] for point in points.values()]
    return np.asarray(probabilities) >= np.array(thresholds)


def point_metrics(labels, probabilities, groups, points: dict[str, dict], resamples: int = RESAMPLES,
                  level: float = LEVEL, seed: int = 0) -> dict[str, dict]:
    """`point_<measure>_<class>` for sensitivity, specificity, positive and negative predictive value at the operating
    points, in the form of `intervals.metrics_with_intervals`. PPV and NPV hold for this mixture of classes alone."""
    labels, groups, flagged, result = np.asarray(labels), np.asarray(groups), flags(probabilities, points), {}
    for number, (name, point) in enumerate(points.items()):
        if point["threshold"] is None:
            missing = {"value": None, "low": None, "high": None, "reason": f"no operating point: {point['note']}"}
            result |= {f"point_{measure}_{name}": missing for measure in MEASURES}
            continue
        positive, mark = labels == number, flagged[:, number]
        measured = {"sensitivity": (positive, mark, f"in class {name}"),
                    "specificity": (~positive, ~mark, f"in another class than {name}"),
                    "ppv": (mark, positive, f"flagged as {name}"),
                    "npv": (~mark, ~positive, f"not flagged as {name}")}
        for measure, (base, hit, where) in measured.items():
            def share(weights, base=base, hit=hit):
                return weighted_mean(hit[base], weights[:, base])

            samples, value = bootstrap(share, groups, resamples, seed), share(np.ones((1, len(labels))))[0]
            result[f"point_{measure}_{name}"] = entry(value, samples, {where: distinct(groups[base])}, level, True)
    return result

"""The difference of a metric between two models, with its interval: of a paired bootstrap on the same films, of two
independent ones on different films."""

from collections.abc import Sequence

import numpy as np

from thorax import scoring
from thorax.intervals import group_weights, percentile_interval


def paired_difference(labels, baseline, candidate, groups, metric: str, resamples: int, level: float,
                      seed: int) -> dict[str, float]:
    """`metric` (one of scoring.OVERALL) of `candidate` minus that of `baseline`.

    Args: labels (n,) int; baseline and candidate probabilities (n, k) of the same films in the same order; groups (n,)
    ids. Both models see the same resamples of whole groups, so that what is hard for both cancels.

    Returns value, low and high, rounded to 6 digits.
    """
    value = scoring.scores(labels, candidate)[metric] - scoring.scores(labels, baseline)[metric]
    samples = np.concatenate([scoring.scores(labels, candidate, weights)[metric]
                              - scoring.scores(labels, baseline, weights)[metric]
                              for weights in group_weights(groups, resamples, seed)])
    low, high = percentile_interval(samples, level)
    return {"value": round(float(value), 6), "low": round(low, 6), "high": round(high, 6)}


def unpaired_differences(baseline: tuple, candidate: tuple, metrics: Sequence[str], resamples: int, level: float,
                         seed: int) -> dict[str, dict[str, float]]:
    """Each of `metrics` (of scoring.OVERALL) of `candidate` minus that of `baseline`, evaluated on different films.

    Args: baseline and candidate, each as (labels (n,) int, probabilities (n, k), groups (n,) ids). Groups are resampled
    in each by itself, so that the spread of both adds up. Films that both test parts hold are not accounted for: they
    make the two figures vary together, and the interval wider than it need be.

    Returns value, low and high of each metric, rounded to 6 digits.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), section 8.3, the two-sample problem.
    """
    points, drawn = [], []
    # Streams of their own: one seed for both would draw the same places in both lists of groups.
    for stream, (labels, probabilities, groups) in zip(np.random.SeedSequence(seed).spawn(2), (baseline, candidate),
                                                       strict=True):
        points.append(scoring.scores(labels, probabilities))
        chunks = [scoring.scores(labels, probabilities, weights)
                  for weights in group_weights(groups, resamples, stream)]
        drawn.append({name: np.concatenate([chunk[name] for chunk in chunks]) for name in metrics})
    result = {}
    for name in metrics:
        low, high = percentile_interval(drawn[1][name] - drawn[0][name], level)
        result[name] = {"value": round(float(points[1][name] - points[0][name]), 6), "low": round(low, 6),
                        "high": round(high, 6)}
    return result

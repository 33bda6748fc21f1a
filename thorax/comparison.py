"""Two models on the same films: the difference of a metric, with the interval of the paired bootstrap."""

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

"""Two models compared: differences with intervals and bounds, exact tests, corrections for many of them.

Films of one patient resemble each other, so that whole groups are the unit throughout: they are drawn, swapped and
counted, never single films. With one film in each group everything is the textbook method for independent films. Models
are compared on the same films, as pairs; `unpaired_differences` alone is for different ones.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from thorax import scoring
from thorax.errors import ThoraxError
from thorax.intervals import group_weights, percentile_interval


def paired_difference(labels, baseline, candidate, groups, metric: str, resamples: int, level: float,
                      seed: int) -> dict[str, float]:
    """`metric` (one of scoring.OVERALL) of `candidate` minus that of `baseline`.

    Args: labels (n,) int; baseline and candidate probabilities (n, k) of the same films in the same order; groups (n,)
    ids. Both models see the same resamples of whole groups, so that what is hard for both cancels.

    Returns value, low and high, rounded to 6 digits.
    """
    value = scoring.scores(labels, candidate)[metric] - scoring.scores(labels, baseline)[metric]
    samples = paired_samples(labels, baseline, candidate, groups, [metric], resamples, seed)[metric]
    low, high = percentile_interval(samples, level)
    return {"value": round(float(value), 6), "low": round(low, 6), "high": round(high, 6)}


def unpaired_differences(baseline: tuple, candidate: tuple, metrics: Sequence[str], resamples: int, level: float,
                         seed: int, classes: Sequence[str] = ()) -> dict[str, dict[str, float]]:
    """Each of `metrics` of `candidate` minus that of `baseline`, evaluated on different films.

    Args: baseline and candidate, each as (labels (n,) int, probabilities (n, k), groups (n,) ids); metrics, of
    scoring.OVERALL or, if the k `classes` are named, `<metric>_<class>`. Groups are resampled in each by itself, so
    that the spread of both adds up. Films that both test parts hold are not accounted for: they make the two figures
    vary together, and the interval wider than it need be.

    Returns value, low and high of each metric, rounded to 6 digits.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), section 8.3, the two-sample problem.
    """
    points, drawn = [], []
    # Streams of their own: one seed for both would draw the same places in both lists of groups.
    for stream, (labels, probabilities, groups) in zip(np.random.SeedSequence(seed).spawn(2), (baseline, candidate),
                                                       strict=True):
        points.append(by_name(scoring.scores(labels, probabilities), classes))
        chunks = [by_name(scoring.scores(labels, probabilities, weights), classes)
                  for weights in group_weights(groups, resamples, stream)]
        drawn.append({name: np.concatenate([chunk[name] for chunk in chunks]) for name in metrics})
    result = {}
    for name in metrics:
        low, high = percentile_interval(drawn[1][name] - drawn[0][name], level)
        result[name] = {"value": round(float(points[1][name] - points[0][name]), 6), "low": round(low, 6),
                        "high": round(high, 6)}
    return result


def by_name(scores: dict[str, np.ndarray], classes: Sequence[str]) -> dict[str, np.ndarray]:
    """The overall scores, and those of each class under names of their own."""
    return scores | {f"{metric}_{name}": scores[metric][..., number] for metric in scoring.PER_CLASS
                     for number, name in enumerate(classes)}


def paired_samples(labels, baseline, candidate, groups, metrics: list[str], resamples: int,
                   seed: int) -> dict[str, np.ndarray]:
    """The bootstrap resamples (resamples,) of each metric's difference; arguments as `paired_difference` has them."""
    drawn = []
    for weights in group_weights(groups, resamples, seed):
        after, before = scoring.scores(labels, candidate, weights), scoring.scores(labels, baseline, weights)
        drawn.append({metric: after[metric] - before[metric] for metric in metrics})
    return {metric: np.concatenate([chunk[metric] for chunk in drawn]) for metric in metrics}


def bootstrap_p(samples) -> float:
    """Two-sided p of "no difference": twice the share of the resamples (B,) on the rarer side of zero, which is below
    1 - level where the percentile interval of `level` excludes zero. Counted with one resample more, so never 0.

    Source: Davison & Hinkley, Bootstrap Methods and their Application (1997), 4.2.5.
    """
    defined = np.asarray(samples)[~np.isnan(samples)]
    rarer = min((defined >= 0).sum(), (defined <= 0).sum())
    return float(min(1.0, 2 * (1 + rarer) / (1 + defined.size)))


def mcnemar(before, after, groups) -> float:
    """Exact two-sided p that two models are right equally often: McNemar's test, with whole groups swapped.

    If the models are alike, it is a coin toss for each group which of its two lists of answers belongs to which model.
    The p value is the chance that the net number of films gained is as far from zero as it is, over all tosses. With
    one film in each group this is the exact (binomial) McNemar test.

    Args: before, after (n,) bool, whether each model is right; groups (n,) ids.

    Source: McNemar, Psychometrika 12:153 (1947); Good, Permutation, Parametric and Bootstrap Tests (2005), 3.3.
    """
    gains, _ = net_gains(before, after, groups)
    net, gained = np.abs(gains), gains[gains > 0].sum()
    # Probability of each sum of the groups that fall to one model; every group adds its net or nothing.
    chance = np.zeros(net.sum() + 1)
    chance[0] = 1.0
    for count in net[net > 0]:
        shifted = np.zeros_like(chance)
        shifted[count:] = chance[:-count]
        chance = (chance + shifted) / 2
    tail = chance[:min(gained, net.sum() - gained) + 1].sum()
    return float(min(1.0, 2 * tail))


def accuracy_bound(before, after, groups, level: float) -> tuple[float, float]:
    """One-sided lower confidence bound of the accuracy of `after` minus that of `before`, and its standard error.

    Wald's bound over groups with two groups of mean size added, one all lost and one all gained. Without them a pair of
    models that agree on a few films would have a bound of zero, which twenty films don't show: the bootstrap's mistake.
    With one film in each group it is Bonett and Price's.

    Args: before, after (n,) bool, whether each model is right; groups (n,) ids; level in (0, 1).

    Source: Bonett & Price, J Educ Behav Stat 37:479 (2012); Agresti & Min, Stat Med 24:729 (2005).
    """
    net, films = net_gains(before, after, groups)
    mean = films.mean()
    net, films = np.append(net, [-mean, mean]), np.append(films, [mean, mean])
    difference = net.sum() / films.sum()
    error = float(np.sqrt(((net - difference * films) ** 2).sum()) / films.sum())
    return float(difference - NormalDist().inv_cdf(level) * error), error


def net_gains(before, after, groups) -> tuple[np.ndarray, np.ndarray]:
    """Of each group (in the order of their ids): films that only `after` has right less those that only `before` has,
    and its number of films; both (g,) int."""
    before, after = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    if before.shape != after.shape or len(groups) != len(before) or not len(before):
        raise ThoraxError(f"answers {before.shape} and {after.shape}, {len(groups)} groups: the same films are needed")
    codes = np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
    gained, lost = np.bincount(codes, after & ~before), np.bincount(codes, before & ~after)
    return (gained - lost).astype(int), np.bincount(codes)


def holm(p_values) -> np.ndarray:
    """Holm's adjusted p values (m,), in the order given: the chance of any false alarm among the m stays below the
    level that they are compared with, however the tests depend on one another.

    Source: Holm, Scand J Stat 6:65 (1979).
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty_like(stepped)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted

"""How well a figure is known: bootstrap over groups for metrics, Wilson's interval for counts.

Films of one patient resemble each other, so groups are drawn with replacement, not films: with copies of a film in the
test set a bootstrap over films promises an accuracy that nobody has. A drawn group brings all its films, as a weight.

Where an interval would mislead none is given, and the entry says why: fewer than `MIN_GROUPS` groups carry the figure,
or all resamples agree (a perfect score is no proof of perfection). Accuracy, recall and precision that are 0 or 1 in
every resample get Wilson's interval instead, with the number of groups as n.
"""

from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np
import pandas as pd

from thorax import scoring
from thorax.errors import ThoraxError

RESAMPLES = 2000
LEVEL = 0.95
PROPORTIONS = ("accuracy", "precision", "recall")
DIGITS = 6  # of what is written: far below any interval's width, far above rounding of the last bits
# With g groups of a class e^-g of the resamples lack it: 37 % at 1, 1.8 % at 4, 0.7 % at 5. Below this the interval is
# far too narrow and speaks of a selection of the resamples.
MIN_GROUPS = 5
ALL_ALIKE = "all resamples give the same value"
# Weights held at once (2 MB as float64): a few arrays of this size stay in the cache, whatever n is.
CELLS = 250_000


def metrics_with_intervals(
    labels, probabilities, groups, classes, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> dict[str, dict]:
    """All metrics of `thorax.scoring.scores`, each with its percentile interval.

    Args:
        labels: (n,) int in [0, k); probabilities: (n, k) float; groups: (n,) ids, films of equal id belong together.
        classes: k names.
        resamples: how many; at least 2 / (1 - level), or the tails hold none.
        level: of confidence, in (0, 1).
        seed: of the resampling. The same input gives the same output; another order of the rows changes the last
            digit at most.

    Returns:
        JSON-ready, `accuracy` ... `log_loss`, then `precision_<class>` ... `average_precision_<class>` class by class.
        Each entry holds `value`, `low` and `high`, rounded to 6 digits. What is not defined or not known is None, never
        NaN, and then (and only then) the entry has a `reason`. `support_<class>` is a count and has no interval. Where
        Wilson's interval stands in, the entry has `"method": "wilson"`.

    Raises:
        ThoraxError: as `scoring.scores`; lengths that disagree; an empty group id; resamples or level out of range.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; Field & Welsh, J R Stat Soc B
    69:369 (2007) for whole groups.
    """
    labels, classes = np.asarray(labels), list(classes)
    point = scoring.scores(labels, probabilities)
    if point["recall"].shape != (len(classes),):
        raise ThoraxError(f"{len(classes)} class names for {len(point['recall'])} columns of probabilities.")
    if len(groups) != len(labels):
        raise ThoraxError(f"{len(groups)} groups for {len(labels)} films.")
    if not 0 < level < 1 or resamples < 2 / (1 - level):
        raise ThoraxError(
            f"resamples={resamples}, level={level}: level in (0, 1) and 2 / (1 - level) resamples are needed."
        )
    drawn = [scoring.scores(labels, probabilities, weights) for weights in group_weights(groups, resamples, seed)]
    samples = {name: np.concatenate([chunk[name] for chunk in drawn]) for name in point}

    # What a figure rests on -> in how many groups it is found.
    codes = _codes(groups)
    predicted = np.asarray(probabilities).argmax(axis=1)
    everyone = {"in the test set": distinct(codes)}
    films = [{f"in class {title}": distinct(codes[labels == c])} for c, title in enumerate(classes)]
    guesses = [{f"predicted as {title}": distinct(codes[predicted == c])} for c, title in enumerate(classes)]
    present = {where: n for each in films for where, n in each.items() if n}
    result = {}
    for name in scoring.OVERALL:
        carriers = everyone if name in ("accuracy", "log_loss") else everyone | present
        result[name] = entry(point[name], samples[name], carriers, level, name in PROPORTIONS)
    for c, title in enumerate(classes):
        for name in scoring.PER_CLASS:
            key, value = f"{name}_{title}", point[name][c]
            if name == "support":
                result[key] = {"value": round(float(value), DIGITS), "low": None, "high": None, "reason": "a count"}
                continue
            carriers = films[c] | guesses[c] if name == "precision" else films[c]
            result[key] = entry(value, samples[name][:, c], carriers, level, name in PROPORTIONS)
    return result


def bootstrap(statistic: Callable, groups, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """`statistic` of every resample of whole groups: it maps weights (b, n) to values (b, ...); returns (resamples,
    ...). What is computed with one seed on the same films is paired, resample by resample."""
    return np.concatenate([statistic(weights) for weights in group_weights(groups, resamples, seed)])


def weighted_ratio(above, below, weights: np.ndarray) -> np.ndarray:
    """Sums of `above` over sums of `below`, both (n,), under weights (b, n): (b,), NaN where `below` sums to zero."""
    total = (weights * below).sum(axis=1)
    return np.divide((weights * above).sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0)


def weighted_mean(values, weights: np.ndarray) -> np.ndarray:
    """Means (b,) of values (n,) under weights (b, n); NaN where they sum to zero."""
    return weighted_ratio(values, np.ones(weights.shape[1]), weights)


def entry(value: float, samples: np.ndarray, carriers: dict[str, int], level: float = LEVEL,
          proportion: bool = False) -> dict:
    """A figure with its interval, by the rules at the head of this module.

    Args:
        value: the figure, NaN where it is not defined; samples: (B,) its values in the resamples.
        carriers: what the figure rests on (as `in class covid`), and in how many groups it is found.
        proportion: whether Wilson's interval stands in where the figure is 0 or 1 in every resample.

    Returns:
        JSON-ready: value, low, high and, where the interval is none, the reason.
    """
    found = {"value": None if np.isnan(value) else round(float(value), DIGITS), "low": None, "high": None}
    if found["value"] is None:
        missing = [carrier for carrier, n in carriers.items() if n == 0]
        return {**found, "reason": f"no films {missing[0]}" if missing else "all films are of one class"}
    few = [f"{n} group(s) {carrier}" for carrier, n in carriers.items() if n < MIN_GROUPS]
    if few:
        return {**found, "reason": f"{', '.join(few)}; an interval needs {MIN_GROUPS}"}
    if np.isnan(samples).mean() > 1 - level:
        return {**found, "reason": f"not defined in {np.isnan(samples).mean():.0%} of the resamples"}
    low, high = (round(bound, DIGITS) for bound in percentile_interval(samples, level))
    if low < high:
        return {**found, "low": low, "high": high}
    if proportion and found["value"] in (0.0, 1.0):
        n = min(carriers.values())
        low, high = wilson(found["value"] * n, n, level)
        return {**found, "low": round(low, DIGITS), "high": round(high, DIGITS), "method": "wilson"}
    return {**found, "reason": ALL_ALIKE}


def share_with_interval(hits, groups, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> dict:
    """The mean of `hits`, (n,) in [0, 1], with its interval: `ratio_with_interval` where it is a proportion."""
    return ratio_with_interval(hits, np.ones(len(hits)), groups, resamples, level, seed, True)


def ratio_with_interval(above, below, groups, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0,
                        proportion: bool = False) -> dict:
    """The sum of `above` over the sum of `below` with its percentile interval; with `below` of ones, a mean.

    Args: above and below (n,) float, below not negative; rows where one of them is NaN are left out. groups (n,) ids.
    Returns an entry as `metrics_with_intervals` does. ThoraxError: a film without a group.
    """
    above, below, groups = np.asarray(above, float), np.asarray(below, float), np.asarray(groups)
    known = ~(np.isnan(above) | np.isnan(below))
    above, below, groups = above[known], below[known], groups[known]
    if not below.sum() > 0:
        return {"value": None, "low": None, "high": None, "reason": "no films to take it from"}
    samples = bootstrap(lambda weights: weighted_ratio(above, below, weights), groups, resamples, seed)
    return entry(above.sum() / below.sum(), samples, {"of it": distinct(_codes(groups))}, level, proportion)


def as_text(entry: dict) -> str:
    """A metric for people: its value and bounds with three decimals, or a dash where it is not defined."""
    if entry["value"] is None:
        return "-"
    if entry["low"] is None:
        return f"{entry['value']:.3f}"
    return f"{entry['value']:.3f} ({entry['low']:.3f} to {entry['high']:.3f})"


def group_weights(groups, resamples: int = RESAMPLES, seed: int | np.random.SeedSequence = 0,
                  cells: int = CELLS) -> Iterator[np.ndarray]:
    """Bootstrap resamples of whole groups, as weights, in chunks of bounded memory.

    As many groups are drawn with replacement as there are. Two models compared on the same films get the same resamples
    from the same seed, which makes the comparison paired.

    Args:
        groups: (n,) ids; resamples: how many in all; seed: any integer from 0, or a SeedSequence.
        cells: chunk size in weights; it changes no result.

    Yields:
        (b, n) float64 whole numbers, how often each film is drawn; the b sum to `resamples`.
    """
    codes = _codes(groups)
    count = codes.max() + 1
    random = np.random.default_rng(seed)
    chunk = max(1, cells // len(codes))
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        picks = random.integers(0, count, size=(rows, count)) + count * np.arange(rows)[:, None]
        times = np.bincount(picks.ravel(), minlength=rows * count).reshape(rows, count)
        # Films as rows in memory: `scores` sorts films, and then moves whole rows.
        yield times.T.astype(np.float64)[codes].T


def percentile_interval(samples, level: float = LEVEL) -> tuple[float, float]:
    """The central `level` of the defined (not NaN) values of `samples` (B,), linear between order statistics.

    Raises:
        ThoraxError: no value is defined.
    """
    defined = np.asarray(samples)[~np.isnan(samples)]
    if not defined.size:
        raise ThoraxError("the figure is defined in none of the resamples, so it has no interval.")
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def wilson(successes: float, total: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval for a proportion, in [0, 1]; sensible also at 0 and `total` successes.

    Raises:
        ThoraxError: total not positive, or successes outside [0, total].

    Source: Wilson, J Am Stat Assoc 22:209 (1927); recommended by Brown, Cai & DasGupta, Stat Sci 16:101 (2001).
    """
    if not total > 0 or not 0 <= successes <= total:
        raise ThoraxError(f"{successes} of {total}: a proportion needs 0 <= successes <= total and total > 0.")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    # At the ends the exact bound is 0 or 1; the formula leaves it by a rounding error.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == total else min(1.0, middle + half)
    return float(low), float(high)


def _codes(groups) -> np.ndarray:
    """(n,) int: the place of each film's group among the sorted ids, so that the order of the rows is of no account."""
    ids = np.asarray(groups).astype(object)
    if not len(ids) or pd.isna(ids).any() or any(not str(each).strip() for each in ids):
        raise ThoraxError("groups: every film needs a group; one that belongs to none is its own, so use its id.")
    return np.unique(ids.astype(str), return_inverse=True)[1]


def distinct(groups) -> int:
    """How many groups these are."""
    return len(np.unique(groups))

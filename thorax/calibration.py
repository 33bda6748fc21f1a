"""Do the probabilities mean what they say? Temperature scaling, Brier score, expected calibration error, reliability.

A temperature T divides the logits: p^(1/T), normalised. It is fitted on the validation part alone; it leaves every
film's ranking of the classes, and so the accuracy, as they are.

A film's *confidence* is the probability of the predicted class; calibration error compares it with how often the
prediction is right, in bins of equally many films. With few films per bin the error is above zero even for a model that
is perfectly calibrated, so it comes with what chance alone would give (`error_by_chance`).
"""

import numpy as np

from thorax import scoring
from thorax.errors import ThoraxError
from thorax.intervals import DIGITS, LEVEL, RESAMPLES, bootstrap, distinct, entry, weighted_mean

BINS = 15
# Beyond these a temperature says that something else is wrong; both are far outside what trained networks need
# (1 to 3: Guo et al., arXiv 1706.04599, table 2 and figure 4).
COLDEST, HOTTEST = 0.25, 10.0
SMALLEST = float(np.finfo(np.float32).tiny)  # a probability of 0 has no logarithm


def calibrate(probabilities, temperature: float) -> np.ndarray:
    """Probabilities (n, k), rows summing to 1, after division of their logarithms by `temperature`."""
    logits = _logits(probabilities) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(labels, probabilities) -> dict:
    """The temperature of least negative log-likelihood, between `COLDEST` and `HOTTEST`.

    The likelihood is convex in 1/T, so its slope is halved in towards its only zero: no step length, no start value.

    Args: labels (n,) int in [0, k); probabilities (n, k) float of the validation films.

    Returns `temperature`, `films` and, where the films do not determine it, `note`:
    - films of one class, or scores that are all equal: 1, the probabilities stay as they are.
    - every film right: the likelihood grows without end as T falls, which is no evidence for more confidence: 1.
    - an optimum outside the bounds: the bound.

    Raises ThoraxError as `scoring.scores`.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    right = scoring.scores(labels, probabilities)["accuracy"] == 1
    logits = _logits(probabilities)
    found = {"temperature": 1.0, "films": len(labels)}
    if len(np.unique(labels)) == 1:
        return found | {"note": "validation films of one class only: left as it is"}
    if np.ptp(logits, axis=1).max() < 1e-9:
        return found | {"note": "all scores are equal: no temperature changes them"}
    if right:
        return found | {"note": "every validation film is right: no evidence for more or less confidence"}
    true = logits[np.arange(len(labels)), labels].mean()

    def slope(temperature: float) -> float:
        """Of the negative log-likelihood, in 1/T."""
        return (calibrate(probabilities, temperature) * logits).sum(axis=1).mean() - true

    if slope(COLDEST) < 0:
        return found | {"temperature": COLDEST, "note": "the optimum lies below this bound"}
    if slope(HOTTEST) > 0:
        return found | {"temperature": HOTTEST, "note": "the optimum lies above this bound"}
    cold, hot = COLDEST, HOTTEST
    while hot / cold > 1 + 1e-12:
        middle = np.sqrt(cold * hot)
        cold, hot = (cold, middle) if slope(middle) < 0 else (middle, hot)
    return found | {"temperature": round(float(np.sqrt(cold * hot)), DIGITS)}


def brier(labels, probabilities) -> np.ndarray:
    """(n,) squared distances between probabilities and truth, summed over the classes: 0 to 2, also for two classes.

    Source: Brier, Monthly Weather Review 78:1 (1950).
    """
    return ((np.asarray(probabilities) - np.eye(np.shape(probabilities)[1])[labels]) ** 2).sum(axis=1)


def confidence_bins(confidence, bins: int = BINS) -> np.ndarray:
    """(n,) int: the bin of each film, by the rank of its confidence, so that bins hold equally many films. Equal
    confidences share a bin, whatever the order of the films; bins can stay empty."""
    rank = np.searchsorted(np.sort(confidence), confidence)
    return rank * bins // len(rank)


def calibration_error(labels, probabilities, weights=None, bins: int = BINS) -> np.ndarray:
    """Expected calibration error (ECE): mean over the films of |accuracy - mean confidence| of their bin, in [0, 1].

    Args: labels (n,) int; probabilities (n, k); weights none, (n,) or (B, n). Bins are those of the films, not of
    their weights. Returns float64 of shape () or (B,).

    Source: Naeini et al., AAAI 2015; bins of equal mass: Nixon et al., arXiv 1904.01685.
    """
    confidence, right = _confidence(labels, probabilities)
    weights = np.ones(len(right)) if weights is None else np.asarray(weights, dtype=np.float64)
    return _error(confidence_bins(confidence, bins), (right - confidence) * weights, weights.sum(axis=-1))


def error_by_chance(probabilities, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> dict:
    """The calibration error that a perfectly calibrated model of these confidences shows on as many films: mean and
    central `level` of simulations in which each prediction is right with its confidence. Films are drawn singly: with
    several films a group the true figure is somewhat higher."""
    confidence = np.asarray(probabilities, dtype=np.float64).max(axis=1)
    right = np.random.default_rng(seed).random((resamples, len(confidence))) < confidence
    errors = _error(confidence_bins(confidence), right - confidence, len(confidence))
    low, high = np.quantile(errors, [(1 - level) / 2, (1 + level) / 2])
    return {"value": round(float(errors.mean()), DIGITS), "low": round(float(low), DIGITS),
            "high": round(float(high), DIGITS), "method": "simulated"}


def reliability(labels, probabilities, groups, resamples: int = RESAMPLES, level: float = LEVEL,
                seed: int = 0) -> list[dict]:
    """One row per bin that holds films: `films`, mean `confidence`, and `accuracy` as an entry with its interval."""
    confidence, right = _confidence(labels, probabilities)
    groups, bins, rows = np.asarray(groups), confidence_bins(confidence), []
    for number in np.unique(bins):
        own = bins == number
        samples = bootstrap(lambda weights, own=own: weighted_mean(right[own], weights[:, own]), groups, resamples,
                            seed)
        rows.append({"films": int(own.sum()), "confidence": round(float(confidence[own].mean()), DIGITS),
                     "accuracy": entry(right[own].mean(), samples, {"in the bin": distinct(groups[own])}, level, True)})
    return rows


def calibration_metrics(labels, probabilities, calibrated, groups, resamples: int = RESAMPLES, level: float = LEVEL,
                        seed: int = 0) -> dict[str, dict]:
    """Brier score, log-loss and calibration error before and after calibration, in the form of
    `intervals.metrics_with_intervals`; `log_loss_gain` is log-loss before minus after, from paired resamples.

    ECE has no bootstrap interval: of resampled films it is biased upwards, so that the interval would often miss the
    truth (benchmarks/coverage.py). `ece_by_chance` says what to compare it with.
    """
    everyone, result = {"in the test set": distinct(groups)}, {}
    surprise = {}
    for suffix, values in (("", probabilities), ("_calibrated", calibrated)):
        values = np.asarray(values, dtype=np.float64)
        true = values[np.arange(len(values)), labels]
        surprise[suffix] = -np.log(np.clip(true, scoring.SMALLEST, 1 - scoring.SMALLEST))
        result[f"brier{suffix}"] = _mean_entry(brier(labels, values), groups, everyone, resamples, level, seed)
        result[f"ece{suffix}"] = {"value": round(float(calibration_error(labels, values)), DIGITS), "low": None,
                                  "high": None, "reason": "biased in resamples; compare with what chance gives"}
        result[f"ece{suffix}_by_chance"] = error_by_chance(values, resamples, level, seed)
    result["log_loss_calibrated"] = _mean_entry(surprise["_calibrated"], groups, everyone, resamples, level, seed)
    result["log_loss_gain"] = _mean_entry(surprise[""] - surprise["_calibrated"], groups, everyone, resamples, level,
                                          seed)
    return result


def _logits(probabilities) -> np.ndarray:
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or not np.isfinite(probabilities).all():
        raise ThoraxError("calibration needs finite probabilities of shape (n, k).")
    return np.log(np.maximum(probabilities, SMALLEST))


def _confidence(labels, probabilities) -> tuple[np.ndarray, np.ndarray]:
    """(n,) the probability of the predicted class and (n,) whether it is right, as float."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == np.asarray(labels)).astype(np.float64)


def _error(bins: np.ndarray, excess: np.ndarray, total) -> np.ndarray:
    """Sum over the bins of |sum of `excess` (..., n) in the bin|, as a share of `total`."""
    return sum(np.abs(excess[..., bins == number].sum(axis=-1)) for number in np.unique(bins)) / total


def _mean_entry(values: np.ndarray, groups, carriers: dict, resamples: int, level: float, seed: int) -> dict:
    samples = bootstrap(lambda weights: weighted_mean(values, weights), groups, resamples, seed)
    return entry(values.mean(), samples, carriers, level)

"""Selective prediction: how the error falls when the least confident films are left to a reader."""

import numpy as np

from thorax.intervals import LEVEL, RESAMPLES, bootstrap, distinct, entry


def risk_coverage(labels, probabilities) -> tuple[np.ndarray, np.ndarray]:
    """Coverage (share of the films that are answered, the most confident first) and risk (error rate among them), one
    point per distinct confidence: films of equal confidence are answered together. Both (m,), coverage up to 1."""
    weights, wrong, last = _by_confidence(labels, probabilities, np.ones((1, len(labels))))
    answered, errors = np.cumsum(weights, axis=1)[0, last], np.cumsum(weights * wrong, axis=1)[0, last]
    return answered / len(labels), errors / answered


def aurc(labels, probabilities, weights=None) -> np.ndarray:
    """Area under the risk-coverage curve: over the films, the mean of the error rate among those that are at least as
    confident. A random order gives the error rate itself; 0 is the least.

    Args: labels (n,) int; probabilities (n, k); weights none, (n,) or (B, n). Returns float64 of shape () or (B,).

    Source: Geifman & El-Yaniv, NeurIPS 2017; the name: Geifman et al., ICLR 2019.
    """
    given = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)
    weights, wrong, last = _by_confidence(labels, probabilities, np.atleast_2d(given))
    answered, errors = np.cumsum(weights, axis=1)[:, last], np.cumsum(weights * wrong, axis=1)[:, last]
    risk = np.divide(errors, answered, out=np.zeros_like(errors), where=answered > 0)
    area = (np.diff(answered, axis=1, prepend=0) * risk).sum(axis=1) / weights.sum(axis=1)
    return area[0] if given.ndim == 1 else area


def aurc_entry(labels, probabilities, groups, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> dict:
    """AURC with its interval, in the form of `intervals.metrics_with_intervals`."""
    samples = bootstrap(lambda weights: aurc(labels, probabilities, weights), groups, resamples, seed)
    return entry(float(aurc(labels, probabilities)), samples, {"in the test set": distinct(groups)}, level)


def _by_confidence(labels, probabilities, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (b, n) and errors (n,) from the most confident film down, and the last film of every confidence."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    confidence, wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != np.asarray(labels)
    order = np.argsort(-confidence, kind="stable")
    last = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
    return weights[:, order], wrong[order], last

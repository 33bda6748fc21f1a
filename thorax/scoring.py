"""Classification metrics with scikit-learn's definitions, for one weighting of the films or for thousands at once.

A bootstrap resample is a weight per film (how often it was drawn), so `scores` with weights of shape (B, n) evaluates B
resamples in one vectorised call. A film's class is the one of highest probability, the first of equals.

Rules where a definition runs out (scikit-learn warns and substitutes; here the rule is always the same):

- Precision of a class that has films but is never predicted is 0, as scikit-learn's `zero_division` default.
- Micro precision and recall count all classes together, as Keras does: a class is called where its probability is above
  .5, so that a film may go without a call. Without any call micro precision is 0.
- A class without films in the sample has support 0 and NaN for precision, recall, F1, AUC and average precision.
- AUC of a class is also NaN when every film of the sample is of that class.
- Balanced accuracy and the macro means run over the classes whose figure is defined. Accuracy, balanced accuracy, macro
  F1, macro AP and log-loss therefore always exist; macro AUC is NaN only when all films of the sample are of one class.

Everything is sums in a fixed order and no matrix product, so results do not depend on BLAS or the number of threads;
with whole-number weights the counts are exact.
"""

import numpy as np

from thorax.errors import ThoraxError

OVERALL = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "macro_ap", "micro_precision", "micro_recall",
           "log_loss")
PER_CLASS = ("precision", "recall", "f1", "support", "roc_auc", "average_precision")
SMALLEST = np.finfo(np.float64).eps  # log-loss clips at this, as scikit-learn does for float64


def scores(labels, probabilities, weights=None) -> dict[str, np.ndarray]:
    """All metrics of `OVERALL` and `PER_CLASS`.

    Args:
        labels: (n,) int, class indices in [0, k).
        probabilities: (n, k) float, finite; rows are taken as given (not renormalised).
        weights: none (each film counts once), (n,) or (B, n), finite, not negative, with a positive sum.

    Returns:
        Overall metrics as float64 of shape () - or (B,) for weights of shape (B, n) -, per-class ones (k,) or (B, k).
        All in [0, 1], except log_loss (nats, from 0) and support (sum of weights). NaN by the rules at the head.

    Raises:
        ThoraxError: shapes that disagree, no films, labels out of range, values that are not finite, zero total weight.

    Source: scikit-learn's user guide, 3.4 "Metrics and scoring".
    """
    labels, probabilities, columns = _checked(labels, probabilities, weights)
    k = probabilities.shape[1]
    matrix = _confusions(labels, probabilities, columns)
    true = matrix[np.arange(k), np.arange(k)]
    support, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    total = support.sum(axis=0)
    present = support > 0

    ranked = [rank_scores(labels == c, probabilities[:, c], columns.T) for c in range(k)]
    recall = _ratio(true, support, present)
    precision = np.where(present, _ratio(true, predicted, predicted > 0, otherwise=0.0), np.nan)
    f1 = _ratio(2 * true, support + predicted, present)
    auc, ap = (np.stack(each) for each in zip(*ranked, strict=True))
    surprise = -np.log(np.clip(probabilities[np.arange(len(labels)), labels], SMALLEST, 1 - SMALLEST))
    calls = probabilities > 0.5
    called = (columns * calls.sum(axis=1)[:, None]).sum(axis=0)
    hits = (columns * calls[np.arange(len(labels)), labels][:, None]).sum(axis=0)
    result = {
        "accuracy": true.sum(axis=0) / total,
        "balanced_accuracy": _mean_of_defined(recall),
        "macro_f1": _mean_of_defined(f1),
        "macro_auc": _mean_of_defined(auc),
        "macro_ap": _mean_of_defined(ap),
        "micro_precision": _ratio(hits, called, called > 0, otherwise=0.0),
        "micro_recall": hits / total,
        "log_loss": (columns * surprise[:, None]).sum(axis=0) / total,
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "support": support,
        "roc_auc": auc,
        "average_precision": ap,
    }
    single = weights is None or np.ndim(weights) == 1
    return {name: values[..., 0] if single else values.T for name, values in result.items()}


def confusion_matrix(labels, probabilities, weights=None) -> np.ndarray:
    """Films by true class (rows) and predicted class (columns).

    Takes and raises what `scores` does. Returns (k, k) int without weights, else float64 of shape (k, k) or (B, k, k).
    """
    labels, probabilities, columns = _checked(labels, probabilities, weights)
    matrix = _confusions(labels, probabilities, columns)
    if weights is None:
        return matrix[..., 0].astype(np.int64)
    return matrix[..., 0] if np.ndim(weights) == 1 else np.moveaxis(matrix, -1, 0)


def rank_scores(positive, score, weights) -> tuple[np.ndarray, np.ndarray]:
    """Area under the ROC curve (trapezoids, so a tie counts one half) and average precision of one score.

    Args:
        positive: (n,) bool.
        score: (n,) float; films of equal score pass a threshold together.
        weights: (B, n) float.

    Returns:
        auc (B,) and ap (B,) in [0, 1]; NaN without positives, and auc also without negatives.
    """
    true, false = threshold_counts(positive, score, weights)
    true, false = true.T, false.T  # (thresholds, B): rows contiguous for weights as `scores` passes them
    gained = np.diff(true, axis=0, prepend=0)
    area = (np.diff(false, axis=0, prepend=0) * (true - gained / 2)).sum(axis=0)
    hit = (gained * _ratio(true, true + false, true > 0, otherwise=0.0)).sum(axis=0)
    positives, negatives = true[-1], false[-1]
    auc = _ratio(area, positives * negatives, (positives > 0) & (negatives > 0))
    return auc, _ratio(hit, positives, positives > 0)


def threshold_counts(positive, score, weights=None) -> tuple[np.ndarray, np.ndarray]:
    """Weight of true and of false positives at every distinct threshold, from the highest score down.

    Args:
        positive: (n,) bool; score: (n,) float; weights: none, (n,) or (B, n) float.

    Returns:
        true and false positives, each (m,) or (B, m), m the number of distinct scores; the last column holds all
        positives and all negatives. ROC and precision-recall curves are ratios of these.
    """
    positive, score = np.asarray(positive, dtype=bool), np.asarray(score, dtype=float)
    weights = np.ones(len(score)) if weights is None else np.asarray(weights, dtype=float)
    order = np.argsort(-score, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    drawn = weights.T[order]
    hits = positive[order].reshape((-1,) + (1,) * (drawn.ndim - 1))
    true = np.cumsum(drawn * hits, axis=0)
    false = np.cumsum(drawn * ~hits, axis=0)
    if len(last_of_ties) < len(score):
        true, false = true[last_of_ties], false[last_of_ties]
    return true.T, false.T


def _checked(labels, probabilities, weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n,), probabilities (n, k) and weights as columns (n, B), so that sorting films moves whole rows."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not labels.size:
        raise ThoraxError(
            f"labels {labels.shape} and probabilities {probabilities.shape}: (n,) and (n, k), n > 0, are needed."
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ThoraxError(
            f"labels must be class indices 0 to {probabilities.shape[1] - 1}, got {np.unique(labels)[:10]}."
        )
    if not np.isfinite(probabilities).all():
        raise ThoraxError("probabilities hold values that are not finite: no metric is defined for them.")
    if weights is None:
        return labels, probabilities, np.ones((len(labels), 1))
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim not in (1, 2) or weights.shape[-1] != len(labels):
        raise ThoraxError(f"weights {weights.shape}: (n,) or (B, n) with n = {len(labels)} is needed.")
    columns = np.ascontiguousarray(np.atleast_2d(weights).T)
    if not (np.isfinite(columns).all() and (columns >= 0).all() and (columns.sum(axis=0) > 0).all()):
        raise ThoraxError("weights must be finite, not negative, and of positive sum in every row.")
    return labels, probabilities, columns


def _confusions(labels, probabilities, columns) -> np.ndarray:
    """(true class, predicted class, B)."""
    k = probabilities.shape[1]
    cell = labels * k + probabilities.argmax(axis=1)
    sums = [columns[cell == index].sum(axis=0) for index in range(k * k)]
    return np.stack(sums).reshape(k, k, -1)


def _ratio(above, below, defined, otherwise=np.nan) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(below), otherwise), where=defined)


def _mean_of_defined(values) -> np.ndarray:
    """Mean over the classes (first axis), of those that are not NaN; NaN only where no class is defined."""
    defined = ~np.isnan(values)
    n = defined.sum(axis=0)
    return _ratio(np.where(defined, values, 0.0).sum(axis=0), n, n > 0)

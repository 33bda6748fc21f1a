import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from thorax import scoring
from thorax.errors import ThoraxError

PER_CLASS_ALL = ("precision", "recall", "f1", "roc_auc", "average_precision")


def case(n: int, k: int, seed: int, decimals: int | None = None):
    """Labels and probabilities that are better than chance; few decimals make ties within and between classes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, k, n)
    probabilities = random.dirichlet(np.ones(k), n) + 0.4 * np.eye(k)[labels]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return labels, probabilities if decimals is None else np.round(probabilities, decimals)


def reference(labels, probabilities, weights=None) -> dict:
    """scikit-learn's figures, with classes without films and one-sided classes left undefined."""
    k = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    weights = np.ones(len(labels)) if weights is None else weights
    present = np.array([weights[labels == c].sum() > 0 for c in range(k)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision, recall, f1, support = sk.precision_recall_fscore_support(
            labels, predicted, labels=range(k), sample_weight=weights, zero_division=0
        )
        ranked = [(labels == c, probabilities[:, c]) for c in range(k)]
        auc = np.array([sk.roc_auc_score(*each, sample_weight=weights) for each in ranked])
        ap = np.array([sk.average_precision_score(*each, sample_weight=weights) for each in ranked])
        result = {
            "accuracy": sk.accuracy_score(labels, predicted, sample_weight=weights),
            "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted, sample_weight=weights),
            **dict(zip(("micro_precision", "micro_recall"), sk.precision_recall_fscore_support(
                np.eye(k, dtype=int)[labels], (probabilities > 0.5).astype(int), average="micro",
                sample_weight=weights, zero_division=0)[:2], strict=True)),
            "log_loss": sk.log_loss(labels, probabilities, sample_weight=weights, labels=range(k)) if k > 1 else 0.0,
        }
    auc[present.sum() < 2] = np.nan
    for name, values in zip(PER_CLASS_ALL, (precision, recall, f1, auc, ap), strict=True):
        result[name] = np.where(present, values, np.nan)
    result["support"] = support
    for name, source in (("macro_f1", "f1"), ("macro_auc", "roc_auc"), ("macro_ap", "average_precision")):
        defined = result[source][~np.isnan(result[source])]
        result[name] = defined.mean() if defined.size else np.nan
    return result


def assert_equal_scores(found: dict, expected: dict) -> None:
    for name in (*scoring.OVERALL, *scoring.PER_CLASS):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("k", [2, 4, 8])
@pytest.mark.parametrize("decimals", [None, 1])
def test_every_metric_equals_scikit_learns(k, decimals):
    labels, probabilities = case(300, k, seed=k, decimals=decimals)
    assert_equal_scores(scoring.scores(labels, probabilities), reference(labels, probabilities))


@pytest.mark.parametrize("decimals", [None, 1])
def test_weighted_metrics_equal_scikit_learns_sample_weight(decimals):
    labels, probabilities = case(300, 4, seed=7, decimals=decimals)
    weights = np.random.default_rng(1).exponential(size=300)
    assert_equal_scores(scoring.scores(labels, probabilities, weights), reference(labels, probabilities, weights))


def test_whole_number_weights_equal_repeated_films_exactly():
    labels, probabilities = case(80, 3, seed=3, decimals=1)
    times = np.random.default_rng(2).integers(0, 4, 80)
    weighted = scoring.scores(labels, probabilities, times)
    repeated = scoring.scores(np.repeat(labels, times), np.repeat(probabilities, times, axis=0))
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "precision", "recall", "f1", "support", "roc_auc"):
        np.testing.assert_array_equal(weighted[name], repeated[name], err_msg=name)
    for name in ("log_loss", "macro_ap", "macro_auc"):
        np.testing.assert_allclose(weighted[name], repeated[name], rtol=1e-12, err_msg=name)


def test_many_weightings_in_one_call_equal_one_call_each():
    labels, probabilities = case(60, 3, seed=5, decimals=1)
    weights = np.random.default_rng(3).integers(0, 3, (7, 60))
    weights[0, labels == 1] = 0  # one resample lacks a class
    together = scoring.scores(labels, probabilities, weights)
    assert together["accuracy"].shape == (7,)
    assert together["recall"].shape == (7, 3)
    for row in range(7):
        alone = scoring.scores(labels, probabilities, weights[row])
        for name, values in alone.items():
            np.testing.assert_allclose(together[name][row], values, rtol=1e-12, err_msg=name)
    assert np.isnan(together["recall"][0]).tolist() == [False, True, False]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n=st.integers(1, 25), k=st.integers(2, 4))
def test_scikit_learn_agrees_on_any_small_sample_with_ties_and_absent_classes(data, n, k):
    labels = np.array(data.draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n)))
    raw = data.draw(st.lists(st.lists(st.integers(0, 3), min_size=k, max_size=k), min_size=n, max_size=n))
    probabilities = (np.array(raw) + 0.25) / (np.array(raw) + 0.25).sum(axis=1, keepdims=True)
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), dtype=float)
    weights[0] += 1.0  # scikit-learn, too, needs a positive sum
    assert_equal_scores(scoring.scores(labels, probabilities, weights), reference(labels, probabilities, weights))


def test_a_class_without_films_is_undefined_and_left_out_of_the_means():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0.1, 0.7, 0.2], [0.1, 0.8, 0.1]])
    found = scoring.scores(labels, probabilities)
    for name in PER_CLASS_ALL:
        assert np.isnan(found[name][2]), name
    assert found["support"].tolist() == [2, 2, 0]
    assert found["balanced_accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_a_class_never_predicted_has_precision_zero():
    found = scoring.scores(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))
    assert found["precision"].tolist() == [0.5, 0.0]
    assert found["f1"][1] == 0.0


def test_films_of_one_class_only_leave_auc_alone_undefined():
    found = scoring.scores(np.zeros(3, dtype=int), np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]]))
    assert np.isnan(found["macro_auc"])
    assert found["accuracy"] == found["balanced_accuracy"] == pytest.approx(2 / 3)
    assert found["macro_ap"] == 1.0
    assert np.isfinite([found[name] for name in scoring.OVERALL if name != "macro_auc"]).all()


def test_equal_scores_have_auc_one_half_and_average_precision_of_the_prevalence():
    labels = np.array([0, 0, 0, 1, 2, 2])
    found = scoring.scores(labels, np.full((6, 3), 1 / 3))
    assert found["roc_auc"].tolist() == [0.5, 0.5, 0.5]
    np.testing.assert_allclose(found["average_precision"], [3 / 6, 1 / 6, 2 / 6])
    assert found["recall"].tolist() == [1.0, 0.0, 0.0]  # the first of equals is predicted


def test_one_film_has_every_metric_but_auc():
    found = scoring.scores(np.array([1]), np.array([[0.2, 0.8]]))
    assert found["accuracy"] == found["macro_f1"] == 1.0
    assert np.isnan(found["macro_auc"])
    assert found["log_loss"] == pytest.approx(-np.log(0.8))


def test_log_loss_of_a_sure_mistake_is_large_and_finite():
    found = scoring.scores(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert found["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_confusion_matrix_equals_scikit_learns_and_counts_in_whole_numbers():
    labels, probabilities = case(100, 4, seed=9)
    matrix = scoring.confusion_matrix(labels, probabilities)
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(4)))


def test_confusion_matrix_rows_are_true_classes_and_follow_the_weights():
    labels, probabilities = np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    assert scoring.confusion_matrix(labels, probabilities, np.array([1, 2, 4])).tolist() == [[1, 2], [0, 4]]
    both = scoring.confusion_matrix(labels, probabilities, np.array([[1, 2, 4], [1, 0, 0]]))
    assert both.tolist() == [[[1, 2], [0, 4]], [[1, 0], [0, 0]]]


def test_threshold_counts_pass_equal_scores_together_and_end_with_all():
    true, false = scoring.threshold_counts([True, False, True, False], [0.9, 0.5, 0.5, 0.1])
    assert true.tolist() == [1, 2, 2]
    assert false.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "probabilities", "weights", "said"),
    [
        ([0, 1], [[0.5, 0.5]], None, r"\(n,\) and \(n, k\)"),
        ([], np.empty((0, 2)), None, r"n > 0"),
        ([0, 2], [[0.5, 0.5]] * 2, None, "class indices 0 to 1"),
        ([0, -1], [[0.5, 0.5]] * 2, None, "class indices"),
        ([0.0, 1.0], [[0.5, 0.5]] * 2, None, "class indices"),
        ([0, 1], [[0.5, np.nan]] * 2, None, "not finite"),
        ([0, 1], [[0.5, 0.5]] * 2, [1.0], r"weights \(1,\)"),
        ([0, 1], [[0.5, 0.5]] * 2, [0.0, 0.0], "positive sum"),
        ([0, 1], [[0.5, 0.5]] * 2, [1.0, -1.0], "not negative"),
        ([0, 1], [[0.5, 0.5]] * 2, [[1.0, 1.0], [np.nan, 1.0]], "finite"),
    ],
)
def test_input_from_which_a_metric_would_be_wrong_is_refused(labels, probabilities, weights, said):
    with pytest.raises(ThoraxError, match=said):
        scoring.scores(np.array(labels), np.array(probabilities), None if weights is None else np.array(weights))

import json

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from thorax import calibration
from thorax.errors import ThoraxError
from thorax.intervals import group_weights


def drawn(n: int, k: int, temperature: float, seed: int = 0):
    """Labels drawn from softmax(logits / temperature), and the probabilities softmax(logits)."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (n, k))
    truth = softmax(logits / temperature, axis=1)
    labels = (truth.cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(0, k - 1)
    return labels, softmax(logits, axis=1)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
@pytest.mark.parametrize("k", [2, 6])
def test_the_true_temperature_of_simulated_films_is_found(temperature, k):
    found = calibration.fit_temperature(*drawn(20_000, k, temperature))
    assert found["temperature"] == pytest.approx(temperature, rel=0.04)
    assert "note" not in found


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_is_that_of_an_independent_minimisation_of_scikit_learns_log_loss(seed):
    labels, probabilities = drawn(80, 3, 1.7, seed)

    def loss(temperature):
        return sk.log_loss(labels, calibration.calibrate(probabilities, temperature), labels=range(3))

    expected = minimize_scalar(loss, bounds=(0.25, 10), method="bounded", options={"xatol": 1e-7}).x
    assert calibration.fit_temperature(labels, probabilities)["temperature"] == pytest.approx(expected, abs=2e-5)


def test_calibration_keeps_the_ranking_of_every_film_and_rows_sum_to_one():
    _, probabilities = drawn(200, 4, 1.0)
    for temperature in (0.25, 3.0, 10.0):
        calibrated = calibration.calibrate(probabilities, temperature)
        np.testing.assert_allclose(calibrated.sum(axis=1), 1)
        np.testing.assert_array_equal(calibrated.argsort(axis=1), probabilities.argsort(axis=1))
    np.testing.assert_allclose(calibration.calibrate(probabilities, 1.0), probabilities, atol=1e-12)


def test_probabilities_of_zero_and_one_and_sums_off_by_rounding_are_calibrated_to_finite_numbers():
    calibrated = calibration.calibrate([[1.0, 0.0, 0.0], [0.3333, 0.3333, 0.3333]], 2.0)
    np.testing.assert_allclose(calibrated, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], atol=1e-12)
    found = calibration.fit_temperature([0, 1, 0], [[1.0, 0.0], [1.0, 0.0], [0.9, 0.1]])
    assert np.isfinite(found["temperature"])


EQUAL, SHARP = np.full((6, 3), 1 / 3), np.eye(3)[[0, 1, 2, 0, 1, 2]] * 0.85 + 0.05
DEGENERATE = {
    "all scores equal": ([0, 1, 2, 0, 1, 2], EQUAL, 1.0, "all scores are equal"),
    "one class only": ([1] * 6, SHARP, 1.0, "one class only"),
    "every film right": ([0, 1, 2, 0, 1, 2], SHARP, 1.0, "every validation film is right"),
    "worse than chance": ([1, 2, 0, 1, 2, 0], SHARP, calibration.HOTTEST, "above this bound"),
    "far too unsure": ([0, 1, 2] * 33 + [1], np.eye(3)[[0, 1, 2] * 33 + [0]] * 0.03 + 0.97 / 3, calibration.COLDEST,
                       "below this bound"),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_films_that_do_not_determine_a_temperature_get_a_bounded_one_and_the_reason(case):
    labels, probabilities, temperature, note = DEGENERATE[case]
    found = calibration.fit_temperature(labels, probabilities)
    assert found["temperature"] == temperature
    assert note in found["note"]


@pytest.mark.parametrize(("labels", "probabilities"), [([], np.zeros((0, 2))), ([0, 1], [[0.5, np.nan], [0.5, 0.5]]),
                                                       ([0, 3], [[0.5, 0.5], [0.5, 0.5]])])
def test_no_films_nan_and_unknown_classes_are_refused(labels, probabilities):
    with pytest.raises(ThoraxError):
        calibration.fit_temperature(np.array(labels, dtype=int), probabilities)


@pytest.mark.parametrize("k", [2, 5])
def test_the_brier_score_is_scikit_learns_unscaled_one(k):
    labels, probabilities = drawn(150, k, 1.5)
    expected = sk.brier_score_loss(labels, probabilities, labels=range(k), scale_by_half=False)
    assert calibration.brier(labels, probabilities).mean() == pytest.approx(expected)


def test_bins_and_calibration_error_equal_those_of_scikit_learns_quantile_calibration_curve():
    labels, probabilities = drawn(300, 2, 2.0)
    right = probabilities.argmax(axis=1) == labels
    share, mean = calibration_curve(right, probabilities.max(axis=1), n_bins=15, strategy="quantile")
    rows = calibration.reliability(labels, probabilities, np.arange(300), resamples=100)
    np.testing.assert_allclose([row["confidence"] for row in rows], mean, atol=1e-6)
    np.testing.assert_allclose([row["accuracy"]["value"] for row in rows], share, atol=1e-6)
    assert {row["films"] for row in rows} == {20}
    assert calibration.calibration_error(labels, probabilities) == pytest.approx(np.abs(share - mean).mean(), abs=1e-6)


def test_equal_confidences_share_a_bin_so_that_the_order_of_the_films_is_of_no_account():
    labels, probabilities = drawn(100, 3, 1.0)
    probabilities = np.round(probabilities, 1)
    order = np.random.default_rng(1).permutation(100)
    assert calibration.calibration_error(labels, probabilities) == pytest.approx(
        calibration.calibration_error(labels[order], probabilities[order]))
    assert len(np.unique(calibration.confidence_bins(np.full(40, 0.5)))) == 1
    assert calibration.calibration_error([0, 1, 2, 0, 1, 2], EQUAL) == pytest.approx(0)


def test_weights_count_films_as_often_as_they_say():
    labels, probabilities = drawn(60, 3, 2.0)
    bins = calibration.confidence_bins(probabilities.max(axis=1))
    [weights] = group_weights(np.arange(60), 5, seed=1)
    for row, found in zip(weights.astype(int), calibration.calibration_error(labels, probabilities, weights),
                          strict=True):
        excess = (probabilities.argmax(axis=1) == labels) - probabilities.max(axis=1)
        many = np.repeat(excess, row)
        expected = sum(abs(many[np.repeat(bins, row) == each].sum()) for each in range(15)) / 60
        assert found == pytest.approx(expected)


def test_chance_alone_gives_a_calibrated_model_about_the_error_that_it_shows():
    _, probabilities = drawn(150, 3, 1.0)
    chance = calibration.error_by_chance(probabilities)
    errors = [float(calibration.calibration_error(*drawn(150, 3, 1.0, seed))) for seed in range(200)]
    assert chance["value"] == pytest.approx(np.mean(errors), rel=0.1)
    assert chance["low"] < np.median(errors) < chance["high"]


def test_calibration_of_an_overconfident_model_gains_in_every_figure_and_leaves_json_strict():
    labels, probabilities = drawn(600, 3, 3.0)
    calibrated = calibration.calibrate(probabilities, 3.0)
    found = calibration.calibration_metrics(labels, probabilities, calibrated, np.arange(600) // 2, 200)
    json.dumps(found, allow_nan=False)
    for name in ("brier", "ece"):
        assert found[f"{name}_calibrated"]["value"] < found[name]["value"]
    assert found["log_loss_gain"]["low"] > 0
    assert found["ece"]["value"] > found["ece_by_chance"]["high"]
    assert found["ece_calibrated"]["value"] < found["ece_calibrated_by_chance"]["high"]
    assert found["brier"]["low"] < found["brier"]["value"] < found["brier"]["high"]
    assert found["log_loss_calibrated"]["value"] == pytest.approx(sk.log_loss(labels, calibrated), abs=1e-6)


def test_a_bin_of_few_groups_has_no_interval_and_a_perfect_bin_has_wilsons():
    labels, probabilities = np.zeros(30, int), np.tile([0.9, 0.1], (30, 1))
    [row] = calibration.reliability(labels, probabilities, np.arange(30) // 3, resamples=100)
    assert row["accuracy"]["method"] == "wilson"
    [row] = calibration.reliability(labels, probabilities, np.arange(30) // 10, resamples=100)
    assert row["accuracy"]["low"] is None
    assert "3 group(s) in the bin" in row["accuracy"]["reason"]


def test_one_film_has_figures_without_intervals():
    found = calibration.calibration_metrics([0], [[0.7, 0.3]], [[0.6, 0.4]], ["p"], 100)
    assert found["brier"]["value"] == pytest.approx(0.18)
    assert found["brier"]["low"] is None
    assert found["ece"]["value"] == pytest.approx(0.3)

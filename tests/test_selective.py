import numpy as np
import pytest

from thorax import selective
from thorax.intervals import group_weights


def case(n: int = 80, seed: int = 0, decimals: int = 12):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n)
    return labels, np.round(random.dirichlet(np.ones(3), n) * 0.6 + 0.4 * np.eye(3)[labels], decimals)


def loop(labels, probabilities) -> float:
    """The mean over the films of the error rate among those that are at least as confident."""
    confidence, wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != labels
    return float(np.mean([wrong[confidence >= each].mean() for each in confidence]))


@pytest.mark.parametrize("decimals", [12, 1])
def test_aurc_equals_a_plain_loop_over_the_films_with_and_without_ties(decimals):
    labels, probabilities = case(decimals=decimals)
    assert selective.aurc(labels, probabilities) == pytest.approx(loop(labels, probabilities))


@pytest.mark.parametrize("decimals", [12, 1])
def test_weights_equal_repeated_films(decimals):
    labels, probabilities = case(decimals=decimals)
    [weights] = group_weights(np.arange(80) // 2, 6, seed=3)
    for row, found in zip(weights.astype(int), selective.aurc(labels, probabilities, weights), strict=True):
        assert found == pytest.approx(loop(np.repeat(labels, row), np.repeat(probabilities, row, axis=0)))


def test_the_curve_ends_at_full_coverage_with_the_error_rate_and_equal_confidences_pass_together():
    labels, probabilities = case(decimals=1)
    coverage, risk = selective.risk_coverage(labels, probabilities)
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx((probabilities.argmax(axis=1) != labels).mean())
    assert len(coverage) == len(np.unique(probabilities.max(axis=1)))
    coverage, risk = selective.risk_coverage([0, 1], [[0.5, 0.5], [0.5, 0.5]])
    assert (coverage.tolist(), risk.tolist()) == ([1.0], [0.5])


def test_errors_placed_last_give_the_least_area_and_first_the_most():
    labels = np.zeros(10, int)
    confidence = np.linspace(0.99, 0.6, 10)
    last, first = np.stack([confidence, 1 - confidence], 1), np.stack([confidence, 1 - confidence], 1)
    last[-2:] = last[-2:, ::-1]
    first[:2] = first[:2, ::-1]
    assert selective.aurc(labels, last) == pytest.approx((1 / 9 + 2 / 10) / 10)
    assert selective.aurc(labels, last) < 0.2 < selective.aurc(labels, first)


def test_a_perfect_model_has_area_zero_without_an_interval_and_one_film_has_none_either():
    entry = selective.aurc_entry(np.arange(40) % 2, np.eye(2)[np.arange(40) % 2], np.arange(40), 100)
    assert (entry["value"], entry["low"], entry["reason"]) == (0.0, None, "all resamples give the same value")
    assert selective.aurc_entry([0], [[0.7, 0.3]], ["p"], 100)["low"] is None

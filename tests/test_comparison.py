import itertools

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from thorax import scoring
from thorax.comparison import (
    accuracy_bound,
    bootstrap_p,
    holm,
    mcnemar,
    paired_difference,
    paired_samples,
    unpaired_differences,
)
from thorax.errors import ThoraxError
from thorax.intervals import percentile_interval


def case(n: int = 90, groups: int = 30, seed: int = 0):
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    models = [random.dirichlet(np.ones(3), n) + skill * np.eye(3)[labels] for skill in (0.3, 0.6)]
    baseline, candidate = (each / each.sum(axis=1, keepdims=True) for each in models)
    return labels, baseline, candidate, np.char.mod("patient%02d", random.integers(0, groups, n))


@pytest.mark.parametrize("metric", scoring.OVERALL)
def test_the_difference_equals_a_plain_loop_over_drawn_groups(metric):
    labels, baseline, candidate, groups = case()
    found = paired_difference(labels, baseline, candidate, groups, metric, resamples=100, level=0.9, seed=3)
    ids, random, drawn = np.unique(groups), np.random.default_rng(3), []
    for _ in range(100):
        picks = ids[random.integers(0, len(ids), len(ids))]
        rows = np.concatenate([np.flatnonzero(groups == each) for each in picks])
        drawn.append(scoring.scores(labels[rows], candidate[rows])[metric]
                     - scoring.scores(labels[rows], baseline[rows])[metric])
    expected = scoring.scores(labels, candidate)[metric] - scoring.scores(labels, baseline)[metric]
    assert found["value"] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose([found["low"], found["high"]], np.quantile(drawn, [0.05, 0.95]), atol=1e-6)


def test_equal_predictions_differ_by_exactly_nothing():
    labels, baseline, _, groups = case()
    found = paired_difference(labels, baseline, baseline.copy(), groups, "accuracy", 200, 0.95, 0)
    assert found == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_the_better_candidate_is_above_zero_and_swapping_the_two_turns_the_sign():
    labels, baseline, candidate, groups = case(n=600, groups=200)
    found = paired_difference(labels, baseline, candidate, groups, "accuracy", 300, 0.95, 1)
    swapped = paired_difference(labels, candidate, baseline, groups, "accuracy", 300, 0.95, 1)
    assert 0 < found["low"] < found["value"] < found["high"]
    assert swapped["value"] == -found["value"]
    assert (swapped["low"], swapped["high"]) == pytest.approx((-found["high"], -found["low"]), abs=1e-6)


def test_what_is_hard_for_both_cancels():
    # Paired, models that differ on one film in 300 leave an interval far narrower than either accuracy has.
    labels, baseline, _, groups = case(n=300, groups=100)
    candidate = baseline.copy()
    candidate[0] = np.eye(3)[labels[0]]
    found = paired_difference(labels, baseline, candidate, groups, "accuracy", 300, 0.95, 1)
    assert found["high"] - found["low"] < 0.03


def test_the_unpaired_difference_equals_a_plain_loop_over_groups_drawn_in_each():
    labels, baseline, _, groups = case()
    other_labels, _, candidate, other_groups = case(n=120, groups=20, seed=5)
    found = unpaired_differences((labels, baseline, groups), (other_labels, candidate, other_groups),
                                 ["accuracy", "macro_f1"], resamples=100, level=0.9, seed=3)
    streams, drawn = np.random.SeedSequence(3).spawn(2), {"accuracy": [], "macro_f1": []}
    randoms = [np.random.default_rng(stream) for stream in streams]
    for _ in range(100):
        scored = []
        for random, (true, guessed, of) in zip(randoms, [(labels, baseline, groups),
                                                        (other_labels, candidate, other_groups)], strict=True):
            ids = np.unique(of)
            rows = np.concatenate([np.flatnonzero(of == each) for each in ids[random.integers(0, len(ids), len(ids))]])
            scored.append(scoring.scores(true[rows], guessed[rows]))
        for metric in drawn:
            drawn[metric].append(scored[1][metric] - scored[0][metric])
    for metric, samples in drawn.items():
        expected = scoring.scores(other_labels, candidate)[metric] - scoring.scores(labels, baseline)[metric]
        assert found[metric]["value"] == pytest.approx(expected, abs=1e-6)
        np.testing.assert_allclose([found[metric]["low"], found[metric]["high"]],
                                   np.quantile(samples, [0.05, 0.95]), atol=1e-6)


def test_unpaired_a_model_against_itself_is_as_uncertain_as_two_models():
    # The draws are independent: the variances add up, where paired draws would cancel.
    labels, baseline, _, groups = case(n=600, groups=200)
    one = (labels, baseline, groups)
    found = unpaired_differences(one, one, ["accuracy"], 400, 0.95, 1)["accuracy"]
    accuracy = scoring.scores(labels, baseline)["accuracy"]
    half = 1.96 * np.sqrt(2 * accuracy * (1 - accuracy) / 600)
    assert found["value"] == 0
    assert 0.7 * 2 * half < found["high"] - found["low"] < 1.4 * 2 * half


def answers(gained: int, lost: int, both: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of two models is right: films that only the second has right, only the first, and both."""
    before = np.repeat([False, True, True], [gained, lost, both])
    return before, np.repeat([True, False, True], [gained, lost, both])


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 1), (1, 4), (5, 5), (3, 11), (20, 2), (130, 171)])
def test_with_one_film_in_each_group_mcnemar_is_the_exact_binomial_test(gained, lost):
    before, after = answers(gained, lost, both=7)
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(before, after, np.arange(len(before))) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_groups_equals_the_enumeration_of_all_swaps():
    random = np.random.default_rng(0)
    for _ in range(20):
        groups = random.integers(0, 9, 25)
        before, after = random.random((2, 25)) < [[0.8], [0.5]]
        net = [after[groups == each].sum() - before[groups == each].sum() for each in np.unique(groups)]
        swaps = np.array([np.dot(signs, net) for signs in itertools.product((-1, 1), repeat=len(net))])
        assert mcnemar(before, after, groups) == pytest.approx((abs(swaps) >= abs(sum(net))).mean())


def test_copies_of_a_film_in_its_group_are_no_evidence():
    before, after = answers(2, 9, both=10)
    groups = np.arange(len(before))
    copied = mcnemar(np.repeat(before, 5), np.repeat(after, 5), np.repeat(groups, 5))
    assert copied == pytest.approx(mcnemar(before, after, groups))
    assert mcnemar(np.repeat(before, 5), np.repeat(after, 5), np.arange(5 * len(before))) < 0.001 < copied


@pytest.mark.parametrize(("gained", "lost", "both"), [(0, 0, 30), (4, 9, 100), (0, 3, 1)])
def test_with_one_film_in_each_group_the_bound_is_bonett_and_prices(gained, lost, both):
    before, after = answers(gained, lost, both)
    n = len(before) + 2
    up, down = (gained + 1) / n, (lost + 1) / n
    error = np.sqrt((up + down - (up - down) ** 2) / n)
    bound, found = accuracy_bound(before, after, np.arange(n - 2), level=0.95)
    assert (bound, found) == pytest.approx((up - down - norm.ppf(0.95) * error, error))


def test_the_bound_lies_below_the_true_difference_about_as_often_as_it_says_and_over_films_it_does_not():
    # 60 groups of 4 films. In each group one of the models, or neither, is right on all films and the other on none of
    # those: 10 % gained, 14 % lost, so that the truth is -0.04. Over 600 trials 95 % is known to +-0.9 points (1 sd).
    random, hits = np.random.default_rng(5), {"groups": 0, "films": 0}
    for _ in range(600):
        kinds = np.repeat(random.choice(3, 60, p=[0.10, 0.14, 0.76]), 4)
        before, after = kinds != 0, kinds != 1
        for over, ids in (("groups", np.repeat(np.arange(60), 4)), ("films", np.arange(240))):
            hits[over] += accuracy_bound(before, after, ids, 0.95)[0] <= -0.04
    assert 0.92 < hits["groups"] / 600 < 0.99
    assert hits["films"] / 600 < 0.88


def test_answers_of_different_films_are_refused():
    with pytest.raises(ThoraxError, match="the same films"):
        mcnemar(np.ones(3), np.ones(4), np.arange(3))


def test_holm_rejects_what_the_stepwise_procedure_rejects():
    random = np.random.default_rng(2)
    for _ in range(50):
        p_values, level, rejected = random.random(6) ** 3, random.random() * 0.3, np.zeros(6, dtype=bool)
        for rank, index in enumerate(np.argsort(p_values)):
            if p_values[index] > level / (6 - rank):
                break
            rejected[index] = True
        np.testing.assert_array_equal(holm(p_values) <= level, rejected)
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([0.9]) == [0.9]


def test_the_bootstrap_p_is_below_the_level_where_the_interval_excludes_zero():
    labels, baseline, candidate, groups = case(n=150, groups=60, seed=1)
    samples = paired_samples(labels, baseline, candidate, groups, ["macro_f1"], 999, 0)["macro_f1"]
    for shift in np.linspace(-0.3, 0.3, 41):
        low, high = percentile_interval(samples - samples.mean() + shift, 0.95)
        p = bootstrap_p(samples - samples.mean() + shift)
        assert (p < 0.05) == (low > 0 or high < 0) or abs(p - 0.05) < 0.003
    assert bootstrap_p(np.zeros(99)) == 1.0
    assert bootstrap_p(np.array([1.0, np.nan, 1.0, 1.0])) == 0.5  # 2 * 1 / 4: never 0

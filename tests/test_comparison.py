import numpy as np
import pytest

from thorax import scoring
from thorax.comparison import paired_difference, unpaired_differences


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

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from thorax import intervals, scoring
from thorax.errors import ThoraxError

CLASSES = ["covid", "normal", "viral"]


def case(n: int = 120, groups: int = 40, seed: int = 0, k: int = 3):
    random = np.random.default_rng(seed)
    labels = random.integers(0, k, n)
    probabilities = random.dirichlet(np.ones(k), n) + 0.4 * np.eye(k)[labels]
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True), random.integers(0, groups, n)


def answers(right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels of class 0 and 1 in turn and probabilities that are right where told."""
    labels = np.arange(len(right)) % 2
    return labels, np.eye(2)[np.where(right, labels, 1 - labels)] * 0.8 + 0.1


def test_every_interval_equals_a_plain_loop_over_drawn_groups():
    labels, probabilities, groups = case(n=50, groups=20)
    groups = np.char.mod("patient%02d", groups)  # drawn in the order of the sorted texts
    found = intervals.metrics_with_intervals(labels, probabilities, groups, CLASSES, resamples=200, seed=4)
    ids = np.unique(groups)
    random = np.random.default_rng(4)
    drawn = []
    for _ in range(200):
        picks = ids[random.integers(0, len(ids), len(ids))]
        rows = np.concatenate([np.flatnonzero(groups == each) for each in picks])
        drawn.append(scoring.scores(labels[rows], probabilities[rows]))
    for name in scoring.OVERALL:
        expected = np.quantile([each[name] for each in drawn], [0.025, 0.975])
        np.testing.assert_allclose([found[name]["low"], found[name]["high"]], expected, atol=1e-6, err_msg=name)
    for name in ("precision", "recall", "f1", "roc_auc", "average_precision"):
        for c, title in enumerate(CLASSES):
            entry = found[f"{name}_{title}"]
            expected = np.quantile([each[name][c] for each in drawn], [0.025, 0.975])
            np.testing.assert_allclose([entry["low"], entry["high"]], expected, atol=1e-6, err_msg=f"{name} {title}")


def test_values_are_those_of_the_films_and_supports_are_counts():
    labels, probabilities, groups = case()
    found = intervals.metrics_with_intervals(labels, probabilities, groups, CLASSES, resamples=100)
    point = scoring.scores(labels, probabilities)
    assert found["macro_auc"]["value"] == round(float(point["macro_auc"]), 6)
    assert found["recall_viral"]["value"] == round(float(point["recall"][2]), 6)
    assert sum(found[f"support_{title}"]["value"] for title in CLASSES) == len(labels)
    assert set(found) == {*scoring.OVERALL, *(f"{name}_{title}" for name in scoring.PER_CLASS for title in CLASSES)}


def test_intervals_cover_the_truth_about_as_often_as_they_say_and_films_alone_do_not():
    # 50 groups of 1 to 7 films; in each group the model is right with its own probability, 0.75 on average. The
    # percentile bootstrap of 50 groups covers near 93 %; over 300 trials that is known to +-1.5 points (1 sd), so 88 to
    # 98 % is more than 3 sd on both sides. Over films the intervals are narrower by the root of the
    # design effect, 1 + (m - 1) rho with rho = 0.5, so that some 70 % cover; 85 % is far from both.
    random = np.random.default_rng(11)
    hits = {"groups": 0, "films": 0}
    for trial in range(300):
        sizes = random.integers(1, 8, 50)
        groups = np.repeat(np.arange(50), sizes)
        labels, probabilities = answers(random.random(len(groups)) < random.beta(0.75, 0.25, 50)[groups])
        for over, ids in (("groups", groups), ("films", np.arange(len(groups)))):
            entry = intervals.metrics_with_intervals(labels, probabilities, ids, ["a", "b"], resamples=200, seed=trial)
            hits[over] += entry["accuracy"]["low"] <= 0.75 <= entry["accuracy"]["high"]
    assert 0.88 < hits["groups"] / 300 < 0.98
    assert hits["films"] / 300 < 0.85


def test_copies_of_a_film_within_its_group_add_no_certainty():
    labels, probabilities, _ = case(n=60)
    once = intervals.metrics_with_intervals(labels, probabilities, np.arange(60), CLASSES, resamples=500)
    four = (np.repeat(labels, 4), np.repeat(probabilities, 4, axis=0))
    grouped = intervals.metrics_with_intervals(*four, np.repeat(np.arange(60), 4), CLASSES, resamples=500)
    apart = intervals.metrics_with_intervals(*four, np.arange(240), CLASSES, resamples=500)
    assert (grouped["accuracy"]["low"], grouped["accuracy"]["high"]) == (
        once["accuracy"]["low"],
        once["accuracy"]["high"],
    )
    width = {name: each["accuracy"]["high"] - each["accuracy"]["low"] for name, each in (("g", grouped), ("a", apart))}
    assert 1.6 < width["g"] / width["a"] < 2.4  # sqrt(4) = 2, plus the noise of 500 resamples


def test_the_same_seed_gives_the_same_json_and_another_seed_does_not():
    labels, probabilities, groups = case()
    texts = [
        json.dumps(intervals.metrics_with_intervals(labels, probabilities, groups, CLASSES, resamples=100, seed=seed))
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_the_order_of_the_rows_is_of_no_account():
    labels, probabilities, groups = case()
    order = np.random.default_rng(5).permutation(len(labels))
    straight = intervals.metrics_with_intervals(labels, probabilities, groups, CLASSES, resamples=100)
    mixed = intervals.metrics_with_intervals(labels[order], probabilities[order], groups[order], CLASSES, resamples=100)
    assert straight.keys() == mixed.keys()
    for name, entry in straight.items():
        for key in ("value", "low", "high"):
            assert mixed[name][key] == pytest.approx(entry[key], abs=2e-6), (name, key)


@pytest.mark.parametrize("cells", [1, 700, 10**9])
def test_the_size_of_the_chunks_changes_no_resample(cells):
    groups = np.array([f"p{i % 13}" for i in range(40)])
    whole = np.concatenate(list(intervals.group_weights(groups, 101, seed=3)))
    parts = list(intervals.group_weights(groups, 101, seed=3, cells=cells))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert max(len(part) for part in parts) == min(101, max(1, cells // 40))


def test_a_resample_draws_as_many_groups_as_there_are_and_never_splits_one():
    groups = np.array(["a", "b", "a", "c", "c", "c"])
    weights = np.concatenate(list(intervals.group_weights(groups, 300, seed=0)))
    assert weights.shape == (300, 6)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 3] == weights[:, 4]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert set(np.unique(weights)) == {0, 1, 2, 3}


def test_nothing_undefined_is_written_as_a_number_and_json_stays_strict():
    labels, probabilities, groups = case()
    four = np.hstack([probabilities * 0.9, np.full((len(labels), 1), 0.1)])
    found = intervals.metrics_with_intervals(labels, four, groups, [*CLASSES, "absent"], resamples=100)
    json.dumps(found, allow_nan=False)
    for name in ("precision", "recall", "f1", "roc_auc", "average_precision"):
        assert found[f"{name}_absent"] == {
            "value": None,
            "low": None,
            "high": None,
            "reason": "no films in class absent",
        }
    assert found["support_absent"]["value"] == 0
    assert found["macro_f1"]["low"] < found["macro_f1"]["value"] < found["macro_f1"]["high"]
    for name, entry in found.items():
        assert ("reason" in entry) == (entry["value"] is None or entry["low"] is None), name


def test_a_class_in_fewer_than_five_groups_has_values_without_intervals_and_so_have_the_means():
    labels, probabilities, groups = case(n=120, groups=30)
    labels[:] = np.where(groups < 4, 2, labels % 2)
    found = intervals.metrics_with_intervals(labels, probabilities, groups, CLASSES, resamples=100)
    for name in ("recall_viral", "roc_auc_viral", "balanced_accuracy", "macro_auc"):
        assert found[name]["value"] is not None
        assert found[name]["low"] is None
        assert found[name]["reason"] == "4 group(s) in class viral; an interval needs 5"
    assert found["accuracy"]["low"] is not None
    assert found["recall_covid"]["low"] is not None


def test_one_class_only_leaves_auc_undefined_with_the_reason():
    _, probabilities, groups = case()
    found = intervals.metrics_with_intervals(np.zeros(120, dtype=int), probabilities, groups, CLASSES, resamples=100)
    assert found["macro_auc"]["value"] is None
    assert found["roc_auc_covid"]["reason"] == "all films are of one class"
    assert found["accuracy"]["value"] == found["recall_covid"]["value"] == found["balanced_accuracy"]["value"]
    assert found["accuracy"]["low"] == found["recall_covid"]["low"] is not None


def test_a_perfect_score_has_wilsons_interval_of_the_groups_and_not_of_the_films():
    labels, probabilities = answers(np.ones(80, dtype=bool))
    found = intervals.metrics_with_intervals(labels, probabilities, np.arange(80) // 4, ["a", "b"], resamples=100)
    low, high = intervals.wilson(20, 20)
    assert found["accuracy"] == {"value": 1.0, "low": round(low, 6), "high": high, "method": "wilson"}
    assert found["recall_a"]["low"] == round(low, 6)
    assert found["macro_auc"] == {
        "value": 1.0,
        "low": None,
        "high": None,
        "reason": "all resamples give the same value",
    }


def test_a_class_never_predicted_has_no_interval_for_its_precision():
    labels = np.arange(60) % 3
    probabilities = np.tile([0.5, 0.4, 0.1], (60, 1))
    found = intervals.metrics_with_intervals(labels, probabilities, np.arange(60), CLASSES, resamples=100)
    assert found["precision_viral"]["value"] == 0.0
    assert found["precision_viral"]["reason"] == "0 group(s) predicted as viral; an interval needs 5"
    assert found["recall_viral"]["method"] == "wilson"
    assert found["recall_viral"]["low"] == 0.0 < found["recall_viral"]["high"]


def test_equal_scores_have_auc_one_half_without_an_interval():
    labels = np.arange(60) % 3
    found = intervals.metrics_with_intervals(labels, np.full((60, 3), 1 / 3), np.arange(60), CLASSES, resamples=100)
    assert found["macro_auc"]["value"] == 0.5
    assert found["macro_auc"]["reason"] == "all resamples give the same value"
    assert found["accuracy"]["low"] < 1 / 3 < found["accuracy"]["high"]


def test_one_film_gives_values_and_no_intervals():
    found = intervals.metrics_with_intervals(np.array([0]), np.array([[0.7, 0.3]]), ["p"], ["a", "b"])
    assert found["accuracy"]["value"] == 1.0
    assert all(entry["low"] is None and entry["reason"] for entry in found.values())


def test_a_lower_level_gives_an_interval_inside():
    labels, probabilities, groups = case()
    wide = intervals.metrics_with_intervals(labels, probabilities, groups, CLASSES, resamples=400)["macro_f1"]
    narrow = intervals.metrics_with_intervals(labels, probabilities, groups, CLASSES, resamples=400, level=0.8)[
        "macro_f1"
    ]
    assert wide["low"] < narrow["low"] < narrow["value"] < narrow["high"] < wide["high"]


def test_undefined_resamples_do_not_enter_the_percentiles_and_none_at_all_is_an_error():
    assert intervals.percentile_interval(np.array([np.nan, 1.0, 2.0, 3.0, np.nan]), 0.5) == (1.5, 2.5)
    with pytest.raises(ThoraxError, match="none of the resamples"):
        intervals.percentile_interval(np.array([np.nan, np.nan]))


@pytest.mark.parametrize(("successes", "total"), [(0, 10), (10, 10), (1, 3), (93, 100), (581, 624), (0, 1)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_equals_scipys(successes, total, level):
    expected = binomtest(successes, total).proportion_ci(level, method="wilson")
    np.testing.assert_allclose(intervals.wilson(successes, total, level), (expected.low, expected.high), atol=1e-12)


@pytest.mark.parametrize(("successes", "total"), [(1, 0), (5, 4), (-1, 4), (0, float("nan"))])
def test_wilson_refuses_what_is_no_proportion(successes, total):
    with pytest.raises(ThoraxError, match="proportion"):
        intervals.wilson(successes, total)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"groups": [1, 2]}, "2 groups for 120 films"),
        ({"groups": [None] * 120}, "every film needs a group"),
        ({"groups": [float("nan")] * 120}, "every film needs a group"),
        ({"groups": [""] * 120}, "every film needs a group"),
        ({"classes": ["a", "b"]}, "2 class names for 3"),
        ({"resamples": 39}, "resamples=39"),
        ({"level": 1.0}, "level=1.0"),
    ],
)
def test_arguments_that_would_give_a_wrong_interval_are_refused(change, said):
    labels, probabilities, groups = case()
    arguments = {"groups": groups, "classes": CLASSES, "resamples": 100, "level": 0.95} | change
    with pytest.raises(ThoraxError, match=said):
        intervals.metrics_with_intervals(labels, probabilities, **arguments)


def test_a_ratio_of_sums_is_that_of_its_resamples():
    random = np.random.default_rng(0)
    above, below, groups = random.random(60), random.random(60), random.integers(0, 20, 60)
    found = intervals.ratio_with_interval(above, below, groups, 500, 0.9, seed=4)
    weights = np.concatenate(list(intervals.group_weights(groups, 500, 4)))
    expected = np.quantile([(row @ above) / (row @ below) for row in weights], [0.05, 0.95])
    assert found["value"] == pytest.approx(above.sum() / below.sum(), abs=1e-6)
    assert [found["low"], found["high"]] == pytest.approx(expected, abs=1e-6)


def test_films_of_which_the_figure_is_not_known_do_not_count():
    above, groups = np.arange(12.0), np.arange(12)
    above[:3] = np.nan
    found = intervals.share_with_interval(above, groups, 200)
    assert found == intervals.share_with_interval(above[3:], groups[3:], 200)
    nothing = intervals.share_with_interval(np.full(3, np.nan), groups[:3], 200)
    assert nothing["value"] is None and nothing["reason"]
    assert "interval needs" in intervals.share_with_interval(np.ones(4), groups[:4], 200)["reason"]


def test_copies_of_films_in_their_groups_make_no_figure_surer():
    random = np.random.default_rng(1)
    hits, groups = random.random(20), np.arange(20)
    once, tenfold = (intervals.share_with_interval(np.repeat(hits, times), np.repeat(groups, times), 500)
                     for times in (1, 10))
    assert once == tenfold


def test_a_share_of_one_is_not_certain():
    found = intervals.share_with_interval(np.ones(10), np.arange(10), 200)
    assert found["method"] == "wilson" and 0.6 < found["low"] < 0.8 and found["high"] == 1

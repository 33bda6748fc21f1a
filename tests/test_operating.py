import json

import numpy as np
import pytest
from sklearn import metrics as sk

from thorax import operating

CLASSES = ["covid", "normal", "viral"]


def case(n: int = 200, seed: int = 0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n)
    probabilities = random.dirichlet(np.ones(3), n) + 0.5 * np.eye(3)[labels]
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_youdens_point_is_the_best_of_scikit_learns_roc_curve():
    labels, probabilities = case()
    points = operating.choose(labels, probabilities, CLASSES)
    for number, name in enumerate(CLASSES):
        false, true, _ = sk.roc_curve(labels == number, probabilities[:, number])
        point = points[name]
        assert point["sensitivity"] + point["specificity"] - 1 == pytest.approx((true - false).max(), abs=1e-5)
        flagged = probabilities[:, number] >= point["threshold"]
        assert flagged[labels == number].mean() == pytest.approx(point["sensitivity"], abs=1e-6)
        assert (~flagged[labels != number]).mean() == pytest.approx(point["specificity"], abs=1e-6)


@pytest.mark.parametrize("wanted", [0.5, 0.9, 0.95])
def test_a_stated_sensitivity_is_reached_with_the_highest_threshold_that_reaches_it(wanted):
    labels, probabilities = case()
    for number, point in enumerate(operating.choose(labels, probabilities, CLASSES, wanted).values()):
        own = np.sort(probabilities[labels == number, number])[::-1]
        assert point["sensitivity"] >= wanted
        assert (own >= point["threshold"]).sum() == int(np.ceil(wanted * len(own) - 1e-9))


def test_a_threshold_lies_between_scores_so_that_a_last_bit_flags_no_other_film():
    labels, probabilities = np.array([1, 1, 0, 0]), np.array([[0.2, 0.8], [0.4, 0.6], [0.7, 0.3], [0.9, 0.1]])
    points = operating.choose(labels, probabilities, ["a", "b"])
    assert points["b"] == {"threshold": 0.45, "sensitivity": 1.0, "specificity": 1.0}
    assert operating.flags(probabilities, points).tolist() == [[False, True], [False, True], [True, False],
                                                               [True, False]]


DEGENERATE = {"no film of the class": ([0, 0, 1, 1], "viral", "no validation film of this class"),
              "films of the class only": ([2, 2, 2, 2], "viral", "validation films of this class only"),
              "equal scores": ([0, 1, 2, 2], "viral", "all validation films have the same score")}


@pytest.mark.parametrize("name", DEGENERATE)
def test_a_class_that_validation_cannot_place_gets_no_point_a_note_and_no_flag(name):
    labels, title, note = DEGENERATE[name]
    points = operating.choose(labels, np.full((4, 3), 1 / 3), CLASSES)
    assert points[title]["threshold"] is None
    assert points[title]["note"] == note
    assert not operating.flags(np.eye(3), points)[:, 2].any()
    found = operating.point_metrics(labels, np.full((4, 3), 1 / 3), list("abcd"), points, 100)
    assert found["point_ppv_viral"] == {"value": None, "low": None, "high": None,
                                        "reason": f"no operating point: {note}"}
    json.dumps([points, found], allow_nan=False)


def test_measures_on_the_test_part_equal_scikit_learns_recall_and_precision():
    labels, probabilities = case(seed=1)
    points = operating.choose(*case(seed=2), CLASSES)
    found = operating.point_metrics(labels, probabilities, np.arange(200) // 2, points, 200)
    for number, name in enumerate(CLASSES):
        truth, flagged = labels == number, operating.flags(probabilities, points)[:, number]
        expected = {"sensitivity": sk.recall_score(truth, flagged), "ppv": sk.precision_score(truth, flagged),
                    "specificity": sk.recall_score(~truth, ~flagged), "npv": sk.precision_score(~truth, ~flagged)}
        for measure, value in expected.items():
            entry = found[f"point_{measure}_{name}"]
            assert entry["value"] == pytest.approx(value, abs=1e-6)
            assert entry["low"] <= value <= entry["high"]


def test_a_class_that_is_never_flagged_has_no_ppv_but_the_reason():
    labels, probabilities = case()
    points = {name: {"threshold": 2.0} for name in CLASSES}
    found = operating.point_metrics(labels, probabilities, np.arange(200), points, 100)
    assert found["point_ppv_covid"]["reason"] == "no films flagged as covid"
    assert found["point_sensitivity_covid"]["value"] == 0.0
    assert found["point_sensitivity_covid"]["method"] == "wilson"

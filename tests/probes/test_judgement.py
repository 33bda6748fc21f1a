import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from thorax.probes.judgement import judged, share_right

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 3, 120)
GUESS = np.where(RANDOM.random(120) < 0.6, LABELS, 0)
GROUPS = np.arange(120) // 2


def figure(labels=LABELS, predicted=GUESS, groups=GROUPS, **changes) -> dict:
    return share_right(labels, predicted, groups, **{"resamples": 500, "level": 0.95, "seed": 0} | changes)


def test_the_figures_are_those_of_scikit_learn():
    assert figure()["value"] == pytest.approx(balanced_accuracy_score(LABELS, GUESS), abs=1e-6)
    assert figure(balanced=False)["value"] == pytest.approx(accuracy_score(LABELS, GUESS), abs=1e-6)


def test_the_interval_holds_the_figure_and_copies_of_a_film_do_not_narrow_it():
    once = figure(groups=np.arange(120))
    copied = figure(np.tile(LABELS, 9), np.tile(GUESS, 9), np.tile(np.arange(120), 9))
    assert once["low"] < once["value"] < once["high"]
    assert (copied["low"], copied["high"]) == pytest.approx((once["low"], once["high"]), abs=1e-6)


def test_always_right_gets_an_interval_that_the_rarest_class_sets():
    rare = np.array([0] * 100 + [1] * 6)
    assert figure(rare, rare, np.arange(106))["low"] < 0.65
    assert figure(rare, rare, np.arange(106), balanced=False)["low"] > 0.95


def test_too_few_groups_give_no_interval_and_no_verdict():
    few = figure(groups=np.where(LABELS == 2, LABELS, GROUPS + 10))
    assert few["low"] is None
    assert judged(few, 1 / 3, 0.1)["verdict"] == "not decided"
    assert "1 group(s) of a class" in judged(few, 1 / 3, 0.1)["reason"]


@pytest.mark.parametrize(("low", "high", "verdict"), [
    (0.41, 0.9, "alarm"), (0.39, 0.9, "not decided"), (0.1, 0.41, "not decided"), (0.1, 0.39, "ok")])
def test_the_whole_interval_must_lie_on_one_side_of_the_threshold(low, high, verdict):
    answer = judged({"low": low, "high": high}, chance=0.25, margin=0.2)  # threshold .25 + .2 * .75
    assert answer["threshold"] == pytest.approx(0.4)
    assert answer["verdict"] == verdict
    assert "0.400" in answer["reason"]

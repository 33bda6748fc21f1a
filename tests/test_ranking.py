import numpy as np
import pytest

from thorax.comparison import holm, mcnemar
from thorax.errors import ThoraxError
from thorax.ranking import neighbours, rank, table

LABELS = np.arange(240) % 3
GROUPS = np.arange(240) // 2


def model(right: np.ndarray) -> np.ndarray:
    return np.eye(3)[np.where(right, LABELS, (LABELS + 1) % 3)]


@pytest.fixture(scope="module")
def ranking():
    random = np.random.default_rng(0)
    models = {name: model(random.random(240) < accuracy)
              for name, accuracy in (("poor", 0.5), ("good", 0.8), ("as_good", 0.81), ("best", 0.97))}
    return rank(LABELS, models, GROUPS, 200, 0.95, seed=0), models


def test_models_come_best_first_and_every_pair_once(ranking):
    found, models = ranking
    assert list(found.accuracies) == sorted(models, key=lambda name: -(models[name].argmax(1) == LABELS).mean())
    assert len({frozenset((pair.better, pair.worse)) for pair in found.pairs}) == len(found.pairs) == 6
    for pair in found.pairs:
        expected = found.accuracies[pair.better] - found.accuracies[pair.worse]
        assert pair.difference["value"] == pytest.approx(expected, abs=1e-6)
        assert pair.difference["low"] <= pair.difference["value"] <= pair.difference["high"]


def test_p_values_are_those_of_mcnemar_corrected_over_all_pairs(ranking):
    found, models = ranking
    right = {name: each.argmax(1) == LABELS for name, each in models.items()}
    expected = [mcnemar(right[pair.worse], right[pair.better], GROUPS) for pair in found.pairs]
    assert [pair.p for pair in found.pairs] == expected
    np.testing.assert_allclose([pair.adjusted for pair in found.pairs], holm(expected))


def test_models_of_equal_skill_are_not_told_apart_and_the_others_are(ranking):
    found, _ = ranking
    assert [set(stretch) for stretch in found.alike] == [{"good", "as_good"}]


def test_no_two_of_a_stretch_are_told_apart_and_none_lies_in_another():
    assert neighbours(list("abcd"), {("a", "c"), ("a", "d"), ("b", "d")}) == [["a", "b"], ["b", "c"], ["c", "d"]]
    assert neighbours(list("abcd"), {("a", "d")}) == [["a", "b", "c"], ["b", "c", "d"]]
    assert neighbours(list("abc"), set()) == [["a", "b", "c"]]
    assert neighbours(list("ab"), {("a", "b")}) == []


def test_the_table_has_a_line_for_every_pair(ranking):
    found, _ = ranking
    lines = table(found).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:8]] == [f"| {pair.better}" for pair in found.pairs]
    assert {line.rsplit("|", 2)[1].strip() for line in lines[2:8]} == {"yes", "no"}
    assert "all 6 pairs" in lines[-1]


def test_one_model_is_no_ranking():
    with pytest.raises(ThoraxError, match="needs two"):
        rank(LABELS, {"alone": model(LABELS > 0)}, GROUPS, 200, 0.95, 0)

import numpy as np
import pytest

from thorax.probes.sources import class_of_source, cramers_v, crosstab


def test_cramers_v_is_one_where_the_source_is_the_class_and_zero_where_it_says_nothing():
    assert cramers_v(np.diag([50, 40, 30])) == pytest.approx(1)
    assert cramers_v(np.full((3, 3), 20)) == 0


def test_cramers_v_agrees_with_bergsma_s_formula_worked_by_hand():
    # chi2 = 100 (30*30 - 20*20)^2 / 50^4 = 4; phi2 = .04 - 1/99; sides 2 - 1/99
    assert cramers_v([[30, 20], [20, 30]]) == pytest.approx(np.sqrt((0.04 - 1 / 99) / (1 - 1 / 99)), abs=1e-6)


def test_chance_alone_is_no_association():
    random = np.random.default_rng(1)
    plain, corrected = [], []
    for _ in range(200):
        table = random.multinomial(60, np.full(36, 1 / 36)).reshape(6, 6)
        corrected.append(cramers_v(table))
        expected = np.outer(table.sum(1), table.sum(0)) / 60
        plain.append(np.sqrt(np.nansum((table - expected) ** 2 / np.where(expected > 0, expected, np.nan)) / 60 / 5))
    assert np.mean(plain) > 0.25
    assert np.mean(corrected) < 0.1


def test_one_source_has_no_association():
    assert cramers_v([[5], [7]]) is None
    assert cramers_v([[5, 0], [7, 0]]) is None


def test_the_table_keeps_classes_and_sources_by_name():
    table = crosstab(np.array([0, 0, 1]), np.array(["b", "a", "a"]), ["normal", "covid", "viral"])
    assert table == {"normal": {"a": 1, "b": 1}, "covid": {"a": 1, "b": 0}, "viral": {"a": 0, "b": 0}}


def test_a_source_is_taken_for_its_most_frequent_class_and_an_unknown_one_for_that_of_all():
    labels, known = np.array([0, 0, 0, 1, 1, 2]), np.array(["a", "a", "b", "b", "b", "c"])
    assert class_of_source(labels, known, np.array(["a", "b", "c", "new"])).tolist() == [0, 1, 2, 0]

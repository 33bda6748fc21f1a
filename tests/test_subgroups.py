import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from thorax.subgroups import age_band, subgroups


def case(n: int = 120, seed: int = 0):
    random = np.random.default_rng(seed)
    films = pd.DataFrame({"group": [f"p{number // 2}" for number in range(n)], "source": "one",
                          "view": np.where(np.arange(n) % 3 == 0, "AP", "PA"),
                          "sex": ["F"] * 50 + ["M"] * (n - 60) + [""] * 10,
                          "age": [str(age) for age in random.integers(1, 95, n)]})
    labels = random.integers(0, 3, n)
    return films, labels, random.dirichlet(np.ones(3), n) + 0.5 * np.eye(3)[labels]


def test_figures_of_a_subgroup_are_scikit_learns_on_its_films():
    films, labels, probabilities = case()
    found = subgroups(films, labels, probabilities, 200)
    own = (films["view"] == "AP").to_numpy()
    row, predicted = found["view"]["AP"], probabilities.argmax(axis=1)
    assert (row["films"], row["classes"]) == (40, 3)
    assert row["groups"] == films["group"][own].nunique()
    assert row["accuracy"]["value"] == pytest.approx(sk.accuracy_score(labels[own], predicted[own]), abs=1e-6)
    assert row["balanced_accuracy"]["value"] == pytest.approx(
        sk.balanced_accuracy_score(labels[own], predicted[own]), abs=1e-6)
    assert row["accuracy"]["low"] < row["accuracy"]["value"] < row["accuracy"]["high"]


def test_fewer_than_thirty_films_give_no_figure_but_the_reason_and_unknown_comes_last():
    found = subgroups(*case(), 100)
    assert list(found["sex"]) == ["F", "M", "unknown"]
    assert found["sex"]["unknown"]["films"] == 10
    assert found["sex"]["unknown"]["accuracy"] == {"value": None, "low": None, "high": None, "reason": "n < 30"}
    json.dumps(found, allow_nan=False)


def test_a_column_of_one_value_or_that_is_missing_is_left_out():
    films, labels, probabilities = case()
    assert "source" not in subgroups(films, labels, probabilities, 100)
    assert "sex" not in subgroups(films.drop(columns="sex"), labels, probabilities, 100)
    assert subgroups(films.assign(view="PA", sex="", age=""), labels, probabilities, 100) == {}


def test_a_class_in_few_groups_of_the_subgroup_leaves_the_balanced_accuracy_without_interval():
    films, labels, probabilities = case()
    own = (films["view"] == "AP").to_numpy()
    labels[own] = 0
    labels[np.flatnonzero(own)[0]] = 1
    row = subgroups(films, labels, probabilities, 100)["view"]["AP"]
    assert row["classes"] == 2
    assert row["accuracy"]["low"] is not None
    assert row["balanced_accuracy"]["value"] is not None
    assert "1 group(s)" in row["balanced_accuracy"]["reason"]


@pytest.mark.parametrize(("age", "band"), [("0", "0-17"), ("17.9", "0-17"), ("18", "18-39"), ("40", "40-59"),
                                           ("79", "60-79"), ("80", "80+"), ("101", "80+"), ("", "unknown"),
                                           ("nan", "unknown"), ("-1", "unknown"), ("adult", "unknown")])
def test_ages_fall_into_bands_and_what_is_no_age_is_unknown(age, band):
    assert age_band(age) == band

"""Accuracy of the subgroups that the films' table knows: source, view, sex and age band."""

import numpy as np
import pandas as pd

from thorax.intervals import LEVEL, RESAMPLES, bootstrap, distinct, entry, weighted_mean

COLUMNS = ("source", "view", "sex", "age")
FEWEST = 30  # films, below which an accuracy is known to +-18 points at best and says nothing about a subgroup
AGES = {"0-17": 18, "18-39": 40, "40-59": 60, "60-79": 80, "80+": np.inf}  # years, each below the number
UNKNOWN = "unknown"


def age_band(age: str) -> str:
    """The band of an age in years, given as text; anything else is unknown."""
    try:
        years = float(age)
    except ValueError:
        return UNKNOWN
    return next((band for band, end in AGES.items() if 0 <= years < end), UNKNOWN)


def subgroups(films: pd.DataFrame, labels, probabilities, resamples: int = RESAMPLES, level: float = LEVEL,
              seed: int = 0) -> dict[str, dict[str, dict]]:
    """Figures per column of `COLUMNS` and value, "" being `unknown`; columns that `films` lacks or that have one value
    only are left out.

    Args: films: one row per film with `group` and text columns; labels (n,) int; probabilities (n, k).

    Returns for each value `films`, `groups`, `classes` (how many of them have films there) and, as entries with
    intervals, `accuracy` and `balanced_accuracy` (the mean recall over those classes); the entries are empty where
    there are fewer than `FEWEST` films. The order is that of the values' names, unknown last.
    """
    labels, groups = np.asarray(labels), films["group"].to_numpy(str)
    right = np.asarray(probabilities).argmax(axis=1) == labels
    tables = {}
    for column in COLUMNS:
        if column not in films:
            continue
        values = films[column].map(age_band) if column == "age" else films[column].replace("", UNKNOWN)
        names = sorted(values.unique(), key=lambda name: (name == UNKNOWN, name))
        if len(names) > 1:
            tables[column] = {name: _figures(labels, right, groups, (values == name).to_numpy(), resamples, level, seed)
                              for name in names}
    return tables


def _figures(labels, right, groups, own: np.ndarray, resamples: int, level: float, seed: int) -> dict:
    found = {"films": int(own.sum()), "groups": distinct(groups[own]), "classes": len(np.unique(labels[own]))}
    if found["films"] < FEWEST:
        empty = {"value": None, "low": None, "high": None, "reason": f"n < {FEWEST}"}
        return found | {"accuracy": empty, "balanced_accuracy": empty}
    labels, right, groups = labels[own], right[own], groups[own]
    everyone = {"in the subgroup": found["groups"]}
    present = {f"in class {number}": distinct(groups[labels == number]) for number in np.unique(labels)}

    def accuracy(weights):
        return weighted_mean(right, weights)

    def balanced(weights):
        recalls = [weighted_mean(right[labels == number], weights[:, labels == number]) for number in np.unique(labels)]
        return np.nanmean(recalls, axis=0)  # over the classes that were drawn, of which there is always one

    for name, statistic, carriers in (("accuracy", accuracy, everyone),
                                      ("balanced_accuracy", balanced, everyone | present)):
        value = statistic(np.ones((1, len(labels))))[0]
        samples = bootstrap(statistic, groups, resamples, seed)
        found[name] = entry(value, samples, carriers, level, name == "accuracy")
    return found

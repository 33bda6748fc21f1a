"""Does the source give the class away? The table of class and source, its association, and the guess from it."""

import numpy as np
import pandas as pd

from thorax.intervals import DIGITS


def cramers_v(table: np.ndarray) -> float | None:
    """Association of the rows and columns of a table of counts: 0 none, 1 complete; None with one row or column.

    Corrected for the bias of small tables, which makes chance alone look like association.
    Source: Bergsma, J Korean Stat Soc 42:323 (2013).
    """
    table = np.asarray(table, float)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    rows, columns = table.shape
    if min(rows, columns) < 2:
        return None
    n = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi2 = ((table - expected) ** 2 / expected).sum() / n
    bias = (rows - 1) * (columns - 1) / (n - 1)
    fewer = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1))
    return round(float(min(1.0, np.sqrt(max(0.0, phi2 - bias) / (fewer - 1)))), DIGITS)


def crosstab(labels: np.ndarray, sources: np.ndarray, classes: list[str]) -> dict[str, dict[str, int]]:
    """Films by class and source."""
    names = pd.Categorical.from_codes(labels, categories=classes)
    table = pd.crosstab(names, sources, dropna=False)
    return {str(name): {str(source): int(count) for source, count in row.items()} for name, row in table.iterrows()}


def class_of_source(labels: np.ndarray, sources: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The class of each source in `asked` (m,), int: the most frequent one (the first of equals) among the films of
    that source, or among all films for a source that is not there."""
    count = int(labels.max()) + 1
    everywhere = np.bincount(labels, minlength=count).argmax()
    table = {source: np.bincount(labels[sources == source], minlength=count).argmax() for source in np.unique(sources)}
    return np.array([table.get(source, everywhere) for source in asked], int)

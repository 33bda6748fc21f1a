"""predictions.csv: the one saved table per run from which every metric, interval, figure and README cell derives.

One row per test film: `id, group, source, label`, then one probability column per class, named by the class and in
class order. Two tables of one run could disagree; one cannot.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from thorax.errors import ThoraxError

COLUMNS = ["id", "group", "source", "label"]
# 9 significant digits bring a float32, which is what networks give, back bit for bit; fewer would create ties.
DIGITS = "%.9g"
# Rows of a float32 softmax sum to 1 within about 1e-6; tables written elsewhere often carry 4 decimals.
SUM_TOLERANCE = 1e-3
SHOWN = 5  # offenders named in a message; the rest are counted


def classes_of(table: pd.DataFrame) -> list[str]:
    """The classes of a table in class order: the names of its columns other than id, group, source and label."""
    return [str(column) for column in table.columns if column not in COLUMNS]


def validate(table: pd.DataFrame, classes: list[str], where: str) -> None:
    """Refuse a table from which a metric would be silently wrong.

    Args:
        table: one row per film; see the head of this module.
        classes: the expected classes in class order, at least two.
        where: the file's name, for the messages.

    Raises:
        ThoraxError: missing or unexpected columns, class columns in another order, no rows, empty or duplicate ids,
            empty groups, unknown labels, probabilities that are not finite, outside [0, 1] or not summing to 1
            (tolerance 1e-3). The message names the file, the ids (or the row, where the id is at fault) and what to do.
    """
    _validate_columns(table, classes, where)
    if table.empty:
        raise ThoraxError(f"{where}: the table has no rows. Run the evaluate stage on a test split that has films.")

    blank = {column: table[column].isna() | (table[column].astype(str).str.strip() == "") for column in ("id", "group")}
    if blank["id"].any():
        rows = [f"line {row + 2}" for row in np.flatnonzero(blank["id"])]  # + 2: the header, and counting from 1
        raise ThoraxError(f"{where}: no id in {_some(rows)}. Give every film its id.")
    repeated = table["id"].duplicated(keep=False)
    if repeated.any():
        ids = list(dict.fromkeys(table["id"][repeated]))
        raise ThoraxError(f"{where}: duplicate ids {_some(ids)}. A film counts once: keep one row of each.")
    _refuse(
        table, blank["group"], where, "no group", "A film known to belong to no group is a group of its own: use its id"
    )
    unknown = ~table["label"].isin(classes)
    found = sorted(set(table["label"][unknown].astype(str)))
    _refuse(table, unknown, where, f"unknown label {_some(found)}", f"The classes are {', '.join(classes)}")

    values = table[classes].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    finite = np.isfinite(values).all(axis=1)
    _refuse(
        table, ~finite, where, "probabilities that are not finite numbers", "Check the model for NaN and predict again"
    )
    outside = ((values < 0) | (values > 1)).any(axis=1)
    _refuse(
        table, outside, where, "probabilities outside [0, 1]", "Write softmax probabilities, not logits or per cent"
    )
    sums = values.sum(axis=1)
    _refuse(
        table,
        np.abs(sums - 1) > SUM_TOLERANCE,
        where,
        f"probabilities that do not sum to 1 (sums from {sums.min():.4g} to {sums.max():.4g})",
        "Each film needs one probability per class, of classes that exclude each other",
    )


def write(table: pd.DataFrame, path: str | Path) -> None:
    """Write a valid table; the file appears whole or not at all, and the same table gives the same bytes on any system.

    Probabilities keep 9 significant digits: float32 values come back bit for bit.

    Raises:
        ThoraxError: as `validate`, before anything is written.
    """
    path = Path(path)
    classes = classes_of(table)
    validate(table, classes, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    table[COLUMNS + classes].to_csv(part, index=False, float_format=DIGITS, lineterminator="\n", encoding="utf-8")
    os.replace(part, path)


def read(path: str | Path) -> pd.DataFrame:
    """Read a table: id, group, source and label as text ("007" and "NA" stay what they are), probabilities as float64.

    Raises:
        ThoraxError: no such file, not a table, or not valid by `validate` (with the classes the file itself names;
            compare `classes_of` with the model's where another order would matter).
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise ThoraxError(f"{path}: no such file. Run the evaluate stage that writes it.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise ThoraxError(f"{path}: cannot be read as a table ({error}). Run the evaluate stage again.") from error
    classes = classes_of(table)
    for name in classes:
        table[name] = [_number(text) for text in table[name]]
    validate(table, classes, str(path))
    return table


def to_arrays(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A valid table as what `thorax.scoring` and `thorax.intervals` take.

    Returns:
        labels (n,) int, the index in `classes_of(table)`; probabilities (n, k) float64; groups (n,) str.
    """
    classes = classes_of(table)
    labels = pd.Index(classes).get_indexer(table["label"])
    return labels, table[classes].to_numpy(dtype=float), table["group"].astype(str).to_numpy(dtype=str)


def _validate_columns(table: pd.DataFrame, classes: list[str], where: str) -> None:
    clash = [name for name in classes if name in COLUMNS]
    if clash:
        raise ThoraxError(f"{where}: a class may not be called {_some(clash)}: the table has a column of that name.")
    if table.columns.has_duplicates:
        raise ThoraxError(f"{where}: columns {_some(list(table.columns))}: every column once, please.")
    missing = [column for column in [*COLUMNS, *classes] if column not in table.columns]
    if missing:
        raise ThoraxError(
            f"{where}: missing columns {_some(missing)}; found {_some(list(table.columns))}. "
            f"A table has {', '.join(COLUMNS)} and one column per class."
        )
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ThoraxError(f"{where}: classes {classes}. Two or more classes are needed, each once.")
    found = classes_of(table)
    if found != list(classes):
        # The order is part of the contract: arrays are taken by position, and swapped classes look like a bad model.
        raise ThoraxError(
            f"{where}: the class columns are {found}, expected {list(classes)} in this order and no others."
        )


def _refuse(table: pd.DataFrame, wrong, where: str, what: str, remedy: str) -> None:
    wrong = np.asarray(wrong, dtype=bool)
    if wrong.any():
        raise ThoraxError(f"{where}: {what} in {wrong.sum()} row(s), ids {_some(list(table['id'][wrong]))}. {remedy}.")


def _some(items: list) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(str(item) for item in items[:SHOWN]) + more


def _number(text: str) -> float:
    try:
        return float(text)  # correctly rounded, unlike the fast parser of read_csv
    except ValueError:
        return float("nan")  # validate names the row

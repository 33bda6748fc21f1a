"""Which films of another study a model has met while it was made: public sets hold films of each other, re-encoded."""

from pathlib import Path

import numpy as np
import pandas as pd

from thorax.duplicates import pairs


def dealt(study: str, split: str) -> pd.DataFrame:
    """The films of a split, each once: the columns of films.csv, `row` (its number there), `split` (its part; of a film
    in several parts, train before validation before test) and `cluster`."""
    films = pd.read_csv(Path("data/enhanced") / study / "films.csv", dtype=str, keep_default_na=False)
    table = pd.read_csv(Path("data/split") / study / f"{split}.csv", dtype=str, keep_default_na=False)
    order = table["split"].map({"train": 0, "validation": 1, "test": 2})
    table = table.loc[order.sort_values(kind="stable").index].drop_duplicates("id")
    return films.rename_axis("row").reset_index().merge(table[["id", "split", "cluster"]], on="id")


def met(study: str, split: str, other: str, other_split: str) -> tuple[np.ndarray, np.ndarray]:
    """What lies in the split `other_split` of the study `other` and in train or validation part of `split` of `study`.

    Returns: rows of films.csv of `other`: those of copies of these films, near-duplicates (thorax.duplicates) or equal
    in every pixel; and those of their relatives, which are the copies, further films of their clusters, and films of a
    group that both studies have (of one data set). Both int and sorted.
    """
    own, films = dealt(study, split), dealt(other, other_split)
    own = own[own["split"] != "test"]
    first, second = (np.load(Path("data/enhanced") / name / "thumbnails.npy")[each["row"]]
                     for name, each in ((study, own), (other, films)))
    near, _ = pairs(first, second)
    copies = films["sha256"].isin(own["sha256"])
    copies.iloc[np.unique(near[:, 1])] = True
    known = films.loc[copies | films["group"].isin(own["group"]), "cluster"]
    return films.loc[copies, "row"].to_numpy(), films.loc[films["cluster"].isin(known), "row"].to_numpy()

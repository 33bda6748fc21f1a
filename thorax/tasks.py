"""A task: which labels form which class. The films of one part of the split, seen as a task."""

from pathlib import Path

import pandas as pd

from thorax.errors import ThoraxError
from thorax.examples import Examples
from thorax.packed import read
from thorax.splits import PARTS, unique_names


def part_of_task(study: str, variant: str, split: str, classes: dict[str, list[str]],
                 part: str | None) -> tuple[Examples, pd.DataFrame]:
    """The films of one part of a split, or of all parts for None, that belong to a class of the task, and their rows of
    films.csv with the column `class` (its name) added. Films of labels outside the task are left out.

    A film that the split repeats comes as often, its second copy with the id `<id>#2`. `group` is that of the first
    film of the cluster: films that must stay together count as one in a bootstrap, whatever the data set calls them."""
    folder = Path("data/enhanced") / study
    inputs, films = read(folder, variant)
    path = Path("data/split") / study / f"{split}.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    row_of = pd.Index(films["id"]).get_indexer(table["id"])
    if (row_of < 0).any():
        raise ThoraxError(f"{path} is of other films than {folder}/films.csv; run `dvc repro`")
    names = {label: name for name, labels in classes.items() for label in labels}
    films = films.iloc[row_of].reset_index(drop=True)
    films = films.assign(**{"id": unique_names(films["id"]), "class": films["label"].map(names),
                            "group": films.groupby(table["cluster"])["group"].transform("first")})
    chosen = films["class"].notna() & (table["split"].isin(PARTS if part is None else [part]))
    rows, films = row_of[chosen], films[chosen]
    present = set(films["class"])
    for name in classes:
        if name not in present:
            where = f"the {part} part" if part else "any part"
            raise ThoraxError(f"study '{study}': no film of class '{name}' in {where}; bring more films of it or leave "
                              "the class out of the task")
    numbers = films["class"].map({name: number for number, name in enumerate(classes)}).to_numpy(int)
    return Examples(inputs, rows, numbers), films

"""A task: which labels form which class. The films of one part of the split, seen as a task."""

from pathlib import Path

import numpy as np
import pandas as pd

from thorax.batches import Examples
from thorax.errors import ThoraxError
from thorax.packed import read


def part_of_task(study: str, variant: str, classes: dict[str, list[str]], part: str) -> tuple[Examples, pd.DataFrame]:
    """The films of one part of a study that belong to a class of the task, and their rows of films.csv with the
    columns `class` (its name) and `split` added. Films of labels outside the task are left out."""
    folder = Path("data/enhanced") / study
    inputs, films = read(folder, variant)
    split = pd.read_csv(Path("data/split") / study / "split.csv", dtype=str, keep_default_na=False)
    if list(split["id"]) != list(films["id"]):
        raise ThoraxError(f"data/split/{study}/split.csv is of other films than {folder}/films.csv; run `dvc repro`")
    names = {label: name for name, labels in classes.items() for label in labels}
    films = films.assign(**{"class": films["label"].map(names), "split": split["split"]})
    rows = np.flatnonzero((films["split"] == part) & films["class"].notna())
    films = films.iloc[rows]
    present = set(films["class"])
    for name in classes:
        if name not in present:
            raise ThoraxError(f"study '{study}': no film of class '{name}' in the {part} part; bring more films of it "
                              "or leave the class out of the task")
    numbers = films["class"].map({name: number for number, name in enumerate(classes)}).to_numpy(int)
    return Examples(inputs, rows, numbers), films

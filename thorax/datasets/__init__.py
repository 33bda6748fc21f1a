"""The data sets: one module each, found by its name.

A module knows where its set comes from, how it lies on disk and what its file names mean:

- `TITLE`, `ORIGIN`, `LICENCE`, `CITATION`: text
- `LABELS`: the labels a recipe may ask for; `LAYOUT`: where its films lie, for messages
- where it is published, one of `KAGGLE` (owner/name, and `VERSION`, a number, to pin one), `GITHUB` (owner/name) with
  `COMMIT` (40 hexadecimal digits), and `MENDELEY` (key and version number); none for what cannot be fetched
- `DOWNLOAD`: roughly how much that is; `EXPECTED`: films of each label in the version that is current there, as far as
  known; `OVERLAPS`: films that other sets hold as well; `GROUPS_MIX_LABELS`: true where a patient has several labels
- `index(names, read)`: the table of its films, from the names of all files and a function that reads one
- `simulate(labels, settings, seed)`: a phantom twin in exactly its layout, as pairs of file name and bytes
"""

import importlib
from collections import Counter
from collections.abc import Callable, Sequence
from types import ModuleType

import pandas as pd

from thorax.errors import ThoraxError
from thorax.reader import module_names
from thorax.recipe import Dataset, suggest

# One row per film: where it lies, what it shows, which films must stay together and how sure that is
# (metadata | filename | recovered | none), which hospital, scanner or collection it comes from, its part in the
# publisher's own split, its view, the patient's sex and age, and the files of the masks of lungs and lesion. A data
# set leaves out the columns of which it knows nothing; they are empty then.
COLUMNS = ["path", "label", "group", "group_quality", "source", "part", "view", "sex", "age", "lung_mask",
           "lesion_mask"]

Read = Callable[[str], bytes]


def names() -> list[str]:
    return module_names("datasets")


def load(name: str) -> ModuleType:
    if name not in names():
        raise ThoraxError(f"unknown data set '{name}'; {suggest(name, names())}")
    return importlib.import_module(f"thorax.datasets.{name}")


def load_checked(name: str, wanted: Dataset) -> ModuleType:
    """The module of a data set; ThoraxError if the recipe asks it for labels that it does not have."""
    dataset = load(name)
    for label in wanted.labels:
        if label not in dataset.LABELS:
            raise ThoraxError(f"download.datasets.{name}.labels: unknown label '{label}'; "
                              f"{suggest(label, dataset.LABELS)}")
    return dataset


def films_of(name: str, wanted: Dataset, files: Sequence[str], read: Read, where: str,
             assert_counts: bool) -> tuple[pd.DataFrame, Counter]:
    """The films of a data set that a recipe asks for, sorted by path, and why other files were left out.

    `where` names the source in messages. ThoraxError if a label is unknown, has no film, or if the counts are not the
    recipe's `expected` or, without that, the data set's own EXPECTED (only looked at with `assert_counts`: phantoms
    come in any number). EXPECTED counts all parts, so that it does not hold where the recipe asks for some.
    """
    dataset = load_checked(name, wanted)
    films, skipped = dataset.index(sorted(files), read)
    if films.empty:
        raise ThoraxError(f"{where}: none of the {len(files)} files is a film of data set '{name}' ({dataset.TITLE}); "
                          f"it should hold {dataset.LAYOUT}")
    films = films.reindex(columns=COLUMNS, fill_value="")
    if wanted.parts is not None:
        missing = set(wanted.parts) - set(films["part"])
        if missing:
            raise ThoraxError(f"{where}: no film in part {sorted(missing)} of data set '{name}'; "
                              f"there are {sorted(set(films['part']))}")
        skipped["in a part that the recipe does not ask for"] = int((~films["part"].isin(wanted.parts)).sum())
        films = films[films["part"].isin(wanted.parts)]
    skipped["of a label that the recipe does not ask for"] = int((~films["label"].isin(wanted.labels)).sum())
    films = films[films["label"].isin(wanted.labels)]
    counts = films["label"].value_counts()
    for label in wanted.labels:
        if label not in counts:
            raise ThoraxError(f"{where}: no film of label '{label}' of data set '{name}'; complete the films, or take "
                              f"the label out of download.datasets.{name}.labels and out of the tasks")
    if assert_counts:
        check_counts(name, wanted, dataset, counts, where)
    return films.sort_values("path", ignore_index=True), +skipped


def check_counts(name: str, wanted: Dataset, dataset: ModuleType, counts: pd.Series, where: str) -> None:
    """ThoraxError if the films found of a label are not as many as they must be."""
    known = {} if wanted.parts is not None else getattr(dataset, "EXPECTED", {})
    expected = known if wanted.expected is None else wanted.expected
    wrong = [f"{label} {counts[label]} instead of {expected[label]}" for label in wanted.labels
             if counts[label] != expected.get(label, counts[label])]
    if wrong:
        found = ", ".join(f"{label}: {counts[label]}" for label in wanted.labels)
        whose = "the recipe" if wanted.expected is not None else "this project"
        raise ThoraxError(f"{where}: data set '{name}' has {', '.join(wrong)}, not the version that {whose} knows; "
                          "complete the films, or, if this version of it is the one you want, put these counts into "
                          f"download.datasets.{name}.expected: {{{found}}}")

"""Prashant: Kermany's 5,856 films re-encoded and renamed, with 576 COVID films of Cohen and Figure 1 beside them.

`NORMAL(i)` and `PNEUMONIA(i)` are the i-th, from 0, of all Kermany files of that class sorted by name. The published
counts alone do not tell which film belongs to which group, the sorted names do: where Kermany's complete files lie
below the same folder, the groups are recovered from them; where not, no group is known.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from thorax.datasets import kermany
from thorax.datasets._files import by_name
from thorax.phantom import twin
from thorax.recipe import Phantom

TITLE = "chest X-ray (COVID-19 and pneumonia), prashant268"
KAGGLE = "prashant268/chest-xray-covid19-pneumonia"
ORIGIN = f"Kaggle {KAGGLE}"
LICENCE = "not stated; Kermany's part is CC BY 4.0"
CITATION = f"no paper of its own; https://www.kaggle.com/datasets/{KAGGLE}; {kermany.CITATION}"
LABELS = ("covid", "normal", "pneumonia")
LAYOUT = "Data/{train,test}/{COVID19,NORMAL,PNEUMONIA}/<class>(<number>).jpg"
DOWNLOAD = "about 2 GB"
EXPECTED = {"covid": 576, "normal": 1583, "pneumonia": 4273}
OVERLAPS = "NORMAL and PNEUMONIA are Kermany's 5,856 films; COVID19 comes from Cohen and from Figure 1's collection"

LABEL_OF = {"COVID19": "covid", "NORMAL": "normal", "PNEUMONIA": "pneumonia"}

PATH = re.compile(r"(?:^|/)((train|test)/(COVID19|NORMAL|PNEUMONIA)/\3\((\d+)\)\.jpe?g)$", re.IGNORECASE)


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    films, skipped = by_name(names, describe)
    return films if films.empty else with_groups(films, names).drop(columns="number"), skipped


def describe(name: str) -> dict | None:
    place = PATH.search(name)
    return place and {"member": place[1], "label": LABEL_OF[place[3].upper()], "group": "", "group_quality": "none",
                      "part": place[2].lower(), "number": int(place[4])}


def with_groups(films: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """`films` with Kermany's groups for a class where they can be had: the files of both are as many, the numbers run
    on without a gap and no name comes twice."""
    originals = kermany.index(names, None)[0]
    for label, kinds in {"normal": ["normal"], "pneumonia": ["bacteria", "virus"]}.items():
        numbered = films[films["label"] == label].sort_values("number")
        if originals.empty:
            continue
        listing = originals[originals["label"].isin(kinds)]
        listing = listing.assign(file=listing["path"].map(lambda path: path.rpartition("/")[2])).sort_values("file")
        if (len(listing) == len(numbered) and listing["file"].is_unique
                and numbered["number"].tolist() == list(range(len(numbered)))):
            films.loc[numbered.index, "group"] = listing["group"].to_list()
            films.loc[numbered.index, "group_quality"] = "recovered"
    return films


def simulate(labels: Sequence[str], settings: Phantom, seed: int) -> Iterator[tuple[str, bytes]]:
    """Phantoms as JPEG, the last fifth of each class in test/."""
    planned = sorted(twin.plan(labels, settings, seed), key=lambda pair: pair[0])
    counts, numbers = Counter(label for label, _ in planned), Counter()
    films = twin.render([plan for _, plan in planned], [(".jpg", "gray")] * len(planned), settings)
    folder_of = {label: folder for folder, label in LABEL_OF.items()}
    for (label, _), (film, _) in zip(planned, films, strict=True):
        part = "test" if numbers[label] >= 0.8 * counts[label] else "train"
        yield f"Data/{part}/{folder_of[label]}/{folder_of[label]}({numbers[label]}).jpg", film
        numbers[label] += 1

"""Curated: 9,208 films that Sait 2022 put together from 15 public sets and cleared of duplicates and bad films.

Which set a film comes from, and with it every patient, was lost on the way.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from thorax.datasets._files import by_name
from thorax.phantom import twin
from thorax.recipe import Phantom

TITLE = "curated data set of chest films for COVID-19, Sait 2022"
MENDELEY = ("9xkhgts2s6", 4)  # data set and version
ORIGIN = f"Mendeley Data {MENDELEY[0]}, version {MENDELEY[1]}"
LICENCE = "CC BY 4.0 by its page, not checked; the films come from sets with terms of their own"
CITATION = ("Sait et al., Mendeley Data (2022), doi 10.17632/9xkhgts2s6.4; "
            "Applied Soft Computing 109:107522 (2021), doi 10.1016/j.asoc.2021.107522")
LABELS = ("covid", "normal", "virus", "bacteria")
LAYOUT = "Curated X-Ray Dataset/{COVID-19,Normal,Pneumonia-Bacterial,Pneumonia-Viral}/<class> (<number>).jpg"
DOWNLOAD = "not known"
EXPECTED = {"covid": 1281, "normal": 3270, "virus": 1656, "bacteria": 3001}
OVERLAPS = "made from 15 public sets: never test on it what was trained on one of those, nor the other way round"

LABEL_OF = {"COVID-19": "covid", "Normal": "normal", "Pneumonia-Viral": "virus", "Pneumonia-Bacterial": "bacteria"}

PATH = re.compile(r"(?:^|/)((COVID-19|Normal|Pneumonia-Bacterial|Pneumonia-Viral)/\2 ?\(\d+\)\.(?i:jpe?g|png))$")


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    return by_name(names, describe)


def describe(name: str) -> dict | None:
    place = PATH.search(name)
    return place and {"member": place[1], "label": LABEL_OF[place[2]], "group_quality": "none"}


def simulate(labels: Sequence[str], settings: Phantom, seed: int) -> Iterator[tuple[str, bytes]]:
    """Phantoms as JPEG, some in colour, one folder deeper as archives of it are often unpacked."""
    folder_of = {label: folder for folder, label in LABEL_OF.items()}
    planned = twin.plan(labels, settings, seed)
    formats = [(".jpg", "rgb" if number % 4 == 3 else "gray") for number in range(len(planned))]
    numbers = Counter()
    for (label, _), (film, _) in zip(planned, twin.render([plan for _, plan in planned], formats, settings),
                                     strict=True):
        numbers[label] += 1
        folder = folder_of[label]
        yield f"Curated X-Ray Dataset/Curated X-Ray Dataset/{folder}/{folder} ({numbers[label]}).jpg", film

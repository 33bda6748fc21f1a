"""Sachinkumar: 5,228 films of 256x256 pixels collected on Kaggle. Nothing is known of patients and origins."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from thorax.datasets._files import by_name
from thorax.phantom import twin
from thorax.recipe import Phantom

TITLE = "COVID-19, pneumonia and normal chest X-ray images, sachinkumar413"
KAGGLE = "sachinkumar413/covid-pneumonia-normal-chestxray-images"
ORIGIN = f"Kaggle {KAGGLE}"
LICENCE = "not stated; look at the page before use"
CITATION = f"no paper of its own; https://www.kaggle.com/datasets/{KAGGLE}"
LABELS = ("covid", "normal", "pneumonia")
LAYOUT = "{COVID,NORMAL,PNEUMONIA}/*.png"
DOWNLOAD = "not known"
EXPECTED = {"covid": 1626, "normal": 1802, "pneumonia": 1800}

# Kermany and Prashant have class folders of these names as well, below train, val and test.
PATH = re.compile(r"(?:^|/)((COVID|NORMAL|PNEUMONIA)/[^/]+\.(?:png|jpe?g))$")
OTHER_SETS = re.compile(r"(?:^|/)(?:train|val|test)/[^/]+/[^/]+$")


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    return by_name(names, describe)


def describe(name: str) -> dict | None:
    place = PATH.search(name)
    if not place or OTHER_SETS.search(name):
        return None
    return {"member": place[1], "label": place[2].lower(), "group_quality": "none"}


def simulate(labels: Sequence[str], settings: Phantom, seed: int) -> Iterator[tuple[str, bytes]]:
    planned = twin.plan(labels, settings, seed)
    films = twin.render([plan for _, plan in planned], [(".png", "gray")] * len(planned), settings)
    for number, ((label, _), (film, _)) in enumerate(zip(planned, films, strict=True), 1):
        yield f"{label.upper()}/{label.upper()}_{number}.png", film

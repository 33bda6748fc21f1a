"""Covid-ieee: 1,823 films collected by Sid on Kaggle, JPEG, PNG and JFIF mixed. Nothing is known of patients."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from thorax.datasets._files import by_name
from thorax.phantom import twin
from thorax.recipe import Phantom

TITLE = "COVID CXR image data set (research), sid321axn"
KAGGLE = "sid321axn/covid-cxr-image-dataset-research"
ORIGIN = f"Kaggle {KAGGLE}"
LICENCE = "not stated; look at the page before use"
CITATION = f"no paper of its own; https://www.kaggle.com/datasets/{KAGGLE}"
LABELS = ("covid", "normal", "virus")
LAYOUT = "COVID_IEEE/{covid,normal,virus}/*.{jpg,jpeg,png,jfif}"
DOWNLOAD = "not known"
EXPECTED = {"covid": 536, "normal": 668, "virus": 619}

# The class folders have common names: they count below COVID_IEEE, or where the user's folder is COVID_IEEE itself.
PATH = re.compile(r"(?:^|(?:^|/)COVID_IEEE/)((covid|normal|virus)/[^/]+\.(?:jpe?g|png|jfif))$", re.IGNORECASE)

FORMATS = ((".jpg", "gray"), (".png", "gray"), (".jpeg", "rgb"), (".jfif", "gray"), (".png", "rgba"))


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    return by_name(names, describe)


def describe(name: str) -> dict | None:
    place = PATH.search(name)
    return place and {"member": place[1], "label": place[2].lower(), "group_quality": "none"}


def simulate(labels: Sequence[str], settings: Phantom, seed: int) -> Iterator[tuple[str, bytes]]:
    planned = twin.plan(labels, settings, seed)
    formats = [FORMATS[number % len(FORMATS)] for number in range(len(planned))]
    films = twin.render([plan for _, plan in planned], formats, settings)
    for number, ((label, _), (extension, _), (film, _)) in enumerate(zip(planned, formats, films, strict=True), 1):
        yield f"COVID_IEEE/{label}/{label} ({number}){extension}", film

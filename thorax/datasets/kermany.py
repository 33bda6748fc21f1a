"""Kermany: 5,856 films of children of one hospital (Guangzhou), normal, bacterial and viral pneumonia.

The file name is all that is known of a film. `personN_bacteria_k` and `personN_virus_k` count N separately, so that
(subtype, N) is a group and N alone is not; a normal film's group is its `IM-n` or `NORMAL2-IM-n` prefix. No patient
map was ever published: these are file-name groups.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from thorax.datasets._files import SECOND_COPY, by_name
from thorax.phantom import FilmPlan, twin
from thorax.recipe import Phantom

TITLE = "chest X-ray images (pneumonia), Kermany 2018"
KAGGLE = "paultimothymooney/chest-xray-pneumonia"
ORIGIN = f"Kaggle {KAGGLE}"
LICENCE = "CC BY 4.0"
CITATION = "Kermany et al., Cell 172:1122 (2018), doi 10.1016/j.cell.2018.02.010"
LABELS = ("normal", "bacteria", "virus")
LAYOUT = "chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg"
DOWNLOAD = "about 2.5 GB"
EXPECTED = {"normal": 1583, "bacteria": 2780, "virus": 1493}
OVERLAPS = ("its train/NORMAL lies in radiography's Normal, its train virus is radiography's Viral Pneumonia; all of "
            "it is in prashant")

SECOND_TREE = re.compile(r"(?:^|/)chest_xray/chest_xray/")
PATH = re.compile(r"(?:^|/)(train|val|test)/(NORMAL|PNEUMONIA)/([^/]+)\.jpe?g$")
PNEUMONIA = re.compile(r"person(\d+)_(bacteria|virus)_\d+(?:_\d+)?$")  # one film is person447_virus_921_1
NORMAL = re.compile(r"((?:NORMAL2-)?IM-\d+)-\d+(?:-\d+)?$")


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    # A film that somebody took out of the first tree must not come back from the second.
    if any(describe_file(name) and not SECOND_TREE.search(name) for name in names):
        return by_name(names, lambda name: SECOND_COPY if SECOND_TREE.search(name) else describe_file(name))
    return by_name(names, describe_file)


def describe_file(name: str) -> dict | None:
    place = PATH.search(name)
    row = place and describe(*place.groups())
    return row and {"member": place.groups()} | row


def describe(part: str, folder: str, stem: str) -> dict[str, str] | None:
    pneumonia, normal = PNEUMONIA.match(stem), NORMAL.match(stem)
    if folder == "PNEUMONIA" and pneumonia:
        number, label = pneumonia.groups()
        group = f"{label}-{number}"
    elif folder == "NORMAL" and normal:
        label, group = "normal", normal.group(1)
    else:
        return None
    return {"label": label, "group": group, "group_quality": "filename", "source": "guangzhou", "part": part,
            "view": ""}


def simulate(labels: Sequence[str], settings: Phantom, seed: int) -> Iterator[tuple[str, bytes]]:
    """Phantoms under Kermany's names, some in colour, with the second copy of the tree and the resource forks of the
    download."""
    plans = [plan for _, plan in twin.plan(labels, settings, seed)]
    formats = [(".jpeg", "rgb" if number % 20 == 7 else "gray") for number in range(len(plans))]
    for number, (plan, (film, _)) in enumerate(zip(plans, twin.render(plans, formats, settings), strict=True)):
        name = f"train/{name_of(plan, number)}.jpeg"
        yield f"chest_xray/{name}", film
        yield f"chest_xray/chest_xray/{name}", film
        folder, _, file = name.rpartition("/")
        yield f"chest_xray/__MACOSX/{folder}/._{file}", twin.RESOURCE_FORK
    yield "chest_xray/.DS_Store", bytes(6148)


def name_of(plan: FilmPlan, number: int) -> str:
    patient = int(plan.patient[1:])
    if plan.finding == "normal":
        suffix = f"-{plan.film:04d}" if plan.film else ""
        return f"NORMAL/IM-{patient:04d}-0001{suffix}"
    subtype = {"bacterial": "bacteria", "viral": "virus"}[plan.finding]
    return f"PNEUMONIA/person{patient}_{subtype}_{number}"

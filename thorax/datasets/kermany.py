"""Kermany: 5,856 films of children of one hospital (Guangzhou), normal, bacterial and viral pneumonia.

The file name is all that is known of a film. `personN_bacteria_k` and `personN_virus_k` count N separately, so that
(subtype, N) is a group and N alone is not; a normal film's group is its `IM-n` or `NORMAL2-IM-n` prefix. No patient
map was ever published: these are file-name groups.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import cv2
import pandas as pd

from thorax.datasets import phantom
from thorax.phantom import FilmPlan, render_film
from thorax.recipe import Phantom
from thorax.running import worker_pool

TITLE = "chest X-ray images (pneumonia), Kermany 2018"
KAGGLE = "paultimothymooney/chest-xray-pneumonia"
ORIGIN = f"Kaggle {KAGGLE}"
LICENCE = "CC BY 4.0"
CITATION = "Kermany et al., Cell 172:1122 (2018), doi 10.1016/j.cell.2018.02.010"
LABELS = ("normal", "bacteria", "virus")
LAYOUT = "chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg"

PATH = re.compile(r"(?:^|/)(train|val|test)/(NORMAL|PNEUMONIA)/([^/]+)\.jpe?g$")
PNEUMONIA = re.compile(r"person(\d+)_(bacteria|virus)_\d+(?:_\d+)?$")  # one film is person447_virus_921_1
NORMAL = re.compile(r"((?:NORMAL2-)?IM-\d+)-\d+(?:-\d+)?$")

FINDING_OF = {"normal": "normal", "bacteria": "bacterial", "virus": "viral"}


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    rows, skipped = [], Counter()
    for name in names:
        place = PATH.search(name)
        if "__MACOSX" in name or name.rpartition("/")[2].startswith("._"):
            skipped["a resource fork of macOS, no film"] += 1
        elif not place:
            skipped["no film of this set by its name"] += 1
        elif "chest_xray/chest_xray/" in name:
            skipped["the second copy of the tree"] += 1
        elif row := describe(*place.groups()):
            rows.append({"path": name, **row})
        else:
            skipped["no film of this set by its name"] += 1
    return pd.DataFrame(rows), skipped


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
    """Phantoms under Kermany's names, with the second copy of the tree and the resource forks of the download."""
    plans = phantom.plan([FINDING_OF[label] for label in labels], settings, seed)
    with worker_pool() as pool:
        films = pool.map(partial(render, image_size=settings.image_size), plans, chunksize=8)
        for number, (plan, film) in enumerate(zip(plans, films, strict=True)):
            name = f"train/{name_of(plan, number)}.jpeg"
            yield f"chest_xray/{name}", film
            yield f"chest_xray/chest_xray/{name}", film
            folder, _, file = name.rpartition("/")
            yield f"chest_xray/__MACOSX/{folder}/._{file}", b"\x00\x05\x16\x07" + bytes(78)
    yield "chest_xray/.DS_Store", bytes(6148)


def name_of(plan: FilmPlan, number: int) -> str:
    patient = int(plan.patient[1:])
    if plan.finding == "normal":
        suffix = f"-{plan.film:04d}" if plan.film else ""
        return f"NORMAL/IM-{patient:04d}-0001{suffix}"
    subtype = {"bacterial": "bacteria", "viral": "virus"}[plan.finding]
    return f"PNEUMONIA/person{patient}_{subtype}_{number}"


def render(plan: FilmPlan, image_size: int) -> bytes:
    cv2.setNumThreads(1)  # one process per CPU already
    return phantom.encode(".jpeg", render_film(plan, image_size).image)

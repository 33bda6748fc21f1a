"""The embedded data set: films of simulated patients, with lung and lesion masks."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import cv2
import numpy as np
import pandas as pd

from thorax.phantom import FINDINGS, FilmPlan, render_film, twin
from thorax.recipe import Phantom
from thorax.running import worker_pool

TITLE = "simulated chest films"
ORIGIN = "thorax.phantom"
LICENCE = "MIT, as this project"
CITATION = "thorax/phantom/__init__.py"
LABELS = FINDINGS
LAYOUT = "films.csv, films/<film>.png, lungs/<film>.png and lesions/<film>.png"
DOWNLOAD = "nothing, simulated on the spot"


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    if "films.csv" not in names:
        return pd.DataFrame(), Counter()
    rows = pd.read_csv(io.BytesIO(read("films.csv")), dtype=str)
    films = pd.DataFrame({"path": "films/" + rows["film"] + ".png", "label": rows["finding"], "group": rows["patient"],
                          "group_quality": "metadata", "source": rows["scanner"], "part": "all", "view": rows["view"],
                          "lung_mask": "lungs/" + rows["film"] + ".png",
                          "lesion_mask": "lesions/" + rows["film"] + ".png"})
    masks = sum(name.startswith(("lungs/", "lesions/")) for name in names)
    return films, Counter({"a mask of lungs or lesion, not a film": masks})


def simulate(labels: Sequence[str], settings: Phantom, seed: int) -> Iterator[tuple[str, bytes]]:
    plans = [plan for _, plan in twin.plan(labels, settings, seed, dict(zip(FINDINGS, FINDINGS, strict=True)))]
    rows = pd.DataFrame([{"film": plan.film_id, "patient": plan.patient, "finding": plan.finding,
                          "scanner": plan.scanner, "view": plan.view} for plan in plans])
    yield "films.csv", rows.to_csv(index=False, lineterminator="\n").encode()
    with worker_pool() as pool:
        for plan_, files in zip(plans, pool.map(partial(render, image_size=settings.image_size), plans, chunksize=8),
                                strict=True):
            for folder, data in files.items():
                yield f"{folder}/{plan_.film_id}.png", data


def render(plan: FilmPlan, image_size: int) -> dict[str, bytes]:
    """The film and its masks (nonzero inside), as PNG, by the folder they lie in."""
    cv2.setNumThreads(1)  # one process per CPU already
    film = render_film(plan, image_size)
    inside = np.uint8(255)
    pictures = {"films": film.image, "lungs": film.lung_mask * inside, "lesions": film.lesion_mask * inside}
    return {folder: twin.encode(".png", "gray", picture) for folder, picture in pictures.items()}

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
LAYOUT = "films.csv, films/<film>.png and masks/<film>.png"
DOWNLOAD = "nothing, simulated on the spot"

# Bits of a mask's pixels.
LUNG, LESION = 1, 2


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    if "films.csv" not in names:
        return pd.DataFrame(), Counter()
    rows = pd.read_csv(io.BytesIO(read("films.csv")), dtype=str)
    films = pd.DataFrame({"path": "films/" + rows["film"] + ".png", "label": rows["finding"], "group": rows["patient"],
                          "group_quality": "metadata", "source": rows["scanner"], "part": "all", "view": rows["view"]})
    return films, Counter(masks=sum(name.startswith("masks/") for name in names))


def simulate(labels: Sequence[str], settings: Phantom, seed: int) -> Iterator[tuple[str, bytes]]:
    plans = [plan for _, plan in twin.plan(labels, settings, seed, dict(zip(FINDINGS, FINDINGS, strict=True)))]
    rows = pd.DataFrame([{"film": plan.film_id, "patient": plan.patient, "finding": plan.finding,
                          "scanner": plan.scanner, "view": plan.view} for plan in plans])
    yield "films.csv", rows.to_csv(index=False, lineterminator="\n").encode()
    with worker_pool() as pool:
        for plan_, (film, mask) in zip(plans, pool.map(partial(render, image_size=settings.image_size), plans,
                                                       chunksize=8), strict=True):
            yield f"films/{plan_.film_id}.png", film
            yield f"masks/{plan_.film_id}.png", mask


def render(plan: FilmPlan, image_size: int) -> tuple[bytes, bytes]:
    """The film and its mask, as PNG."""
    cv2.setNumThreads(1)  # one process per CPU already
    film = render_film(plan, image_size)
    mask = film.lung_mask * np.uint8(LUNG) + film.lesion_mask * np.uint8(LESION)
    return twin.encode(".png", "gray", film.image), twin.encode(".png", "gray", mask)

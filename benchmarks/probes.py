"""What the probes find on phantoms with and without confounding, and how large a box the lungs need.

    python -m benchmarks.probes

Simulates the films of the phantom study at confound 0 and 1 (two minutes on two cores), and writes the tables between
the markers of docs/probes.md. Expect: no alarm at confound 0; at 1 the alarm of all probes but the shuffled labels.
"""

import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from thorax import enhance
from thorax.datasets.phantom import plan
from thorax.phantom import render_film
from thorax.probes.battery import Films, probe
from thorax.probes.forest import reduced, without_box
from thorax.probes.judgement import share_right
from thorax.reader import load_params, load_study
from thorax.recipe import Study
from thorax.reporting.probe_tables import probe_lines
from thorax.reporting.results import fill
from thorax.running import worker_pool
from thorax.splits import PARTS, clusters, split

PAGE = Path("docs/probes.md")
BOXES = {"0.03 from each edge": (0.03, 0.97, 0.03, 0.97), "0.06, 0.10 at the bottom": (0.06, 0.90, 0.06, 0.94),
         "0.10": (0.10, 0.90, 0.10, 0.90), "0.125": (0.125, 0.875, 0.125, 0.875), "0.25": (0.25, 0.75, 0.25, 0.75)}


def main() -> None:
    params, study = load_params(), load_study("phantom")
    lines = []
    for confound in (0.0, 1.0):
        films, lesions = simulated(study, confound, params.seed)
        started, used = time.monotonic(), time.process_time()
        answers = probe(films, list(study.tasks["findings"]), study.probes, study.evaluate, params.seed)
        print(f"confound {confound:g}: {time.monotonic() - started:.0f} s, {time.process_time() - used:.0f} s of CPU")
        lines += [f"`confound: {confound:g}`, {len(films.labels)} films:", "",
                  *probe_lines("findings", answers)[2:]]
        if confound == 0:
            boxes = box_lines(films, lesions, study)
    page = fill(PAGE.read_text(), "probes_phantom", "\n".join(lines))
    PAGE.write_text(fill(page, "probes_box", "\n".join(boxes) + "\n"))
    print("\n".join([*lines, *boxes]))


def simulated(study: Study, confound: float, seed: int) -> tuple[Films, np.ndarray]:
    """The films of the phantom study, as its pipeline makes them, and the masks of their lesions."""
    settings = study.download.phantom.model_copy(update={"confound": confound})
    plans = plan(study.download.datasets["phantom"].labels, settings, seed)
    variant = study.enhance.variants[study.probes.films]
    with worker_pool() as pool:
        made = list(pool.map(partial(film_and_lesion, settings.image_size, variant), plans, chunksize=16))
    classes = list(study.tasks["findings"])
    labels, groups = [classes.index(each.finding) for each in plans], [f"phantom/{each.patient}" for each in plans]
    parts = split([f"phantom/films/{each.film_id}.png" for each in plans], [each.finding for each in plans],
                  clusters(groups), {part: getattr(study.split["grouped"], part) for part in PARTS}, seed)
    films = Films(np.stack([image for image, _ in made]), np.array(labels), np.array(groups),
                  np.array([each.scanner for each in plans]), parts)
    return films, np.stack([lesion for _, lesion in made])


def film_and_lesion(image_size: int, variant, film) -> tuple[np.ndarray, np.ndarray]:
    cv2.setNumThreads(1)
    made = render_film(film, image_size)
    lesion = cv2.resize(made.lesion_mask.astype("uint8"), (variant.image_size,) * 2, interpolation=cv2.INTER_NEAREST)
    return enhance.build(variant.steps, variant.image_size)(made.image), lesion


def box_lines(films: Films, lesions: np.ndarray, study: Study) -> list[str]:
    """What is left of the lesions outside a box, and what the forest finds there, by cross-validation over all
    films: without confounding whatever it finds is the disease itself."""
    lines = ["| box, distance from the edges | lesion area outside | balanced accuracy |", "|---|---|---|"]
    small = reduced(films.images, study.probes.image_size)
    for name, box in BOXES.items():
        pixels = without_box(small, box).reshape(len(small), -1)
        forest = RandomForestClassifier(study.probes.trees, random_state=0, n_jobs=2)
        found = cross_val_predict(forest, pixels, films.labels, groups=films.groups,
                                  cv=StratifiedGroupKFold(5, shuffle=True, random_state=0))
        figure = share_right(films.labels, found, films.groups, study.evaluate.resamples, study.evaluate.level, 0)
        outside = without_box(lesions, box).sum() / lesions.sum()
        lines.append(f"| {name} | {outside:.1%} | {figure['value']:.3f} ({figure['low']:.3f} to "
                     f"{figure['high']:.3f}) |")
    return lines


if __name__ == "__main__":
    main()

"""A contact sheet: one row per finding, one column per patient, and below each row the same films with their masks
outlined."""

import cv2
import numpy as np

from thorax.phantom.film import render_film
from thorax.phantom.plan import FINDINGS, plan_films

LABEL_HEIGHT = 22  # pixels of the strip above each row


def contact_sheet(seed: int, patients_per_finding: int = 6, image_size: int = 256) -> np.ndarray:
    """uint8 (rows, columns): per finding a label, a row of films and the same row with lung outline (white) and
    lesion outline (black on white). Raises ValueError as `plan_films` and `render_film` do."""
    if patients_per_finding < 1:
        raise ValueError(f"patients_per_finding is {patients_per_finding!r}; allowed: 1 or more")
    plans = plan_films({finding: patients_per_finding for finding in FINDINGS}, seed, films_per_patient=(1, 1))
    strips = []
    for finding in FINDINGS:
        films = [render_film(plan, image_size) for plan in plans if plan.finding == finding]
        label = np.zeros((LABEL_HEIGHT, image_size * patients_per_finding), np.uint8)
        cv2.putText(label, finding, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.55, 255, 1, cv2.LINE_AA)
        strips += [label, np.hstack([film.image for film in films]), np.hstack([_outlined(film) for film in films])]
    return np.vstack(strips)


def _outlined(film) -> np.ndarray:
    picture = film.image.copy()
    for mask, colour, width in ((film.lung_mask, 255, 1), (film.lesion_mask, 255, 3), (film.lesion_mask, 0, 1)):
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, colour, width)
    return picture

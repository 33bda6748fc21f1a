"""What a classifier of chest films should refuse: blank pages, noise, text, a photograph's colours, turned films."""

from collections.abc import Callable

import cv2
import numpy as np

SIDE = 256  # pixels, of the pages drawn here, which then pass the same enhancement as films
MOST_FILMS = 16  # that are inverted or turned; with the pages they make one batch


def pages() -> dict[str, np.ndarray]:
    """Images that are no films, uint8 (256, 256) or (256, 256, 3), the same in every call."""
    random = np.random.default_rng(0)
    down, across = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    grain = random.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    clouds = cv2.GaussianBlur(grain.astype(np.float32), (0, 0), SIDE / 20)
    text = np.full((SIDE, SIDE), 255, np.uint8)
    for line in range(10):
        cv2.putText(text, f"{line + 1}. not a chest film, page of text", (4, 20 + 24 * line),
                    cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0, 1)
    gradient = np.stack([across, down, 1 - across], axis=-1)
    scene = (255 * gradient).astype(np.uint8)
    cv2.circle(scene, (150, 170), 60, (40, 160, 60), -1)
    cv2.rectangle(scene, (0, 200), (SIDE, SIDE), (90, 60, 20), -1)
    return {"grey page": np.full((SIDE, SIDE), 128, np.uint8), "black page": np.zeros((SIDE, SIDE), np.uint8),
            "white page": np.full((SIDE, SIDE), 255, np.uint8), "noise": grain,
            "clouds": cv2.normalize(clouds, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8),
            "page of text": text, "colour gradient": (255 * gradient).astype(np.uint8), "colour scene": scene}


def odd_inputs(films: np.ndarray, enhance: Callable[[np.ndarray], np.ndarray]) -> dict[str, np.ndarray]:
    """Odd inputs as they would reach the model, by name, each uint8 (m, side, side).

    Args: films, uint8 (n, side, side), enhanced as the model takes them: some are inverted, turned upside down and on
    their side as they are; `enhance` brings any image to the model's input.
    """
    some = np.asarray(films[:: max(1, -(-len(films) // MOST_FILMS))])
    made = {name: enhance(page)[None] for name, page in pages().items()}
    return made | {"inverted film": 255 - some, "film upside down": some[:, ::-1],
                   "film on its side": np.rot90(some, axes=(1, 2))}

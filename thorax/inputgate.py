"""The input gate: does an image look like the films that the model was trained on? If not, no answer is given.

A softmax is sure of itself on a blank page. The gate looks at the image, not at the model: brightness and contrast in a
grid of tiles and the strength of its edges, 34 numbers, and their Mahalanobis distance from the training films. It
refuses what is no chest film in this position; it cannot tell a film of another population, a lateral view from a
frontal one in every case, or a finding that was never trained.
"""

from itertools import pairwise

import numpy as np

from thorax.errors import ThoraxError

TILES = 4  # a side: coarse enough for any anatomy, fine enough to know a lung from the mediastinum
MOST_FILMS = 512  # of the training part, evenly spaced: 34 features need no more
# Of a feature's standard deviation; a border that is black on all training films would else refuse a grey level.
LEAST_SCALE = 0.01


def features(films) -> np.ndarray:
    """(n, 34) float64 of films, uint8 (n, side, side): mean and log standard deviation of 4 x 4 tiles, log mean
    absolute difference of neighbouring pixels along both axes; grey levels count as 0..1."""
    films = np.asarray(films)
    if films.ndim != 3 or films.dtype != np.uint8 or min(films.shape[1:]) < 2 * TILES:
        raise ThoraxError(f"the input gate takes films uint8 (n, side, side), not {films.dtype} {films.shape}")
    levels = films.astype(np.float64) / 255
    rows, columns = (np.linspace(0, side, TILES + 1).astype(int) for side in films.shape[1:])
    tiles = [levels[:, top:bottom, left:right] for top, bottom in pairwise(rows)
             for left, right in pairwise(columns)]
    # One grey level is added before each logarithm, a tenth for the mean difference: both can be zero.
    spread = [np.log(tile.std(axis=(1, 2)) + 1 / 255) for tile in tiles]
    edges = [np.log(np.abs(np.diff(levels, axis=axis)).mean(axis=(1, 2)) + 0.1 / 255) for axis in (1, 2)]
    return np.stack([tile.mean(axis=(1, 2)) for tile in tiles] + spread + edges, axis=1)


def fit(training, validation, accepts: float) -> dict:
    """The gate, JSON-ready, of films uint8 (n, side, side) of the training and the validation part.

    The covariance is shrunk (Ledoit & Wolf, J Multivar Anal 88:365, 2004), so that it can be inverted whatever the
    number of films. The threshold is the distance that the share `accepts` of the validation films stays within; with
    fewer than 1 / (1 - accepts) of them it is the largest.
    """
    numbers = features(training)
    mean, scale = numbers.mean(axis=0), np.maximum(numbers.std(axis=0), LEAST_SCALE)
    gate = {"mean": mean.tolist(), "scale": scale.tolist(),
            "precision": np.linalg.inv(shrunk_covariance((numbers - mean) / scale)).tolist(),
            "accepts": accepts, "training_films": len(numbers), "validation_films": len(validation)}
    return gate | {"threshold": float(np.quantile(distances(gate, validation), accepts, method="higher"))}


def distances(gate: dict, films) -> np.ndarray:
    """(n,) Mahalanobis distance of films, uint8 (n, side, side), from the training films, in standard deviations."""
    numbers = (features(films) - np.array(gate["mean"])) / np.array(gate["scale"])
    return np.sqrt(np.einsum("ni,ij,nj->n", numbers, np.array(gate["precision"]), numbers))


def refused(gate: dict, films) -> np.ndarray:
    """(n,) bool: which films, uint8 (n, side, side), the gate refuses."""
    return distances(gate, films) > gate["threshold"]


def sample(rows: np.ndarray) -> np.ndarray:
    """At most `MOST_FILMS` of the rows, evenly spaced."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_FILMS)).astype(int))]


def shrunk_covariance(centred: np.ndarray) -> np.ndarray:
    """Ledoit and Wolf's covariance (d, d) of centred numbers (n, d); the identity where they do not vary at all."""
    n, d = centred.shape
    empirical = centred.T @ centred / n
    target = np.trace(empirical) / d * np.eye(d)
    distance = ((empirical - target) ** 2).sum()
    if not distance > 0:
        return np.eye(d)
    noise = (((centred**2).T @ centred**2).sum() / n - (empirical**2).sum()) / n
    share = min(noise / distance, 1.0)
    return share * target + (1 - share) * empirical

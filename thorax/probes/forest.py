"""The small model of the probes: a random forest on the pixels of reduced films.

On confounded phantoms it finds more of the shortcuts than linear and kernel classifiers on principal components, and
than a small convolutional network after six epochs. It also knows its training films by heart, as a search for leaks
wants.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from thorax.running import usable_cpus


def reduced(films: np.ndarray, side: int) -> np.ndarray:
    """Films, uint8 (n, any, any), reduced to (n, side, side) by the mean of areas."""
    return np.stack([cv2.resize(np.ascontiguousarray(film), (side, side), interpolation=cv2.INTER_AREA)
                     for film in films])


def without_box(films: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """A copy with the box black; its top, bottom, left and right are fractions of the side, rounded to pixels."""
    top, bottom, left, right = (round(films.shape[1] * edge) for edge in box)
    films = films.copy()
    films[:, top:bottom, left:right] = 0
    return films


def border_only(films: np.ndarray, width: float) -> np.ndarray:
    """A copy with all black but the outer ring of `width`, a fraction of the side; one pixel at least."""
    edge = max(1, round(films.shape[1] * width)) / films.shape[1]
    return without_box(films, (edge, 1 - edge, edge, 1 - edge))


def trained_and_tested(films: np.ndarray, labels: np.ndarray, train: np.ndarray, trees: int, seed: int) -> np.ndarray:
    """The classes, int, that a forest trained on the rows `train`, bool (n,), gives the other rows.

    The same result for any number of processors.
    """
    pixels = films.reshape(len(films), -1)
    forest = RandomForestClassifier(trees, random_state=seed, n_jobs=usable_cpus()).fit(pixels[train], labels[train])
    forest.set_params(n_jobs=1)  # threads would add the trees up in the order in which they finish
    shares = np.bincount(labels[train]) / train.sum()
    return forest.classes_[most_probable(forest.predict_proba(pixels[~train]), shares[forest.classes_])]


def most_probable(probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The class of highest probability if all classes were equally frequent: balanced accuracy asks for that one.

    Args: probabilities (n, k); shares (k,) of the classes among the training films. Returns int (n,).
    """
    return (probabilities / shares).argmax(axis=1)


def shuffled_by_group(labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Labels, int (n,), dealt out anew among the groups: every group takes the label of another one's first film.

    Films of one group keep a common label, so that a model that knows a test film's group from training knows its
    label: nothing else can tell it.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    return np.random.default_rng(seed).permutation(labels[first])[group]

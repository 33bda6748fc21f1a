"""Do the heat maps depend on what the model has learnt (Adebayo et al., arXiv 1810.03292)?

The weights are shuffled from the output downwards: first those of the head, then those of the base's last block too. A
heat map that explains the model must become another one; one that stays, as an edge detector's does, explains the film.
Shuffled within each array, not drawn anew: the values keep their spread, whatever layer they belong to.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pandas as pd

from thorax.backend import keras
from thorax.intervals import ALL_ALIKE, ratio_with_interval
from thorax.models import base_layers

UNCHANGED = 0.7  # a rank correlation from which on maps count as unchanged: half of the ranks' variance is shared


def levels(model: keras.Model) -> dict[str, list]:
    """The layers whose weights each level of the cascade shuffles, in addition to those of the levels before it.

    The last block are the layers with weights that work at the resolution of the last one before the feature maps.
    """
    base = base_layers(model)
    head = [layer for layer in model.layers if layer not in base and layer.weights]
    weighted = [layer for layer in base if layer.weights]
    side = weighted[-1].output.shape[1:3]
    return {"head": head, "last_block": [layer for layer in weighted if layer.output.shape[1:3] == side]}


def shuffle(layers: Sequence, random: np.random.Generator) -> None:
    """Shuffle each array of weights in itself."""
    for layer in layers:
        layer.set_weights([random.permutation(array.ravel()).reshape(array.shape) for array in layer.get_weights()])


def randomised(model: keras.Model, explain: Callable, films: np.ndarray, classes: np.ndarray, draws: int,
               seed: int) -> dict[str, np.ndarray]:
    """The maps (draws, n, side, side) that `explain(films, classes)` draws at each level, `draws` times; the model has
    its own weights again afterwards."""
    cascade = levels(model)
    touched = [(layer, layer.get_weights()) for layers in cascade.values() for layer in layers]
    maps = {level: [] for level in cascade}
    for draw in range(draws):
        random = np.random.default_rng([seed, draw])
        try:
            for level, layers in cascade.items():
                shuffle(layers, random)
                maps[level].append(explain(films, classes))
        finally:
            for layer, weights in touched:
                layer.set_weights(weights)
    return {level: np.stack(found) for level, found in maps.items()}


def check(trained: np.ndarray, shuffled: dict[str, np.ndarray], groups, resamples: int, level: float,
          seed: int) -> dict:
    """How alike the maps are before, (n, side, side), and after shuffling, as `randomised` gives them, with intervals
    over the groups of the films (n,); and the verdict.

    A film's figure is its mean over the draws. A map that became empty has changed: its rank correlation is 0, and
    `empty` is the share of such maps. A film whose map was empty before is left out: nothing could change.
    The verdict is on the last level's rank correlation: `pass` if its upper bound is below UNCHANGED, `fail` if its
    lower bound is not, else `undecided`; also where there is no interval.
    """
    kept, found = trained.any(axis=(1, 2)), {}
    before, groups = trained[kept], np.asarray(groups)[kept]
    for name, maps in shuffled.items():
        after = maps[:, kept]
        found[name] = {"empty": round(float((~after.any(axis=(2, 3))).mean()), 6) if kept.any() else None}
        for title, likeness in (("rank_correlation", rank_correlation), ("ssim", ssim)):
            values = np.mean([likeness(before, one) for one in after], axis=0)
            found[name][title] = ratio_with_interval(values, np.ones(len(values)), groups, resamples, level, seed)
    last = list(found.values())[-1]["rank_correlation"]
    return {"films": int(kept.sum()), "draws": len(maps), "unchanged": UNCHANGED, "verdict": verdict(last),
            "levels": found}


def verdict(entry: dict) -> str:
    """pass, fail or undecided, of a mean rank correlation with its interval."""
    low, high = entry["low"], entry["high"]
    if entry.get("reason") == ALL_ALIKE:  # as of a method that gives the same map for any weights
        low = high = entry["value"]
    if low is None:
        return "undecided"
    return "fail" if low >= UNCHANGED else "pass" if high < UNCHANGED else "undecided"


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation (n,) of pairs of maps (n, side, side), over their pixels; ties share their mean rank.
    0 where a map is the same everywhere, which orders no pixels."""
    pixels = (len(first), first.shape[1] * first.shape[2])
    ranks = [pd.DataFrame(maps.reshape(pixels)).rank(axis=1).to_numpy() for maps in (first, second)]
    first, second = (each - each.mean(axis=1, keepdims=True) for each in ranks)
    spread = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.divide((first * second).sum(axis=1), spread, out=np.zeros(len(first)), where=spread > 0)


def ssim(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Structural similarity (n,) of pairs of maps (n, side, side) in [0, 1]: the mean over the pixels, with the
    published constants and Gaussian window (Wang et al., IEEE Trans Image Process 13:600, 2004)."""
    return np.array([_ssim(a.astype(np.float64), b.astype(np.float64)) for a, b in zip(first, second, strict=True)])


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    def local(image):
        return cv2.GaussianBlur(image, (11, 11), 1.5)

    mean_a, mean_b = local(a), local(b)
    variance_a, variance_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    covariance = local(a * b) - mean_a * mean_b
    light, contrast = 0.01**2, 0.03**2
    return float(((2 * mean_a * mean_b + light) * (2 * covariance + contrast)
                  / ((mean_a**2 + mean_b**2 + light) * (variance_a + variance_b + contrast))).mean())

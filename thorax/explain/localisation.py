"""Does the evidence lie where it should: how much of a heat map falls inside a mask, and does its peak.

Two figures. The energy ratio is the share of the maps' energy (sum over pixels) inside the masks over the share of the
film that the masks cover: a map that knows nothing of the masks, such as a flat one, gets 1. The hit rate is that of
the pointing game (Zhang et al., arXiv 1608.00507), without tolerance: is the map's highest pixel inside? By chance it
is as often as the share of the film that the masks cover.
"""

from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd

from thorax.intervals import ratio_with_interval, share_with_interval
from thorax.packed import LESION, LUNG

BITS = {"lung": LUNG, "lesion": LESION}
BATCH = 32  # films at once


def inside(heat: np.ndarray, masks: np.ndarray) -> pd.DataFrame:
    """Of heat maps, float (n, side, side), and masks, bool of the same shape, a row each: `area`, the share of the film
    inside the mask; `energy`, the share of the map's energy there; `hit`, 1 if the map's highest pixel is there, 0 if
    not, and between them where several are the highest.

    An empty map has no energy (NaN) and misses. A film with an empty mask has nothing to find: all three are NaN.
    """
    total, peak = heat.sum(axis=(1, 2), dtype=float), heat.max(axis=(1, 2), keepdims=True)
    found, drawn = masks.any(axis=(1, 2)), total > 0
    highest = heat == peak
    energy = np.divide((heat * masks).sum(axis=(1, 2), dtype=float), total, out=np.full(len(heat), np.nan), where=drawn)
    hit = np.where(drawn, (highest & masks).sum(axis=(1, 2)) / highest.sum(axis=(1, 2)), 0.0)
    area = masks.mean(axis=(1, 2))
    measured = {"area": area, "energy": energy, "hit": hit}
    return pd.DataFrame({name: np.where(found, values, np.nan) for name, values in measured.items()})


def measure(explain: Callable, films: np.ndarray, rows: np.ndarray, classes: np.ndarray,
            masks: np.ndarray) -> pd.DataFrame:
    """The heat maps of `films[rows]` for one class each against their masks, one row per film.

    Args: films uint8 (all, side, side); rows and classes int (n,); masks uint8 (all, side', side') of bits, or
    (all, 0, 0) where there are none. Returns `empty` (bool: nothing speaks for the class) and, with the prefixes
    `lung_` and `lesion_`, what `inside` gives.
    """
    found = []
    for start in range(0, len(rows), BATCH):
        chosen = rows[start:start + BATCH]
        heat, bits = explain(np.asarray(films[chosen]), classes[start:start + BATCH]), np.asarray(masks[chosen])
        batch = pd.DataFrame({"empty": ~heat.any(axis=(1, 2))})
        side = bits.shape[1]
        if side:
            # The masks are the finer ones: a thin lesion would be lost at the size of the smallest films.
            heat = np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_LINEAR) for one in heat])
        for name, bit in BITS.items():
            part = (inside(heat, bits & bit > 0) if side else
                    pd.DataFrame(np.nan, batch.index, ["area", "energy", "hit"]))
            batch = batch.join(part.add_prefix(f"{name}_"))
        found.append(batch)
    return pd.concat(found, ignore_index=True)


def summary(cases: pd.DataFrame, names: list[str], resamples: int, level: float, seed: int) -> dict:
    """What `measure` found (with the columns group, label and predicted), for all right decisions, all wrong ones, and
    the right ones by class: `{"lung": {"right": {...}, "wrong": {...}, "right_<class>": {...}}, "lesion": ...}`.

    A wrong decision's map shows the evidence for a class that the film is not of, so it is counted apart. A kind of
    mask that no film has is left out, and so is a selection without such a film.
    """
    right = cases["label"] == cases["predicted"]
    selections = {"right": right, "wrong": ~right} | {f"right_{name}": right & (cases["label"] == name)
                                                      for name in names}
    result = {}
    for kind in BITS:
        for selection, chosen in selections.items():
            own = cases[chosen & cases[f"{kind}_area"].notna()]
            if own.empty:
                continue
            area, energy, hit = (own[f"{kind}_{column}"].to_numpy() for column in ("area", "energy", "hit"))
            settings = (own["group"], resamples, level, seed)
            result.setdefault(kind, {})[selection] = {
                "films": len(own), "area": round(float(area.mean()), 6),
                "energy_ratio": ratio_with_interval(energy, area, *settings),
                "hit_rate": share_with_interval(hit, *settings)}
    return result

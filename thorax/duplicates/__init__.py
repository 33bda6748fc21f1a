"""Near-duplicates: the same film, stored again in another format, size or compression.

Checksums miss them all, and chest films are too alike for 64-bit difference hashes. A film is reduced to 16x16 by area
averaging, without regard to its aspect, and z-scored; two films whose cosine is above .99 are near-duplicates. Cropped,
turned, mirrored or locally edited copies are not found.
"""

import cv2
import numpy as np

SIDE = 16
THRESHOLD = 0.99
ROWS = 4096  # of a block of cosines: 64 MB of float32
SLACK = 1e-4  # the float32 product is off by about 1e-6


def thumbnail(film: np.ndarray) -> np.ndarray:
    """A decoded film, uint8 (height, width) or (height, width, 3) RGB, both sides at least 16, as uint8 (16, 16).

    Whole numbers, so that it is the same everywhere; the rounding moved no cosine of 3,555 real pairs by 5e-4."""
    if film.ndim == 3:
        film = cv2.cvtColor(film, cv2.COLOR_RGB2GRAY)
    return cv2.resize(film, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def pairs(a: np.ndarray, b: np.ndarray | None = None, threshold: float = THRESHOLD) -> tuple[np.ndarray, np.ndarray]:
    """The near-duplicates among the thumbnails `a`, or between `a` and `b`.

    Args: a (n, 16, 16) and b (m, 16, 16), uint8; threshold, in (0, 1).

    Returns: the pairs, int (p, 2), sorted: rows of `a` with a larger row of `a`, or with a row of `b`; and their
    cosines, (p,) float64 above the threshold. A thumbnail of one gray level has no direction and is in no pair.

    A float32 matrix product, block by block, finds the candidates; whole numbers decide them, so that the answer is the
    same on every machine. Memory: 1 kB a film, one block, and the pairs.
    """
    first, second = directions(a), directions(a if b is None else b)
    others, found = (a if b is None else b), []
    for top in range(0, len(first), ROWS):
        # Within one set a pair is looked at once: blocks below the diagonal are left out.
        for left in range(top if b is None else 0, len(second), ROWS):
            near = first[top:top + ROWS] @ second[left:left + ROWS].T > threshold - SLACK
            rows = np.argwhere(np.triu(near, 1) if b is None and left == top else near)
            found.append(rows + np.array([top, left]))
    candidates = np.concatenate(found) if found else np.empty((0, 2), int)
    candidates = candidates[np.lexsort(candidates.T[::-1])]
    cosines = np.concatenate([exact_cosines(a[some[:, 0]], others[some[:, 1]])
                              for some in np.array_split(candidates, len(candidates) // ROWS + 1)])
    kept = cosines > threshold
    return candidates[kept], cosines[kept]


def directions(thumbnails: np.ndarray) -> np.ndarray:
    """float32 (n, 256): z-scored and of length 1; zeros where all pixels are equal."""
    flat = thumbnails.reshape(len(thumbnails), SIDE * SIDE).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, length, out=np.zeros_like(flat), where=thumbnails.max((1, 2), initial=0)[:, None]
                     > thumbnails.min((1, 2), initial=255)[:, None])


def exact_cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) float64 for n pairs of thumbnails that are not constant: sums of whole numbers, one root, one division."""
    x, y = (each.reshape(len(each), SIDE * SIDE).astype(np.int64) for each in (a, b))
    n, sum_x, sum_y = SIDE * SIDE, x.sum(axis=1), y.sum(axis=1)
    covariance = n * (x * y).sum(axis=1) - sum_x * sum_y
    spread_x, spread_y = (n * (each**2).sum(axis=1) - total**2 for each, total in ((x, sum_x), (y, sum_y)))
    return covariance / (np.sqrt(spread_x.astype(float)) * np.sqrt(spread_y.astype(float)))

"""Random changes of training films: one affine map, one table of gray levels and noise per film.

The random numbers are keyed by seed, epoch and film, so that a film's change depends neither on the batch size nor on
the order in which films are read.
"""

import cv2
import numpy as np

from thorax.recipe import Augment


def augment(film: np.ndarray, recipe: Augment, seed: int, epoch: int, number: int) -> np.ndarray:
    """The changed copy of a film, uint8 (side, side).

    Rotation is drawn from +-rotate degrees, shifts from +-shift of the side per axis, the zoom factor from
    1 -+ zoom; the border is mirrored. Gray levels are scaled by 1 -+ brightness, then spread around their mean by
    1 -+ contrast, and clipped. Each pixel is then multiplied with speckle around 1, noise is added to it, and it is
    clipped and rounded.
    """
    key = [seed, (epoch << 32) | number]
    random = np.random.Generator(np.random.Philox(key=key))
    # All numbers are drawn whether used or not: switching one change on leaves the others as they were.
    flip, rotate, shift_x, shift_y, zoom, brightness, contrast = random.uniform(-1, 1, 7)
    if flip < 2 * recipe.flip - 1:
        film = film[:, ::-1]
    side = film.shape[0]
    if recipe.rotate or recipe.shift or recipe.zoom:
        centre = ((side - 1) / 2, (side - 1) / 2)
        matrix = cv2.getRotationMatrix2D(centre, recipe.rotate * rotate, 1 + recipe.zoom * zoom)
        matrix[:, 2] += recipe.shift * side * shift_x, recipe.shift * side * shift_y
        # Linear interpolation blurs: a network trained on blurred films takes sharp ones for reticulation.
        film = cv2.warpAffine(np.ascontiguousarray(film), matrix, (side, side), flags=cv2.INTER_CUBIC,
                              borderMode=cv2.BORDER_REFLECT_101)
    if recipe.brightness or recipe.contrast:
        levels = np.arange(256) * (1 + recipe.brightness * brightness)
        mean = film.mean() * (1 + recipe.brightness * brightness)
        levels = mean + (levels - mean) * (1 + recipe.contrast * contrast)
        film = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[film]
    if recipe.noise or recipe.speckle:
        noise, speckle = (np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, stream]))
                          for stream in (1, 2))  # of their own: one may be switched on without changing the other
        values = film * (1 + recipe.speckle * speckle.standard_normal(film.shape, np.float32))
        values += 255 * recipe.noise * noise.standard_normal(film.shape, np.float32)
        film = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return film

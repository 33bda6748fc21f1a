"""Grad-CAM: where on the film the evidence for a class lies (Selvaraju et al., arXiv 1610.02391)."""

from collections.abc import Callable

import cv2
import numpy as np

from thorax.backend import gradients, keras
from thorax.models import FEATURES, part


def explainer(model: keras.Model) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The function that draws the heat maps of films, uint8 (n, side, side), for one class each, int (n,), with the
    weights that `model` has when it is called.

    The channels of the base's last feature maps are weighted with the mean gradient of the class's logit, summed and
    cut at zero. It returns float32 (n, side, side); each map's maximum is 1, or 0 where nothing speaks for the class.
    """
    base, head = part(model, None, FEATURES), part(model, FEATURES, "logits")

    def explain(films: np.ndarray, classes: np.ndarray) -> np.ndarray:
        # Called directly: for some batches `predict` would compile longer than it computes.
        maps = keras.ops.convert_to_numpy(base(films, training=False))
        slopes = gradients(head, maps, classes)
        heat = np.maximum((maps * slopes.mean(axis=(1, 2), keepdims=True)).sum(axis=-1), 0)
        side = films.shape[1]
        heat = np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_LINEAR) for one in heat])
        peak = heat.max(axis=(1, 2), keepdims=True)
        return np.divide(heat, peak, out=np.zeros_like(heat), where=peak > 0).astype("float32")

    return explain


def gradcam(model: keras.Model, films: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The heat maps of `explainer`, at once."""
    return explainer(model)(films, classes)

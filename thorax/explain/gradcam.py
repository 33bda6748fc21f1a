"""Grad-CAM: where on the film the evidence for a class lies (Selvaraju et al., arXiv 1610.02391)."""

import cv2
import numpy as np

from thorax.backend import gradients, keras
from thorax.models import FEATURES, part


def gradcam(model: keras.Model, films: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Heat maps of films, uint8 (n, side, side), for one class each, int (n,).

    The channels of the base's last feature maps are weighted with the mean gradient of the class's logit, summed and
    cut at zero. Returns float32 (n, side, side); each map's maximum is 1, or 0 where nothing speaks for the class.
    """
    maps = np.asarray(part(model, None, FEATURES).predict_on_batch(films))
    slopes = gradients(part(model, FEATURES, "logits"), maps, classes)
    heat = np.maximum((maps * slopes.mean(axis=(1, 2), keepdims=True)).sum(axis=-1), 0)
    side = films.shape[1]
    heat = np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_LINEAR) for one in heat])
    peak = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, peak, out=np.zeros_like(heat), where=peak > 0).astype("float32")

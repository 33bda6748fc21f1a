import cv2
import numpy as np
import pytest

from thorax import models
from thorax.backend import keras
from thorax.explain.gradcam import gradcam
from thorax.models import FEATURES, part

SIDE = 32
BRIGHT, DARK, NOTHING = 0, 1, 2  # what speaks for each class


@pytest.fixture(scope="module")
def detector() -> keras.Model:
    """A model whose weights are known: one map of what is brighter than middle gray, one of what is darker; the mean
    of the first speaks for class 0 and against 2, that of the second for class 1."""
    model = models.build("cnn", {"filters": [2], "batch_norm": False}, ["gap"], 3, SIDE)
    kernel = np.zeros((3, 3, 1, 2), "float32")
    kernel[1, 1, 0] = 1, -1
    [convolution] = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    convolution.set_weights([kernel, np.zeros(2)])
    model.get_layer("logits").set_weights([np.array([[1.0, 0, -1], [0, 1, 0]]), np.zeros(3)])
    return model


def scene() -> np.ndarray:
    """A bright square above left and a dark one below right on middle gray."""
    film = np.full((SIDE, SIDE), 127, "uint8")
    film[4:12, 6:14] = 250
    film[20:28, 18:26] = 10
    return film


def test_the_map_is_high_where_the_evidence_is_and_only_there(detector):
    heat = gradcam(detector, np.stack([scene()] * 3), np.array([BRIGHT, DARK, NOTHING]))
    bright, dark = np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)
    bright[3:13, 5:15], dark[19:29, 17:27] = True, True  # a pixel more on each side: maps are half as fine
    assert heat[BRIGHT][5:11, 7:13].min() > 0.9 and heat[BRIGHT][~bright].max() < 0.05
    assert heat[DARK][21:27, 19:25].min() > 0.9 and heat[DARK][~dark].max() < 0.05


def test_a_film_without_evidence_has_an_empty_map_and_no_division_by_zero(detector):
    with np.errstate(all="raise"):
        heat = gradcam(detector, scene()[None], np.array([NOTHING]))
    np.testing.assert_array_equal(heat, np.zeros((1, SIDE, SIDE)))


def test_maps_have_the_films_size_and_a_peak_of_one(detector):
    heat = gradcam(detector, np.stack([scene(), scene()[::-1]]), np.array([BRIGHT, BRIGHT]))
    assert heat.shape == (2, SIDE, SIDE) and heat.dtype == np.float32
    np.testing.assert_allclose(heat.max(axis=(1, 2)), 1)
    assert heat.min() == 0


def test_a_map_moves_with_its_evidence(detector):
    film = scene()
    first, turned = gradcam(detector, np.stack([film, film[::-1, ::-1]]), np.array([BRIGHT, BRIGHT]))
    np.testing.assert_allclose(turned, first[::-1, ::-1], atol=1e-5)


def test_each_film_is_explained_for_its_own_class_alone(detector):
    together = gradcam(detector, np.stack([scene()] * 3), np.array([DARK, BRIGHT, DARK]))
    for heat, number in zip(together, (DARK, BRIGHT, DARK), strict=True):
        np.testing.assert_allclose(heat, gradcam(detector, scene()[None], np.array([number]))[0], atol=1e-6)


def test_the_map_is_the_published_formula():
    # With global average pooling and one layer the weights of the channels are known: kernel / (height * width).
    keras.utils.set_random_seed(0)
    model = models.build("cnn", {"filters": [4, 6]}, ["gap"], 3, SIDE)
    films = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE)).astype("uint8")
    classes = np.array([0, 1, 2])
    maps = keras.ops.convert_to_numpy(part(model, None, FEATURES)(films, training=False))
    kernel = model.get_layer("logits").get_weights()[0]
    for film, number, heat in zip(maps, classes, gradcam(model, films, classes), strict=True):
        expected = cv2.resize(np.maximum(film @ kernel[:, number], 0), (SIDE, SIDE))
        np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-4)


def test_the_model_is_as_it_was_afterwards(detector):
    before, layers = detector.get_weights(), list(detector.layers)
    gradcam(detector, scene()[None], np.array([BRIGHT]))
    for old, new in zip(before, detector.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert detector.layers == layers

import numpy as np
import pytest

from thorax.backend import keras
from thorax.models.heads import head


def model(steps: list, classes: int = 3) -> keras.Model:
    maps = keras.Input((4, 4, 5))
    return keras.Model(maps, head(maps, steps, classes))


def kinds(made: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in made.layers[1:]]


def test_the_steps_become_layers_in_their_order():
    made = model(["gap", {"dropout": 0.3}, {"dense": 7}, {"dropout": 0.4}, {"dense": 6}])
    assert kinds(made) == ["GlobalAveragePooling2D", "Dropout", "Dense", "Dropout", "Dense", "Dense", "Activation"]
    assert [layer.rate for layer in made.layers if hasattr(layer, "rate")] == [0.3, 0.4]
    assert [layer.units for layer in made.layers if hasattr(layer, "units")] == [7, 6, 3]
    assert [layer.activation.__name__ for layer in made.layers if hasattr(layer, "units")] == ["relu", "relu", "linear"]


def test_gap_averages_the_maps_and_flatten_keeps_their_places():
    maps = np.random.default_rng(0).normal(size=(2, 4, 4, 5)).astype("float32")
    pooled = {name: keras.ops.convert_to_numpy(keras.Model(made.input, made.get_layer("pooled").output)(maps))
              for name, made in ((name, model([name])) for name in ("gap", "flatten"))}
    np.testing.assert_allclose(pooled["gap"], maps.mean(axis=(1, 2)), atol=1e-6)
    np.testing.assert_array_equal(pooled["flatten"], maps.reshape(2, -1))


@pytest.mark.parametrize("classes", [2, 6])
def test_the_output_is_the_softmax_of_the_logits_in_float32(classes):
    made = model(["gap"], classes)
    maps = np.random.default_rng(0).normal(size=(8, 4, 4, 5)).astype("float32") * 5
    both = keras.Model(made.input, [made.get_layer("logits").output, made.get_layer("probabilities").output])
    logits, found = (keras.ops.convert_to_numpy(each) for each in both(maps))
    assert found.shape == (8, classes) and found.dtype == np.float32
    np.testing.assert_allclose(found, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), rtol=1e-5)

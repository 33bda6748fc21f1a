import numpy as np
import pytest

from thorax.backend import keras
from thorax.models import inputs

# All gray levels.
FILMS = np.arange(512).reshape(2, 16, 16).astype("uint8")


def of(layers) -> np.ndarray:
    film = inputs.film_input(16)
    return keras.ops.convert_to_numpy(keras.Model(film, layers(film))(FILMS))


@pytest.mark.parametrize("mode", ["tf", "caffe", "torch"])
def test_three_channels_are_what_keras_preprocesses_a_gray_film_to(mode):
    found = of(lambda film: inputs.three_channels(film, mode))
    rgb = np.repeat(FILMS[..., None], 3, axis=-1).astype("float32")
    expected = keras.applications.imagenet_utils.preprocess_input(rgb, data_format="channels_last", mode=mode)
    assert found.shape == (2, 16, 16, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)


def test_the_modes_differ():
    assert len({of(lambda film, mode=mode: inputs.three_channels(film, mode)).tobytes()
                for mode in ("tf", "caffe", "torch")}) == 3


def test_one_channel_runs_from_minus_one_at_black_to_one_at_white():
    found = of(inputs.one_channel)
    assert found.shape == (2, 16, 16, 1) and found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], FILMS / 127.5 - 1, atol=1e-6)
    assert (found.min(), found.max()) == (-1, 1)


def test_an_unknown_mode_is_refused():
    with pytest.raises(KeyError, match="rgb"):
        inputs.three_channels(inputs.film_input(16), "rgb")

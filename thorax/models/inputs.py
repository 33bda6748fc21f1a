"""The first layers of every model: from the film's gray levels, uint8 0..255, to what its base was trained on.

Standardisation is part of the model, so that training, evaluation, explanation and serving cannot differ in it.
"""

from thorax.backend import keras

# Of ImageNet, per channel on the scale 0..255 (keras.applications.imagenet_utils). `caffe` models take blue first; a
# gray film is equal in all channels, so that only the order of the means matters.
CAFFE_MEAN = [103.939, 116.779, 123.68]
TORCH_MEAN = [0.485 * 255, 0.456 * 255, 0.406 * 255]
TORCH_VARIANCE = [(0.229 * 255) ** 2, (0.224 * 255) ** 2, (0.225 * 255) ** 2]

# Scale and offset of the gray levels.
RANGES = {"signed": (1 / 127.5, -1.0), "unit": (1 / 255, 0.0)}

# Whatever the precision of the rest: half precision would round gray levels less a mean to halves.
EXACT = "float32"

# Of batch normalisation, where it is trained from scratch: a small study has some tens of steps an epoch, and with
# Keras' .99 the averages would lag behind the weights for epochs.
MOMENTUM = 0.9


def film_input(image_size: int):
    """A batch of films, uint8 (n, image_size, image_size)."""
    return keras.Input((image_size, image_size), dtype="uint8", name="film")


def levels(film):
    """The gray levels with an axis of channels: (n, side, side, 1)."""
    side = film.shape[1]
    return keras.layers.Reshape((side, side, 1))(film)


def one_channel(film, input_range: str = "signed"):
    """float32 (n, side, side, 1), in -1..1 (signed) or 0..1 (unit)."""
    scale, offset = RANGES[input_range]
    return keras.layers.Rescaling(scale, offset=offset, dtype=EXACT)(levels(film))


def three_channels(film, mode: str):
    """float32 (n, side, side, 3): for modes tf, caffe and torch as keras.applications' preprocess_input makes it, for
    signed and unit three times the one channel."""
    if mode in RANGES or mode == "tf":
        gray = one_channel(film, "signed" if mode == "tf" else mode)
        return keras.layers.Concatenate(dtype=EXACT)([gray, gray, gray])
    gray = keras.layers.Rescaling(1.0, dtype=EXACT)(levels(film))
    mean, variance = {"caffe": (CAFFE_MEAN, [1.0] * 3), "torch": (TORCH_MEAN, TORCH_VARIANCE)}[mode]
    colour = keras.layers.Concatenate(dtype=EXACT)([gray, gray, gray])
    return keras.layers.Normalization(mean=mean, variance=variance, dtype=EXACT)(colour)

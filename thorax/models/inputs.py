"""The first layers of every model: from the film's gray levels, uint8 0..255, to what its base was trained on.

Standardisation is part of the model, so that training, evaluation, explanation and serving cannot differ in it.
"""

from thorax.backend import keras

# Of ImageNet, per channel on the scale 0..255 (keras.applications.imagenet_utils). `caffe` models take blue first; a
# gray film is equal in all channels, so that only the order of the means matters.
CAFFE_MEAN = [103.939, 116.779, 123.68]
TORCH_MEAN = [0.485 * 255, 0.456 * 255, 0.406 * 255]
TORCH_VARIANCE = [(0.229 * 255) ** 2, (0.224 * 255) ** 2, (0.225 * 255) ** 2]

# Of batch normalisation, where it is trained from scratch: a small study has some tens of steps an epoch, and with
# Keras' .99 the averages would lag behind the weights for epochs.
MOMENTUM = 0.9


def film_input(image_size: int):
    """A batch of films, uint8 (n, image_size, image_size)."""
    return keras.Input((image_size, image_size), dtype="uint8", name="film")


def one_channel(film):
    """float32 (n, side, side, 1), in -1..1."""
    side = film.shape[1]
    return keras.layers.Rescaling(1 / 127.5, offset=-1)(keras.layers.Reshape((side, side, 1))(film))


def three_channels(film, mode: str):
    """float32 (n, side, side, 3) as keras.applications' preprocess_input of that mode (tf, caffe, torch) makes it."""
    side = film.shape[1]
    if mode == "tf":
        gray = one_channel(film)
        return keras.layers.Concatenate()([gray, gray, gray])
    gray = keras.layers.Rescaling(1.0)(keras.layers.Reshape((side, side, 1))(film))
    mean, variance = {"caffe": (CAFFE_MEAN, [1.0] * 3), "torch": (TORCH_MEAN, TORCH_VARIANCE)}[mode]
    return keras.layers.Normalization(mean=mean, variance=variance)(keras.layers.Concatenate()([gray, gray, gray]))


def pretrained(application, channels, weights: str):
    """The feature maps of a keras.applications model on `channels`, in one flat graph.

    Args: weights none (random), imagenet, or the path of a file that the model's `save_weights` wrote.
    """
    chosen = None if weights == "none" else weights
    # NASNet ignores the shape of its input tensor and needs to be told.
    base = application(include_top=False, weights=chosen, input_tensor=channels,
                       input_shape=tuple(channels.shape[1:]))
    if weights == "none":
        for layer in base.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = MOMENTUM
    return base.output

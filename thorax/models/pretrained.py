"""The models of keras.applications as bases: in one flat graph with the film's input, with the weights asked for."""

import os
import re
import tempfile
import warnings

import numpy as np

from thorax.backend import keras
from thorax.errors import ThoraxError
from thorax.models.inputs import CAFFE_MEAN, EXACT, MOMENTUM, levels


def pretrained(application, channels, weights: str, imagenet_file: str):
    """The feature maps of a keras.applications model on `channels`, (n, side, side, 1 or 3).

    Args: weights none (random), imagenet, or the path of a file that the model's `save_weights` wrote; imagenet_file,
    its name in Keras' folder.
    """
    base = loaded(application, weights, imagenet_file, input_tensor=channels, input_shape=tuple(channels.shape[1:]))
    return base.output


def gray_stem(application, film, stem: str, weights: str, imagenet_file: str):
    """The feature maps of a `caffe` model with one input channel, the gray level less the mean of the three means.

    The first convolution, the layer `stem`, gets the sum of the pretrained kernels over the channels, and in its bias
    what each channel's own mean adds to that: on gray films it gives what the three channels give, but for the rim
    where its kernel meets the border, as zero stands for another gray there.
    """
    mean = float(np.mean(CAFFE_MEAN))
    gray = keras.layers.Rescaling(1.0, offset=-mean, dtype=EXACT)(levels(film))
    side = film.shape[1]
    base = loaded(application, "none", imagenet_file, input_tensor=gray, input_shape=(side, side, 1))
    if weights != "none":
        for layer in loaded(application, weights, imagenet_file, input_shape=(side, side, 3)).layers:
            values = layer.get_weights()
            if layer.name == stem:
                kernel, bias = values
                bias = bias + np.einsum("hwcf,c->f", kernel, mean - np.array(CAFFE_MEAN))
                values = [kernel.sum(axis=2, keepdims=True), bias]
            if values:
                base.get_layer(layer.name).set_weights(values)
    return base.output


def loaded(application, weights: str, imagenet_file: str, **inputs) -> keras.Model:
    """The model without its classifier. NASNet ignores the shape of its input tensor and needs to be told it."""
    try:
        base = application(include_top=False, weights="imagenet" if weights == "imagenet" else None, **inputs)
    except Exception as error:  # a failed download is a bare one, a folder that cannot be made an OSError
        if not isinstance(error, OSError) and "URL fetch failure" not in str(error):
            raise
        raise ThoraxError(f"weights: imagenet: {imagenet_file} could not be fetched ({reason(error)}); put this file "
                          f"into {keras_folder()} (KERAS_HOME moves it) or set weights to none or to a path") from None
    if weights == "none":
        for layer in base.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = MOMENTUM
    elif weights != "imagenet":
        if not os.path.isfile(weights):
            raise ThoraxError(f"weights: {weights}: no such file; say none, imagenet or the path of a file of weights")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # hundreds for a wrong file, whose error says it all
                base.load_weights(weights)
        except Exception as error:  # OSError, ValueError, KeyError: as the file's format has it
            raise ThoraxError(f"weights: {weights}: not the weights of {base.name} without its classifier: "
                              f"{reason(error)}") from None
    return base


def keras_folder() -> str:
    """Where Keras looks for weights, by the rule of its get_file, which does not say."""
    from keras.src.backend.config import keras_home  # here, as thorax.backend must come before Keras

    home = os.path.expanduser(keras_home())
    if not os.access(home, os.W_OK):
        home = os.path.join("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir(), ".keras")
    return os.path.join(home, "models")


def reason(error: Exception) -> str:
    """The line of a Keras error that says what is wrong, in plain text; the first one may only say where."""
    lines = [line.strip() for line in re.sub(r"\x1b\[\d+m", "", str(error)).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("Exception encountered")), type(error).__name__)

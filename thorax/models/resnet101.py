"""ResNet101 (He et al., arXiv 1512.03385) without its classifier."""

from thorax.backend import keras
from thorax.models.inputs import pretrained, three_channels


def features(film, weights: str):
    """Feature maps; weights none, imagenet or a path."""
    return pretrained(keras.applications.ResNet101, three_channels(film, "caffe"), weights)

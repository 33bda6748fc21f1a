"""NASNetMobile (Zoph et al., arXiv 1707.07012) without its classifier."""

from thorax.backend import keras
from thorax.models.inputs import pretrained, three_channels


def features(film, weights: str):
    """Feature maps; weights none, imagenet or a path."""
    return pretrained(keras.applications.NASNetMobile, three_channels(film, "tf"), weights)

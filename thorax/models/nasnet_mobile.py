"""NASNetMobile (Zoph et al., arXiv 1707.07012) without its classifier."""

from thorax.backend import keras
from thorax.models.inputs import three_channels
from thorax.models.pretrained import pretrained

IMAGENET = "nasnet_mobile_no_top.h5"


def features(film, weights: str):
    """Feature maps; weights none, imagenet or a path."""
    return pretrained(keras.applications.NASNetMobile, three_channels(film, "tf"), weights, IMAGENET)

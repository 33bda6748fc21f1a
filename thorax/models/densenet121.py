"""DenseNet121 (Huang et al., arXiv 1608.06993) without its classifier."""

from thorax.backend import keras
from thorax.models.inputs import pretrained, three_channels


def features(film, weights: str):
    """Feature maps; weights none, imagenet or a path."""
    return pretrained(keras.applications.DenseNet121, three_channels(film, "torch"), weights)

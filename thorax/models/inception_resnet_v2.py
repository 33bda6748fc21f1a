"""InceptionResNetV2 (Szegedy et al., arXiv 1602.07261) without its classifier."""

from thorax.backend import keras
from thorax.models.inputs import pretrained, three_channels


def features(film, weights: str):
    """Feature maps; weights none, imagenet or a path."""
    return pretrained(keras.applications.InceptionResNetV2, three_channels(film, "tf"), weights)

"""DenseNet121 (Huang et al., arXiv 1608.06993) without its classifier."""

from thorax.backend import keras
from thorax.models.inputs import three_channels
from thorax.models.pretrained import pretrained

IMAGENET = "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"


def features(film, weights: str):
    """Feature maps; weights none, imagenet or a path."""
    return pretrained(keras.applications.DenseNet121, three_channels(film, "torch"), weights, IMAGENET)

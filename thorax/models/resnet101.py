"""ResNet101 (He et al., arXiv 1512.03385) without its classifier."""

from thorax.backend import keras
from thorax.models.inputs import three_channels
from thorax.models.pretrained import pretrained

IMAGENET = "resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5"


def features(film, weights: str):
    """Feature maps; weights none, imagenet or a path."""
    return pretrained(keras.applications.ResNet101, three_channels(film, "caffe"), weights, IMAGENET)

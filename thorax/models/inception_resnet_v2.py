"""InceptionResNetV2 (Szegedy et al., arXiv 1602.07261) without its classifier."""

from thorax.backend import keras
from thorax.models.inputs import three_channels
from thorax.models.pretrained import pretrained

IMAGENET = "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5"


def features(film, weights: str):
    """Feature maps; weights none, imagenet or a path."""
    return pretrained(keras.applications.InceptionResNetV2, three_channels(film, "tf"), weights, IMAGENET)

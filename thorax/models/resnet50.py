"""ResNet50 (He et al., arXiv 1512.03385) without its classifier."""

from thorax.backend import keras
from thorax.models.inputs import three_channels
from thorax.models.pretrained import gray_stem, pretrained

IMAGENET = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


def features(film, weights: str, stem: str = "three_channels"):
    """Feature maps; weights none, imagenet or a path; with stem `one_channel` the film enters once, not three times."""
    if stem == "one_channel":
        return gray_stem(keras.applications.ResNet50, film, "conv1_conv", weights, IMAGENET)
    if stem != "three_channels":
        raise ValueError(f"stem must be three_channels or one_channel, not {stem!r}")
    return pretrained(keras.applications.ResNet50, three_channels(film, "caffe"), weights, IMAGENET)

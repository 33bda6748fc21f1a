"""A plain convolutional network, trained from scratch: blocks of convolutions, each closed by a 2x2 maximum."""

from thorax.backend import keras
from thorax.models.inputs import MOMENTUM, one_channel


def features(film, weights: str, filters=(16, 32, 64, 128), convolutions: int = 1, padding: str = "same",
             batch_norm: bool = True):
    """Feature maps (n, side / 2^blocks, side / 2^blocks, filters[-1]), for padding `same`.

    Args: filters per block; convolutions (3x3, ReLU) per block; padding same or valid; batch_norm after each of them.
    """
    if weights != "none":
        raise ValueError("it is trained from scratch; set weights to none")
    if not isinstance(batch_norm, bool):  # in YAML 1.2 `no` is text, and any text would count as true
        raise TypeError(f"batch_norm must be true or false, not {batch_norm!r}")
    if not filters or convolutions < 1:
        raise ValueError("it needs at least one block (filters) of at least one convolution (convolutions)")
    maps = one_channel(film)
    for count in filters:
        for _ in range(convolutions):
            maps = keras.layers.Conv2D(count, 3, padding=padding, use_bias=not batch_norm)(maps)
            if batch_norm:
                maps = keras.layers.BatchNormalization(momentum=MOMENTUM)(maps)
            maps = keras.layers.ReLU()(maps)
        maps = keras.layers.MaxPooling2D()(maps)
    return maps

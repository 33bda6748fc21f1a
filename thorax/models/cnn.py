"""A plain convolutional network, trained from scratch: blocks of convolutions, each closed by a 2x2 maximum."""

from thorax.backend import keras
from thorax.models.inputs import MOMENTUM, RANGES, one_channel, three_channels


def features(film, weights: str, filters=(16, 32, 64, 128), convolutions: int = 1, padding: str = "same",
             batch_norm: bool = True, input_norm: bool = False, input_range: str = "signed", channels: int = 1):
    """Feature maps (n, side / 2^blocks, side / 2^blocks, filters[-1]), for padding `same`.

    Args: filters per block; convolutions (3x3, ReLU) per block; padding same or valid; batch_norm after each of them;
    input_norm, one before the first; input_range signed (-1..1) or unit (0..1); channels 1, or 3 that are all alike,
    as of published systems that read gray films as RGB.
    """
    if weights != "none":
        raise ValueError("it is trained from scratch; set weights to none")
    for name, value in (("batch_norm", batch_norm), ("input_norm", input_norm)):
        if not isinstance(value, bool):  # in YAML 1.2 `no` is text, and any text would count as true
            raise TypeError(f"{name} must be true or false, not {value!r}")
    if not filters or convolutions < 1:
        raise ValueError("it needs at least one block (filters) of at least one convolution (convolutions)")
    if input_range not in RANGES or channels not in (1, 3):
        raise ValueError(f"input_range must be signed or unit, not {input_range!r}, and channels 1 or 3, "
                         f"not {channels!r}")
    maps = one_channel(film, input_range) if channels == 1 else three_channels(film, input_range)
    if input_norm:
        maps = keras.layers.BatchNormalization(momentum=MOMENTUM)(maps)
    for count in filters:
        for _ in range(convolutions):
            maps = keras.layers.Conv2D(count, 3, padding=padding, use_bias=not batch_norm)(maps)
            if batch_norm:
                maps = keras.layers.BatchNormalization(momentum=MOMENTUM)(maps)
            maps = keras.layers.ReLU()(maps)
        maps = keras.layers.MaxPooling2D()(maps)
    return maps

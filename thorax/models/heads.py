"""The last layers of every model, from feature maps to class probabilities, as a list of steps in the recipe:

    head: [gap, {dropout: 0.2}, {dense: 256}]

`gap` (global average pooling) or `flatten` comes first; the layer of the classes is added at the end.
"""

from thorax.backend import keras
from thorax.errors import ThoraxError
from thorax.recipe import suggest

POOLINGS = {"gap": keras.layers.GlobalAveragePooling2D, "flatten": keras.layers.Flatten}
STEPS = {"dense": lambda units: keras.layers.Dense(units, activation="relu"), "dropout": keras.layers.Dropout}


def head(features, steps: list, classes: int):
    """Class probabilities, float32 (n, classes), of feature maps (n, height, width, channels).

    The layers named `pooled` and `logits` are where training caches a frozen base's output and where Grad-CAM starts.
    """
    if not steps or not isinstance(steps[0], str) or steps[0] not in POOLINGS:
        raise ThoraxError(f"head: the first step must be one of {', '.join(POOLINGS)}, not {steps[:1]}")
    values = POOLINGS[steps[0]](name="pooled")(features)
    for step in steps[1:]:
        values = layer_of(step)(values)
    logits = keras.layers.Dense(classes, name="logits", dtype="float32")(values)
    return keras.layers.Activation("softmax", name="probabilities", dtype="float32")(logits)


def layer_of(step):
    if not isinstance(step, dict) or len(step) != 1:
        raise ThoraxError(f"head: {step!r} must be a mapping with one key, e.g. {{dropout: 0.2}}")
    [(name, value)] = step.items()
    if name not in STEPS:
        raise ThoraxError(f"head: unknown step '{name}'; {suggest(name, STEPS)}")
    try:
        if isinstance(value, bool):  # would pass as 0 or 1
            raise TypeError("it must be a number")
        return STEPS[name](value)
    except (TypeError, ValueError) as error:
        raise ThoraxError(f"head: {name}: {value!r} is not allowed: {str(error).splitlines()[0]}") from None

"""The last layers of every model, from feature maps to class probabilities, as a list of steps in the recipe:

    head: [gap, {dropout: 0.2}, {dense: 256}]

`gap` (global average pooling) or `flatten` comes first; the layer of the classes is added at the end.
"""

from thorax.backend import keras

POOLINGS = {"gap": keras.layers.GlobalAveragePooling2D, "flatten": keras.layers.Flatten}
STEPS = {"dense": lambda units: keras.layers.Dense(units, activation="relu"), "dropout": keras.layers.Dropout}


def head(features, steps: list, classes: int):
    """Class probabilities, float32 (n, classes), of feature maps (n, height, width, channels).

    `steps` are as thorax/recipe.py allows them. The layers named `pooled` and `logits` are where training caches a
    frozen base's output and where Grad-CAM starts.
    """
    values = POOLINGS[steps[0]](name="pooled")(features)
    for step in steps[1:]:
        [(name, value)] = step.items()
        values = STEPS[name](value)(values)
    logits = keras.layers.Dense(classes, name="logits", dtype="float32")(values)
    return keras.layers.Activation("softmax", name="probabilities", dtype="float32")(logits)

"""The models: a module per architecture, found by its name.

A module has one function, `features(film, weights, **arguments)`: the feature maps (n, height, width, channels) of the
films (uint8, (n, side, side)). Input and head are common to all, and the graph is flat: no model inside a model, so
that any layer can be reached after saving and loading.
"""

import hashlib
import importlib
from pathlib import Path

from thorax.backend import keras
from thorax.errors import ThoraxError
from thorax.models.heads import head
from thorax.models.inputs import film_input
from thorax.models.pretrained import reason
from thorax.reader import check_architecture
from thorax.recipe import Model

# The layer between base and head: Grad-CAM's target, and the end of what a frozen phase leaves alone.
FEATURES = "features"


def build(architecture: str, arguments: dict, head_steps: list, classes: int, image_size: int,
          weights: str = "none") -> keras.Model:
    """The model: films, uint8 (n, image_size, image_size), to probabilities, float32 (n, classes).

    ThoraxError for an unknown architecture, for arguments it does not take, for films too small for it, and for
    weights that cannot be had or are another model's.
    """
    check_architecture(architecture, arguments)
    features = importlib.import_module(f"thorax.models.{architecture}").features
    film = film_input(image_size)
    try:
        maps = features(film, weights, **arguments)
    except ThoraxError:
        raise
    except Exception as error:  # Keras has no type for what cannot be built
        raise ThoraxError(f"architecture '{architecture}' cannot be built for films of {image_size}x{image_size} with "
                          f"arguments {arguments}: {reason(error)}") from None
    # A flat graph needs a name for the end of the base, whatever its last layer is called.
    maps = keras.layers.Activation("linear", name=FEATURES)(maps)
    return keras.Model(film, head(maps, head_steps, classes), name=architecture)


def of_recipe(wanted: Model, classes: int, image_size: int) -> keras.Model:
    """The model of a recipe. ThoraxError as `build`, and where the file of weights is not the one that it means."""
    if wanted.weights_sha256 and Path(wanted.weights).is_file():
        found = hashlib.sha256(Path(wanted.weights).read_bytes()).hexdigest()
        if found != wanted.weights_sha256:
            raise ThoraxError(f"weights: {wanted.weights}: another file than the recipe means, with SHA-256 {found}; "
                              "put the right one there, or this into weights_sha256")
    return build(wanted.architecture, wanted.arguments, wanted.head, classes, image_size, wanted.weights)


def base_layers(model: keras.Model) -> list:
    """The layers before the head."""
    return model.layers[:model.layers.index(model.get_layer(FEATURES)) + 1]


def part(model: keras.Model, start: str | None, end: str) -> keras.Model:
    """The part of `model` from the output of layer `start` (None: from the films) to that of layer `end`; it shares
    the weights."""
    inputs = model.input if start is None else model.get_layer(start).output
    return keras.Model(inputs, model.get_layer(end).output)

"""A trained model on disk: model.weights.h5 and model.json, which holds all that rebuilds it and refuses misuse.

Weights alone, because a `.keras` file holds a time stamp and would differ in every run.
"""

import hashlib
import json
import os
import re
from pathlib import Path

from thorax import models
from thorax.backend import keras
from thorax.errors import ThoraxError

WEIGHTS, DESCRIPTION = "model.weights.h5", "model.json"


def save(folder: Path, model: keras.Model, description: dict) -> None:
    """Write the model into `folder`. `description` holds at least architecture, arguments, head, classes (in the order
    of the outputs) and image_size."""
    try:
        model.save_weights(folder / WEIGHTS)
    except (OSError, RuntimeError) as error:  # HDF5 tells the system's reason in its text only
        reason = re.search(r"errno = (\d+)", str(error))
        if not reason:
            raise
        raise OSError(int(reason[1]), os.strerror(int(reason[1])), str(folder / WEIGHTS)) from None
    counts = {"parameters": model.count_params(),
              "base_parameters": sum(layer.count_params() for layer in models.base_layers(model))}
    description = description | counts | {"weights_sha256": sha256(folder / WEIGHTS)}
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")


def describe(folder: Path) -> dict:
    try:
        return json.loads((folder / DESCRIPTION).read_text())
    except FileNotFoundError:
        raise ThoraxError(f"{folder}: holds no trained model ({DESCRIPTION} is missing); run `dvc repro`") from None


def load(folder: Path) -> tuple[keras.Model, dict]:
    """The model in `folder` and its description. ThoraxError if the weights are not those of the description: weights
    of another model with the same shapes would load without a word."""
    description = describe(folder)
    if sha256(folder / WEIGHTS) != description["weights_sha256"]:
        raise ThoraxError(f"{folder}: {WEIGHTS} is not the file that {DESCRIPTION} describes; restore both with "
                          "`dvc checkout`, or train again")
    model = models.build(description["architecture"], description["arguments"], description["head"],
                         len(description["classes"]), description["image_size"])
    model.load_weights(folder / WEIGHTS)
    return model, description


def sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ThoraxError(f"{path}: no such file; run `dvc repro`, which makes it") from None

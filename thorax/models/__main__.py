"""`python -m thorax.models`: every architecture, and every model of every study, as they are built (minutes)."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from thorax import models
from thorax.backend import keras
from thorax.reader import architectures, load_study
from thorax.training import freeze

STANDARD = (keras.layers.InputLayer, keras.layers.Reshape, keras.layers.Rescaling, keras.layers.Concatenate,
            keras.layers.Normalization)
SIDE = 96  # enough for every architecture; the parameters of a base do not depend on it


def main() -> None:
    lines = [("architecture", "parameters of the base", "range that the base sees", f"Grad-CAM layer at {SIDE} pixels")]
    for name in architectures():
        model = models.build(name, {}, ["gap"], 2, SIDE)
        base = models.base_layers(model)
        low, high = input_range(model)
        lines.append((name, f"{sum(layer.count_params() for layer in base):,}", f"{low:.2f} to {high:.2f}",
                      f"{models.FEATURES} {base[-1].output.shape[1:]}, of {base[-2].name}"))
    table(lines)
    lines = [("study", "model", "architecture", "image", "parameters", "of the base", "trained, by phase")]
    for path in sorted(Path("studies").glob("*.yaml")):
        study = load_study(path.stem)
        for key, wanted in study.models.items():
            side, classes = study.enhance.variants[wanted.films].image_size, len(study.tasks[wanted.task])
            # Without its weights: they do not change the count.
            model = models.build(wanted.architecture, wanted.arguments, wanted.head, classes, side)
            base = sum(layer.count_params() for layer in models.base_layers(model))
            trained = []
            for phase in wanted.train.phases:
                freeze(model, phase, wanted.weights != "none")
                trained.append(f"{sum(int(np.prod(each.shape)) for each in model.trainable_variables):,}")
            lines.append((path.stem, key, wanted.architecture, str(side), f"{model.count_params():,}", f"{base:,}",
                          ", ".join(trained)))
    print()
    table(lines)


def input_range(model: keras.Model) -> tuple[float, float]:
    """What black and white films are once they are standardised."""
    layers = models.base_layers(model)
    entry = next(layer for layer, after in pairwise(layers) if not isinstance(after, STANDARD))
    black_and_white = np.repeat(np.array([0, 255], "uint8"), SIDE * SIDE).reshape(2, SIDE, SIDE)
    values = keras.ops.convert_to_numpy(models.part(model, None, entry.name)(black_and_white))
    return float(values.min()), float(values.max())


def table(lines: list[tuple]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()

"""`python -m thorax.models`: every base, as the studies build it, and under it their models (half a minute)."""

from itertools import chain, pairwise
from pathlib import Path
from textwrap import fill

import numpy as np
from tqdm import tqdm

from thorax import models
from thorax.backend import keras
from thorax.models.heads import head
from thorax.reader import architectures, load_study
from thorax.recipe import Model
from thorax.training import freeze

STANDARD = (keras.layers.InputLayer, keras.layers.Reshape, keras.layers.Rescaling, keras.layers.Concatenate,
            keras.layers.Normalization)
SIDE = 96  # of the films for an architecture that no study uses: enough for each
COLUMNS = ("study", "model", "image", "parameters", "trained, by phase", "Grad-CAM map")


def main() -> None:
    blocks = {}
    for title, (architecture, arguments, uses) in tqdm(bases().items(), "build", unit="base", disable=None):
        built = {side: base(architecture, arguments, side) for side in sorted({use[-1] for use in uses} or {SIDE})}
        heading = f"{fill(title, 120, subsequent_indent=' ' * 4)}\n{about(next(iter(built.values())))}"
        blocks[heading] = [COLUMNS, *(row(*use, built[use[-1]]) for use in uses)]
    widths = [max(map(len, column)) for column in zip(*chain(*blocks.values()), strict=True)]
    for heading, rows in blocks.items():
        lines = ["  ".join(map(str.ljust, each, widths)).rstrip() for each in rows]
        print(heading, *lines, "", sep="\n")


def bases() -> dict[str, tuple[str, dict, list]]:
    """Architecture, arguments and uses of every base, by a line that names it. A use: study, model, its recipe, number
    of classes, image size."""
    found = {}
    for path in sorted(Path("studies").glob("*.yaml")):
        study = load_study(path.stem)
        for key, wanted in study.models.items():
            given = ", ".join(f"{name}={value}" for name, value in wanted.arguments.items())
            *_, uses = found.setdefault(f"{wanted.architecture}({given})", (wanted.architecture, wanted.arguments, []))
            uses.append((path.stem, key, wanted, len(study.tasks[wanted.task]),
                         study.enhance.variants[wanted.films].image_size))
    unused = set(architectures()) - {architecture for architecture, _, _ in found.values()}
    return dict(sorted((found | {f"{name}()": (name, {}, []) for name in unused}).items()))


def base(architecture: str, arguments: dict, side: int) -> keras.Model:
    """Films to feature maps; without trained weights, which change none of what is told here."""
    keras.utils.clear_session()  # the names of layers count from one again, as in training
    return models.part(models.build(architecture, arguments, ["gap"], 2, side), None, models.FEATURES)


def about(built: keras.Model) -> str:
    low, high, channels = entry(built)
    return (f"{built.count_params():,} parameters; films enter as {low:.2f} to {high:.2f} in "
            f"{channels} channel{'s' * (channels > 1)}; Grad-CAM looks at the output of {built.layers[-2].name}")


def entry(built: keras.Model) -> tuple[float, float, int]:
    """What black and white films are once they are standardised: least, greatest, and the number of channels."""
    last = next(layer for layer, after in pairwise(built.layers) if not isinstance(after, STANDARD))
    side = built.input.shape[1]
    black_and_white = np.repeat(np.array([0, 255], "uint8"), side * side).reshape(2, side, side)
    values = keras.ops.convert_to_numpy(models.part(built, None, last.name)(black_and_white))
    return float(values.min()), float(values.max()), values.shape[-1]


def row(study: str, key: str, wanted: Model, classes: int, side: int, built: keras.Model) -> tuple[str, ...]:
    maps = keras.Input(built.output.shape[1:])  # the head alone: a backbone is built once for all of its heads
    top = keras.Model(maps, head(maps, wanted.head, classes)).count_params()
    trained = []
    for phase in wanted.train.phases:
        freeze(built, phase, wanted.weights != "none")
        trained.append(f"{top + sum(int(np.prod(each.shape)) for each in built.trainable_variables):,}")
    return (study, key, str(side), f"{built.count_params() + top:,}", ", ".join(trained),
            "x".join(map(str, built.output.shape[1:])))


if __name__ == "__main__":
    main()

"""Batches of films for Keras: shuffled by (seed, epoch) and augmented, or in order and as they are.

Where several devices share a batch all get as many films: the first ones of the batch come again at its end.
"""

import numpy as np
import pandas as pd

from thorax.augment import augment
from thorax.backend import devices, keras
from thorax.examples import Examples
from thorax.recipe import Augment


class TrainingBatches(keras.utils.PyDataset):
    """Whoever trains sets `epoch`, counted over all phases, before each epoch."""

    def __init__(self, examples: Examples, batch_size: int, recipe: Augment, class_weights: np.ndarray, seed: int):
        super().__init__()
        self.examples, self.batch_size, self.recipe = examples, batch_size, recipe
        self.class_weights, self.seed, self.epoch = class_weights, seed, 0
        # A film's changes depend on its row; a copy of it has a number of its own, or it would be changed alike.
        rows = pd.Series(examples.rows)
        self.film = (rows + len(examples.inputs) * rows.groupby(rows).cumcount()).to_numpy()

    def __len__(self) -> int:
        return -(-len(self.examples) // self.batch_size)

    def __getitem__(self, batch: int):
        """Inputs, classes int32 (b,) and weights float32 (b,)."""
        random = np.random.Generator(np.random.Philox(key=[self.seed, self.epoch]))
        order = random.permutation(len(self.examples))
        chosen = equal_shares(order[batch * self.batch_size:(batch + 1) * self.batch_size])
        rows, classes = self.examples.rows[chosen], self.examples.classes[chosen]
        inputs = self.examples.inputs[rows]
        if not self.recipe.is_off():
            inputs = np.stack([augment(film, self.recipe, self.seed, self.epoch, int(number))
                               for film, number in zip(inputs, self.film[chosen], strict=True)])
        return inputs, classes.astype("int32"), self.class_weights[classes]


class OrderedBatches(keras.utils.PyDataset):
    """Inputs and classes in the order of the rows, nothing random: for validation, test and prediction."""

    def __init__(self, examples: Examples, batch_size: int):
        super().__init__()
        self.examples, self.batch_size = examples, batch_size

    def __len__(self) -> int:
        return -(-len(self.examples) // self.batch_size)

    def __getitem__(self, batch: int):
        order = np.arange(len(self.examples))
        chosen = equal_shares(order[batch * self.batch_size:(batch + 1) * self.batch_size])
        return self.examples.inputs[self.examples.rows[chosen]], self.examples.classes[chosen].astype("int32")


def equal_shares(chosen: np.ndarray) -> np.ndarray:
    return np.resize(chosen, len(chosen) + -len(chosen) % len(devices()))

"""Training in phases: a frozen base under a new head, then everything; the best weights are kept."""

import contextlib
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from tqdm import tqdm

from thorax import objective
from thorax.backend import jit_compile, keras
from thorax.batches import OrderedBatches, TrainingBatches, equal_shares
from thorax.errors import ThoraxError
from thorax.examples import Examples
from thorax.models import base_layers, part
from thorax.recipe import Augment, EarlyStopping, Phase, Train

# What the curves show, of training and of validation.
CURVES = ("loss", "accuracy", "precision", "recall")

# Batches of validation and prediction: no gradients, so larger than those of training.
EVALUATION_BATCH = 64


def fit(model: keras.Model, training: Examples, validation: Examples, recipe: Train, classes: Sequence[str],
        seed: int, pretrained: bool, callbacks: Sequence = ()) -> pd.DataFrame:
    """Train `model` in place by the phases of the recipe; it ends with the weights of its best epoch.

    A later phase starts from the best weights so far. While it trains everything, the batch normalisation of a
    pretrained base stays in inference mode, unless the phase says otherwise: small batches of films would spoil its
    statistics. Call it in `backend.computing`, as the model was built.

    Args: classes, their names in the order of the model's outputs.

    Returns one row per epoch: epoch (counted over all phases), phase, learning_rate, loss, accuracy, precision, recall
    (of all classes together, at threshold .5), the four of the validation with `val_`, kept (whether it is the best
    one). ThoraxError if the loss is not finite.
    """
    weights = class_weights(training.classes, classes, recipe.class_weights)
    best = BestEpoch(model, recipe.early_stopping)
    rows: list[dict] = []
    for number, phase in enumerate(recipe.phases, 1):
        best.restore()
        freeze(model, phase, pretrained)
        trained, inputs = trained_part(model, phase, recipe.augment, training, validation)
        run_phase(trained, inputs, phase, number, recipe, weights, seed, best, rows, callbacks)
    best.restore()
    # The state in which it was trained says nothing about the finished model. Layer by layer: to assign the model the
    # value that it has is passed over under TensorFlow, whatever its layers have.
    for layer in model.layers:
        layer.trainable = True
    history = pd.DataFrame(rows)
    history["kept"] = (history["epoch"] == best.epoch).astype(int)
    return history


def run_phase(trained: keras.Model, inputs: tuple[Examples, Examples], phase: Phase, number: int, recipe: Train,
              weights: np.ndarray, seed: int, best: "BestEpoch", rows: list[dict], callbacks: Sequence) -> None:
    objective.penalise(trained, recipe.l2)
    trained.compile(optimizer=objective.optimizer(recipe.optimizer, phase.learning_rate), loss=objective.loss(),
                    metrics=objective.metrics(), jit_compile=jit_compile())
    # Built with the first step's graph the variables of a large backbone's optimizer cost twice the time.
    trained.optimizer.build(trained.trainable_variables)
    batches = TrainingBatches(inputs[0], recipe.batch_size, recipe.augment, weights, seed)
    first = len(rows) + 1
    with Progress(f"phase {number}/{len(recipe.phases)}", phase.epochs * len(batches)) as progress:
        chain = [Recorder(batches, rows, number, phase, progress), best]
        if recipe.plateau:
            chain.append(keras.callbacks.ReduceLROnPlateau(
                monitor=recipe.early_stopping.monitor, factor=recipe.plateau.factor, patience=recipe.plateau.patience,
                min_lr=recipe.plateau.min_learning_rate))
        trained.fit(batches, epochs=first - 1 + phase.epochs, initial_epoch=first - 1, shuffle=False, verbose=0,
                    validation_data=OrderedBatches(inputs[1], EVALUATION_BATCH), callbacks=[*chain, *callbacks])


def freeze(model: keras.Model, phase: Phase, pretrained: bool) -> None:
    model.trainable = True
    for layer in base_layers(model):
        normalisation = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = phase.trainable == "all" and not (pretrained and normalisation and not phase.train_batch_norm)


def trained_part(model: keras.Model, phase: Phase, augment: Augment, training: Examples,
                 validation: Examples) -> tuple[keras.Model, tuple[Examples, Examples]]:
    """The part of the model that the phase has to run, up to the logits, and its inputs.

    Without random changes a frozen base gives the same features in every epoch: they are computed once.
    """
    if phase.trainable == "all" or not augment.is_off():
        return part(model, None, "logits"), (training, validation)
    base = part(model, None, "pooled")
    cached = tuple(Examples(predict(base, examples, "features"), np.arange(len(examples)), examples.classes)
                   for examples in (training, validation))
    return part(model, "pooled", "logits"), cached


def predict(model: keras.Model, examples: Examples, title: str) -> np.ndarray:
    """The model's outputs for the examples, in their order."""
    outputs = []
    for first in tqdm(range(0, len(examples), EVALUATION_BATCH), title, unit="batch", disable=None):
        rows = examples.rows[first:first + EVALUATION_BATCH]
        # Several devices may each answer for the whole batch, one after the other.
        outputs.append(model.predict_on_batch(examples.inputs[equal_shares(rows)])[:len(rows)])
    return np.concatenate(outputs).astype("float32", copy=False)  # half precision inside need not go further


def class_weights(numbers: np.ndarray, classes: Sequence[str], wanted: str | dict[str, float]) -> np.ndarray:
    """float32 (k,), for films of these class numbers: ones; for `balanced` n / (k * n_class), as scikit-learn has it;
    or the given ones by class."""
    if isinstance(wanted, dict):
        return np.array([wanted[name] for name in classes], "float32")
    if wanted == "none":
        return np.ones(len(classes), "float32")
    return (len(numbers) / (len(classes) * np.bincount(numbers, minlength=len(classes)))).astype("float32")


class BestEpoch(keras.callbacks.Callback):
    """Keeps the weights of the best epoch over all phases, and ends a phase that has stopped to improve on its own
    best."""

    def __init__(self, whole: keras.Model, recipe: EarlyStopping):
        super().__init__()
        self.whole, self.recipe = whole, recipe
        self.sign = 1 if recipe.monitor == "val_loss" else -1
        self.value, self.weights, self.epoch = math.inf, None, 0

    def on_train_begin(self, logs=None):
        self.phase_value, self.phase_epoch = math.inf, None

    def on_epoch_end(self, epoch, logs=None):
        value = self.sign * logs[self.recipe.monitor]
        if value < self.value:
            self.value, self.weights, self.epoch = value, self.whole.get_weights(), epoch + 1
        if value < self.phase_value:
            self.phase_value, self.phase_epoch = value, epoch
        elif epoch - self.phase_epoch >= self.recipe.patience:
            self.model.stop_training = True

    def restore(self) -> None:
        if self.weights is not None:
            self.whole.set_weights(self.weights)


class Recorder(keras.callbacks.Callback):
    """Tells the batches which epoch it is, sets a decaying learning rate, writes the history down, and stops a
    training that has diverged."""

    def __init__(self, batches: TrainingBatches, rows: list[dict], number: int, phase: Phase, progress: "Progress"):
        super().__init__()
        self.batches, self.rows, self.number, self.phase, self.progress = batches, rows, number, phase, progress
        self.first = len(rows)

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch
        if self.phase.decay != "none":  # else it is the plateau's to set
            self.model.optimizer.learning_rate = objective.learning_rate(self.phase, epoch - self.first)
        self.learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_train_batch_end(self, batch, logs=None):
        self.check(logs["loss"], f"batch {batch + 1}")
        self.progress.step(logs)

    def on_epoch_end(self, epoch, logs=None):
        self.check(logs["val_loss"], "the validation")
        row = {"epoch": epoch + 1, "phase": self.number, "learning_rate": self.learning_rate}
        self.rows.append(row | {name: logs[name] for name in (*CURVES, *(f"val_{name}" for name in CURVES))})
        self.progress.tell(f"epoch {epoch + 1}: " + ", ".join(f"{name} {logs[name]:.4f}" for name in
                                                              ("loss", "accuracy", "val_loss", "val_accuracy")))

    def check(self, loss: float, where: str) -> None:
        if not math.isfinite(loss):
            raise ThoraxError(f"training diverged: the loss is {loss} in epoch {self.batches.epoch + 1}, {where}; "
                              "lower the learning rate of this phase")


class Progress(contextlib.AbstractContextManager):
    """A progress bar over the batches of a phase, and a line per epoch where there is no terminal."""

    def __init__(self, title: str, total: int):
        self.bar = tqdm(total=total, desc=title, unit="batch", disable=None)

    def step(self, logs: dict) -> None:
        self.bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)
        self.bar.update()

    def tell(self, line: str) -> None:
        tqdm.write(line)

    def __exit__(self, *exception):
        self.bar.close()

"""What a training minimises, the steps that it takes, and what its curves show beside the loss."""

import math

from thorax.backend import keras
from thorax.recipe import Optimizer, Phase


def loss() -> keras.losses.Loss:
    """The cross-entropy of logits; class weights come with the batches."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def penalise(model: keras.Model, l2: float) -> None:
    """Add `l2` times the sum of squares of every trained kernel to the loss, and to that of the validation, as Keras'
    layers do where they are built with it."""
    for variable in model.trainable_variables:
        if "kernel" in variable.name:
            variable.regularizer = keras.regularizers.L2(l2) if l2 else None


def optimizer(recipe: Optimizer, learning_rate: float) -> keras.optimizers.Optimizer:
    chosen = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD,
              "rmsprop": keras.optimizers.RMSprop}[recipe.name]
    momentum = {"momentum": recipe.momentum} if recipe.name in ("sgd", "rmsprop") else {}
    made = chosen(learning_rate, weight_decay=recipe.weight_decay or None, **momentum)
    if recipe.weight_decay:
        made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return made


def learning_rate(phase: Phase, epoch: int) -> float:
    """That of an epoch of the phase, counted from 0."""
    decayed = {"none": lambda: 1.0,
               "cosine": lambda: (1 + math.cos(math.pi * epoch / phase.epochs)) / 2,
               "exponential": lambda: phase.decay_factor ** (epoch / phase.decay_epochs),
               "step": lambda: phase.decay_factor ** (epoch // phase.decay_epochs)}
    return phase.learning_rate * decayed[phase.decay]()


class Micro(keras.metrics.Metric):
    """Precision or recall over all classes together at threshold .5, as `keras.metrics.Precision` and `Recall` count
    them on one-hot classes: a film with no probability above .5 is predicted as nothing. Without predictions 0."""

    def __init__(self, name: str):
        super().__init__(name=name)
        self.right = self.add_variable((), "zeros", name="right")
        self.counted = self.add_variable((), "zeros", name="counted")

    def update_state(self, classes, logits, sample_weight=None):
        sure = keras.ops.cast(keras.ops.softmax(keras.ops.cast(logits, "float32")) > 0.5, "float32")
        own = keras.ops.one_hot(keras.ops.reshape(classes, (-1,)), logits.shape[-1])
        self.right.assign_add(keras.ops.sum(sure * own))
        self.counted.assign_add(keras.ops.sum(sure if self.name == "precision" else own))

    def result(self):
        return keras.ops.divide_no_nan(self.right, self.counted)


def metrics() -> list:
    return ["accuracy", Micro("precision"), Micro("recall")]

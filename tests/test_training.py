import subprocess
import sys

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from thorax import models, objective
from thorax.augment import augment
from thorax.backend import computing, keras
from thorax.errors import ThoraxError
from thorax.examples import Examples
from thorax.models import base_layers
from thorax.recipe import Augment, EarlyStopping, Optimizer, Phase, Plateau, Train
from thorax.training import class_weights, fit

SIDE = 16
CLASSES = ["covid", "normal", "viral"]
STILL = 1e-12  # a learning rate at which no weight moves by more than its last bits
VALIDATION = np.repeat([0, 1, 2], [4, 6, 10])  # class 2 is the most frequent and class 0 the rarest


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """No graphs: for models this small tracing takes ten times as long as training. The stages train with graphs, and
    so does the test of two processes."""
    compiled = keras.Model.compile
    monkeypatch.setattr(keras.Model, "compile",
                        lambda model, **settings: compiled(model, **settings, run_eagerly=True))


def examples(classes, seed: int = 0) -> Examples:
    """Noise with a bright band whose height tells the class."""
    classes = np.asarray(classes)
    films = np.random.default_rng(seed).integers(0, 150, (len(classes), SIDE, SIDE)).astype("uint8")
    for film, number in zip(films, classes, strict=True):
        film[5 * number:5 * number + 4] += 60 + 20 * np.uint8(number)
    return Examples(films, np.arange(len(classes)), classes)


TRAINING, VALIDATED = examples(np.arange(30) % 3), examples(VALIDATION, seed=1)


def network(head=("gap",), seed: int = 0, **arguments) -> keras.Model:
    """Small, and no weight is at its initial value: batch normalisation would hide what its statistics do."""
    keras.utils.set_random_seed(seed)
    model = models.build("cnn", {"filters": [4]} | arguments, list(head), 3, SIDE)
    random = np.random.default_rng(seed)
    for variable in model.weights:
        if len(variable.shape) == 1:
            variable.assign_add(random.uniform(0.05, 0.2, variable.shape))
    return model


def recipe(*phases: tuple[str, int, float], **changes) -> Train:
    return Train(**{"batch_size": 7, "phases": [Phase(trainable=kind, epochs=epochs, learning_rate=rate)
                                                for kind, epochs, rate in phases]} | changes)


def trained(model, wanted: Train, pretrained: bool = False, callbacks=(), training=TRAINING):
    return fit(model, training, VALIDATED, wanted, CLASSES, seed=5, pretrained=pretrained, callbacks=callbacks)


def weights_of(layers) -> list[np.ndarray]:
    return [value for layer in layers for value in layer.get_weights()]


def same(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def losses(model, films, classes) -> np.ndarray:
    """The loss of each film under the finished model, in inference mode."""
    probabilities = keras.ops.convert_to_numpy(model(np.asarray(films), training=False)).astype(float)
    return -np.log(probabilities[np.arange(len(classes)), classes])


class Script(keras.callbacks.Callback):
    """Makes the model's quality in each epoch known: it always answers the class of the epoch's digit, of which the
    validation has the more films the higher the digit."""

    def __init__(self, script: str):
        super().__init__()
        self.script = script

    def on_epoch_begin(self, epoch, logs=None):
        layer = self.model.get_layer("logits")
        layer.set_weights([np.zeros(layer.kernel.shape), 3.0 * np.eye(3)[int(self.script[epoch])]])


def scripted(script: str, *phases, pretrained=True, **changes):
    model = network(filters=[2], batch_norm=False)
    return model, trained(model, recipe(*phases, batch_size=30, **changes), pretrained, [Script(script)])


# The frozen phase -----------------------------------------------------------------------------------------------------


def test_cached_features_give_the_losses_of_forward_passes_through_the_frozen_base():
    tiny = Augment(zoom=1e-9)  # switches the cache off and changes nothing
    np.testing.assert_array_equal(augment(TRAINING.inputs[3], tiny, 5, 0, 3), TRAINING.inputs[3])
    phase = ("head", 4, 0.05)
    cached, passed = network(["gap", {"dense": 5}]), network(["gap", {"dense": 5}])
    first = trained(cached, recipe(phase), pretrained=True)
    second = trained(passed, recipe(phase, augment=tiny), pretrained=True)
    np.testing.assert_allclose(first.to_numpy(float), second.to_numpy(float), atol=1e-5)
    assert first["loss"].iloc[-1] < first["loss"].iloc[0] - 1e-3
    for a, b in zip(cached.get_weights(), passed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"augment": Augment(flip=True)}])
def test_a_frozen_phase_trains_the_head_and_leaves_the_base_alone(changes):
    model = network(["flatten", {"dense": 5}])
    base = base_layers(model)
    before, head = weights_of(base), model.get_layer("logits").get_weights()
    trained(model, recipe(("head", 2, 0.05), **changes), pretrained=True)
    assert same(before, weights_of(base))
    assert not same(head, model.get_layer("logits").get_weights())


# Training everything --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pretrained", [True, False])
def test_batch_normalisation_is_trained_from_scratch_and_left_alone_in_a_pretrained_base(pretrained):
    model = network()
    normalisations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    before, kernels = weights_of(normalisations), weights_of(convolutions)
    trained(model, recipe(("all", 2, 1e-2)), pretrained)
    assert not any(same([a], [b]) for a, b in zip(kernels, weights_of(convolutions), strict=True))
    moved = [not same([a], [b]) for a, b in zip(before, weights_of(normalisations), strict=True)]
    assert len(moved) == 4 and set(moved) == {not pretrained}


def test_a_pretrained_base_is_fine_tuned_in_inference_mode_and_one_from_scratch_by_the_batch():
    model = network()
    expected = losses(model, TRAINING.inputs, TRAINING.classes).mean()
    assert trained(model, recipe(("all", 1, STILL)), pretrained=True)["loss"][0] == pytest.approx(expected, abs=1e-5)
    assert abs(trained(network(), recipe(("all", 1, STILL)))["loss"][0] - expected) > 1e-3


def test_the_finished_model_is_as_trainable_as_a_new_one():
    model = network()
    trainable = [variable.path for variable in model.trainable_variables]
    trained(model, recipe(("head", 1, 1e-3)), pretrained=True)
    assert [variable.path for variable in model.trainable_variables] == trainable


# Epochs and their films -----------------------------------------------------------------------------------------------


def test_every_epoch_of_every_phase_sees_the_films_changed_for_it():
    changes = Augment(flip=True, rotate=30.0, shift=0.2, brightness=0.5)
    model = network()
    history = trained(model, recipe(("head", 2, STILL), ("all", 2, STILL), augment=changes), pretrained=True)
    expected = [losses(model, [augment(film, changes, 5, epoch, row) for row, film in enumerate(TRAINING.inputs)],
                       TRAINING.classes).mean() for epoch in range(4)]
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(history["loss"], expected, atol=1e-5)


def test_the_validation_films_are_never_changed():
    model = network()
    history = trained(model, recipe(("all", 2, STILL), augment=Augment(flip=True, brightness=0.9)), pretrained=True)
    np.testing.assert_allclose(history["val_loss"], losses(model, VALIDATED.inputs, VALIDATION).mean(), atol=1e-5)


def test_epochs_are_counted_over_all_phases():
    _, history = scripted("01012", ("head", 2, 1e-3), ("all", 3, 1e-4))
    assert list(history.columns) == ["epoch", "phase", "learning_rate", "loss", "accuracy", "precision", "recall",
                                     "val_loss", "val_accuracy", "val_precision", "val_recall", "kept"]
    assert list(history["epoch"]) == [1, 2, 3, 4, 5]
    assert list(history["phase"]) == [1, 1, 2, 2, 2]
    np.testing.assert_allclose(history["learning_rate"], [1e-3] * 2 + [1e-4] * 3, rtol=1e-6)


def test_the_rows_of_the_examples_are_trained_on_and_no_others():
    rows = np.arange(0, 30, 2)
    half = Examples(TRAINING.inputs, rows, TRAINING.classes[rows])
    model = network()
    history = trained(model, recipe(("head", 1, STILL)), pretrained=True, training=half)
    assert history["loss"][0] == pytest.approx(losses(model, TRAINING.inputs, TRAINING.classes)[rows].mean(), abs=1e-5)


# The best weights -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("monitor, better, script, kept", [
    ("val_loss", np.argmin, "0120", 3), ("val_loss", np.argmin, "2100", 1), ("val_accuracy", np.argmax, "0122", 3)])
def test_the_model_ends_with_the_weights_of_its_best_epoch(monitor, better, script, kept):
    model, history = scripted(script, ("head", 2, STILL), ("all", 2, STILL),
                              early_stopping=EarlyStopping(monitor=monitor))
    assert list(history["kept"]) == [int(epoch == kept) for epoch in history["epoch"]]
    assert better(np.round(history[monitor], 6)) == kept - 1
    np.testing.assert_allclose(history["val_accuracy"], [[0.2, 0.3, 0.5][int(digit)] for digit in script])
    row = history.iloc[kept - 1]
    found = keras.ops.convert_to_numpy(model(VALIDATED.inputs, training=False))
    assert (found.argmax(axis=1) == VALIDATION).mean() == pytest.approx(row["val_accuracy"])
    assert losses(model, VALIDATED.inputs, VALIDATION).mean() == pytest.approx(row["val_loss"], abs=1e-5)


def test_the_kept_row_is_that_of_the_finished_model_when_batch_normalisation_moves():
    model = network()
    history = trained(model, recipe(("all", 5, 0.1)))
    kept = history[history["kept"] == 1]
    assert len(kept) == 1 and kept["val_loss"].item() == history["val_loss"].min()
    found = losses(model, VALIDATED.inputs, VALIDATION).mean()
    assert found == pytest.approx(kept["val_loss"].item(), abs=1e-5)
    assert found != pytest.approx(history["val_loss"].drop(kept.index[0]).iloc[-1], abs=1e-4)  # the epochs differ


def test_a_later_phase_starts_from_the_best_weights_so_far():
    script = "0201"
    model = network()
    stop = Script(script)
    stop.on_epoch_begin = lambda epoch, logs=None: epoch < 3 and Script.on_epoch_begin(stop, epoch)
    history = trained(model, recipe(("head", 3, STILL), ("all", 1, STILL)), pretrained=True, callbacks=[stop])
    assert history["val_loss"][1] < history["val_loss"][2]  # the last epoch of the first phase was not its best
    assert history["val_loss"][3] == pytest.approx(history["val_loss"][1], abs=1e-5)


# Stopping and slowing down --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_a_phase_stops_after_as_many_epochs_without_a_better_one_as_patience_says(monitor):
    early = EarlyStopping(monitor=monitor, patience=2)
    _, history = scripted("0110222222", ("head", 10, STILL), early_stopping=early)
    assert list(history["epoch"]) == [1, 2, 3, 4]  # epoch 2 is the best, 3 as good and not better


def test_every_phase_has_its_own_patience():
    _, history = scripted("2000100000", ("head", 10, STILL), ("all", 10, STILL),
                          early_stopping=EarlyStopping(patience=2))
    # The second phase improves on its own first epoch, which is worse than the first phase's best.
    assert list(history["phase"]) == [1, 1, 1, 2, 2, 2, 2]
    assert list(history["kept"]) == [1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_a_plateau_lowers_the_learning_rate_that_the_history_records(monitor):
    _, history = scripted("0121000", ("head", 7, 1e-8), early_stopping=EarlyStopping(monitor=monitor),
                          plateau=Plateau(factor=0.1, patience=2, min_learning_rate=5e-10))
    # Better in epochs 1 to 3; two without a better one, then two more, down to the least.
    np.testing.assert_allclose(history["learning_rate"], [1e-8] * 5 + [1e-9] * 2, rtol=1e-5)


def test_a_plateau_never_goes_below_the_least_learning_rate():
    _, history = scripted("100000", ("head", 6, 1e-8),
                          plateau=Plateau(factor=0.1, patience=1, min_learning_rate=5e-10))
    np.testing.assert_allclose(history["learning_rate"], [1e-8, 1e-8, 1e-9, 5e-10, 5e-10, 5e-10], rtol=1e-5)


def test_every_phase_starts_with_its_own_learning_rate():
    _, history = scripted("100100", ("head", 3, 1e-8), ("all", 3, 1e-7), plateau=Plateau(factor=0.1, patience=1))
    np.testing.assert_allclose(history["learning_rate"], [1e-8, 1e-8, 1e-9, 1e-7, 1e-7, 1e-8], rtol=1e-5)


# Class weights --------------------------------------------------------------------------------------------------------


def test_balanced_class_weights_are_those_of_scikit_learn():
    classes = np.repeat([0, 1, 2, 3], [5, 50, 1, 17])
    expected = compute_class_weight("balanced", classes=np.arange(4), y=classes)
    found = class_weights(classes, "abcd", "balanced")
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(class_weights(classes, "abcd", "none"), np.ones(4))


def test_class_weights_weigh_the_training_loss_and_not_the_validation():
    training = examples(np.repeat([0, 1, 2], [4, 8, 18]))
    model = network()
    history = trained(model, recipe(("head", 1, STILL), class_weights="balanced"), True, training=training)
    weights = class_weights(training.classes, CLASSES, "balanced")[training.classes]
    expected = (weights * losses(model, training.inputs, training.classes)).mean()
    assert history["loss"][0] == pytest.approx(expected, abs=1e-5)
    assert expected != pytest.approx(losses(model, training.inputs, training.classes).mean(), abs=1e-3)
    assert history["val_loss"][0] == pytest.approx(losses(model, VALIDATED.inputs, VALIDATION).mean(), abs=1e-5)


def test_given_class_weights_go_to_the_classes_that_they_name():
    np.testing.assert_allclose(class_weights(TRAINING.classes, CLASSES, {"viral": 1.3, "covid": 1.0, "normal": 0.5}),
                               [1.0, 0.5, 1.3])


# Precision and recall -------------------------------------------------------------------------------------------------


def test_precision_and_recall_are_those_of_keras_on_one_hot_classes():
    model = network()
    model.get_layer("logits").set_weights([5 * np.eye(4, 3), np.array([0.1, 0.0, 0.2])])
    history = trained(model, recipe(("head", 1, STILL)), pretrained=True).iloc[0]
    probabilities = keras.ops.convert_to_numpy(model(VALIDATED.inputs, training=False))
    sure = probabilities.max(axis=1) > 0.5
    assert 3 < sure.sum() < len(sure) - 3  # else threshold and argmax would be the same
    for name, metric in (("precision", keras.metrics.Precision()), ("recall", keras.metrics.Recall())):
        metric.update_state(np.eye(3)[VALIDATION], probabilities)
        assert 0 < float(metric.result()) < 1
        assert history[f"val_{name}"] == pytest.approx(float(metric.result()), abs=1e-6)


# What is minimised, and how -------------------------------------------------------------------------------------------


def test_l2_adds_the_squares_of_the_trained_kernels_and_of_nothing_else():
    model = network(["gap", {"dense": 5}])
    plain = losses(model, TRAINING.inputs, TRAINING.classes).mean()
    for kind, layers in (("head", [layer for layer in model.layers if hasattr(layer, "units")]),
                         ("all", [layer for layer in model.layers if hasattr(layer, "kernel")])):
        squares = sum((layer.get_weights()[0] ** 2).sum() for layer in layers)
        history = trained(model, recipe((kind, 1, STILL), l2=0.01), pretrained=True)
        assert history["loss"][0] == pytest.approx(plain + 0.01 * squares, abs=1e-5)
    assert trained(model, recipe(("all", 1, STILL)), pretrained=True)["loss"][0] == pytest.approx(plain, abs=1e-5)


def one_step(**settings) -> list[tuple[str, float, float, float]]:
    """Name, value before, value after and gradient of two variables after one step at rate .1."""
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(1, name="one")
    layer.build((None, 1))
    layer.set_weights([np.array([[2.0]]), np.array([2.0])])
    made = objective.optimizer(Optimizer(**settings), 0.1)
    made.build(layer.trainable_variables)
    for _ in range(2):
        made.apply([keras.ops.full(each.shape, 1.0) for each in layer.trainable_variables])
    return [float(each.ravel()[0]) for each in layer.get_weights()]


@pytest.mark.parametrize("settings, kernel, bias", [
    ({"name": "adam"}, 1.8, 1.8),  # a constant gradient: each step is the rate
    ({"name": "adamw", "weight_decay": 0.5}, (2 * 0.95 - 0.1) * 0.95 - 0.1, 1.8),
    ({"name": "sgd"}, 1.8, 1.8),
    ({"name": "sgd", "momentum": 0.9}, 2 - 0.1 - 0.19, 2 - 0.1 - 0.19),
    ({"name": "sgd", "weight_decay": 0.5}, (2 * 0.95 - 0.1) * 0.95 - 0.1, 1.8),
    ({"name": "rmsprop"}, 2 - 0.1 / 0.1 ** 0.5 - 0.1 / 0.19 ** 0.5, 2 - 0.1 / 0.1 ** 0.5 - 0.1 / 0.19 ** 0.5),
])
def test_an_optimizer_steps_as_its_name_says_and_decays_kernels_only(settings, kernel, bias):
    np.testing.assert_allclose(one_step(**settings), [kernel, bias], atol=1e-4)


@pytest.mark.parametrize("decay, expected", [
    ({}, [1, 1, 1, 1]), ({"decay": "cosine"}, [1, 0.853553, 0.5, 0.146447]),
    ({"decay": "exponential", "decay_factor": 0.25, "decay_epochs": 2}, [1, 0.5, 0.25, 0.125]),
    ({"decay": "step", "decay_factor": 0.25, "decay_epochs": 2}, [1, 1, 0.25, 0.25])])
def test_the_history_records_the_learning_rate_of_every_epoch_of_a_schedule(decay, expected):
    phases = [Phase(trainable="all", epochs=4, learning_rate=1e-8, **decay)]
    history = trained(network(filters=[2]), Train(batch_size=30, phases=phases))
    np.testing.assert_allclose(history["learning_rate"], np.array(expected) * 1e-8, rtol=1e-5)


def test_batch_normalisation_of_a_pretrained_base_is_trained_where_a_phase_says_so():
    model = network()
    before = weights_of([layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)])
    phases = [Phase(trainable="all", epochs=1, learning_rate=1e-2, train_batch_norm=True)]
    trained(model, Train(batch_size=7, phases=phases), pretrained=True)
    after = weights_of([layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)])
    assert not any(same([a], [b]) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("precision, computed", [("mixed_float16", "float16"), ("mixed_bfloat16", "bfloat16")])
def test_half_precision_trains_float32_weights_to_nearly_the_same_loss(precision, computed):
    wanted = recipe(("head", 2, 1e-2), ("all", 2, 1e-2))  # with cached features and without
    expected = trained(network(["gap", {"dense": 5}]), wanted, pretrained=True)
    with computing(precision):
        model = network(["gap", {"dense": 5}])
        assert model.get_layer("features").output.dtype == computed
        assert {layer.output.dtype for layer in model.layers[1:3]} <= {"uint8", "float32"}  # standardisation is exact
        found = trained(model, wanted, pretrained=True)
    assert keras.config.dtype_policy().name == "float32"
    assert {str(value.dtype) for value in model.get_weights()} == {"float32"}
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=0.02)
    assert (found["loss"] != expected["loss"]).any()


# Divergence -----------------------------------------------------------------------------------------------------------


class Spoil(keras.callbacks.Callback):
    """Puts a NaN among the weights before the given epoch or at the end of its last batch."""

    def __init__(self, epoch: int, at_the_end: bool):
        super().__init__()
        self.at, self.at_the_end, self.epoch = epoch, at_the_end, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1
        self.spoil(not self.at_the_end)

    def on_train_batch_end(self, batch, logs=None):
        self.spoil(self.at_the_end and batch == 4)  # 30 films, 7 a batch: 5 batches

    def spoil(self, now: bool):
        if now and self.epoch == self.at:
            layer = self.model.get_layer("logits")
            layer.set_weights([layer.get_weights()[0] * np.nan, layer.get_weights()[1]])


@pytest.mark.parametrize("at_the_end, where", [(False, "batch 1"), (True, "the validation")])
def test_a_loss_that_is_no_number_stops_the_training_and_names_the_epoch(at_the_end, where):
    with pytest.raises(ThoraxError, match=f"training diverged: the loss is nan in epoch 3, {where}; lower the learning "
                                          "rate of this phase"):
        trained(network(), recipe(("head", 2, 1e-3), ("all", 2, 1e-3)), True, [Spoil(3, at_the_end)])


def test_an_absurd_learning_rate_is_reported_as_such():
    wild = Phase.model_construct(trainable="all", epochs=3, learning_rate=1e38)  # the schema refuses it
    wanted = recipe(("all", 3, 1.0)).model_copy(update={"phases": [wild]})
    with pytest.raises(ThoraxError, match=r"diverged: the loss is (nan|inf) in epoch 1, .*lower the learning rate"):
        trained(network(), wanted)


# Repeatability --------------------------------------------------------------------------------------------------------

TWO_SEEDS = """
import hashlib, sys
import numpy as np
from thorax import models
from thorax.backend import prepare
from thorax.examples import Examples
from thorax.recipe import Augment, Phase, Train
from thorax.training import fit

films = np.random.default_rng(0).integers(0, 256, (24, 16, 16)).astype("uint8")
examples = Examples(films, np.arange(24), np.arange(24) % 3)
recipe = Train(batch_size=7, augment=Augment(flip=True, rotate=10.0),
               phases=[Phase(trainable="all", epochs=2, learning_rate=1e-2)])
for seed in map(int, sys.argv[1:]):
    prepare(seed, 2, "auto")
    model = models.build("cnn", {"filters": [4]}, ["gap", {"dropout": 0.3}, {"dense": 5}], 3, 16)
    history = fit(model, examples, examples, recipe, ["a", "b", "c"], seed, False)
    digest = hashlib.sha256(b"".join(value.tobytes() for value in model.get_weights()))
    print(seed, digest.hexdigest(), hashlib.sha256(history.to_csv().encode()).hexdigest())
"""


def test_the_same_seed_gives_the_same_bits_in_another_process_and_another_seed_does_not():
    runs = [subprocess.Popen([sys.executable, "-c", TWO_SEEDS, *seeds], stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL) for seeds in (("5",), ("6", "5"))]
    outputs = [run.communicate(timeout=300)[0] for run in runs]
    # In the second process the other training came before: what ran earlier is of no account.
    first, second = ({line.split()[0]: line for line in output.splitlines() if line[:2] in ("5 ", "6 ")}
                     for output in outputs)
    assert first["5"] == second["5"]
    assert not set(second["5"].split()) & set(second["6"].split())


def test_another_seed_of_the_batches_is_another_training():
    histories = [fit(network(), TRAINING, VALIDATED, recipe(("all", 1, 0.05)), CLASSES, seed, False) for seed in (1, 2)]
    assert histories[0]["loss"][0] != histories[1]["loss"][0]

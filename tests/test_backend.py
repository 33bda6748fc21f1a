import json
import os
import subprocess
import sys

import numpy as np
import pytest

from thorax import backend, models
from thorax.backend import keras
from thorax.errors import ThoraxError

# Everything that needs a process of its own, in one: importing Keras is most of the time.
PREPARED = """
import json, random
import numpy as np
from thorax import backend
from thorax.backend import keras

def draw():
    return [random.random(), float(np.random.random()), float(keras.ops.sum(keras.random.normal((3,)))),
            keras.layers.Dense(2).name]

found = {}
backend.prepare(3, 2, "auto")
found["first"] = draw()
found["described"] = backend.describe(2)
if keras.backend.backend() == "tensorflow":
    import tensorflow
    found["threads"] = [tensorflow.config.threading.get_intra_op_parallelism_threads(),
                        tensorflow.config.threading.get_inter_op_parallelism_threads()]
    found["deterministic"] = tensorflow.config.experimental.is_op_determinism_enabled() if hasattr(
        tensorflow.config.experimental, "is_op_determinism_enabled") else True
backend.prepare(4, 2, "auto")
found["other"] = draw()
backend.prepare(3, 2, "auto")
found["again"] = draw()
try:
    backend.prepare(3, 1, "auto")
    found["late"] = "taken"
except RuntimeError:
    found["late"] = "refused"
import json
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def prepared() -> dict:
    done = subprocess.run([sys.executable, "-c", PREPARED], capture_output=True, text=True, timeout=300, check=True,
                          env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"})
    return json.loads(done.stdout.splitlines()[-1]) | {"stderr": done.stderr}


def test_preparing_again_with_the_same_seed_repeats_every_draw_and_name(prepared):
    assert prepared["again"] == prepared["first"]
    assert all(a != b for a, b in zip(prepared["other"][:3], prepared["first"][:3], strict=True))


def test_what_decides_on_the_last_bits_is_pinned_and_described(prepared):
    assert prepared["threads"] == [2, 2] and prepared["deterministic"]
    described = prepared["described"]
    assert described == {"keras": keras.version(), "backend": "tensorflow", "device": backend.device(), "devices": 1,
                         "threads": 2, "onednn": backend.ONEDNN}


def test_another_number_of_threads_is_refused_once_it_would_be_ignored(prepared):
    assert prepared["late"] == "refused"


def test_importing_the_backend_says_nothing(prepared):
    assert "oneDNN" not in prepared["stderr"] and "rebuild TensorFlow" not in prepared["stderr"]


def test_the_environment_does_not_change_the_arithmetic():
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == backend.ONEDNN


def test_quiet_holds_back_what_native_code_writes(capfd):
    with backend.quiet():
        os.write(2, b"five lines of settings\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_quiet_shows_what_was_written_before_a_failure(capfd):
    with pytest.raises(ImportError, match="broken"), backend.quiet():
        os.write(2, b"the reason\n")
        raise ImportError("broken")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "the reason\nafterwards\n"


def test_quiet_leaves_no_file_open():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with backend.quiet():
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def check_gradients() -> None:
    """`gradients` equals central differences, for every input its own column."""
    keras.utils.set_random_seed(0)
    model = models.build("cnn", {"filters": [3]}, ["flatten", {"dense": 5}], 3, 8)
    part = models.part(model, models.FEATURES, "logits")
    random = np.random.default_rng(0)
    inputs, columns = random.normal(size=(3, 4, 4, 3)).astype("float32"), np.array([2, 0, 1])
    found = backend.gradients(part, inputs, columns)
    assert isinstance(found, np.ndarray) and found.dtype == np.float32 and found.shape == inputs.shape
    step = 1e-3
    for place in random.choice(48, 12, replace=False):
        shift = np.zeros(48, "float32")
        shift[place] = step
        high, low = (keras.ops.convert_to_numpy(part(inputs + sign * shift.reshape(4, 4, 3), training=False))
                     [np.arange(3), columns] for sign in (1, -1))
        np.testing.assert_allclose(found.reshape(3, 48)[:, place], (high - low) / (2 * step), atol=2e-3)
    assert np.abs(found).max() > 0.05


def test_gradients_equal_finite_differences():
    check_gradients()


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_gradients_equal_finite_differences_on_the_other_backends(name):
    pytest.importorskip(name, reason="an optional backend")
    script = ("import runpy; tests = runpy.run_path(__import__('sys').argv[1]); tests['check_gradients'](); "
              "assert tests['keras'].backend.backend() == __import__('sys').argv[2]")
    done = subprocess.run([sys.executable, "-c", script, __file__, name], capture_output=True, text=True, timeout=300,
                          env=os.environ | {"KERAS_BACKEND": name})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_preparing_repeats_every_draw_on_the_other_backends(name):
    pytest.importorskip(name, reason="an optional backend")
    done = subprocess.run([sys.executable, "-c", PREPARED], capture_output=True, text=True, timeout=300, check=True,
                          env=os.environ | {"KERAS_BACKEND": name})
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["again"] == found["first"] and found["described"]["backend"] == name


# One epoch from given weights. With several devices each takes its share of a batch: without batch normalisation, which
# counts by device, the losses are the same.
ONE_EPOCH = """
import json, os, sys
import numpy as np
from thorax import models
from thorax.backend import computing, devices, keras, prepare
from thorax.batches import Examples
from thorax.recipe import Augment, Phase, Train
from thorax.training import fit, predict

weights, batch_norm, count, number = sys.argv[1], sys.argv[2] == "batch_norm", int(sys.argv[3]), int(sys.argv[4])
if count > 1 and keras.backend.backend() == "tensorflow":
    import tensorflow
    cpu = tensorflow.config.list_physical_devices("CPU")[0]
    tensorflow.config.set_logical_device_configuration(cpu, [tensorflow.config.LogicalDeviceConfiguration()] * count)
prepare(5, 2, "cpu")
films = np.random.default_rng(0).integers(0, 256, (number, 16, 16)).astype("uint8")
examples = Examples(films, np.arange(number), np.arange(number) % 3)
recipe = Train(batch_size=8, augment=Augment(flip=True, rotate=10.0), class_weights="balanced", l2=1e-3,
               phases=[Phase(trainable="all", epochs=1, learning_rate=1e-2)])
with computing():
    model = models.build("cnn", {"filters": [4, 8], "batch_norm": batch_norm}, ["gap", {"dense": 5}], 3, 16)
    if not os.path.exists(weights):
        model.save_weights(weights)
    model.load_weights(weights)
    start = [float(np.abs(value).sum()) for value in model.get_weights()]
    answers = predict(model, examples, "answer").tolist()
with computing():  # again, as the stage does
    history = fit(model, examples, examples, recipe, ["a", "b", "c"], 5, False)
print(json.dumps({"backend": keras.backend.backend(), "devices": len(devices()), "start": start,
                  "answers": answers, "history": history.drop(columns="kept").to_dict("list")}))
"""


def one_epoch(weights, batch_norm: str, devices: int = 1, backend_name: str = "tensorflow", films: int = 26) -> dict:
    xla = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"} if backend_name == "jax" else {}
    done = subprocess.run([sys.executable, "-c", ONE_EPOCH, str(weights), batch_norm, str(devices), str(films)],
                          text=True, capture_output=True, timeout=300,
                          env=os.environ | {"KERAS_BACKEND": backend_name} | xla)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def check_same_epoch(found: dict, expected: dict) -> None:
    np.testing.assert_array_equal(found["start"], expected["start"])
    for name in ("loss", "val_loss", "learning_rate"):
        np.testing.assert_allclose(found["history"][name], expected["history"][name], rtol=1e-4)


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_an_epoch_on_another_backend_starts_from_the_same_weights_and_gives_the_same_losses(name, tmp_path):
    pytest.importorskip(name, reason="an optional backend")
    expected = one_epoch(tmp_path / "start.weights.h5", "batch_norm")
    found = one_epoch(tmp_path / "start.weights.h5", "batch_norm", backend_name=name)
    assert (expected["backend"], found["backend"]) == ("tensorflow", name)
    check_same_epoch(found, expected)


@pytest.mark.parametrize("name", ["tensorflow", "jax"])
def test_two_devices_share_the_batches_and_give_the_losses_of_one(name, tmp_path):
    pytest.importorskip(name, reason="an optional backend")
    expected = one_epoch(tmp_path / "start.weights.h5", "none")
    found = one_epoch(tmp_path / "start.weights.h5", "none", 2, name)
    assert (expected["devices"], found["devices"]) == (1, 2)
    check_same_epoch(found, expected)


@pytest.mark.parametrize("name", ["tensorflow", "jax"])
def test_two_devices_answer_once_for_every_film_and_train_on_a_last_batch_of_one(name, tmp_path):
    pytest.importorskip(name, reason="an optional backend")
    expected = one_epoch(tmp_path / "start.weights.h5", "batch_norm", films=25)
    found = one_epoch(tmp_path / "start.weights.h5", "batch_norm", 2, name, films=25)
    assert np.shape(found["answers"]) == (25, 3)
    np.testing.assert_allclose(found["answers"], expected["answers"], atol=1e-5)
    assert np.isfinite(found["history"]["val_loss"]).all()


def test_half_precision_is_for_gpus_where_the_recipe_leaves_it_open(monkeypatch):
    monkeypatch.setattr(backend, "device", lambda: "gpu")
    assert backend.precision_of("auto") == "mixed_float16"
    with backend.computing():
        assert keras.config.dtype_policy().name == "mixed_float16"
    assert backend.precision_of("float32") == "float32"
    monkeypatch.setattr(backend, "device", lambda: "cpu")
    assert backend.precision_of("auto") == "float32"


def test_a_gpu_that_is_asked_for_and_missing_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(backend, "device", lambda: "cpu")
    with pytest.raises(ThoraxError, match=r"^params\.yaml: device: gpu, but tensorflow finds none; .* device to auto$"):
        backend.prepare(1, 2, "gpu")


def test_on_request_all_gpus_are_hidden_before_anything_is_computed():
    script = ("from thorax import backend; import tensorflow; seen = []; "
              "tensorflow.config.set_visible_devices = lambda *given: seen.append(given); "
              "backend.prepare(1, 2, 'auto'); assert not seen; "
              "backend.prepare(1, 2, 'cpu'); assert seen == [([], 'GPU')]")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_xla_is_left_out_on_a_cpu_of_tensorflow(monkeypatch):
    monkeypatch.setattr(backend, "device", lambda: "cpu")
    assert backend.jit_compile() is False
    monkeypatch.setattr(backend, "device", lambda: "gpu")
    assert backend.jit_compile() == "auto"

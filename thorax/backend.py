"""The one module that knows which library computes under Keras, and the settings that make its results repeatable.

Everything else says `from thorax.backend import keras`: some settings are read once, when the backend is imported.
"""

import contextlib
import functools
import gc
import os
import sys
import tempfile

# On: twice the speed on a CPU. It orders sums by the CPU family at hand, hence pinned and written into model.json.
ONEDNN = "1"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = ONEDNN
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # the missing GPU of a CPU machine is no news
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take three quarters of a GPU at once

import numpy as np  # noqa: E402

from thorax.errors import ThoraxError  # noqa: E402


@contextlib.contextmanager
def quiet():
    """Hold standard error back, native code's too, and show it only if the block fails: TensorFlow reports settings
    that were chosen above, in five lines per stage, before its own log level counts."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, open(os.dup(2), "wb", closefd=True) as terminal:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            terminal.write(held.read())
            raise
        finally:
            os.dup2(terminal.fileno(), 2)


@contextlib.contextmanager
def without(*names: str):
    """Make packages look absent."""
    loaded = {name: sys.modules[name] for name in names if name in sys.modules}
    sys.modules.update(dict.fromkeys(names))
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(loaded)


# Keras imports these for wrappers and galleries that are not used here: three seconds in every stage.
with quiet(), without("sklearn", "matplotlib"):
    gc.disable()  # which would look through the growing heap of modules again and again: one second
    import keras

    gc.enable()

__all__ = ["computing", "describe", "gradients", "jit_compile", "keras", "precision_of", "prepare"]

held = contextlib.ExitStack()  # what lasts until the process ends


def prepare(seed: int, threads: int, wanted: str) -> None:
    """Seed every generator, pin the number of CPU threads (another number gives other last bits), and choose the
    device: `auto`, `cpu` or `gpu`. ThoraxError where a GPU is wanted and there is none."""
    keras.utils.clear_session()  # layer names count from one again
    backend = keras.backend.backend()
    if wanted == "cpu":
        hide_gpus()
    elif wanted == "gpu" and device() != "gpu":
        raise ThoraxError(f"params.yaml: device: gpu, but {backend} finds none; see that `nvidia-smi` lists it and "
                          "that the packages are those of requirements-gpu.txt, or set device to auto")
    keras.utils.set_random_seed(seed)
    if backend == "tensorflow":
        import tensorflow

        if device() == "cpu":  # on a GPU it refuses the gradients of depthwise convolutions, those of NASNetMobile
            tensorflow.config.experimental.enable_op_determinism()
        # Raises once a computation has started, when the numbers can no longer be changed.
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
        for gpu in tensorflow.config.get_visible_devices("GPU"):
            tensorflow.config.experimental.set_memory_growth(gpu, True)
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=True)


def hide_gpus() -> None:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        tensorflow.config.set_visible_devices([], "GPU")
    elif backend == "jax":
        import jax

        jax.config.update("jax_platforms", "cpu")
    else:
        held.enter_context(keras.device("cpu"))


def describe(threads: int) -> dict[str, str | int]:
    """What decides on the last bits of a result, for the model's description."""
    backend = keras.backend.backend()
    return {"keras": keras.version(), "backend": backend, "device": device(), "devices": len(devices()),
            "threads": threads, "onednn": ONEDNN}


def device() -> str:
    """gpu or cpu. For TensorFlow it is told without a computation, after which threads could not be set."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        return "gpu" if tensorflow.config.get_visible_devices("GPU") else "cpu"
    if backend == "jax":
        import jax

        return "cpu" if jax.default_backend() == "cpu" else "gpu"
    return "cpu" if keras.ops.zeros(()).device.type == "cpu" else "gpu"


def devices() -> list[str]:
    """The names of all devices that a training uses: every GPU of TensorFlow or JAX, or one device."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        found = [each.name for each in tensorflow.config.list_logical_devices()]
        return [name for name in found if ":GPU:" in name] or [name for name in found if ":CPU:" in name]
    return keras.distribution.list_devices() if backend == "jax" else [device()]


@contextlib.contextmanager
def computing(precision: str = "auto"):
    """Build and train a model in this: on all devices, each of which takes its share of every batch, and in the
    precision `auto`, float32, mixed_float16 or mixed_bfloat16."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision_of(precision))
    try:
        with all_devices():
            yield
    finally:
        keras.config.set_dtype_policy(before)


def precision_of(wanted: str) -> str:
    """What `auto` stands for: half precision on a GPU, which is made for it, and float32 on a CPU, which is not."""
    return wanted if wanted != "auto" else "mixed_float16" if device() == "gpu" else "float32"


def all_devices() -> contextlib.AbstractContextManager:
    if len(devices()) < 2:
        return contextlib.nullcontext()
    if keras.backend.backend() == "jax":
        return keras.distribution.DataParallel(auto_shard_dataset=False).scope()
    return mirrored(tuple(devices())).scope()


@functools.cache
def mirrored(names: tuple[str, ...]):
    """One for the process: a model is built and trained under the same one, or its variables are refused."""
    import tensorflow

    return tensorflow.distribute.MirroredStrategy(names)


def jit_compile() -> bool | str:
    """Keras' compile argument: XLA takes minutes to compile a backbone for a CPU in TensorFlow and gains nothing."""
    return False if keras.backend.backend() == "tensorflow" and device() == "cpu" else "auto"


def gradients(model, inputs: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The gradient of output `columns[i]` of each input i with respect to that input.

    Args: inputs float32 (n, ...), columns int (n,). Returns float32 of the inputs' shape.
    """
    backend = keras.backend.backend()
    chosen = np.eye(model.output_shape[-1], dtype="float32")[columns]
    if backend == "tensorflow":
        import tensorflow

        tensor = tensorflow.convert_to_tensor(inputs)
        with tensorflow.GradientTape() as tape:
            tape.watch(tensor)
            score = tensorflow.reduce_sum(model(tensor, training=False) * chosen)
        return tape.gradient(score, tensor).numpy()
    if backend == "jax":
        import jax

        def score_of(tensor):
            trainable = [variable.value for variable in model.trainable_variables]
            fixed = [variable.value for variable in model.non_trainable_variables]
            return (model.stateless_call(trainable, fixed, tensor, training=False)[0] * chosen).sum()

        return np.asarray(jax.grad(score_of)(inputs))
    import torch

    tensor = torch.tensor(inputs, requires_grad=True, device=keras.ops.convert_to_tensor(inputs).device)
    score = (model(tensor, training=False) * keras.ops.convert_to_tensor(chosen)).sum()
    return torch.autograd.grad(score, tensor)[0].cpu().numpy()

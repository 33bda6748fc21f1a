"""What every architecture must keep, and how a build that cannot work is refused."""

import gc
import importlib
import os

import numpy as np
import pytest

from thorax import artefacts, models
from thorax.backend import keras
from thorax.errors import ThoraxError
from thorax.explain.gradcam import gradcam
from thorax.models import inputs, pretrained
from thorax.reader import architectures

# Of the published models without their classifier: keras.io/api/applications.
PARAMETERS = {"resnet50": 23_587_712, "resnet101": 42_658_176, "inception_resnet_v2": 54_336_736,
              "densenet121": 7_037_504, "nasnet_mobile": 4_269_716}
CHANNELS = {"resnet50": 2048, "resnet101": 2048, "inception_resnet_v2": 1536, "densenet121": 1024,
            "nasnet_mobile": 1056, "cnn": 128}
# The modules whose preprocess_input made the films that the published weights were trained on.
PREPROCESSING = {"resnet50": "resnet", "resnet101": "resnet", "inception_resnet_v2": "inception_resnet_v2",
                 "densenet121": "densenet", "nasnet_mobile": "nasnet"}
HEAD = ["gap", {"dropout": 0.2}]
CLASSES = ["covid", "normal", "viral"]


def side(architecture: str) -> int:
    """The least that all backbones take; InceptionResNetV2 refuses less."""
    return 32 if architecture == "cnn" else 75


def films(architecture: str, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side(architecture), side(architecture))).astype("uint8")


def probabilities(model, batch: np.ndarray) -> np.ndarray:
    # Called and not `predict`: tracing a large graph costs more than running it.
    return keras.ops.convert_to_numpy(model(batch, training=False))


@pytest.fixture(scope="module", params=architectures())
def built(request):
    """Each architecture with weights of which none stands at its initial value. Built once for all claims."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = models.build(request.param, {}, HEAD, len(CLASSES), side(request.param))
    random = np.random.default_rng(0)
    for variable in model.weights:
        if len(variable.shape) == 1:  # biases and all of batch normalisation: constants in a fresh model
            variable.assign_add(random.uniform(0, 0.1, variable.shape))
    yield request.param, model
    gc.collect()  # the next one needs the room


def test_the_base_has_the_published_number_of_parameters(built):
    architecture, model = built
    count = sum(layer.count_params() for layer in models.base_layers(model))
    # 3x3 kernels without bias, and four numbers of batch normalisation per filter.
    cnn = sum(9 * before * after + 4 * after for before, after in ((1, 16), (16, 32), (32, 64), (64, 128)))
    assert count == (PARAMETERS | {"cnn": cnn})[architecture]
    assert model.count_params() == count + CHANNELS[architecture] * 3 + 3


def test_the_features_are_the_last_maps_and_the_graph_is_flat(built):
    architecture, model = built
    names = [layer.name for layer in model.layers]
    assert names[0] == "film" and names[-2:] == ["logits", "probabilities"]
    assert names.index(models.FEATURES) < names.index("pooled")
    shapes = {layer.name: layer.output.shape for layer in model.layers}
    assert [name for name in names if len(shapes[name]) == 4][-1] == models.FEATURES
    assert shapes[models.FEATURES][-1] == CHANNELS[architecture]
    assert not [name for name in names if isinstance(model.get_layer(name), keras.Model)]


def test_a_film_enters_the_base_as_the_published_preprocessing_makes_it(built):
    architecture, model = built
    entries = [layer for layer in model.layers if layer.output.shape[1:] == (side(architecture), side(architecture),
                                                                            1 if architecture == "cnn" else 3)]
    batch = films(architecture)
    found = keras.ops.convert_to_numpy(models.part(model, None, entries[-1].name)(batch))
    if architecture == "cnn":
        expected = batch[..., None].astype("float32") / 127.5 - 1
    else:
        module = importlib.import_module(f"keras.applications.{PREPROCESSING[architecture]}")
        expected = module.preprocess_input(np.repeat(batch[..., None], 3, axis=-1).astype("float32"))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_films_become_probabilities_film_by_film_and_saving_keeps_them_bit_for_bit(built, tmp_path):
    architecture, model = built
    batch = films(architecture)
    assert model.input.dtype == "uint8"
    first = probabilities(model, batch)
    assert first.shape == (3, 3) and first.dtype == np.float32
    np.testing.assert_allclose(first.sum(axis=1), 1, atol=1e-5)
    assert (first >= 0).all()
    assert np.ptp(first, axis=0).max() > 0  # films matter
    np.testing.assert_allclose(probabilities(model, batch[1:2]), first[1:2], atol=1e-5)
    artefacts.save(tmp_path, model, {"architecture": architecture, "arguments": {}, "head": HEAD, "classes": CLASSES,
                                     "image_size": side(architecture)})
    loaded, description = artefacts.load(tmp_path)
    assert description["base_parameters"] == sum(layer.count_params() for layer in models.base_layers(model))
    np.testing.assert_array_equal(probabilities(loaded, batch), first)


def test_grad_cam_maps_have_the_size_of_the_film(built):
    architecture, model = built
    batch = films(architecture, 2)
    heat = gradcam(model, batch, np.array([0, 2]))
    assert heat.shape == batch.shape and heat.dtype == np.float32
    assert heat.min() >= 0
    for one in heat:
        assert one.max() in (0, 1)


def test_one_step_trains_every_weight_that_can_be_trained(built):
    architecture, model = built
    kept, before = model.get_weights(), [keras.ops.convert_to_numpy(each) for each in model.trainable_variables]
    # Eagerly: compiling the first step of a backbone takes up to two minutes, the step itself seconds.
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(films(architecture), np.array([0, 1, 2]))
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert (keras.ops.convert_to_numpy(variable) != old).any(), variable.path
    model.set_weights(kept)  # for the other claims


def test_saved_weights_of_a_base_give_its_features(tmp_path):
    original = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3))
    for variable in original.weights:
        if len(variable.shape) == 1:
            variable.assign_add(np.random.default_rng(len(variable.path)).uniform(0, 0.1, variable.shape))
    original.save_weights(tmp_path / "base.weights.h5")
    model = models.build("resnet50", {}, HEAD, 3, 32, str(tmp_path / "base.weights.h5"))
    batch = np.random.default_rng(0).integers(0, 256, (2, 32, 32)).astype("uint8")
    channels = keras.applications.resnet.preprocess_input(np.repeat(batch[..., None], 3, axis=-1).astype("float32"))
    expected = probabilities(original, channels)
    found = probabilities(models.part(model, None, models.FEATURES), batch)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.std())


@pytest.mark.parametrize("arguments, low, high, channels", [
    ({}, -1, 1, 1), ({"input_range": "unit"}, 0, 1, 1), ({"input_range": "unit", "channels": 3}, 0, 1, 3),
    ({"channels": 3}, -1, 1, 3)])
def test_a_cnn_sees_gray_levels_in_the_range_and_the_channels_that_its_arguments_say(arguments, low, high, channels):
    model = models.build("cnn", {"filters": [2]} | arguments, HEAD, 3, 8)
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    black_and_white = np.repeat(np.array([0, 255], "uint8"), 64).reshape(2, 8, 8)
    seen = keras.ops.convert_to_numpy(keras.Model(model.input, first.input)(black_and_white))
    assert seen.shape == (2, 8, 8, channels)
    np.testing.assert_allclose(seen[0], low, atol=1e-6)
    np.testing.assert_allclose(seen[1], high, atol=1e-6)


def both_stems(weights: str, side: int, end: str) -> list[np.ndarray]:
    """The maps of a layer for noise films, with three channels and with one."""
    batch = np.random.default_rng(0).integers(0, 256, (2, side, side)).astype("uint8")
    return [probabilities(models.part(models.build("resnet50", {"stem": stem}, HEAD, 3, side, weights), None, end),
                          batch) for stem in ("three_channels", "one_channel")]


@pytest.fixture(scope="module")
def base_file(tmp_path_factory) -> str:
    """Weights of a ResNet50 whose kernels differ between the channels, as trained ones do."""
    path = tmp_path_factory.mktemp("base") / "base.weights.h5"
    keras.utils.set_random_seed(0)
    keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3)).save_weights(path)
    return str(path)


def test_a_stem_of_one_channel_gives_the_features_of_three_that_share_their_mean(base_file, monkeypatch):
    for module in (inputs, pretrained):
        monkeypatch.setattr(module, "CAFFE_MEAN", [114.8] * 3)
    three, one = both_stems(base_file, 64, models.FEATURES)
    assert three.std() > 0.1
    np.testing.assert_allclose(one, three, atol=1e-4 * three.std())


def test_a_stem_of_one_channel_allows_for_the_means_of_the_channels_everywhere_but_on_the_rim(base_file):
    three, one = both_stems(base_file, 64, "conv1_conv")
    np.testing.assert_allclose(one[:, 2:-2, 2:-2], three[:, 2:-2, 2:-2], atol=1e-4 * three.std())
    # Padding puts zero there, which is another gray in each of three channels: no kernel of one channel can follow.
    assert 0.01 < np.abs(one - three).max() / three.std() < 0.5
    three, one = both_stems(base_file, 160, models.FEATURES)
    assert np.corrcoef(three.ravel(), one.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("arguments, layers, shape", [
    ({}, ["Conv2D", "BatchNormalization", "ReLU", "MaxPooling2D"] * 4, (2, 2, 128)),
    ({"filters": [4, 6], "convolutions": 2, "batch_norm": False},
     ["Conv2D", "ReLU", "Conv2D", "ReLU", "MaxPooling2D"] * 2, (8, 8, 6)),
    ({"filters": [4], "padding": "valid"}, ["Conv2D", "BatchNormalization", "ReLU", "MaxPooling2D"], (15, 15, 4)),
    ({"filters": [4], "batch_norm": False, "input_norm": True}, ["BatchNormalization", "Conv2D", "ReLU",
                                                                 "MaxPooling2D"], (16, 16, 4)),
])
def test_a_cnn_is_the_blocks_that_its_arguments_say(arguments, layers, shape):
    model = models.build("cnn", arguments, HEAD, 3, 32)
    base = models.base_layers(model)
    assert [type(layer).__name__ for layer in base[3:-1]] == layers
    assert base[-1].output.shape[1:] == shape
    biases = [layer.use_bias for layer in base if isinstance(layer, keras.layers.Conv2D)]
    assert set(biases) == {not arguments.get("batch_norm", True)}  # batch normalisation brings its own


@pytest.mark.parametrize("architecture, arguments, image_size, message", [
    ("resnet5", {}, 32, r"unknown architecture 'resnet5'; did you mean 'resnet50'\? \(known: cnn, densenet121, .*\)"),
    ("heads", {}, 32, r"unknown architecture 'heads'; .*known: cnn"),
    ("cnn", {"filtres": [4]}, 32, r"'cnn' takes no argument 'filtres'; did you mean 'filters'\?"),
    ("cnn", {"weights": "imagenet"}, 32, r"'cnn' takes no argument 'weights'"),
    ("resnet101", {"filters": [4]}, 32, r"'resnet101' takes no argument 'filters'; \(known: none\)"),
    ("cnn", {"filters": [4, 0]}, 32, r"'cnn' cannot be built .*\[4, 0\].*strictly positive"),
    ("cnn", {"filters": []}, 32, "at least one block"),
    ("cnn", {"filters": 4}, 32, "cannot be built .*not iterable"),
    ("cnn", {"convolutions": 0}, 32, "at least one convolution"),
    ("cnn", {"padding": "circular"}, 32, "cannot be built .*circular"),
    ("cnn", {"batch_norm": "no"}, 32, "batch_norm must be true or false, not 'no'"),
    ("cnn", {"input_norm": 1}, 32, "input_norm must be true or false, not 1"),
    ("cnn", {"input_range": "0..1"}, 32, "input_range must be signed or unit, not '0..1'"),
    ("cnn", {"channels": 2}, 32, "channels 1 or 3, not 2"),
    ("resnet50", {"stem": "gray"}, 32, "stem must be three_channels or one_channel, not 'gray'"),
    ("cnn", {}, 8, "films of 8x8 .*output size would be"),
    ("inception_resnet_v2", {}, 32, "films of 32x32 .*at least 75x75"),
    ("resnet50", {}, 16, "films of 16x16 .*at least 32x32"),
])
def test_what_cannot_be_built_is_refused_in_one_line(architecture, arguments, image_size, message):
    with pytest.raises(ThoraxError, match=message) as error:
        models.build(architecture, arguments, HEAD, 3, image_size)
    assert len(str(error.value).splitlines()) == 1
    assert "\x1b" not in str(error.value)  # Keras colours its errors for terminals


def test_weights_that_cannot_be_had_are_refused_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "broken.weights.h5").write_bytes(b"half a download")
    keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(32, 32, 3)).save_weights(
        tmp_path / "densenet.weights.h5")
    models.build("cnn", {}, HEAD, 3, 32).save_weights(tmp_path / "cnn.weights.h5")
    (tmp_path / "weights.txt").write_text("no weights")
    cases = [("cnn", "imagenet", "trained from scratch"),
             ("resnet50", str(tmp_path / "none.weights.h5"), r"none\.weights\.h5: no such file"),
             ("resnet50", str(tmp_path / "weights.txt"), r"weights\.txt: not the weights of resnet50"),
             ("resnet50", str(tmp_path / "broken.weights.h5"), r"broken\.weights\.h5: not the weights of resnet50"),
             ("resnet50", str(tmp_path / "cnn.weights.h5"), r"cnn\.weights\.h5: not the weights of resnet50"),
             ("resnet50", str(tmp_path / "densenet.weights.h5"), r"densenet.* not the weights of resnet50 without its")]
    for architecture, weights, message in cases:
        with pytest.raises(ThoraxError, match=message) as error:
            models.build(architecture, {}, HEAD, 3, 32, weights)
        assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("home", ["", "absent"])
def test_the_folder_named_for_the_file_of_imagenet_weights_is_the_one_that_keras_makes(home, tmp_path, monkeypatch):
    asked = []

    def makedirs(folder, **_):
        asked.append(folder)
        raise NotADirectoryError(f"no folder {folder}")

    monkeypatch.setattr(importlib.import_module("keras.src.backend.config"), "_KERAS_DIR", str(tmp_path / home))
    monkeypatch.setattr(os, "makedirs", makedirs)
    with pytest.raises(ThoraxError) as error:
        models.build("resnet50", {}, HEAD, 3, 32, "imagenet")
    assert asked[0].startswith(str(tmp_path)) == (home == "")
    assert str(error.value) == (
        "weights: imagenet: resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5 could not be fetched (no folder "
        f"{asked[0]}); put this file into {asked[0]} (KERAS_HOME moves it) or set weights to none or to a path")


@pytest.mark.parametrize("architecture", sorted(PARAMETERS))
def test_the_file_of_imagenet_weights_is_the_one_that_keras_looks_for(architecture, monkeypatch):
    asked = []

    def get_file(name, *_, **__):
        asked.append(name)
        raise Exception("URL fetch failure on nothing")

    module = importlib.import_module(f"keras.src.applications.{PREPROCESSING[architecture]}")
    monkeypatch.setattr(module.file_utils, "get_file", get_file)
    with pytest.raises(ThoraxError) as error:
        models.build(architecture, {}, HEAD, 3, 96, "imagenet")
    assert f"imagenet: {asked[0]} could not be fetched (URL fetch failure on nothing); put" in str(error.value)

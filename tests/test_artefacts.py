import json
import shutil

import numpy as np
import pytest

from thorax import artefacts, models
from thorax.backend import keras
from thorax.errors import ThoraxError

DESCRIPTION = {"architecture": "cnn", "arguments": {"filters": [3]}, "head": ["gap", {"dense": 4}],
               "classes": {"covid": ["covid"], "healthy": ["normal"]}, "image_size": 16, "seed": 7}
FILMS = np.random.default_rng(0).integers(0, 256, (4, 16, 16)).astype("uint8")


def network(seed: int = 0) -> keras.Model:
    keras.utils.clear_session()  # as every stage does: the file holds the layers' names, which are numbered on
    keras.utils.set_random_seed(seed)
    return models.build("cnn", {"filters": [3]}, ["gap", {"dense": 4}], 2, 16)


def outputs(model) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(FILMS, training=False))


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    artefacts.save(folder, network(), DESCRIPTION)
    return folder


def test_a_model_is_rebuilt_from_its_folder_alone(saved):
    model, description = artefacts.load(saved)
    np.testing.assert_array_equal(outputs(model), outputs(network()))
    assert {key: description[key] for key in DESCRIPTION} == DESCRIPTION
    assert list(description["classes"]) == ["covid", "healthy"]  # the order of the outputs


def test_the_description_counts_the_parameters(saved):
    description = artefacts.describe(saved)
    assert description["base_parameters"] == 9 * 3 + 4 * 3
    assert description["parameters"] == description["base_parameters"] + (3 * 4 + 4) + (4 * 2 + 2)


def test_the_same_weights_are_the_same_bytes(saved, tmp_path):
    network(1)
    artefacts.save(tmp_path, network(), DESCRIPTION)
    for name in (artefacts.WEIGHTS, artefacts.DESCRIPTION):
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes()


def test_the_saved_model_does_not_depend_on_what_was_frozen(saved, tmp_path):
    model = network()
    for layer in models.base_layers(model):
        layer.trainable = False
    artefacts.save(tmp_path, model, DESCRIPTION)
    for name in (artefacts.WEIGHTS, artefacts.DESCRIPTION):
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes()


def test_weights_of_another_model_of_the_same_shapes_are_refused(saved, tmp_path):
    artefacts.save(tmp_path, network(1), DESCRIPTION)
    shutil.copy(tmp_path / artefacts.WEIGHTS, saved)
    with pytest.raises(ThoraxError, match=r"model: model\.weights\.h5 is not the file that model\.json describes.*dvc"):
        artefacts.load(saved)


def test_damaged_weights_are_refused(saved):
    content = bytearray((saved / artefacts.WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / artefacts.WEIGHTS).write_bytes(content)
    with pytest.raises(ThoraxError, match="is not the file"):
        artefacts.load(saved)


@pytest.mark.parametrize("missing, message", [
    (artefacts.DESCRIPTION, r"holds no trained model \(model\.json is missing\); run `dvc repro`"),
    (artefacts.WEIGHTS, r"model\.weights\.h5: no such file; run `dvc repro`")])
def test_a_missing_file_is_named_with_what_to_do(saved, missing, message):
    (saved / missing).unlink()
    with pytest.raises(ThoraxError, match=message):
        artefacts.load(saved)


def test_an_architecture_that_is_gone_is_named(saved):
    path = saved / artefacts.DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text()) | {"architecture": "vgg16"}))
    with pytest.raises(ThoraxError, match="unknown architecture 'vgg16'"):
        artefacts.load(saved)


def test_the_hash_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert artefacts.sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

"""The check of heat maps, on a task where it is known where the evidence lies, with explainers that are right and
broken."""

import cv2
import numpy as np
import pandas as pd
import pytest

from thorax import models
from thorax.backend import keras
from thorax.explain.gradcam import explainer
from thorax.explain.localisation import measure, summary
from thorax.explain.sanity import UNCHANGED, check, levels, randomised, rank_correlation, ssim, verdict
from thorax.packed import LESION

SIDE, PATCH = 32, 8
HALF = SIDE // 2
NAMES = ["rows", "columns"]


def patches(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Films of noise with a striped square, whose direction is the class, and a bright and a dark one that say nothing:
    films, classes and masks of the striped one."""
    random = np.random.default_rng(seed)
    films = random.integers(100, 150, (count, SIDE, SIDE)).astype("uint8")
    classes, masks = random.integers(0, 2, count), np.zeros_like(films)
    stripes = np.where(np.arange(PATCH) // 2 % 2, 230, 20) * np.ones((PATCH, 1), int)
    for film, number, mask in zip(films, classes, masks, strict=True):
        quarters = HALF * random.permutation([(0, 0), (0, 1), (1, 0), (1, 1)])[:3]
        for (y, x), what in zip(quarters + random.integers(0, HALF - PATCH, (3, 2)),
                                (240, 10, stripes if number else stripes.T), strict=True):
            film[y:y + PATCH, x:x + PATCH] = what
        mask[y:y + PATCH, x:x + PATCH] = LESION
    return films, classes, masks


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = models.build("cnn", {"filters": [8, 16]}, ["gap"], 2, SIDE)
    films, classes, _ = patches(256, seed=1)
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    model.fit(films, classes, batch_size=32, epochs=8, verbose=0)
    return model


@pytest.fixture(scope="module")
def unseen():
    return patches(48, seed=2)


def edges(films, classes) -> np.ndarray:
    """A broken explainer: the edges of the film, whatever the model says."""
    heat = np.stack([np.hypot(cv2.Sobel(film, cv2.CV_32F, 1, 0), cv2.Sobel(film, cv2.CV_32F, 0, 1)) for film in films])
    return heat / heat.max(axis=(1, 2), keepdims=True)


def noise(films, classes) -> np.ndarray:
    """A worthless explainer that changes from call to call."""
    return np.random.default_rng().random(films.shape, dtype="float32")


def checked(model, explain, films, classes, draws: int = 8) -> dict:
    maps = randomised(model, explain, films, classes, draws, seed=0)
    return check(explain(films, classes), maps, np.arange(len(films)), 200, 0.95, seed=0)


def located(explain, films, classes, masks) -> dict:
    found = measure(explain, films, np.arange(len(films)), classes, masks)
    names = np.array(NAMES)[classes]
    cases = pd.DataFrame({"group": np.arange(len(films)), "label": names, "predicted": names}).join(found)
    return summary(cases, NAMES, 200, 0.95, 0)["lesion"]["right"]


def test_the_evidence_of_a_trained_model_lies_in_the_planted_patch(trained, unseen):
    films, classes, masks = unseen
    assert (trained.predict(films, verbose=0).argmax(axis=1) == classes).mean() > 0.95
    found = located(explainer(trained), films, classes, masks)
    assert found["energy_ratio"]["low"] > 3
    assert found["hit_rate"]["low"] > 0.7


def test_maps_of_noise_are_not_localised(unseen):
    found = located(noise, *unseen)
    assert found["energy_ratio"]["value"] == pytest.approx(1, abs=0.1)
    assert found["hit_rate"]["value"] < 0.3


def test_grad_cam_passes_the_check(trained, unseen):
    films, classes, _ = unseen
    found = checked(trained, explainer(trained), films, classes)
    assert found["verdict"] == "pass"
    assert found["levels"]["last_block"]["rank_correlation"]["high"] < UNCHANGED
    assert found["levels"]["last_block"]["ssim"]["value"] < 1


def test_an_edge_detector_that_ignores_the_model_fails_though_it_finds_the_patch(trained, unseen):
    films, classes, masks = unseen
    assert located(edges, films, classes, masks)["hit_rate"]["value"] > 0.3  # it would have looked convincing
    found = checked(trained, edges, films, classes)
    assert found["verdict"] == "fail"
    for level in found["levels"].values():
        assert level["rank_correlation"]["value"] == level["ssim"]["value"] == pytest.approx(1)


def test_grad_cam_of_a_copy_that_keeps_the_old_weights_fails(trained, unseen):
    # An explainer that kept a copy of the model when it was made: the usual mistake with compiled functions.
    films, classes, _ = unseen
    stale = keras.models.clone_model(trained)
    stale.set_weights(trained.get_weights())
    assert checked(trained, explainer(stale), films, classes)["verdict"] == "fail"


def test_the_model_has_its_weights_again_even_after_an_error(trained, unseen):
    films, classes, _ = unseen
    before = trained.get_weights()

    def broken(*_):
        raise ZeroDivisionError

    randomised(trained, explainer(trained), films, classes, 2, seed=0)
    with pytest.raises(ZeroDivisionError):
        randomised(trained, broken, films, classes, 2, seed=0)
    for old, new in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_each_level_shuffles_more_and_each_draw_differently(trained, unseen):
    films, classes, _ = unseen
    seen = []

    def note(*_):
        seen.append(trained.get_weights())
        return np.ones((1, 4, 4))

    before = trained.get_weights()
    randomised(trained, note, films, classes, 2, seed=0)
    changed = [[not np.array_equal(old, new) for old, new in zip(before, weights, strict=True)] for weights in seen]
    first_block = len(before) - 7  # last block: convolution and four arrays of normalisation; head: two
    assert not any(each for level in changed for each in level[:first_block])
    assert not any(changed[0][:-2]) and changed[0][-2]  # the head alone
    assert changed[1][first_block] and changed[1][-2]
    assert not np.array_equal(seen[0][-2], seen[2][-2])
    for old, new in zip(before, seen[1], strict=True):
        np.testing.assert_array_equal(np.sort(old.ravel()), np.sort(new.ravel()))


def test_the_last_block_of_a_residual_network_is_its_last_stage():
    model = models.build("resnet50", {}, ["gap", {"dense": 4}], 2, 64)
    found = levels(model)
    assert {layer.name.split("_")[0] for layer in found["last_block"]} == {"conv5"}
    assert [type(layer).__name__ for layer in found["head"]] == ["Dense", "Dense"]


def test_rank_correlation_is_spearman_s_with_ties_and_none_for_flat_maps():
    from scipy.stats import spearmanr

    random = np.random.default_rng(0)
    first, second = np.maximum(random.normal(size=(2, 5, 8, 8)), 0)  # many ties at 0, as heat maps have
    first[1] = second[1]
    first[2] = np.exp(second[2])  # the same ranks
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlation(first, second), expected)
    np.testing.assert_allclose(rank_correlation(first, second)[1:3], 1)
    assert rank_correlation(np.zeros((1, 8, 8)), second[:1])[0] == 0


def test_ssim_is_one_for_equal_maps_and_the_published_formula_elsewhere():
    random = np.random.default_rng(0)
    first, second = random.random((2, 3, 32, 32))
    np.testing.assert_allclose(ssim(first, first), 1)
    assert (np.abs(ssim(first, second)) < 0.2).all()
    a, b = 0.2, 0.6  # flat maps: light alone counts
    flat = ssim(np.full((1, 16, 16), a), np.full((1, 16, 16), b))
    np.testing.assert_allclose(flat, (2 * a * b + 1e-4) / (a * a + b * b + 1e-4), rtol=1e-6)
    np.testing.assert_allclose(ssim(first[:1], 1 - first[:1]), ssim(1 - first[:1], first[:1]))
    assert ssim(first[:1], 1 - first[:1])[0] < 0


@pytest.mark.parametrize(("entry", "expected"), [
    ({"value": 0.2, "low": 0.1, "high": 0.4}, "pass"), ({"value": 0.4, "low": 0.1, "high": 0.8}, "undecided"),
    ({"value": 0.8, "low": 0.75, "high": 0.9}, "fail"), ({"value": None, "low": None, "high": None}, "undecided"),
    ({"value": 0.1, "low": None, "high": None, "reason": "3 group(s)"}, "undecided"),
    ({"value": 1.0, "low": None, "high": None, "reason": "all resamples give the same value"}, "fail")])
def test_the_verdict_is_that_of_the_whole_interval(entry, expected):
    assert verdict(entry) == expected


def test_a_map_that_became_empty_has_changed_and_one_that_was_empty_is_left_out():
    maps = np.random.default_rng(0).random((12, 8, 8))
    emptied = maps.copy()
    emptied[:3] = 0
    found = check(maps, {"head": emptied[None], "last_block": np.stack([emptied, maps])}, np.arange(12), 200, 0.95, 0)
    assert [level["empty"] for level in found["levels"].values()] == [0.25, 0.125]
    assert found["levels"]["head"]["rank_correlation"]["value"] == pytest.approx(0.75)
    assert found["films"] == 12
    assert check(emptied, {"head": maps[None]}, np.arange(12), 200, 0.95, 0)["films"] == 9
    nothing = check(maps * 0, {"head": maps[None]}, np.arange(12), 200, 0.95, 0)
    assert nothing["verdict"] == "undecided" and nothing["levels"]["head"]["ssim"]["value"] is None

"""Masks on their way from the raw data to masks.npy: beside their films, at one size, in the films' geometry."""

import importlib
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from stages.enhance import read_masks
from tests.conftest import edit
from thorax import packed
from thorax.films import UnreadableFilm
from thorax.phantom import plan_films, render_film, twin


def png(inside: np.ndarray, value: int = 255) -> bytes:
    return twin.encode(".png", "gray", inside.astype(np.uint8) * np.uint8(value))


def row(lung: str = "", lesion: str = "") -> SimpleNamespace:
    return SimpleNamespace(lung_mask=lung, lesion_mask=lesion)


def halves(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    upper, left = np.zeros((2, height, width), bool)
    upper[:height // 2], left[:, :width // 2] = True, True
    return upper, left


@pytest.mark.parametrize("value", [1, 255])
def test_masks_of_any_shape_and_value_are_squashed_to_one_size_as_bits(value):
    upper, left = halves(64, 160)
    files = {"a": png(upper, value), "b": cv2.imencode(".png", np.dstack([left * np.uint8(value)] * 3))[1].tobytes()}
    masks = read_masks(files.__getitem__, row("a", "b"), 40)
    expected = np.zeros((40, 40), int)
    expected[:20] += packed.LUNG
    expected[:, :20] += packed.LESION
    np.testing.assert_array_equal(masks, expected)
    np.testing.assert_array_equal(read_masks(files.__getitem__, row(lesion="b"), 40), expected & packed.LESION)
    assert not read_masks(files.__getitem__, row(), 40).any()


def test_a_pixel_is_inside_where_half_of_it_is():
    fine = np.zeros((64, 64), bool)
    fine[:, :5] = True  # 1.25 coarse pixels
    fine[:, 32:35] = True  # 0.75
    masks = read_masks({"a": png(fine)}.__getitem__, row("a"), 16)
    assert np.flatnonzero(masks[0]).tolist() == [0, 8]


@pytest.mark.parametrize(("data", "reason"), [(None, "missing"), (b"", "empty file"), (b"<html>", "web page")])
def test_a_mask_that_cannot_be_read_is_named(data, reason):
    files = {} if data is None else {"lungs/a.png": data}
    with pytest.raises(UnreadableFilm, match=f"its mask lungs/a.png.*{reason}"):
        read_masks(files.__getitem__, row("lungs/a.png"), 32)


def stage(name: str, study: str) -> None:
    importlib.import_module(f"stages.{name}").main(study)


def test_the_packed_masks_are_those_of_the_films_in_the_same_row(project, monkeypatch):
    monkeypatch.chdir(project)
    edit(project / "studies" / "phantom.yaml", lambda recipe: (
        recipe["download"]["phantom"].update(patients=3),
        recipe["enhance"]["variants"]["plain"].update(image_size=48)))
    stage("download", "phantom")
    stage("enhance", "phantom")
    folder = project / "data/enhanced/phantom"
    masks, films = np.load(folder / "masks.npy"), pd.read_csv(folder / "films.csv", keep_default_na=False)
    assert masks.shape == (len(films), 48, 48)  # the largest variant's size
    plans = {plan.film_id: plan for plan in plan_films(dict.fromkeys(["normal", "bacterial", "pneumothorax"], 3), 2026,
                                                       0.0, (1, 2))}
    for bits, path, lung in zip(masks, films["path"], films["lung_mask"], strict=True):
        film_id = path.removeprefix("films/").removesuffix(".png")
        assert lung == f"lungs/{film_id}.png"
        film = render_film(plans[film_id], 64)
        for bit, mask in ((packed.LUNG, film.lung_mask), (packed.LESION, film.lesion_mask)):
            coarse = cv2.resize(mask.astype(np.float32), (48, 48), interpolation=cv2.INTER_AREA)
            sure = np.abs(coarse - 0.5) > 0.1
            np.testing.assert_array_equal((bits & bit > 0)[sure], (coarse > 0.5)[sure])


def test_a_study_without_masks_has_an_array_without_pixels(project, monkeypatch):
    monkeypatch.chdir(project)
    edit(project / "studies" / "kermany.yaml", lambda recipe: (
        recipe["download"]["phantom"].update(patients=2, image_size=64)))
    importlib.import_module("stages.select").main("kermany")
    stage("download", "kermany")
    stage("enhance", "kermany")
    films = pd.read_csv(project / "data/enhanced/kermany/films.csv", keep_default_na=False)
    assert np.load(project / "data/enhanced/kermany/masks.npy").shape == (len(films), 0, 0)
    assert (films["lung_mask"] == "").all()

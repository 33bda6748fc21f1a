import math

import cv2
import numpy as np
import pytest

from thorax import augment as module
from thorax.augment import augment
from thorax.recipe import Augment

EVERYTHING = {"flip": True, "rotate": 20.0, "shift": 0.1, "zoom": 0.2, "brightness": 0.3, "contrast": 0.4}
SIDE = 24


def film(seed: int = 0) -> np.ndarray:
    """Smooth and without symmetry, of middle grays, so that no change clips."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 5)).astype("uint8")
    return (80 + cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) // 4).astype("uint8")


def changed(recipe: dict, seed=7, epoch=3, number=11, source=None) -> np.ndarray:
    return augment(film() if source is None else source, Augment(**recipe), seed, epoch, number)


@pytest.fixture
def matrices(monkeypatch) -> list[np.ndarray]:
    """The affine maps of all films that are changed from now on."""
    seen = []
    warp = cv2.warpAffine

    def spy(source, matrix, *rest, **named):
        seen.append(matrix)
        return warp(source, matrix, *rest, **named)

    monkeypatch.setattr(module.cv2, "warpAffine", spy)
    return seen


def draws(recipe: dict, matrices: list, count: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Angle (degrees), scale and the centre's shift (pixels, per axis) of `count` films."""
    matrices.clear()
    for number in range(count):
        changed(recipe, number=number)
    found = np.array(matrices)
    centre = np.array([(SIDE - 1) / 2] * 2)
    angle = np.degrees(np.arctan2(found[:, 0, 1], found[:, 0, 0]))
    return angle, np.hypot(found[:, 0, 0], found[:, 0, 1]), found[:, :, :2] @ centre + found[:, :, 2] - centre


def test_the_change_depends_on_seed_epoch_and_film_and_on_nothing_else():
    np.random.seed(1)  # noqa: NPY002 - the global generator must be of no account
    first = changed(EVERYTHING)
    np.random.seed(2)  # noqa: NPY002
    changed(EVERYTHING, number=12)
    np.testing.assert_array_equal(changed(EVERYTHING), first)
    for other in ({"seed": 8}, {"epoch": 4}, {"number": 12}):
        assert (changed(EVERYTHING, **other) != first).any(), other


def test_no_two_films_or_epochs_of_a_large_training_share_their_draws(matrices):
    # 20,000 films and 100 epochs side by side in one key would meet if epoch and film overlapped.
    for epoch, number in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 20_000), (100, 0), (100, 20_000), (20_000, 100)):
        changed(EVERYTHING, epoch=epoch, number=number)
    assert len({matrix.tobytes() for matrix in matrices}) == 8


def test_nothing_changes_when_all_is_off():
    for number in range(20):
        np.testing.assert_array_equal(changed({}, number=number), film())


@pytest.mark.parametrize("first, second", [
    ({"flip": True}, {"rotate": 20.0, "shift": 0.1, "zoom": 0.2}),
    ({"rotate": 20.0, "shift": 0.1, "zoom": 0.2}, {"brightness": 0.3}),
    ({"flip": True, "zoom": 0.2}, {"contrast": 0.4}),
    ({"brightness": 0.3}, {"contrast": 0.4}),
])
def test_switching_a_change_on_leaves_the_draws_of_the_others_as_they_were(first, second):
    for number in range(8):
        in_turn = changed(second, number=number, source=changed(first, number=number))
        at_once = changed(first | second, number=number)
        # Brightness and contrast at once round once, in turn twice.
        np.testing.assert_allclose(at_once.astype(int), in_turn.astype(int), atol=1)


def test_switching_the_shift_on_leaves_rotation_and_zoom_as_they_were(matrices):
    angle, scale, _ = draws({"rotate": 20.0, "zoom": 0.2}, matrices, 10)
    shifted_angle, shifted_scale, _ = draws({"rotate": 20.0, "zoom": 0.2, "shift": 0.1}, matrices, 10)
    np.testing.assert_allclose(shifted_angle, angle)
    np.testing.assert_allclose(shifted_scale, scale)


def test_rotation_zoom_and_shift_fill_their_ranges_and_do_not_leave_them(matrices):
    angle, scale, shift = draws({"rotate": 20.0, "zoom": 0.2, "shift": 0.1}, matrices)
    for drawn, limit in ((angle, 20.0), (scale - 1, 0.2), (shift[:, 0], 0.1 * SIDE), (shift[:, 1], 0.1 * SIDE)):
        assert np.abs(drawn).max() <= limit + 1e-9
        assert drawn.min() < -0.9 * limit and drawn.max() > 0.9 * limit
        assert abs(drawn.mean()) < 0.15 * limit
    correlations = np.corrcoef([angle, scale, shift[:, 0], shift[:, 1]])
    assert np.abs(correlations - np.eye(4)).max() < 0.25  # independent of each other


def test_half_of_the_films_are_flipped_left_to_right():
    flipped = 0
    for number in range(200):
        result = changed({"flip": True}, number=number)
        flipped += bool((result != film()).any())
        assert (result == film()).all() or (result == film()[:, ::-1]).all()
    assert 70 < flipped < 130


@pytest.mark.parametrize("share", [0.1, 0.4, 1.0])
def test_as_many_films_are_flipped_as_the_recipe_says(share):
    flipped = np.mean([(changed({"flip": share}, number=number) != film()).any() for number in range(1000)])
    assert abs(flipped - share) <= 4 * np.sqrt(share * (1 - share) / 1000)


def gray(level: int, side: int = 64) -> np.ndarray:
    return np.full((side, side), level, "uint8")


@pytest.mark.parametrize("sigma", [0.01, 0.03, 0.1])
def test_noise_is_gaussian_of_the_deviation_that_the_recipe_says_at_any_gray_level(sigma):
    for level in (100, 150):
        added = np.stack([changed({"noise": sigma}, number=n, source=gray(level)) for n in range(8)]) - float(level)
        assert added.mean() == pytest.approx(0, abs=4 * 255 * sigma / np.sqrt(added.size))
        # Rounding adds the variance of a uniform distribution.
        assert added.std() == pytest.approx(np.hypot(255 * sigma, 12 ** -0.5), rel=0.02)
        tail = round(2 * 255 * sigma)
        expected = math.erfc((tail + 0.5) / (255 * sigma * math.sqrt(2)))
        assert (np.abs(added) > tail).mean() == pytest.approx(expected, abs=0.005)
        neighbours = np.corrcoef(added[:, :, 1:].ravel(), added[:, :, :-1].ravel())[0, 1]
        assert abs(neighbours) < 0.03


@pytest.mark.parametrize("sigma", [0.05, 0.1])
def test_speckle_is_noise_in_proportion_to_the_gray_level(sigma):
    for level in (40, 160):
        added = np.stack([changed({"speckle": sigma}, number=n, source=gray(level)) for n in range(8)]) - float(level)
        assert added.mean() == pytest.approx(0, abs=4 * level * sigma / np.sqrt(added.size) + 0.01)
        assert added.std() == pytest.approx(np.hypot(level * sigma, 12 ** -0.5), rel=0.02)
    assert not changed({"speckle": sigma}, source=gray(0)).any()


def test_noise_is_clipped_and_never_wraps():
    for level, clipped in ((0, 0), (255, 255)):
        result = changed({"noise": 0.1}, source=gray(level))
        assert (result == clipped).mean() == pytest.approx(0.5, abs=0.05)
        assert np.abs(result.astype(int) - level).max() < 160


def test_speckle_does_not_change_the_noise_nor_noise_the_geometry():
    black = gray(0)  # which speckle leaves as it is
    np.testing.assert_array_equal(changed({"noise": 0.1, "speckle": 0.5}, source=black),
                                  changed({"noise": 0.1}, source=black))
    without = changed({"flip": True, "rotate": 20.0})
    with_noise = changed({"flip": True, "rotate": 20.0, "noise": 0.004})
    assert (without != with_noise).any()
    np.testing.assert_allclose(with_noise.astype(int), without.astype(int), atol=6)


def test_a_film_is_changed_as_it_was_when_the_committed_results_were_made(matrices):
    changed(EVERYTHING | {"noise": 0.1, "speckle": 0.1})
    np.testing.assert_allclose(matrices[0], [[1.130912, 0.317595, -7.364569], [-0.317595, 1.130912, 0.680813]],
                               atol=1e-6)


def test_brightness_scales_all_gray_levels_within_its_range():
    flat = np.full((SIDE, SIDE), 100, "uint8")
    levels = np.array([changed({"brightness": 0.3}, number=number, source=flat)[0, 0] for number in range(300)], int)
    assert 70 <= levels.min() < 73 and 127 < levels.max() <= 130


def test_contrast_spreads_gray_levels_around_the_mean_within_its_range():
    source = film()
    spreads = []
    for number in range(300):
        result = changed({"contrast": 0.4}, number=number, source=source)
        assert abs(result.mean() - source.mean()) < 1
        spreads.append(result.std() / source.std())
    assert 0.58 <= min(spreads) < 0.65 and 1.35 < max(spreads) <= 1.42


def test_gray_levels_are_clipped_and_never_wrap():
    black_and_white = np.zeros((SIDE, SIDE), "uint8")
    black_and_white[:, SIDE // 2:] = 255
    for number in range(50):
        result = changed({"brightness": 0.9, "contrast": 0.9}, number=number, source=black_and_white)
        assert (result[:, 0] <= result[:, -1]).all()


def test_the_border_is_mirrored_and_not_black():
    # Cubic interpolation swings a little below the darkest pixel; a border of constant 0 would be far below.
    for number in range(50):
        assert changed({"shift": 0.4, "rotate": 90.0}, number=number).min() > film().min() / 2


def test_a_read_only_film_is_changed_in_a_copy():
    source = film()
    source.setflags(write=False)
    before = source.copy()
    for number in range(10):
        result = changed(EVERYTHING, number=number, source=source)
        assert result.shape == (SIDE, SIDE) and result.dtype == np.uint8
    np.testing.assert_array_equal(source, before)

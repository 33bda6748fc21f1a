import numpy as np
import pytest

from thorax.probes import intensity


def test_the_ten_figures_of_a_film_with_a_white_frame():
    film = np.zeros((20, 20), np.uint8)
    film[:2] = film[-2:] = film[:, :2] = film[:, -2:] = 200
    found = dict(zip(intensity.NAMES, intensity.ten_statistics(film), strict=True))
    white = 1 - 16 * 16 / 400
    assert found["mean"] == pytest.approx(200 * white)
    assert (found["border_mean"], found["border_std"], found["centre_mean"], found["centre_std"]) == (200, 0, 0, 0)
    assert (found["p10"], found["median"], found["p90"]) == (0, 0, 200)
    assert found["entropy"] == pytest.approx(-white * np.log(white) - (1 - white) * np.log(1 - white))


def test_no_film_is_predicted_from_its_own_group():
    """Films of a group are alike and labels are random: only a model that saw the group could know them."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 4)
    labels = np.repeat(random.permutation(np.arange(40) % 2), 4)
    features = np.repeat(random.normal(size=(40, 10)), 4, axis=0) + random.normal(0, 1e-3, (160, 10))
    for predicted in intensity.predicted(features, labels, groups, 50, 0).values():
        assert np.mean(predicted == labels) < 0.75

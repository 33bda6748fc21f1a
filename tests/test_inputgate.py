import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from thorax import enhance, inputgate
from thorax.errors import ThoraxError
from thorax.oddinputs import odd_inputs
from thorax.phantom import FINDINGS, plan_films, render_film

SIDE = 64
RECIPES = {"plain": [], "enhanced": [{"op": "white_balance"}, {"op": "gray"}, {"op": "clahe", "tiles": 8}]}


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    """200 phantoms of 200 patients."""
    plans = plan_films(dict.fromkeys(FINDINGS, 34), seed=5, films_per_patient=(1, 1))
    return [render_film(plan, SIDE).image for plan in plans]


@pytest.fixture(scope="module", params=RECIPES)
def studied(request, images):
    """Enhancement, its films in a fixed random order, and the gate of the first 140 of them."""
    operation = enhance.build(RECIPES[request.param], SIDE)
    films = np.stack([operation(images[place]) for place in np.random.default_rng(0).permutation(len(images))])
    return operation, films, inputgate.fit(films[:100], films[100:140], 0.99)


def test_every_odd_input_is_refused(studied):
    operation, films, gate = studied
    odd = odd_inputs(films[140:], operation)
    assert {"grey page", "black page", "white page", "noise", "page of text", "colour gradient",
            "inverted film"} <= set(odd)
    missed = {name: int((~inputgate.refused(gate, some)).sum()) for name, some in odd.items()}
    assert not any(missed.values()), missed


def test_few_ordinary_films_are_refused(studied):
    _, films, gate = studied
    assert inputgate.refused(gate, films[140:]).mean() <= 0.1  # 60 films; the threshold is the largest of 40 distances


def test_the_gate_is_the_same_after_it_was_written_as_json(studied):
    _, films, gate = studied
    again = json.loads(json.dumps(gate, allow_nan=False))
    np.testing.assert_array_equal(inputgate.distances(again, films), inputgate.distances(gate, films))


def test_the_threshold_lets_the_stated_share_of_the_validation_films_pass(studied):
    _, films, _ = studied
    gate = inputgate.fit(films[:100], films[100:], 0.9)
    assert (~inputgate.refused(gate, films[100:])).mean() == pytest.approx(0.9, abs=0.02)


def test_the_covariance_is_scikit_learns_ledoit_wolf():
    numbers = np.random.default_rng(0).normal(size=(40, 12)) @ np.random.default_rng(1).normal(size=(12, 12))
    numbers -= numbers.mean(axis=0)
    np.testing.assert_allclose(inputgate.shrunk_covariance(numbers), ledoit_wolf(numbers, assume_centered=True)[0])


def test_features_are_means_spreads_and_edges_of_known_images():
    film = np.zeros((1, 16, 16), np.uint8)
    film[0, :4, :4] = 255
    found = inputgate.features(film)[0]
    assert found[:2].tolist() == [1.0, 0.0]
    np.testing.assert_allclose(found[16:32], np.log(1 / 255))
    np.testing.assert_allclose(found[32:], np.log(4 / (15 * 16) + 0.1 / 255))


@pytest.mark.parametrize("count", [1, 3])
def test_training_films_that_are_few_or_all_alike_give_a_gate_that_still_refuses_what_differs(count):
    alike = np.full((count, 32, 32), 90, np.uint8)
    gate = inputgate.fit(alike, alike, 0.99)
    assert not inputgate.refused(gate, alike).any()
    assert inputgate.refused(gate, alike + np.uint8(60)).all()


@pytest.mark.parametrize("films", [np.zeros((2, 32, 32), "float32"), np.zeros((32, 32), "uint8"),
                                   np.zeros((1, 4, 4), "uint8")])
def test_what_is_no_batch_of_films_is_refused_with_what_is_expected(films):
    with pytest.raises(ThoraxError, match=r"uint8 \(n, side, side\)"):
        inputgate.features(films)


def test_a_sample_is_spread_over_all_rows_and_short_lists_are_taken_whole():
    rows = np.arange(5000) * 2
    taken = inputgate.sample(rows)
    assert len(taken) == inputgate.MOST_FILMS == len(set(taken.tolist()))
    assert (taken[0], taken[-1]) == (rows[0], rows[-1])
    assert inputgate.sample(rows[:7]).tolist() == rows[:7].tolist()


@pytest.mark.skipif("THORAX_FILMS" not in os.environ, reason="THORAX_FILMS names no folder of real films")
@pytest.mark.parametrize("recipe", RECIPES)
def test_on_real_films_every_odd_page_is_refused_and_few_films_are(recipe):
    folder = Path(os.environ["THORAX_FILMS"]) / "chest-xray-pneumonia" / "chest_xray" / "train"
    paths = sorted(folder.rglob("*.jp*g"))
    if not paths:
        pytest.skip("THORAX_FILMS holds no Kermany films")
    operation = enhance.build(RECIPES[recipe], 96)
    chosen = np.random.default_rng(1).permutation(len(paths))[:900]
    films = np.stack([operation(cv2.imread(str(paths[place]), cv2.IMREAD_GRAYSCALE)) for place in chosen])
    gate = inputgate.fit(films[:500], films[500:650], 0.99)
    assert inputgate.refused(gate, films[650:]).mean() < 0.04
    odd = odd_inputs(films[650:], operation)
    # Children's films upside down look so much like films that a part of them passes.
    shares = {name: float(inputgate.refused(gate, some).mean()) for name, some in odd.items()}
    print(recipe, {name: round(share, 2) for name, share in shares.items()})
    assert all(share >= 0.9 for name, share in shares.items() if name != "film upside down"), shares

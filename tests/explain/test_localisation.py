import numpy as np
import pandas as pd
import pytest

from thorax.explain.localisation import inside, measure, summary
from thorax.packed import LESION, LUNG

SIDE = 20


def mask(rows: slice, columns: slice) -> np.ndarray:
    found = np.zeros((1, SIDE, SIDE), bool)
    found[0, rows, columns] = True
    return found


QUARTER = mask(slice(0, 10), slice(0, 10))


def test_a_flat_map_has_the_share_of_energy_that_chance_gives():
    row = inside(np.ones((1, SIDE, SIDE), "float32"), QUARTER).iloc[0]
    assert row["area"] == row["energy"] == row["hit"] == 0.25  # of equally high pixels a quarter is inside


def test_a_map_within_the_mask_has_all_its_energy_there_and_one_outside_none():
    heat = np.zeros((2, SIDE, SIDE))
    heat[0, 3:6, 3:6] = heat[1, 12:15, 12:15] = 1
    rows = inside(heat, np.repeat(QUARTER, 2, axis=0))
    assert rows["energy"].tolist() == rows["hit"].tolist() == [1, 0]


def test_energy_is_shared_in_proportion_and_the_highest_pixel_decides_on_the_hit():
    heat = np.zeros((1, SIDE, SIDE))
    heat[0, 2, 2], heat[0, 15, 15] = 0.25, 0.75
    row = inside(heat, QUARTER).iloc[0]
    assert row["energy"] == 0.25 and row["hit"] == 0


def test_an_empty_map_misses_and_has_no_energy():
    row = inside(np.zeros((1, SIDE, SIDE)), QUARTER).iloc[0]
    assert np.isnan(row["energy"]) and row["hit"] == 0 and row["area"] == 0.25


def test_a_film_without_a_lesion_has_nothing_to_find():
    assert inside(np.ones((1, SIDE, SIDE)), QUARTER & False).isna().all(axis=None)


def film_as_map(films, classes) -> np.ndarray:
    """An explainer for tests: the film is its own heat map."""
    return films.astype("float32") / 255


@pytest.mark.parametrize("factor", [1, 3])
def test_maps_are_measured_film_by_film_at_the_masks_size(factor):
    random = np.random.default_rng(0)
    corners = [(0, 0), (0, 10), (10, 0), (10, 10)]
    films, masks = np.zeros((80, SIDE, SIDE), "uint8"), np.zeros((80, SIDE * factor, SIDE * factor), "uint8")
    for number in range(80):
        y, x = corners[random.integers(4)]
        films[number, y + 3:y + 7, x + 3:x + 7] = 255
        masks[number, y * factor:(y + 10) * factor, x * factor:(x + 10) * factor] = LESION
    masks[:, :SIDE * factor // 2] |= LUNG
    rows = random.permutation(80)[:70]  # more than one batch, and not in order
    found = measure(film_as_map, films, rows, np.zeros(70, int), masks)
    assert (found["lesion_energy"] > 0.999).all() and (found["lesion_hit"] == 1).all()
    upper = films[rows, :10].any(axis=(1, 2))
    assert (found["lung_hit"] == upper).all() and 0 < upper.sum() < 70
    assert not found["empty"].any()


def test_without_masks_empty_maps_are_still_counted():
    films = np.zeros((3, SIDE, SIDE), "uint8")
    films[1] = 9
    found = measure(film_as_map, films, np.arange(3), np.zeros(3, int), np.zeros((3, 0, 0), "uint8"))
    assert found["empty"].tolist() == [True, False, True]
    assert found.drop(columns="empty").isna().all(axis=None)


def table(**columns) -> pd.DataFrame:
    n = 40
    base = {"group": [f"p{number // 2}" for number in range(n)], "label": ["sick"] * 20 + ["well"] * 20,
            "predicted": ["sick"] * 15 + ["well"] * 25}
    for kind in ("lung", "lesion"):
        base |= {f"{kind}_{name}": [np.nan] * n for name in ("area", "energy", "hit")}
    return pd.DataFrame(base | columns)


def test_right_and_wrong_decisions_and_classes_are_told_apart():
    area = [0.1] * 20 + [np.nan] * 20
    found = summary(table(lesion_area=area, lesion_energy=[0.3] * 10 + [0.5] * 5 + [0.05] * 5 + [np.nan] * 20,
                          lesion_hit=[1.0] * 10 + [0.0] * 10 + [np.nan] * 20), ["sick", "well"], 200, 0.95, 0)
    assert set(found) == {"lesion"}  # nothing is said of lungs, of which nothing is known
    assert set(found["lesion"]) == {"right", "wrong", "right_sick"}  # and nothing of lesions of the well
    right = found["lesion"]["right"]
    assert right["films"] == 15 and right["area"] == 0.1
    assert right["energy_ratio"]["value"] == pytest.approx((10 * 0.3 + 5 * 0.5) / 15 / 0.1, abs=1e-5)
    assert right["energy_ratio"]["low"] < right["energy_ratio"]["value"] < right["energy_ratio"]["high"]
    assert right["hit_rate"]["value"] == pytest.approx(10 / 15, abs=1e-5)
    assert found["lesion"]["wrong"]["energy_ratio"]["value"] == pytest.approx(0.5)
    assert found["lesion"]["wrong"]["energy_ratio"]["low"] is None  # of three patients


def test_a_few_small_lesions_do_not_decide_on_the_ratio():
    # The mean of single ratios would be 13: one film of a lesion of a thousandth that holds a tenth of the energy.
    found = summary(table(lesion_area=[0.2] * 7 + [0.001] + [np.nan] * 32,
                          lesion_energy=[0.2] * 7 + [0.1] + [np.nan] * 32,
                          lesion_hit=[0.0] * 8 + [np.nan] * 32), ["sick", "well"], 200, 0.95, 0)
    assert found["lesion"]["right"]["energy_ratio"]["value"] == pytest.approx(1.5 / 1.401, abs=1e-5)

import numpy as np
import pytest

from thorax.augment import augment
from thorax.batches import OrderedBatches, TrainingBatches
from thorax.examples import Examples
from thorax.recipe import Augment

SIDE = 16
GEOMETRY = Augment(flip=True, rotate=15.0, shift=0.1, zoom=0.1)
OFF = Augment()


@pytest.fixture
def films(tmp_path) -> np.ndarray:
    """40 films of noise, as a read-only memory map."""
    np.save(tmp_path / "films.npy", np.random.default_rng(0).integers(0, 256, (40, SIDE, SIDE)).astype("uint8"))
    return np.load(tmp_path / "films.npy", mmap_mode="r")


def batches(inputs, rows, batch_size=7, recipe=OFF, seed=5, epoch=0, classes=None) -> TrainingBatches:
    classes = np.arange(len(rows)) if classes is None else classes
    made = TrainingBatches(Examples(inputs, np.asarray(rows), classes), batch_size, recipe,
                           np.arange(classes.max() + 1).astype("float32"), seed)
    made.epoch = epoch
    return made


def by_row(made: TrainingBatches) -> dict[int, np.ndarray]:
    """Row to film. The classes are the positions in `rows`."""
    found = {}
    for number in range(len(made)):
        inputs, classes, _ = made[number]
        found |= {int(made.examples.rows[position]): film for film, position in zip(inputs, classes, strict=True)}
    return found


def order(made: TrainingBatches) -> list[int]:
    return [int(one) for number in range(len(made)) for one in made[number][1]]


@pytest.mark.parametrize("batch_size", [1, 3, 7, 17, 100])
def test_every_film_appears_exactly_once_in_an_epoch(films, batch_size):
    rows = [3, 5, 8, 9, 13, 21, 30, 31, 32, 33, 35, 36, 37, 38, 39, 0, 1]
    for epoch in range(3):
        made = batches(films, rows, batch_size, epoch=epoch)
        assert len(made) == -(-17 // batch_size)
        assert sorted(order(made)) == list(range(17))
        sizes = [len(made[number][0]) for number in range(len(made))]
        assert all(size == batch_size for size in sizes[:-1]) and sum(sizes) == 17


def test_another_epoch_and_another_seed_bring_another_order(films):
    orders = [order(batches(films, range(40), seed=seed, epoch=epoch))
              for seed, epoch in ((5, 0), (5, 1), (5, 2), (6, 0), (6, 1))]
    assert len({tuple(one) for one in orders}) == 5
    assert list(range(40)) not in orders
    assert order(batches(films, range(40), seed=5, epoch=1)) == orders[1]


def test_the_order_of_films_does_not_depend_on_the_batch_size(films):
    assert order(batches(films, range(40), 3)) == order(batches(films, range(40), 7))


@pytest.mark.parametrize("epoch", [0, 4])
def test_a_film_is_augmented_alike_whatever_the_batch_size(films, epoch):
    rows = list(range(2, 39, 2))
    by_three = by_row(batches(films, rows, 3, GEOMETRY, epoch=epoch))
    by_seven = by_row(batches(films, rows, 7, GEOMETRY, epoch=epoch))
    assert sorted(by_three) == sorted(by_seven) == rows
    for row in rows:
        np.testing.assert_array_equal(by_three[row], by_seven[row])
        np.testing.assert_array_equal(by_three[row], augment(films[row], GEOMETRY, 5, epoch, row))


def test_a_film_is_augmented_alike_whatever_films_are_around_it(films):
    alone = by_row(batches(films, [8, 9], 2, GEOMETRY))
    among = by_row(batches(films, list(range(39, -1, -1)), 2, GEOMETRY))
    np.testing.assert_array_equal(alone[9], among[9])


def test_another_epoch_brings_other_changes(films):
    first, second = (by_row(batches(films, range(40), recipe=GEOMETRY, epoch=epoch)) for epoch in (0, 1))
    assert sum((first[row] != second[row]).any() for row in range(40)) > 35


def test_films_keep_their_classes_and_weights():
    # Even films, which no geometric change alters: their gray level is ten times their class.
    classes = np.random.default_rng(1).integers(0, 20, 40)
    films = np.repeat((classes * 10).astype("uint8"), SIDE * SIDE).reshape(40, SIDE, SIDE)
    rows = np.arange(40)[::-3].copy()
    for recipe in (OFF, GEOMETRY):
        made = batches(films, rows, 4, recipe, classes=classes[rows])
        for number in range(len(made)):
            inputs, labels, weights = made[number]
            assert (inputs == labels[:, None, None] * 10).all()
            np.testing.assert_array_equal(weights, labels.astype("float32"))
            assert labels.dtype == np.int32 and weights.dtype == np.float32 and inputs.dtype == np.uint8


def test_without_changes_films_come_as_they_are(films):
    for row, film in by_row(batches(films, range(40))).items():
        np.testing.assert_array_equal(film, films[row])


def test_cached_features_pass_unchanged_as_floats():
    features = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
    for row, values in by_row(batches(features, range(9), 4)).items():
        np.testing.assert_array_equal(values, features[row])


def test_augmenting_leaves_the_array_on_disk_alone(films):
    before = np.array(films)
    by_row(batches(films, range(40), recipe=Augment(flip=True, rotate=9.0, brightness=0.4, contrast=0.4)))
    np.testing.assert_array_equal(films, before)


@pytest.mark.parametrize("batch_size", [1, 4, 11, 64])
def test_ordered_batches_keep_the_order_of_the_rows(films, batch_size):
    rows = np.array([7, 3, 39, 0, 11, 12, 13, 14, 15, 1, 2])
    made = OrderedBatches(Examples(films, rows, np.arange(11) % 3), batch_size)
    parts = [made[number] for number in range(len(made))]
    np.testing.assert_array_equal(np.concatenate([inputs for inputs, _ in parts]), films[rows])
    np.testing.assert_array_equal(np.concatenate([classes for _, classes in parts]), np.arange(11) % 3)
    assert all(len(inputs) for inputs, _ in parts)


def test_copies_of_a_film_are_changed_each_in_its_own_way_and_the_first_as_if_there_were_none(films):
    made = batches(films, [4, 9, 4, 4], batch_size=4, recipe=GEOMETRY)
    inputs, positions, _ = made[0]
    found = dict(zip(positions.tolist(), inputs, strict=True))
    np.testing.assert_array_equal(found[0], augment(films[4], GEOMETRY, 5, 0, 4))
    assert len({found[position].tobytes() for position in (0, 2, 3)}) == 3

import numpy as np

from thorax.probes import forest

FILMS = np.random.default_rng(0).integers(1, 256, (60, 32, 32)).astype("uint8")


def test_the_lungs_are_blanked_and_the_rest_stays():
    blanked = forest.without_box(FILMS, (0.25, 0.75, 0.125, 0.5))
    assert not blanked[:, 8:24, 4:16].any()
    blanked[:, 8:24, 4:16] = FILMS[:, 8:24, 4:16]
    assert (blanked == FILMS).all()


def test_the_border_is_all_that_stays():
    ring = forest.border_only(FILMS, 0.0625)
    assert not ring[:, 2:-2, 2:-2].any()
    assert (ring[:, :2] == FILMS[:, :2]).all()
    assert (ring[:, :, -2:] == FILMS[:, :, -2:]).all()


def test_a_ring_is_a_pixel_wide_at_least():
    assert forest.border_only(FILMS, 0.001)[:, 0].all()


def test_a_frequent_class_is_not_preferred():
    assert forest.most_probable(np.array([[0.6, 0.4]]), np.array([0.9, 0.1])).tolist() == [1]


def test_shuffled_labels_are_shared_by_a_group_and_as_frequent_as_before():
    groups = np.repeat(np.arange(100), 2).astype(str)
    labels = np.repeat(np.arange(100) % 4, 2)
    shuffled = forest.shuffled_by_group(labels, groups, seed=1)
    assert (shuffled[::2] == shuffled[1::2]).all()
    assert (np.bincount(shuffled) == np.bincount(labels)).all()
    assert 0.1 < np.mean(shuffled == labels) < 0.45


def test_the_number_of_processors_changes_nothing(monkeypatch):
    labels, train = np.arange(60) % 3, np.arange(60) < 40
    found = []
    for count in (1, 4):
        monkeypatch.setattr(forest, "usable_cpus", lambda count=count: count)
        found.append(forest.trained_and_tested(FILMS, labels, train, 20, 0).tolist())
    assert found[0] == found[1]

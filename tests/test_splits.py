import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thorax.splits import PARTS, clusters, split

FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}


@st.composite
def studies(draw):
    """Ids, labels and clusters; all films of a cluster have the same label."""
    sizes = draw(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), min_size=1, max_size=60))
    cluster = np.repeat(np.arange(len(sizes)), [count for _, count in sizes])
    labels = np.array([label for label, _ in sizes])[cluster]
    ids = draw(st.permutations([f"film{number:04d}" for number in range(len(cluster))]))
    return np.array(ids), labels, cluster


@st.composite
def shares(draw):
    cuts = sorted(draw(st.lists(st.integers(1, 99), min_size=2, max_size=2, unique=True)))
    return dict(zip(PARTS, (cuts[0] / 100, (cuts[1] - cuts[0]) / 100, 1 - cuts[1] / 100), strict=True))


@settings(deadline=None, max_examples=150)
@given(studies(), shares(), st.integers(0, 9))
def test_every_label_is_within_one_cluster_of_its_share_in_every_part_and_no_cluster_straddles(study, fractions, seed):
    ids, labels, cluster = study
    part = split(ids, labels, cluster, fractions, seed)
    assert set(part) <= set(PARTS)
    for number in np.unique(cluster):
        assert len(set(part[cluster == number])) == 1
    for label in np.unique(labels):
        largest = np.bincount(cluster[labels == label]).max()
        for name, fraction in fractions.items():
            wanted = fraction * (labels == label).sum()
            assert abs(((part == name) & (labels == label)).sum() - wanted) < largest + 1e-9


@settings(deadline=None, max_examples=50)
@given(studies(), st.randoms(use_true_random=False), st.integers(0, 9))
def test_the_order_of_the_files_is_of_no_account(study, random, seed):
    ids, labels, cluster = study
    shuffled = list(range(len(ids)))
    random.shuffle(shuffled)
    part = split(ids, labels, cluster, FRACTIONS, seed)
    again = split(ids[shuffled], labels[shuffled], clusters(cluster[shuffled]), FRACTIONS, seed)
    np.testing.assert_array_equal(again, part[shuffled])


def study_of(films: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    numbers = np.arange(films)
    return np.char.mod("film%d", numbers), np.char.mod("label%d", numbers % 3), numbers


def test_another_seed_brings_another_split_of_the_same_proportions():
    ids, labels, cluster = study_of(300)
    first, same, other = (split(ids, labels, cluster, FRACTIONS, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert (first != other).mean() > 0.3
    assert dict(zip(*np.unique(other, return_counts=True), strict=True)) == {"train": 210, "validation": 30, "test": 60}


def test_a_film_more_moves_few_others():
    # An order by hashes of names: a new film shifts the places behind it, it does not reshuffle them.
    ids, labels, cluster = study_of(301)
    before = split(ids[:300], labels[:300], cluster[:300], FRACTIONS, 1)
    after = split(ids, labels, cluster, FRACTIONS, 1)
    assert (before != after[:300]).mean() < 0.35


def test_clusters_of_mixed_labels_do_not_straddle_either():
    random = np.random.default_rng(0)
    cluster, labels = random.integers(0, 40, 200), random.integers(0, 4, 200)
    part = split(np.char.mod("film%d", np.arange(200)), labels, clusters(cluster), FRACTIONS, 3)
    assert all(len(set(part[cluster == number])) == 1 for number in np.unique(cluster))
    assert abs((part == "train").mean() - 0.7) < 0.1


@pytest.mark.parametrize("groups, pixels, expected", [
    (["a", "a", "b", "c"], ["1", "2", "3", "4"], [0, 0, 1, 2]),
    (["a", "b", "c", "d"], ["1", "1", "2", "2"], [0, 0, 1, 1]),
    # a and b share pixels, b and c too: all are one, though a and c share nothing
    (["a", "b", "b", "c", "d"], ["1", "1", "2", "2", "3"], [0, 0, 0, 0, 1]),
    (["d", "c", "b", "a", "z"], ["1", "2", "2", "1", "3"], [0, 1, 1, 0, 2]),
    (["a"], ["1"], [0]),
])
def test_films_that_share_a_group_or_pixels_are_one_cluster_directly_or_through_others(groups, pixels, expected):
    assert list(clusters(groups, pixels)) == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=40))
def test_clusters_are_the_connected_components(keys):
    groups, pixels = (list(each) for each in zip(*keys, strict=True))
    found = clusters(groups, pixels)
    linked = np.equal.outer(groups, groups) | np.equal.outer(pixels, pixels)
    for _ in range(6):  # paths of up to 64 steps
        linked = (linked.astype(int) @ linked) > 0
    np.testing.assert_array_equal(np.equal.outer(found, found), linked)
    assert list(dict.fromkeys(found.tolist())) == list(range(found.max() + 1))


def test_a_group_with_a_duplicate_elsewhere_takes_that_group_along():
    groups = [f"patient{number // 3}" for number in range(300)]
    pixels = [str(number) for number in range(300)]
    pixels[299] = pixels[0]
    cluster = clusters(groups, pixels)
    part = split([f"film{number}" for number in range(300)], ["x"] * 300, cluster, FRACTIONS, 0)
    assert len(set(part[[0, 1, 2, 297, 298, 299]])) == 1

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from thorax.errors import ThoraxError
from thorax.reader import load_study
from thorax.splits import PARTS, clusters, deal, drawn, split, unique_names

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


def test_near_duplicate_pairs_join_clusters():
    assert list(clusters("abcdef", pairs=[(0, 4), (3, 4)])) == [0, 1, 2, 0, 0, 3]
    assert list(clusters("aabbcd", pairs=np.array([[1, 2]]))) == [0, 0, 0, 0, 1, 2]


@settings(deadline=None, max_examples=100)
@given(studies(), st.integers(0, 9), st.integers(0, 8), st.integers(0, 8))
def test_numbers_of_validation_and_test_are_reached_without_splitting_a_cluster(study, seed, validation, test):
    ids, labels, cluster = study
    part = split(ids, labels, cluster, FRACTIONS, seed, {"validation": {"a": validation}, "test": {"a": test}})
    own = labels == "a"
    largest = np.bincount(cluster[own]).max() if own.any() else 0
    if own.sum() >= validation + test + 3 * largest:
        for name, wanted in (("validation", validation), ("test", test)):
            assert wanted <= (own & (part == name)).sum() < max(wanted + 2 * largest, 1 + largest)
    assert all(len(set(part[cluster == number])) == 1 for number in np.unique(cluster))


def test_copies_have_names_of_their_own():
    assert unique_names(["a", "b", "a", "a", "b"]) == ["a", "b", "a#2", "a#3", "b#2"]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 20), st.integers(0, 60))
def test_every_film_is_repeated_as_often_as_any_other_or_once_more(films, count):
    found = drawn(range(films), [f"film{row}" for row in range(films)], count, 3)
    times = np.bincount(found, minlength=films)
    assert times.sum() == count
    assert times.max() - times.min() <= 1


def case() -> tuple[list[str], np.ndarray, np.ndarray]:
    """A hundred groups of three films each of a common and of a rare stratum."""
    strata = np.repeat(["set/common", "set/rare"], [300, 60])
    return [f"film{row}" for row in range(360)], strata, np.arange(360) // 3


def count(strata, rows, part) -> dict:
    return {(name, stratum): int(((part == name) & (strata[rows] == stratum)).sum())
            for name in PARTS for stratum in ("set/common", "set/rare")}


def test_copies_made_before_the_split_lie_in_train_and_test():
    ids, strata, cluster = case()
    rows, part = deal(ids, strata, cluster, False, FRACTIONS, {"set/rare": 300}, {}, 1)
    assert count(strata, rows, part) == {("train", "set/common"): 210, ("train", "set/rare"): 210,
                                         ("validation", "set/common"): 30, ("validation", "set/rare"): 30,
                                         ("test", "set/common"): 60, ("test", "set/rare"): 60}
    assert len(set(rows[part == "train"]) & set(rows[part == "test"]) & set(range(300, 360))) > 30
    assert not set(rows[part == "train"]) & set(rows[part == "test"]) & set(range(300))


def test_published_numbers_are_reached_in_every_part_and_no_group_straddles():
    ids, strata, cluster = case()
    numbers = {"train": {"set/common": 200, "set/rare": 200}, "validation": {"set/common": 20, "set/rare": 10},
               "test": {"set/common": 40, "set/rare": 20}}
    rows, part = deal(ids, strata, cluster, True, FRACTIONS, {}, numbers, 1)
    assert count(strata, rows, part) == {(name, stratum): wanted for name, each in numbers.items()
                                         for stratum, wanted in each.items()}
    for number in np.unique(cluster[rows]):
        assert len(set(part[cluster[rows] == number])) == 1
    for name in ("validation", "test"):
        assert len(set(rows[part == name])) == (part == name).sum()  # films are repeated in train alone
    assert list(rows) == sorted(rows)


def test_zero_keeps_a_part_free_and_what_is_not_named_keeps_its_fraction():
    ids, strata, cluster = case()
    numbers = {"train": {"set/rare": 0}, "validation": {"set/rare": 0}, "test": {"set/rare": 25}}
    rows, part = deal(ids, strata, cluster, False, FRACTIONS, {}, numbers, 1)
    found = count(strata, rows, part)
    assert [found[name, "set/rare"] for name in PARTS] == [0, 0, 25]
    assert [found[name, "set/common"] for name in PARTS] == [210, 30, 60]


def test_drawing_fewer_films_before_a_grouped_split_repeats_none():
    ids, strata, cluster = case()
    rows, part = deal(ids, strata, cluster, True, FRACTIONS, {"set/common": 60}, {}, 1)
    assert len(rows) == len(set(rows)) == 120
    assert all(len(set(part[cluster[rows] == number])) == 1 for number in np.unique(cluster[rows]))


@pytest.mark.parametrize("before, after, said", [
    ({"set/rare": 61}, {}, "per_class: set/rare has 60 films, fewer than 61; films are repeated before the split only"),
    ({}, {"test": {"set/rare": 61}}, "films.test: 60 films of set/rare are left for this part, fewer than 61"),
    ({}, {"test": {"set/rare": 57}, "train": {"set/rare": 5}},
     "films.train: 0 films of set/rare are left for this part, fewer than 5"),
])
def test_films_that_lack_are_named_with_what_to_do(before, after, said):
    with pytest.raises(ThoraxError, match=said.replace(".", r"\.")):
        deal(*case(), True, FRACTIONS, before, after, 1)


def mixed_case(seed: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """330 films each of two strata, of which some dozen are films of the other stratum too."""
    random = np.random.default_rng(seed)
    cluster = np.arange(660)
    for one, other in zip(random.choice(330, 24, replace=False), random.choice(330, 24, replace=False), strict=True):
        cluster[330 + other] = cluster[one]
    return [f"film{row}" for row in range(660)], np.repeat(["one/normal", "other/normal"], 330), clusters(cluster)


@pytest.mark.parametrize("seed", range(8))
def test_numbers_are_reached_also_where_data_sets_hold_films_of_each_other(seed):
    numbers = {"train": {"one/normal": 180, "other/normal": 180}, "validation": {"one/normal": 20, "other/normal": 20},
               "test": {"one/normal": 100, "other/normal": 100}}
    ids, strata, cluster = mixed_case(seed)
    rows, part = deal(ids, strata, cluster, True, FRACTIONS, {}, numbers, seed)
    for name, each in numbers.items():
        for stratum, wanted in each.items():
            assert ((part == name) & (strata[rows] == stratum)).sum() == wanted
    assert all(len(set(part[cluster[rows] == number])) == 1 for number in np.unique(cluster[rows]))


# The four classes of the radiography data base, and what the published study brings each of them to.
RADIOGRAPHY = {"covid": 3616, "normal": 10192, "opacity": 6012, "virus": 1345}
PUBLISHED = {"train": 2531, "validation": 361, "test": 724}


@pytest.fixture(scope="module")
def radiography() -> tuple[list[str], np.ndarray, np.ndarray]:
    """All 21,165 films by name, with 260 pairs of near-duplicates among the COVID films."""
    labels = np.repeat(list(RADIOGRAPHY), list(RADIOGRAPHY.values()))
    pairs = [(2 * number, 2 * number + 1) for number in range(260)]
    return [f"film{row}" for row in range(len(labels))], labels, clusters(np.arange(len(labels)), pairs=pairs)


def dealt_by_recipe(name: str, films) -> tuple[np.ndarray, np.ndarray]:
    wanted = load_study("radiography_resnet", ROOT).split[name]
    fractions = {part: getattr(wanted, part) for part in PARTS}
    return deal(*films, wanted.unit == "group", fractions, wanted.per_class, wanted.films, 2026)


@pytest.mark.parametrize("name", ["as_published", "grouped"])
def test_the_published_10124_1444_and_2896_films_are_reached_at_true_scale(name, radiography):
    rows, part = dealt_by_recipe(name, radiography)
    assert {each: int((part == each).sum()) for each in PARTS} == {"train": 10124, "validation": 1444, "test": 2896}
    for label in RADIOGRAPHY:
        own = radiography[1][rows] == label
        assert {each: int((part[own] == each).sum()) for each in PARTS} == PUBLISHED


def test_of_these_films_none_crosses_by_group_and_viral_ones_are_copied_across_as_published(radiography):
    cluster = radiography[2]
    rows, part = dealt_by_recipe("grouped", radiography)
    assert not set(cluster[rows[part == "train"]]) & set(cluster[rows[part != "train"]])
    assert not set(cluster[rows[part == "validation"]]) & set(cluster[rows[part == "test"]])
    for name in ("validation", "test"):
        assert len(set(rows[part == name])) == (part == name).sum()  # films are repeated in the training part alone
    rows, part = dealt_by_recipe("as_published", radiography)
    crossing = set(rows[part == "train"]) & set(rows[part == "test"])
    assert len(crossing) > 300
    assert {str(label) for label in radiography[1][list(crossing)]} == {"virus"}


def test_undersampling_and_oversampling_change_the_training_part_alone(radiography):
    rows, part = dealt_by_recipe("all_films", radiography)
    train = set(rows[part == "train"])
    for name, count, repeated in (("undersampled", 940, False), ("oversampled", 7134, True)):
        some, where = dealt_by_recipe(name, radiography)
        for each in ("validation", "test"):
            np.testing.assert_array_equal(some[where == each], rows[part == each])
        own = some[where == "train"]
        assert set(own) <= train
        assert (len(set(own)) < len(own)) == repeated
        assert dict(zip(*np.unique(radiography[1][own], return_counts=True), strict=True)) == dict.fromkeys(
            RADIOGRAPHY, count)

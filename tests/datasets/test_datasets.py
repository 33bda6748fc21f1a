"""The contract of every data set, on its phantom twin."""

from pathlib import PurePath

import pytest

from thorax import datasets
from thorax.errors import ThoraxError
from thorax.films import read_film
from thorax.recipe import Dataset, Phantom

SETTINGS = Phantom(patients=3, films_per_patient=[1, 2], image_size=64)
NAMES = datasets.names()
MASKS = ["lung_mask", "lesion_mask"]


@pytest.fixture(scope="module", params=NAMES)
def twin(request) -> tuple[str, dict[str, bytes]]:
    """A data set's name and the files of its twin."""
    dataset = datasets.load(request.param)
    files = list(dataset.simulate(dataset.LABELS, SETTINGS, seed=5))
    names = [name for name, _ in files]
    assert len(set(names)) == len(names)
    return request.param, dict(files)


def films_of(twin, **changes):
    name, files = twin
    wanted = Dataset(labels=list(datasets.load(name).LABELS), **changes)
    return datasets.films_of(name, wanted, list(files), files.__getitem__, "twin", assert_counts="expected" in changes)


@pytest.mark.parametrize("name", NAMES)
def test_origin_licence_and_citation_are_told(name):
    dataset = datasets.load(name)
    assert all(getattr(dataset, field).strip()
               for field in ("TITLE", "ORIGIN", "LICENCE", "CITATION", "LAYOUT", "DOWNLOAD"))
    assert len(set(dataset.LABELS)) == len(dataset.LABELS) >= 2
    assert set(getattr(dataset, "EXPECTED", {})) <= set(dataset.LABELS)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"phantom"}))
def test_every_real_set_says_where_it_is_fetched_from(name):
    dataset = datasets.load(name)
    places = [field for field in ("KAGGLE", "GITHUB", "MENDELEY") if hasattr(dataset, field)]
    assert len(places) == 1
    assert hasattr(dataset, "COMMIT") == (places == ["GITHUB"])


def test_every_film_has_a_path_of_its_own_and_a_known_label(twin):
    films, _ = films_of(twin)
    assert films["path"].is_unique
    assert set(films["label"]) == set(datasets.load(twin[0]).LABELS)
    assert list(films.columns) == datasets.COLUMNS
    assert not films.isna().any().any()


def test_every_path_is_a_readable_film(twin):
    films, _ = films_of(twin)
    for path in films["path"]:
        assert min(read_film(twin[1][path]).shape[:2]) == 64


def test_every_file_is_a_film_or_is_counted_as_left_out(twin):
    films, skipped = films_of(twin)
    tables = {"films.csv"} & set(twin[1])
    counted = sum(count for reason, count in skipped.items() if not reason.startswith("not here"))
    assert len(films) + counted + len(tables) == len(twin[1])


def test_every_mask_is_a_readable_picture_beside_its_film(twin):
    films, _ = films_of(twin)
    for column in MASKS:
        for film, mask in films.loc[films[column] != "", ["path", column]].itertuples(index=False):
            assert read_film(twin[1][mask]).any(axis=None) or column == "lesion_mask"
            assert PurePath(mask).stem == PurePath(film).stem


def test_the_phantom_s_masks_show_two_lungs_and_a_lesion_where_there_is_a_finding():
    phantom = datasets.load("phantom")
    files = dict(phantom.simulate(phantom.LABELS, SETTINGS, seed=5))
    films, _ = films_of(("phantom", files))
    for row in films.itertuples():
        lungs, lesion = (read_film(files[path]) > 0 for path in (row.lung_mask, row.lesion_mask))
        assert 0.1 < lungs.mean() < 0.5
        assert lesion.any() == (row.label != "normal")


def test_a_group_has_one_label_unless_the_set_says_so(twin):
    films, _ = films_of(twin)
    grouped = films[films["group"] != ""]
    mixed = (grouped.groupby("group")["label"].nunique() > 1).any()
    assert mixed == getattr(datasets.load(twin[0]), "GROUPS_MIX_LABELS", False)


def test_every_simulated_patient_is_a_group_where_the_set_knows_groups(twin):
    films, _ = films_of(twin)
    known = films["group_quality"] != "none"
    assert set(films["group_quality"]) <= {"metadata", "filename", "recovered", "none"}
    assert ((films["group"] != "") == known).all()
    assert known.all() or not known.any()
    if known.any():
        assert films["group"].nunique() == 3 * films["label"].nunique()


def test_the_order_of_the_files_changes_nothing(twin):
    name, files = twin
    wanted = Dataset(labels=list(datasets.load(name).LABELS))
    first, second = (datasets.films_of(name, wanted, order, files.__getitem__, "twin", assert_counts=False)[0]
                     for order in (sorted(files), sorted(files, reverse=True)))
    assert first.equals(second)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(twin):
    dataset = datasets.load(twin[0])
    few = Phantom(patients=1, films_per_patient=[1, 1], image_size=64)
    first, again, other = (list(dataset.simulate(dataset.LABELS[:2], few, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_wrong_expected_counts_are_refused_with_the_counts_found(twin):
    labels = datasets.load(twin[0]).LABELS
    with pytest.raises(ThoraxError, match="instead of 9999"):
        films_of(twin, expected=dict.fromkeys(labels, 9999))


def test_labels_not_asked_for_are_left_out_and_counted(twin):
    name, files = twin
    labels = list(datasets.load(name).LABELS)
    wanted = Dataset(labels=labels[:2])
    films, skipped = datasets.films_of(name, wanted, list(files), files.__getitem__, "twin", assert_counts=False)
    assert set(films["label"]) == set(labels[:2])
    assert skipped["of a label that the recipe does not ask for"] > 0 or len(labels) == 2


def test_an_unknown_data_set_is_answered_with_the_known_ones():
    with pytest.raises(ThoraxError, match="unknown data set 'kermani'; did you mean 'kermany'"):
        datasets.load("kermani")


def test_kermany_counts_bacteria_and_virus_patients_separately():
    describe = datasets.load("kermany").describe
    assert describe("train", "PNEUMONIA", "person7_bacteria_20")["group"] == "bacteria-7"
    assert describe("train", "PNEUMONIA", "person7_virus_21")["group"] == "virus-7"
    assert describe("train", "PNEUMONIA", "person447_virus_921_1")["group"] == "virus-447"
    assert describe("test", "NORMAL", "NORMAL2-IM-0012-0001-0002")["group"] == "NORMAL2-IM-0012"
    assert describe("test", "NORMAL", "IM-0012-0001")["group"] == "IM-0012"
    assert describe("test", "NORMAL", "person7_virus_21") is None


def test_without_expected_counts_in_the_recipe_those_of_the_data_set_are_asserted():
    names = [f"COVID_IEEE/{label}/{number}.png" for label in ("covid", "normal", "virus") for number in range(10)]
    wanted = Dataset(labels=["covid", "virus"])
    with pytest.raises(ThoraxError) as error:
        datasets.films_of("covid_ieee", wanted, names, None, "folder:x", assert_counts=True)
    assert "covid 10 instead of 536, virus 10 instead of 619" in str(error.value)
    assert "put these counts into download.datasets.covid_ieee.expected: {covid: 10, virus: 10}" in str(error.value)
    accepted = Dataset(labels=["covid", "virus"], expected={"covid": 10, "virus": 10})
    assert len(datasets.films_of("covid_ieee", accepted, names, None, "folder:x", assert_counts=True)[0]) == 20


def test_a_folder_without_films_of_the_set_is_answered_with_the_layout():
    with pytest.raises(ThoraxError, match=r"none of the 1 files.*Curated X-Ray Dataset/\{COVID-19,Normal"):
        datasets.films_of("curated", Dataset(labels=["covid"]), ["a.txt"], None, "folder:x", assert_counts=True)

"""The contract of every data set, on its phantom twin; and the real films where there are any."""

import os
from pathlib import Path

import pytest

from thorax import datasets, raw
from thorax.errors import ThoraxError
from thorax.films import read_film
from thorax.recipe import Dataset, Phantom, load_study

SETTINGS = Phantom(patients=6, films_per_patient=[1, 2], image_size=64)
NAMES = datasets.names()


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
    return datasets.films_of(name, wanted, list(files), files.__getitem__, "twin", assert_counts=True)


@pytest.mark.parametrize("name", NAMES)
def test_origin_licence_and_citation_are_told(name):
    dataset = datasets.load(name)
    assert all(getattr(dataset, field).strip() for field in ("TITLE", "ORIGIN", "LICENCE", "CITATION", "LAYOUT"))
    assert len(set(dataset.LABELS)) == len(dataset.LABELS) >= 2


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
    assert len(films) + sum(skipped.values()) + len(tables) == len(twin[1])


def test_a_group_has_one_label(twin):
    films, _ = films_of(twin)
    assert (films.groupby("group")["label"].nunique() == 1).all()
    assert films["group"].nunique() == 6 * films["label"].nunique()  # one for every simulated patient
    assert set(films["group_quality"]) <= {"metadata", "filename", "recovered", "none"}


def test_the_order_of_the_files_changes_nothing(twin):
    name, files = twin
    wanted = Dataset(labels=list(datasets.load(name).LABELS))
    first, second = (datasets.films_of(name, wanted, order, files.__getitem__, "twin", assert_counts=False)[0]
                     for order in (sorted(files), sorted(files, reverse=True)))
    assert first.equals(second)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(twin):
    dataset = datasets.load(twin[0])
    few = Phantom(patients=2, films_per_patient=[1, 1], image_size=64)
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
    films, skipped = datasets.films_of(name, wanted, list(files), files.__getitem__, "twin", assert_counts=True)
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


@pytest.mark.skipif(not os.environ.get("THORAX_FILMS"), reason="THORAX_FILMS does not name a folder of real films")
def test_kermany_s_real_films_have_the_known_counts_and_groups():
    folder = Path(os.environ["THORAX_FILMS"])
    files = raw.list_folder(folder, "THORAX_FILMS")
    wanted = load_study("kermany").download.datasets["kermany"]
    films, _ = datasets.films_of("kermany", wanted, files, lambda name: (folder / name).read_bytes(), "THORAX_FILMS",
                                 assert_counts=True)
    assert films["label"].value_counts().to_dict() == {"normal": 1341, "bacteria": 2530, "virus": 1345}
    assert (films.groupby("group")["label"].nunique() == 1).all()

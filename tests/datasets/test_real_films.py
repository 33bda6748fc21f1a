"""The adapters on real films, three sets side by side below one folder; skipped where there are none."""

import os
from pathlib import Path

import pandas as pd
import pytest

from thorax import datasets, raw
from thorax.datasets import cohen
from thorax.errors import ThoraxError
from thorax.reader import load_study
from thorax.recipe import Dataset

pytestmark = pytest.mark.skipif(not os.environ.get("THORAX_FILMS"),
                                reason="THORAX_FILMS does not name a folder of real films")


@pytest.fixture(scope="module")
def files() -> list[str]:
    return raw.list_folder(Path(os.environ["THORAX_FILMS"]), "THORAX_FILMS")


def read(name: str) -> bytes:
    return (Path(os.environ["THORAX_FILMS"]) / name).read_bytes()


def films_of(name: str, files: list[str], wanted: Dataset):
    return datasets.films_of(name, wanted, files, read, "THORAX_FILMS", assert_counts=True)


def test_kermany_s_real_films_have_the_known_counts_and_groups(files):
    films, _ = films_of("kermany", files, load_study("kermany").download.datasets["kermany"])
    assert films["label"].value_counts().to_dict() == {"normal": 1341, "bacteria": 2530, "virus": 1345}
    assert (films.groupby("group")["label"].nunique() == 1).all()


def test_radiography_s_real_films_have_the_published_counts(files):
    films, _ = films_of("radiography", files, Dataset(labels=["covid", "normal", "virus"]))
    assert films["label"].value_counts().to_dict() == {"normal": 10192, "covid": 3616, "virus": 1345}


def test_radiography_s_missing_lung_opacity_is_refused_on_real_films(files):
    with pytest.raises(ThoraxError, match="no film of label 'opacity' of data set 'radiography'"):
        films_of("radiography", files, Dataset(labels=["covid", "opacity", "normal", "virus"]))


def test_cohen_s_real_table_and_films_have_the_known_counts(files):
    table = cohen.find_table(files, read)
    rows = cohen.read_table(table, read)
    images = table.removesuffix("metadata.csv") + "images/"
    here = {name.removeprefix(images) for name in files if name.startswith(images)}
    missing = rows[~rows["filename"].isin(here)]
    frontal = rows[rows["filename"].isin(here) & (rows["modality"] == "X-ray") & rows["view"].isin(cohen.FRONTAL)]
    assert (len(rows), len(here), len(missing)) == (673, 646, 35)
    assert missing["modality"].value_counts().to_dict() == {"CT": 21, "X-ray": 14}
    assert len(here - set(rows["filename"])) == 13
    assert (len(frontal), frontal["patientid"].nunique()) == (531, 311)
    assert (frontal["finding"] == "COVID-19").sum() == 415


def test_cohen_s_real_films_are_the_frontal_ones_each_once(files):
    labels = ["normal", "covid", "covid_ards", "virus", "bacteria", "fungus", "pneumonia", "ards"]
    counts = dict.fromkeys(labels, 1) | {"covid": 415}
    with pytest.raises(ThoraxError, match=r"expected: \{normal: 19, covid: 415, covid_ards: 12"):
        films_of("cohen", files, Dataset(labels=labels, expected=counts))
    films, skipped = datasets.films_of("cohen", Dataset(labels=labels), files, read, "THORAX_FILMS", False)
    # Two cases are in the table a second time, as two more patients: four of the 531 frontal rows.
    assert (len(films), films["group"].nunique()) == (527, 309)
    assert films["label"].value_counts()["covid"] == 415
    absent = {reason: count for reason, count in skipped.items() if reason.startswith("not here")}
    assert sorted(absent.values()) == [14, 21]
    assert any("case_71_figura1.png" in reason for reason in absent)
    assert any("coronacases_org_001.nii.gz" in reason for reason in absent)
    assert skipped["a film without a row in metadata.csv"] == 13


def test_every_set_finds_no_film_of_another(files):
    found = pd.concat([datasets.load(name).index(sorted(files), read)[0] for name in datasets.names()])
    assert found["path"].is_unique
    assert len(found) == 5216 + 15153 + 527

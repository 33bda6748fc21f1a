"""Films of another study: those that a model has met are found, however they were stored again."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from thorax.duplicates import thumbnail
from thorax.external import dealt, met
from thorax.films import pixel_sha256, read_film
from thorax.phantom import plan_films, render_film


@pytest.fixture(scope="module")
def films() -> list[np.ndarray]:
    """Phantoms of 12 patients, one film each."""
    return [render_film(plan, 96).image for plan in plan_films({"normal": 6, "covid": 6}, 3, 0.0, (1, 1))]


def stored_again(film: np.ndarray) -> np.ndarray:
    """Another size, JPEG, in colour: what happens to films on the way from one public set to the next."""
    larger = cv2.cvtColor(cv2.resize(film, (150, 140)), cv2.COLOR_GRAY2BGR)
    return read_film(cv2.imencode(".jpeg", larger, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes())


def write(study: str, images: list[np.ndarray], parts: list[str], groups: list[str], clusters: list[int]) -> None:
    enhanced, split = Path("data/enhanced") / study, Path("data/split") / study
    enhanced.mkdir(parents=True)
    split.mkdir(parents=True)
    ids = [f"{study}/{row}" for row in range(len(images))]
    pd.DataFrame({"id": ids, "label": "normal", "group": groups, "sha256": [pixel_sha256(film) for film in images]}
                 ).to_csv(enhanced / "films.csv", index=False)
    np.save(enhanced / "thumbnails.npy", np.array([thumbnail(film) for film in images]))
    pd.DataFrame({"id": ids, "split": parts, "cluster": clusters}).to_csv(split / "grouped.csv", index=False)


@pytest.fixture
def studies(tmp_path, monkeypatch, films) -> None:
    """Study `a` with films 0 to 5, two in each part; study `b` with 6 to 8, then 0, 2 and 4 stored again, then 9 to 11,
    of which 9 belongs to the patient of the copy of film 0, and 10 to a patient of study `a`'s training part."""
    monkeypatch.chdir(tmp_path)
    write("a", films[:6], ["train", "train", "validation", "validation", "test", "test"],
          ["a/0", "set/7", "a/2", "a/3", "a/4", "a/5"], list(range(6)))
    write("b", [*films[6:9], *(stored_again(films[row]) for row in (0, 2, 4)), *films[9:]], ["test"] * 9,
          ["b/6", "b/7", "b/8", "b/0", "b/2", "b/4", "b/0", "set/7", "b/11"], [0, 1, 2, 3, 4, 5, 3, 7, 8])


def test_exactly_the_copies_of_training_and_validation_films_are_found(studies):
    copies, _ = met("a", "grouped", "b", "grouped")
    assert list(copies) == [3, 4]


def test_their_patients_other_films_and_patients_of_both_studies_are_relatives(studies):
    _, relatives = met("a", "grouped", "b", "grouped")
    assert list(relatives) == [3, 4, 6, 7]


def test_studies_without_a_film_in_common_lose_none(studies):
    Path("data/split/a/grouped.csv").write_text("id,split,cluster\na/4,train,0\na/5,test,1\n")
    Path("data/split/b/grouped.csv").write_text("id,split,cluster\nb/0,test,0\nb/1,test,1\nb/8,train,2\n")
    assert [list(rows) for rows in met("a", "grouped", "b", "grouped")] == [[], []]


def test_a_film_that_the_model_s_split_left_out_was_not_met(studies):
    Path("data/split/a/grouped.csv").write_text("id,split,cluster\na/0,train,0\na/5,test,1\n")
    assert list(met("a", "grouped", "b", "grouped")[0]) == [3]


def test_equal_pixels_are_found_where_a_film_has_no_structure(studies, films, tmp_path):
    flat = np.full((32, 32), 90, np.uint8)
    write("c", [films[0], flat], ["train", "train"], ["c/0", "c/1"], [0, 1])
    write("d", [films[5], flat], ["test", "test"], ["d/0", "d/1"], [0, 1])
    assert list(met("c", "grouped", "d", "grouped")[0]) == [1]


def test_a_film_repeated_in_two_parts_comes_once_as_one_of_train(studies):
    Path("data/split/a/grouped.csv").write_text("id,split,cluster\na/4,test,0\na/4,train,0\na/4,train,0\na/5,test,1\n")
    table = dealt("a", "grouped")
    assert list(zip(table["row"], table["split"], strict=True)) == [(4, "train"), (5, "test")]
    assert list(met("a", "grouped", "b", "grouped")[0]) == [5]

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from thorax import packed
from thorax.errors import ThoraxError
from thorax.tasks import part_of_task

LABELS = ["normal", "covid", "viral", "bacterial", "normal", "other",
          "covid", "viral", "normal", "covid", "viral", "other"]
SPLIT = ["train"] * 6 + ["test"] * 6
TASK = {"pneumonia": ["viral", "bacterial"], "covid": ["covid"], "normal": ["normal"]}


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """A study of 12 films; the gray level of each is its row."""
    monkeypatch.chdir(tmp_path)
    enhanced, split = tmp_path / "data" / "enhanced" / "small", tmp_path / "data" / "split" / "small"
    enhanced.mkdir(parents=True)
    split.mkdir(parents=True)
    with packed.writers({enhanced / "plain.npy": 4}) as append:
        for row in range(12):
            append([np.full((4, 4), row, "uint8")])
    ids = [f"film{row}" for row in range(11)] + ["NA"]  # a name like any other
    pd.DataFrame({"id": ids, "label": LABELS, "group": "g"}).to_csv(enhanced / "films.csv", index=False)
    pd.DataFrame({"id": ids, "split": SPLIT, "cluster": 0}).to_csv(split / "grouped.csv", index=False)
    return tmp_path


def test_a_part_holds_its_own_films_of_the_task_in_the_order_of_the_classes(study):
    examples, films = part_of_task("small", "plain", "grouped", TASK, "train")
    assert list(examples.rows) == [0, 1, 2, 3, 4]
    assert list(examples.classes) == [2, 1, 0, 0, 2]
    assert list(films["class"]) == ["normal", "covid", "pneumonia", "pneumonia", "normal"]
    assert list(films["id"]) == [f"film{row}" for row in range(5)]
    np.testing.assert_array_equal(examples.inputs[examples.rows][:, 0, 0], examples.rows)


def test_parts_share_no_film_and_leave_out_labels_outside_the_task(study):
    train, test = (part_of_task("small", "plain", "grouped", TASK, part)[0].rows for part in ("train", "test"))
    assert set(train) | set(test) == {row for row, label in enumerate(LABELS) if label != "other"}
    assert not set(train) & set(test)


def test_a_film_named_like_a_missing_value_is_a_film(study):
    examples, films = part_of_task("small", "plain", "grouped", {"other": ["other"], "normal": ["normal"]}, "test")
    assert list(examples.rows) == [8, 11]
    assert list(films["id"]) == ["film8", "NA"]


def change_split(study: Path, change) -> None:
    path = study / "data" / "split" / "small" / "grouped.csv"
    change(pd.read_csv(path, keep_default_na=False)).to_csv(path, index=False)


def test_a_split_of_other_films_is_refused(study):
    change_split(study, lambda split: split.assign(id=["else", *split["id"][1:]]))
    with pytest.raises(ThoraxError, match=r"grouped\.csv is of other films than .*films\.csv; run `dvc repro`"):
        part_of_task("small", "plain", "grouped", TASK, "train")


def test_a_repeated_film_comes_twice_under_two_ids_and_a_film_that_was_not_drawn_not_at_all(study):
    change_split(study, lambda split: split.iloc[[0, 1, 1, 2, 3, 1]])
    examples, films = part_of_task("small", "plain", "grouped", TASK, "train")
    assert list(examples.rows) == [0, 1, 1, 2, 3, 1]
    assert list(films["id"]) == ["film0", "film1", "film1#2", "film2", "film3", "film1#3"]
    assert list(films["class"]) == ["normal", "covid", "covid", "pneumonia", "pneumonia", "covid"]


def test_films_of_one_cluster_are_one_group(study):
    path = study / "data" / "enhanced" / "small" / "films.csv"
    films = pd.read_csv(path, keep_default_na=False)
    films.assign(group=[f"g{row}" for row in range(12)]).to_csv(path, index=False)
    change_split(study, lambda split: split.assign(cluster=[0, 0, 1, 1, 2, 3, 3, 4, 5, 6, 7, 8]))
    groups = [list(part_of_task("small", "plain", "grouped", {"a": ["covid", "other"], "b": ["normal", "viral"]}, part)
                   [1]["group"]) for part in ("train", "test")]
    assert groups == [["g0", "g0", "g2", "g4", "g5"], ["g5", "g7", "g8", "g9", "g10", "g11"]]


def test_a_class_without_films_in_a_part_is_refused_by_name(study):
    with pytest.raises(ThoraxError, match="no film of class 'bacterial' in the test part"):
        part_of_task("small", "plain", "grouped", {"bacterial": ["bacterial"], "normal": ["normal"]}, "test")
    part_of_task("small", "plain", "grouped", {"bacterial": ["bacterial"], "normal": ["normal"]}, "train")

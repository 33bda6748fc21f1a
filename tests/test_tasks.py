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
    pd.DataFrame({"id": ids, "split": SPLIT, "cluster": 0}).to_csv(split / "split.csv", index=False)
    return tmp_path


def test_a_part_holds_its_own_films_of_the_task_in_the_order_of_the_classes(study):
    examples, films = part_of_task("small", "plain", TASK, "train")
    assert list(examples.rows) == [0, 1, 2, 3, 4]
    assert list(examples.classes) == [2, 1, 0, 0, 2]
    assert list(films["class"]) == ["normal", "covid", "pneumonia", "pneumonia", "normal"]
    assert list(films["id"]) == [f"film{row}" for row in range(5)]
    assert set(films["split"]) == {"train"}
    np.testing.assert_array_equal(examples.inputs[examples.rows][:, 0, 0], examples.rows)


def test_parts_share_no_film_and_leave_out_labels_outside_the_task(study):
    train, test = (part_of_task("small", "plain", TASK, part)[0].rows for part in ("train", "test"))
    assert set(train) | set(test) == {row for row, label in enumerate(LABELS) if label != "other"}
    assert not set(train) & set(test)


def test_a_film_named_like_a_missing_value_is_a_film(study):
    examples, films = part_of_task("small", "plain", {"other": ["other"], "normal": ["normal"]}, "test")
    assert list(examples.rows) == [8, 11]
    assert list(films["id"]) == ["film8", "NA"]


@pytest.mark.parametrize("change", [lambda split: split.iloc[::-1], lambda split: split.iloc[:-1],
                                    lambda split: split.assign(id=["else", *split["id"][1:]])])
def test_a_split_of_other_films_is_refused(study, change):
    path = study / "data" / "split" / "small" / "split.csv"
    change(pd.read_csv(path, keep_default_na=False)).to_csv(path, index=False)
    with pytest.raises(ThoraxError, match=r"split\.csv is of other films than .*films\.csv; run `dvc repro`"):
        part_of_task("small", "plain", TASK, "train")


def test_a_class_without_films_in_a_part_is_refused_by_name(study):
    with pytest.raises(ThoraxError, match="no film of class 'bacterial' in the test part"):
        part_of_task("small", "plain", {"bacterial": ["bacterial"], "normal": ["normal"]}, "test")
    part_of_task("small", "plain", {"bacterial": ["bacterial"], "normal": ["normal"]}, "train")

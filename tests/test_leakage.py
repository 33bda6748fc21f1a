"""The audit counts what lies in two parts, on a split of which that is known."""

import numpy as np
import pandas as pd
import pytest

from thorax.leakage import audit, straddlers

FILMS = pd.DataFrame({
    "id": [f"film{row}" for row in range(10)],
    "label": ["normal"] * 5 + ["covid"] * 5,
    "group": ["a", "a", "b", "c", "d", "e", "f", "g", "h", "h"],
    "group_quality": ["filename"] * 8 + ["none"] * 2,
    "sha256": ["1", "2", "3", "4", "4", "6", "7", "8", "9", "0"]})
PAIRS = np.array([[2, 5], [6, 7]])
CLUSTER = np.array([0, 0, 1, 2, 2, 1, 3, 3, 4, 4])
#                films 0 and 1 are one group, 3 and 4 have the same pixels, 2 and 5, 6 and 7 are near-duplicates
HONEST = (np.arange(10), np.array(["train"] * 2 + ["test"] + ["validation"] * 2 + ["test"] + ["train"] * 4))


def test_of_a_split_by_cluster_nothing_straddles():
    assert not any(straddlers(FILMS, *HONEST, PAIRS).values())
    found = audit(FILMS, *HONEST, CLUSTER, PAIRS)
    assert found["test_share_with_a_relative_in_train"] == 0
    assert found["group_quality"] == {"filename": 8, "none": 2}
    assert (found["films"], found["groups"], found["clusters"], found["largest_cluster"]) == (10, 8, 5, 2)
    assert (found["near_duplicate_pairs"], found["films_with_an_exact_duplicate"], found["copies"]) == (2, 2, 0)
    assert found["counts"] == {"covid": {"train": 4, "validation": 0, "test": 1},
                               "normal": {"train": 2, "validation": 2, "test": 1}}


@pytest.mark.parametrize("moved, kind, name", [
    (0, "groups", "a"), (3, "exact_duplicates", "film3"), (6, "near_duplicate_pairs", "film6 and film7")])
def test_one_film_in_the_test_part_is_named_by_what_it_leaves_behind(moved, kind, name):
    rows, part = HONEST
    part = part.copy()
    part[moved] = "test"
    found = straddlers(FILMS, rows, part, PAIRS)
    assert {each: names for each, names in found.items() if names} == {kind: [name]}
    share = audit(FILMS, rows, part, CLUSTER, PAIRS)["test_share_with_a_relative_in_train"]
    assert share == (0 if moved == 3 else round(1 / 3, 4))  # film 4 lies in the validation part


def test_copies_in_train_and_test_are_counted_and_copies_in_train_alone_are_not():
    rows, part = HONEST
    in_train = straddlers(FILMS, np.append(rows, [0, 0]), np.append(part, ["train", "train"]), PAIRS)
    assert not any(in_train.values())
    rows, part = np.append(rows, [8, 8]), np.append(part, ["test", "train"])
    found = straddlers(FILMS, rows, part, PAIRS)
    assert found["copied_films"] == ["film8"]
    assert found["groups"] == ["h"]
    assert not found["exact_duplicates"]  # one film is no duplicate of itself
    report = audit(FILMS, rows, part, CLUSTER, PAIRS)
    assert report["copies"] == 2
    assert report["test_share_with_a_relative_in_train"] == round(1 / 3, 4)


def test_films_that_were_not_drawn_do_not_count():
    rows, part = np.array([2, 6, 8]), np.array(["test", "train", "validation"])
    found = audit(FILMS, rows, part, CLUSTER, PAIRS)
    assert (found["films"], found["near_duplicate_pairs"], found["largest_cluster"]) == (3, 0, 1)

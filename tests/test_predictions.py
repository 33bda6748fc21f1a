import numpy as np
import pandas as pd
import pytest

from thorax import predictions
from thorax.errors import ThoraxError

CLASSES = ["covid", "normal", "Viral Pneumonia"]


def table(n: int = 6, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    values = random.dirichlet(np.ones(3), n).astype(np.float32)
    frame = pd.DataFrame({"id": [f"film{i}" for i in range(n)], "group": [f"patient{i // 2}" for i in range(n)]})
    frame["source"], frame["label"] = "phantom", [CLASSES[i % 3] for i in range(n)]
    for c, name in enumerate(CLASSES):
        frame[name] = values[:, c]
    return frame


def changed(column: str, row: int, value) -> pd.DataFrame:
    frame = table().astype({column: object})
    frame.loc[row, column] = value
    return frame


def test_a_valid_table_passes_and_names_its_classes_in_order():
    predictions.validate(table(), CLASSES, "predictions.csv")
    assert predictions.classes_of(table()) == CLASSES


def test_float32_probabilities_come_back_bit_for_bit(tmp_path):
    frame = table(500)
    frame.loc[0, CLASSES] = np.array([1e-30, 1.0, 3e-8], dtype=np.float32)
    predictions.write(frame, tmp_path / "predictions.csv")
    back = predictions.read(tmp_path / "predictions.csv")
    assert (back[CLASSES].to_numpy().astype(np.float32) == frame[CLASSES].to_numpy(dtype=np.float32)).all()


def test_what_is_read_and_written_again_has_the_same_bytes_and_unix_line_ends(tmp_path):
    predictions.write(table(), tmp_path / "one.csv")
    predictions.write(predictions.read(tmp_path / "one.csv"), tmp_path / "two.csv")
    content = (tmp_path / "one.csv").read_bytes()
    assert content == (tmp_path / "two.csv").read_bytes()
    assert b"\r" not in content
    assert content.startswith(b"id,group,source,label,covid,normal,Viral Pneumonia\n")


def test_texts_that_look_like_numbers_or_missing_values_stay_texts(tmp_path):
    frame = table()
    frame.loc[0, ["id", "group", "source"]] = ["007", "NA", "1e3"]
    frame.loc[1, ["id", "source"]] = ["film, with comma", "Zürich"]
    predictions.write(frame, tmp_path / "predictions.csv")
    back = predictions.read(tmp_path / "predictions.csv")
    assert back.loc[0, ["id", "group", "source"]].tolist() == ["007", "NA", "1e3"]
    assert back.loc[1, ["id", "source"]].tolist() == ["film, with comma", "Zürich"]


def test_columns_are_written_in_contract_order_whatever_the_frame_has(tmp_path):
    frame = table()
    predictions.write(
        frame[["label", "covid", "id", "normal", "Viral Pneumonia", "source", "group"]], tmp_path / "p.csv"
    )
    assert list(predictions.read(tmp_path / "p.csv").columns) == [*predictions.COLUMNS, *CLASSES]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (table().drop(columns="group"), "missing columns group"),
        (table().drop(columns="normal"), "missing columns normal"),
        (table().assign(other=0.0), "expected"),
        (table()[[*predictions.COLUMNS, "normal", "covid", "Viral Pneumonia"]], "in this order"),
        (pd.concat([table(), table()[["id"]]], axis=1), "every column once"),
        (table().iloc[:0], "no rows"),
        (changed("id", 2, "film1"), "duplicate ids film1"),
        (changed("id", 2, ""), "no id in line 4"),
        (changed("id", 2, None), "no id in line 4"),
        (changed("group", 3, float("nan")), "no group in 1 row.*film3"),
        (changed("group", 3, "  "), "no group in 1 row.*film3"),
        (changed("label", 4, "Covid"), "unknown label Covid.*film4"),
        (changed("label", 4, None), "unknown label.*film4"),
        (changed("covid", 5, float("nan")), "not finite.*film5"),
        (changed("covid", 5, float("inf")), "not finite.*film5"),
        (changed("covid", 5, "high"), "not finite.*film5"),
        (changed("covid", 0, 1.5), "outside.*film0"),
        (changed("covid", 0, -0.1), "outside.*film0"),
        (table().assign(covid=0.9), "do not sum to 1.*6 row.*and 1 more"),
    ],
)
def test_a_bad_table_is_refused_with_the_file_the_film_and_the_reason(frame, said):
    with pytest.raises(ThoraxError, match=rf"(?s)^run/predictions\.csv: .*{said}"):
        predictions.validate(frame, CLASSES, "run/predictions.csv")


def test_four_decimals_sum_to_one_closely_enough_and_two_per_mille_do_not():
    frame = table()
    frame[CLASSES] = [0.3333, 0.3333, 0.3333]
    predictions.validate(frame, CLASSES, "p")
    frame[CLASSES] = [0.334, 0.334, 0.334]
    with pytest.raises(ThoraxError, match="sum to 1"):
        predictions.validate(frame, CLASSES, "p")


@pytest.mark.parametrize("classes", [["covid"], ["covid", "covid"], []])
def test_fewer_than_two_distinct_classes_are_refused(classes):
    with pytest.raises(ThoraxError, match="Two or more"):
        predictions.validate(table(), classes, "p")


def test_a_class_named_like_a_column_is_refused():
    with pytest.raises(ThoraxError, match="may not be called source"):
        predictions.validate(table(), ["covid", "source"], "p")


def test_an_invalid_table_leaves_the_old_file_and_no_part_file(tmp_path):
    path = tmp_path / "predictions.csv"
    predictions.write(table(), path)
    before = path.read_bytes()
    with pytest.raises(ThoraxError):
        predictions.write(changed("covid", 0, float("nan")), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["predictions.csv"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (b"\xff\xfe\x00a,b", "cannot be read"),
        (b"id,group\n1,2,3\n4,5,6,7\n", "cannot be read"),
        (b"a,b\n1,2\n", "missing columns"),
        (b"id,group,source,label,x,y\na,a,s,x,0.5,\n", "not finite"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, content, said):
    (tmp_path / "broken.csv").write_bytes(content)
    with pytest.raises(ThoraxError, match=rf"broken\.csv: .*{said}"):
        predictions.read(tmp_path / "broken.csv")


def test_a_missing_file_says_which_stage_writes_it(tmp_path):
    with pytest.raises(ThoraxError, match=r"none\.csv: no such file.*evaluate"):
        predictions.read(tmp_path / "none.csv")


def test_arrays_hold_class_indices_probabilities_and_groups():
    labels, probabilities, groups = predictions.to_arrays(table())
    assert labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert probabilities.dtype == np.float64
    np.testing.assert_array_equal(probabilities, table()[CLASSES].to_numpy(dtype=float))
    assert groups.tolist() == ["patient0", "patient0", "patient1", "patient1", "patient2", "patient2"]

import numpy as np
import pandas as pd
import pytest

from thorax import packed
from thorax.errors import ThoraxError


def write(folder, count: int, side: int = 4, names=("plain",)) -> list[np.ndarray]:
    films = np.random.default_rng(0).integers(0, 256, (len(names), count, side, side)).astype("uint8")
    with packed.writers({folder / f"{name}.npy": side for name in names}) as append:
        for number in range(count):
            append(films[:, number])
    return list(films)


def table(folder, count: int) -> None:
    pd.DataFrame({"id": [f"film{number}" for number in range(count)], "label": "NA"}).to_csv(
        folder / "films.csv", index=False)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 1234])
def test_what_is_written_one_by_one_is_an_ordinary_array(tmp_path, count):
    [films] = write(tmp_path, count)
    found = np.load(tmp_path / "plain.npy")
    assert found.shape == (count, 4, 4)
    np.testing.assert_array_equal(found, films)
    np.save(tmp_path / "numpy.npy", films)
    assert (tmp_path / "plain.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()


@pytest.mark.parametrize("count", [1, 10, 1_000_000, 10**12])
def test_the_header_is_as_long_for_many_films_as_for_none(count):
    assert len(packed.header(count, 512)) == len(packed.header(0, 512))
    assert str((count, 512, 512)).encode() in packed.header(count, 512)


def test_variants_are_written_side_by_side_and_not_mixed(tmp_path):
    films = write(tmp_path, 6, names=("plain", "enhanced"))
    for name, expected in zip(("plain", "enhanced"), films, strict=True):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), expected)


@pytest.mark.parametrize("film", [np.zeros((4, 5), "uint8"), np.zeros((5, 5), "uint8"), np.zeros((4, 4, 1), "uint8"),
                                  np.zeros((4, 4), "float32"), np.zeros((4, 4), "int8")])
def test_a_film_of_another_shape_or_type_is_refused(tmp_path, film):
    with (pytest.raises(ValueError, match=r"an array of \(4, 4\) uint8"),
          packed.writers({tmp_path / "plain.npy": 4}) as append):
        append([film])


def test_a_film_that_lacks_a_variant_is_refused(tmp_path):
    with pytest.raises(ValueError), packed.writers({tmp_path / "a.npy": 4, tmp_path / "b.npy": 4}) as append:
        append([np.zeros((4, 4), "uint8")])


def test_an_interrupted_array_claims_no_films(tmp_path):
    with pytest.raises(KeyboardInterrupt), packed.writers({tmp_path / "plain.npy": 4}) as append:
        append([np.ones((4, 4), "uint8")])
        raise KeyboardInterrupt
    assert len(np.load(tmp_path / "plain.npy")) == 0


def test_films_are_read_as_a_read_only_memory_map(tmp_path):
    [films] = write(tmp_path, 5)
    table(tmp_path, 5)
    array, rows = packed.read(tmp_path, "plain")
    assert isinstance(array, np.memmap) and not array.flags.writeable
    np.testing.assert_array_equal(array, films)
    assert list(rows["id"]) == [f"film{number}" for number in range(5)]
    assert list(rows["label"]) == ["NA"] * 5  # a text, and not a missing value


@pytest.mark.parametrize("rows", [4, 6])
def test_an_array_and_a_table_of_different_lengths_are_refused(tmp_path, rows):
    write(tmp_path, 5)
    table(tmp_path, rows)
    with pytest.raises(ThoraxError, match=rf"plain\.npy has 5 films and films\.csv {rows}; run `dvc repro`"):
        packed.read(tmp_path, "plain")

"""Near-duplicates: a film stored again is found, another film is not."""

import json
import os
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT, run
from thorax import duplicates
from thorax.duplicates.reading import films_in, thumbnails_of
from thorax.films import read_film
from thorax.phantom import FINDINGS, plan_films, render_film
from thorax.splits import clusters

DATA = "THORAX_FILMS"


@pytest.fixture(scope="module")
def films() -> list[np.ndarray]:
    """Phantoms of 24 patients with all findings, one film each."""
    plans = plan_films(dict.fromkeys(FINDINGS, 4), 5, 0.0, (1, 1))
    return [render_film(plan, 128).image for plan in plans]


def stored(film: np.ndarray, suffix: str, *options: int) -> np.ndarray:
    return read_film(cv2.imencode(suffix, film, options)[1].tobytes())


def resized(film: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(film, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)


AGAIN = {
    "as PNG": lambda film: stored(film, ".png"),
    "as JPEG of quality 90": lambda film: stored(film, ".jpeg", cv2.IMWRITE_JPEG_QUALITY, 90),
    "as JPEG of quality 30": lambda film: stored(film, ".jpeg", cv2.IMWRITE_JPEG_QUALITY, 30),
    "at half the size": lambda film: resized(film, 0.5),
    "at twice the size": lambda film: resized(film, 2),
    "squashed to another aspect": lambda film: cv2.resize(film, (160, 90), interpolation=cv2.INTER_AREA),
    "with a line of text burned in": lambda film: cv2.putText(film.copy(), "AP 12:30", (4, 10), 0, 0.3, 255),
    "as colour": lambda film: cv2.cvtColor(film, cv2.COLOR_GRAY2RGB),
    "half as bright": lambda film: film // 2,
}


@pytest.mark.parametrize("how", AGAIN)
def test_a_film_stored_again_is_found_and_no_other_film(films, how):
    first = np.array([duplicates.thumbnail(film) for film in films])
    again = np.array([duplicates.thumbnail(AGAIN[how](film)) for film in films])
    found, cosines = duplicates.pairs(first, again)
    assert [tuple(pair) for pair in found] == [(row, row) for row in range(len(films))]
    assert (cosines > duplicates.THRESHOLD).all()


def test_different_films_are_not_found(films):
    found, cosines = duplicates.pairs(np.array([duplicates.thumbnail(film) for film in films]))
    assert found.shape == (0, 2)
    assert cosines.shape == (0,)


def random_thumbnails(count: int, seed: int) -> np.ndarray:
    """A third of them noisy copies of others, so that cosines lie on both sides of the threshold."""
    random = np.random.default_rng(seed)
    some = random.integers(0, 256, (count, 16, 16))
    for copy in range(2 * count // 3, count):
        some[copy] = some[random.integers(0, count // 2)] + random.normal(0, random.uniform(2, 20), (16, 16))
    return some.clip(0, 255).astype(np.uint8)


def plain(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.corrcoef(a.reshape(len(a), -1), b.reshape(len(b), -1))[:len(a), len(a):]


@pytest.mark.parametrize("rows", [7, 64, 4096])
def test_blocks_find_what_the_whole_matrix_of_correlations_says(monkeypatch, rows):
    monkeypatch.setattr(duplicates, "ROWS", rows)
    a, b = random_thumbnails(150, 0), random_thumbnails(150, 0)[50:140]
    matrix = plain(a, a)
    found, cosines = duplicates.pairs(a)
    np.testing.assert_array_equal(found, np.argwhere(np.triu(matrix > duplicates.THRESHOLD, 1)))
    np.testing.assert_allclose(cosines, matrix[tuple(found.T)], atol=1e-12)
    assert len(found) > 10
    across, _ = duplicates.pairs(a, b)
    np.testing.assert_array_equal(across, np.argwhere(plain(a, b) > duplicates.THRESHOLD))


def test_a_film_of_one_gray_level_is_a_near_duplicate_of_nothing():
    flat = np.array([duplicates.thumbnail(np.full((64, 64), level, np.uint8)) for level in (0, 90, 90, 255)])
    assert len(duplicates.pairs(flat)[0]) == 0
    assert len(duplicates.pairs(flat, random_thumbnails(20, 1))[0]) == 0


def test_of_no_films_there_are_no_pairs():
    nothing = np.empty((0, 16, 16), np.uint8)
    assert duplicates.pairs(nothing)[0].shape == duplicates.pairs(nothing, random_thumbnails(3, 0))[0].shape == (0, 2)


@pytest.fixture
def folder(films, tmp_path) -> Path:
    """Four films, one of them twice, a damaged one, and a file that is no film."""
    target = tmp_path / "films"
    target.mkdir()
    for number, film in enumerate(films[:4]):
        cv2.imwrite(str(target / f"{number}.png"), film)
    cv2.imwrite(str(target / "again.jpg"), films[2])
    (target / "broken.png").write_bytes((target / "0.png").read_bytes()[:900])
    (target / "notes.txt").write_text("no film")
    return target


def command(*arguments, check: bool = True):
    return run(ROOT, sys.executable, "-m", "thorax.duplicates", *map(str, arguments), check=check)


def test_the_command_prints_the_pairs_their_count_and_the_unreadable_films(folder):
    text = command(folder).stdout
    assert "  2.png  again.jpg" in text
    assert f"unreadable: {folder}/broken.png: " in text
    assert ("1 pairs above 0.99 among 5 films: 2 films with a near duplicate, 1 films that repeat another; 1 unreadable"
            in text)


def test_two_folders_or_archives_are_compared_with_each_other(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.write(folder / "again.jpg", "deep/inside.jpg")
    found = json.loads(command(folder, tmp_path / "other.zip", "--json").stdout)
    assert found["films"] == [5, 1]
    assert {pair["first"] for pair in found["near_duplicates"]} == {"2.png", "again.jpg"}
    assert found["films_with_a_near_duplicate"] == 2


@pytest.mark.parametrize("mistake, said", [("/nowhere", "no such folder"), ("empty", "none of the 1 files ends in")])
def test_a_folder_without_films_is_one_line(tmp_path, mistake, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no film")
    done = command(tmp_path / mistake, check=False)
    assert done.returncode == 1
    assert said in done.stdout
    assert "Traceback" not in done.stdout


# Real films ----------------------------------------------------------------------------------------------------------

KERMANY = "chest-xray-pneumonia/chest_xray/train"
RADIOGRAPHY = "covid19-radiography-database/COVID-19_Radiography_Dataset"
real = pytest.mark.skipif(DATA not in os.environ, reason=f"{DATA} does not name a folder of real films")


@pytest.fixture(scope="module")
def real_films():
    """Function that reads the thumbnails of one folder of the real films, each once."""
    known = {}

    def read(place: str, word: str = "") -> np.ndarray:
        if (place, word) not in known:
            folder = Path(os.environ[DATA]) / place
            known[place, word] = thumbnails_of(folder, [name for name in films_in(folder) if word in name])[1]
        return known[place, word]

    return read


def overlap(first: np.ndarray, second: np.ndarray) -> int:
    return len(np.unique(duplicates.pairs(first, second)[0][:, 0]))


@real
def test_all_normal_films_of_kermany_are_in_radiography(real_films):
    assert overlap(real_films(f"{KERMANY}/NORMAL"), real_films(f"{RADIOGRAPHY}/Normal/images")) == 1341


@real
def test_the_viral_films_of_radiography_are_those_of_kermany(real_films):
    kermany, radiography = real_films(f"{KERMANY}/PNEUMONIA", "_virus_"), real_films(
        f"{RADIOGRAPHY}/Viral Pneumonia/images")
    assert overlap(kermany, radiography) == overlap(radiography, kermany) == 1345


@real
def test_about_250_films_of_cohen_are_among_the_covid_films_of_radiography(real_films):
    cohen, radiography = real_films("covid-chestxray-dataset/images"), real_films(f"{RADIOGRAPHY}/COVID/images")
    assert 245 <= overlap(cohen, radiography) <= 257


@real
def test_about_260_covid_films_of_radiography_repeat_another_and_no_chain_of_them_is_long(real_films):
    films = real_films(f"{RADIOGRAPHY}/COVID/images")
    cluster = clusters(range(len(films)), pairs=duplicates.pairs(films)[0])
    assert 240 <= len(films) - len(np.unique(cluster)) <= 280
    assert np.bincount(cluster).max() <= 10

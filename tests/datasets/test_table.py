"""`python -m thorax.datasets`."""

import sys

from tests.conftest import ROOT, run
from thorax.datasets import __main__ as table
from thorax.datasets import cohen, covid_ieee, curated, kermany, names


def test_outside_a_project_the_table_names_every_set_and_says_no(tmp_path):
    done = run(tmp_path, sys.executable, "-m", "thorax.datasets", PYTHONPATH=str(ROOT), HOME=str(tmp_path))
    first_words = [line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [word for word in first_words if word in names()] == names()
    assert "normal 1,583" in done.stdout


def test_the_table_finds_archives_downloads_and_sources(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THORAX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "paultimothymooney-chest-xray-pneumonia-v2.zip").touch()
    (tmp_path / "data/raw/mine/kermany").mkdir(parents=True)
    (tmp_path / "data/raw/mine/kermany/source.json").write_text('{"source": "phantom", "films": 12}')
    assert list(table.places("kermany", kermany, None)) == [
        "data/raw/mine/kermany (12 phantoms)",
        f"paultimothymooney-chest-xray-pneumonia-v2.zip in {tmp_path / 'cache'}"]
    assert list(table.places("cohen", cohen, None)) == []


def test_the_table_counts_the_films_of_a_source(tmp_path):
    film = tmp_path / "COVID_IEEE" / "covid" / "1.png"
    film.parent.mkdir(parents=True)
    film.touch()
    assert table.films_in(covid_ieee, f"folder:{tmp_path}") == 1
    assert table.films_in(kermany, f"folder:{tmp_path}") == 0
    assert table.films_in(kermany, f"folder:{tmp_path}/nowhere") == 0
    assert table.films_in(kermany, f"archive:{film}") == 0


def test_archives_in_the_cache_begin_with_the_name_of_their_origin():
    assert table.archive_keys(cohen) == ["ieee8023-covid-chestxray-dataset"]
    assert table.archive_keys(curated) == ["mendeley-9xkhgts2s6"]


def test_in_the_project_the_table_tells_what_is_wrong_with_params_yaml(tmp_path):
    (tmp_path / "params.yaml").write_text("sead: 1\n")
    done = run(tmp_path, sys.executable, "-m", "thorax.datasets", PYTHONPATH=str(ROOT), HOME=str(tmp_path))
    assert "sources not looked at: params.yaml: unknown key 'sead'" in done.stdout

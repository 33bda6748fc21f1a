"""The download stage, with archives fetched from a local server, and the recipe's words for it."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from stages import download
from tests.conftest import ROOT, edit
from tests.local_services import Fault, Kaggle, bomb, serving, zipped
from thorax import raw, reader
from thorax.datasets import kermany
from thorax.errors import ThoraxError
from thorax.recipe import Phantom

ARCHIVE = zipped(("a/1.jpeg", bytes(range(100))), ("a/2.jpeg", b"film" * 20))


@pytest.fixture
def kaggle(monkeypatch):
    import kagglesdk.kaggle_env as environment

    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
    with serving(Kaggle(kermany.KAGGLE, ARCHIVE)) as server:
        monkeypatch.setitem(environment._env_to_endpoint, environment.KaggleEnv.PROD, server.api)
        yield server


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """The recipe of the Kermany study with one patient per label, and params.yaml, in the working folder."""
    folder = tmp_path / "checkout"
    (folder / "studies").mkdir(parents=True)
    for name in ("params.yaml", "studies/kermany.yaml", "studies/phantom.yaml"):
        (folder / name).write_text((ROOT / name).read_text())
    edit(folder / "studies" / "kermany.yaml", lambda recipe: (
        recipe["download"]["phantom"].update(patients=1, image_size=64, films_per_patient=[1, 1]),
        recipe["download"]["datasets"]["kermany"].update(expected={"normal": 1, "bacteria": 1, "virus": 1})))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def twin(tmp_path_factory) -> bytes:
    """The simulated Kermany set in a zip, as Kaggle would give it."""
    settings = Phantom(patients=1, image_size=64, films_per_patient=[1, 1])
    path = tmp_path_factory.mktemp("twin") / "twin.zip"
    raw.write_archive(path, kermany.simulate(kermany.LABELS, settings, 1), "twin")
    return path.read_bytes()


def source(**params):
    edit(Path("params.yaml"), lambda content: content.update(params))


def test_the_stage_fetches_a_data_set_once_and_indexes_it_for_every_study(kaggle, checkout, cache, twin, monkeypatch):
    monkeypatch.setenv("THORAX_CACHE", str(cache))
    kaggle.archive = twin
    kaggle.faults.append(Fault(cut=1000))
    source(source="download")
    edit(Path("studies/kermany.yaml"), lambda content: content["download"]["datasets"]["kermany"].update(version=2))
    download.main("kermany")
    folder, archive = Path("data/raw/kermany/kermany"), cache / "paultimothymooney-chest-xray-pneumonia-v2.zip"
    told = json.loads((folder / "source.json").read_text())
    assert {name: told[name] for name in ("kind", "source", "name", "version", "bytes", "sha256", "films")} == {
        "kind": "archive", "source": "kaggle", "name": kermany.KAGGLE, "version": 2, "bytes": len(twin),
        "sha256": hashlib.sha256(twin).hexdigest(), "films": 3}
    assert archive.samefile(folder / raw.ARCHIVE)  # one copy on the disk
    read = raw.reader(folder)
    assert all(raw.checked(read(row.path), row) for row in raw.read_manifest(folder).itertuples())
    kaggle.requests.clear()
    download.main("kermany")
    assert kaggle.requests == []


def test_where_there_are_no_hard_links_the_archive_is_copied(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(raw.os, "link", refuse)
    (tmp_path / "a.zip").write_bytes(ARCHIVE)
    raw.link_archive(tmp_path / "a.zip", tmp_path / "b.zip")
    assert (tmp_path / "b.zip").read_bytes() == ARCHIVE
    assert not (tmp_path / "a.zip").samefile(tmp_path / "b.zip")


def test_a_failed_fetch_leaves_the_study_as_it_was(kaggle, checkout, cache, monkeypatch):
    monkeypatch.setenv("THORAX_CACHE", str(cache))
    Path("data/raw/kermany").mkdir(parents=True)
    Path("data/raw/kermany/old").write_text("")
    source(source="download")
    kaggle.name = "tester/other"
    with pytest.raises(ThoraxError, match="404"):
        download.main("kermany")
    assert os.listdir("data/raw/kermany") == ["old"]


def test_an_archive_that_was_downloaded_by_hand_is_read_where_it_lies(checkout, tmp_path, twin):
    (tmp_path / "twin.zip").write_bytes(twin)
    source(sources={"kermany": f"archive:{tmp_path / 'twin.zip'}"})
    download.main("kermany")
    folder = Path("data/raw/kermany/kermany")
    told = json.loads((folder / "source.json").read_text())
    assert told["archive"] == str(tmp_path / "twin.zip")
    assert told["sha256"] == hashlib.sha256(twin).hexdigest()
    assert sorted(os.listdir(folder)) == ["manifest.csv", "source.json"]
    read = raw.reader(folder)
    assert all(raw.checked(read(row.path), row) for row in raw.read_manifest(folder).itertuples())


@pytest.mark.parametrize(("data", "why"), [(None, "No such file"), (ARCHIVE[:-1], "cut short"), (bomb(), "bomb")])
def test_an_archive_by_hand_must_be_as_good_as_a_fetched_one(checkout, tmp_path, data, why):
    if data is not None:
        (tmp_path / "x.zip").write_bytes(data)
    source(source=f"archive:{tmp_path / 'x.zip'}")
    with pytest.raises(ThoraxError, match=f"params.yaml: source archive:.*{why}"):
        download.main("kermany")
    assert not Path("data/raw/kermany").exists()


def test_a_version_that_nothing_pins_is_warned_of_with_the_key_that_pins_it(kaggle, checkout, cache, twin, monkeypatch,
                                                                            capsys):
    monkeypatch.setenv("THORAX_CACHE", str(cache))
    monkeypatch.delattr(kermany, "VERSION", raising=False)
    kaggle.archive, kaggle.version = twin, 7
    source(source="download")
    download.main("kermany")
    assert "warning: kermany: no version is pinned" in (told := capsys.readouterr().out)
    assert "set download.datasets.kermany.version to 7" in told
    edit(Path("studies/kermany.yaml"), lambda content: content["download"]["datasets"]["kermany"].update(version=7))
    download.main("kermany")
    assert "warning" not in capsys.readouterr().out


def test_a_folder_given_as_archive_is_called_so(checkout, tmp_path):
    source(source=f"archive:{tmp_path}")
    with pytest.raises(ThoraxError, match=r"a folder, not a zip \(say folder:<path> to read it\)"):
        download.main("kermany")


def test_a_set_that_is_published_nowhere_says_what_to_do(checkout, monkeypatch):
    monkeypatch.delattr(kermany, "KAGGLE")
    source(source="download")
    with pytest.raises(ThoraxError, match="'kermany' cannot be fetched from there; download it by hand"):
        download.main("kermany")


def test_the_recipe_takes_a_commit_in_quotes(checkout):
    commit = "12345e78" + "0" * 32
    edit(Path("studies/kermany.yaml"),
         lambda content: content["download"]["datasets"]["kermany"].update(version=commit))
    assert reader.load_study("kermany").download.datasets["kermany"].version == commit


def test_the_recipe_takes_a_version_and_refuses_what_is_none(checkout):
    for version in (0, "2", 1.5, True, "f" * 39, "F" * 40, float("inf")):
        edit(Path("studies/kermany.yaml"),
             lambda content, version=version: content["download"]["datasets"]["kermany"].update(version=version))
        with pytest.raises(ThoraxError, match=r"download\.datasets\.kermany\.version"):
            reader.load_study("kermany")


def test_an_archive_source_needs_a_path(checkout):
    source(source="archive:")
    with pytest.raises(ThoraxError, match=r"must be phantom, download, folder:<path> or archive:<path.zip>"):
        reader.load_params()

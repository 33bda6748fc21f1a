import os
from pathlib import Path

import pytest

from thorax import raw
from thorax.fetch import http


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """A home without credentials, short waits, and no settings of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith("KAGGLE_") or name.lower().endswith("_proxy") or name in ("THORAX_CACHE", "XDG_CONFIG_HOME"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / ".kaggle").mkdir(parents=True)
    monkeypatch.setattr(http, "BACKOFF_S", 0.0)
    monkeypatch.setattr("thorax.fetch.LOCK_WAIT_S", 0.2)
    raw.open_archive.cache_clear()
    yield tmp_path / "home" / ".kaggle"
    raw.open_archive.cache_clear()


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"

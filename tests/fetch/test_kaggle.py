"""Archives from Kaggle, fetched from a local server that behaves like Kaggle's and can be told to misbehave."""

import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT
from tests.local_services import SIGNATURE, Fault, Kaggle, bomb, serving, zipped
from thorax import fetch
from thorax.errors import ThoraxError
from thorax.fetch import credentials, http, transfer
from thorax.running import locked

SLUG = "tester/chest"
SECRETS = ("t0ken", "s3cretkey", "refre5h", SIGNATURE)


ARCHIVE = zipped(("a/1.jpeg", bytes(range(100))), ("a/2.jpeg", b"film" * 20))


@pytest.fixture
def kaggle(monkeypatch):
    import kagglesdk.kaggle_env as environment

    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
    with serving(Kaggle(SLUG, ARCHIVE)) as server:
        monkeypatch.setitem(environment._env_to_endpoint, environment.KaggleEnv.PROD, server.api)
        yield server


def get(cache: Path, version: int | None = 2) -> Path:
    return fetch.archive_of(SimpleNamespace(KAGGLE=SLUG), version, cache, "version")[0]


def refusal(cache: Path, version: int | None = 2) -> str:
    """The one line that a failing fetch says; nothing it leaves looks complete, nothing it says is a secret."""
    with pytest.raises(ThoraxError) as caught:
        get(cache, version)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert not any(secret in told for secret in SECRETS)
    assert "\n" not in str(caught.value)
    assert not list(cache.glob("[!.]*.zip"))  # the lock of the archive stays
    return str(caught.value)


# The way it should go -------------------------------------------------------------------------------------------------


def test_the_archive_arrives_whole_under_the_name_of_its_version(kaggle, cache):
    path = get(cache)
    assert path == cache / "tester-chest-v2.zip"
    assert path.read_bytes() == ARCHIVE
    assert [name for name in os.listdir(cache) if not name.startswith(".lock-")] == [path.name]
    assert fetch.fingerprint(path) == {"bytes": len(ARCHIVE), "sha256": hashlib.sha256(ARCHIVE).hexdigest()}


def test_without_a_version_the_current_one_is_fetched_and_named(kaggle, cache):
    kaggle.version = 7
    assert get(cache, None).name == "tester-chest-v7.zip"


def test_an_archive_in_the_cache_needs_no_network_and_no_credentials(kaggle, cache, monkeypatch):
    path = get(cache)
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    kaggle.requests.clear()
    assert get(cache) == path
    assert kaggle.requests == []


def test_a_damaged_file_in_the_cache_is_named_and_not_used(kaggle, cache):
    get(cache).write_bytes(ARCHIVE[:-30])
    with pytest.raises(ThoraxError, match=r"tester-chest-v2.zip: the zip is cut short .*; delete this file"):
        get(cache)


def test_credentials_go_to_the_api_only(kaggle, cache):
    get(cache)
    assert [headers["Authorization"] for headers in kaggle.asked("DownloadDataset")] == ["Bearer t0ken"]
    assert all("Authorization" not in headers for headers in kaggle.asked("/bundle/"))


def test_nothing_secret_is_logged_or_printed(kaggle, cache, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    kaggle.faults += [Fault(cut=50), Fault(status=403), Fault(status=503)]
    get(cache)
    told = caplog.text + "".join(capfd.readouterr())
    assert not any(secret in told for secret in SECRETS)


def test_kaggles_own_client_gets_the_same_archive_from_this_server(kaggle, tmp_path):
    script = ("import sys, kagglesdk.kaggle_env as e; e._env_to_endpoint[e.KaggleEnv.PROD] = sys.argv[1]\n"
              f"import kaggle; kaggle.api.dataset_download_files('{SLUG}/2', sys.argv[2])")
    done = subprocess.run([sys.executable, "-c", script, kaggle.api, str(tmp_path)], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "chest.zip").read_bytes() == ARCHIVE
    assert kaggle.asked("IntrospectToken")  # its import alone asks the service: the reason not to use it


# Credentials ----------------------------------------------------------------------------------------------------------


def test_no_credentials_is_answered_at_once_with_the_places_and_the_way_by_hand(cache):
    script = ("import sys, time; from pathlib import Path; from types import SimpleNamespace\n"
              "from thorax import fetch; started = time.monotonic()\n"
              "try: fetch.archive_of(SimpleNamespace(KAGGLE='tester/chest'), None, Path(sys.argv[1]), '')\n"
              "except Exception as error: print(error)\n"
              "print(time.monotonic() - started, {'requests', 'kaggle', 'kagglesdk'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", script, str(cache)], capture_output=True, text=True, cwd=ROOT,
                          timeout=60)
    message, last = done.stdout.splitlines()
    for place in ("KAGGLE_API_TOKEN (not set)", "KAGGLE_USERNAME with KAGGLE_KEY (not set)", "~/.kaggle/access_token",
                  "~/.kaggle/kaggle.json (no such file)", "~/.config/kaggle/kaggle.json", "~/.kaggle/credentials.json",
                  "folder:<path>", "archive:<path.zip>", "https://www.kaggle.com/datasets/tester/chest"):
        assert place in message
    seconds, _, imported = last.partition(" ")
    assert float(seconds) < 2
    assert imported == "set()"


BASIC = "Basic dGVzdGVyOnMzY3JldGtleQ=="  # tester:s3cretkey
KEY = json.dumps({"username": "tester", "key": "s3cretkey"})


@pytest.mark.parametrize(("variables", "files", "header"), [
    ({"KAGGLE_API_TOKEN": "t0ken"}, {}, "Bearer t0ken"),
    ({"KAGGLE_API_TOKEN": "{home}/my-token"}, {"my-token": "t0ken\n"}, "Bearer t0ken"),
    ({}, {"access_token": "t0ken\n"}, "Bearer t0ken"),
    ({}, {"access_token.txt": "t0ken"}, "Bearer t0ken"),
    ({"KAGGLE_USERNAME": "tester", "KAGGLE_KEY": "s3cretkey"}, {}, BASIC),
    ({}, {"kaggle.json": KEY}, BASIC),
    ({"KAGGLE_KEY": "s3cretkey"}, {"kaggle.json": json.dumps({"username": "tester", "key": "old"})}, BASIC),
    ({"KAGGLE_CONFIG_DIR": "{home}/other"}, {"other/kaggle.json": KEY}, BASIC),
    ({}, {"../.config/kaggle/kaggle.json": KEY}, BASIC),
    ({}, {"credentials.json": json.dumps({"refresh_token": "refre5h"})}, "Bearer t0ken"),
    ({"KAGGLE_KERNEL_RUN_TYPE": "Batch", "KAGGLE_API_V1_TOKEN": "{home}/v1"}, {"v1": "t0ken"}, "Bearer t0ken"),
    ({"KAGGLE_API_TOKEN": "t0ken"}, {"kaggle.json": KEY}, "Bearer t0ken"),
    ({"KAGGLE_API_TOKEN": "x" * 5000}, {}, f"Bearer {'x' * 5000}"),  # too long for a path, which it might be
])
def test_every_place_of_kaggles_client_is_read(kaggle, cache, nobody, monkeypatch, variables, files, header):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=nobody))
    for name, text in files.items():
        (nobody / name).parent.mkdir(parents=True, exist_ok=True)
        (nobody / name).write_text(text)
    kaggle.accepted = (header,)
    assert get(cache).read_bytes() == ARCHIVE
    assert [headers["Authorization"] for headers in kaggle.asked("DownloadDataset")] == [header]


@pytest.mark.parametrize(("text", "why"), [
    ("", "empty"), ("{", "not JSON"), ("[]", "not a JSON mapping"),
    ('{"username": "x"}', "not JSON with username and key")])
def test_a_malformed_kaggle_json_is_called_so(cache, nobody, text, why):
    (nobody / "kaggle.json").write_text(text)
    assert f"~/.kaggle/kaggle.json ({why})" in refusal(cache)


def test_half_a_pair_of_variables_is_called_so(cache, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "tester")
    assert "KAGGLE_USERNAME with KAGGLE_KEY (only KAGGLE_USERNAME is set)" in refusal(cache)


@pytest.mark.parametrize("token", ["t0ken t0ken", "t0ken\nt0ken", "t0kén", "t0ken " * 1000 + "x"])
def test_a_token_that_no_header_can_hold_is_refused_without_showing_it(kaggle, cache, monkeypatch, token):
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    assert "KAGGLE_API_TOKEN" in refusal(cache)


def test_credentials_do_not_show_in_their_repr():
    assert "s3cretkey" not in repr(credentials.Credentials("here", "s3cretkey", "tester"))


def test_a_login_that_has_ended_asks_for_a_new_one(kaggle, cache, nobody, monkeypatch):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    (nobody / "credentials.json").write_text('{"refresh_token": "old"}')
    assert "~/.kaggle/credentials.json; run `kaggle auth login` again" in refusal(cache)


# What the service refuses ---------------------------------------------------------------------------------------------


def test_wrong_credentials_are_named_by_their_place(kaggle, cache):
    kaggle.accepted = ()
    message = refusal(cache)
    assert "credentials of KAGGLE_API_TOKEN (401)" in message
    assert "https://www.kaggle.com/settings/api" in message
    assert len(kaggle.requests) == 1  # no retry


def api_error(status: int, **headers: str):
    body = json.dumps({"code": status, "message": "no"}).encode()
    return status, {"Content-Type": "application/json"} | headers, body


def test_rules_that_are_not_accepted_lead_to_the_page_to_accept_them(kaggle, cache):
    kaggle.answers.append(api_error(403))
    assert "(403); open https://www.kaggle.com/datasets/tester/chest, sign in, accept" in refusal(cache)


def test_a_version_that_does_not_exist_is_named(kaggle, cache):
    assert "Kaggle has no tester/chest version 99 that this account may see (404)" in refusal(cache, 99)


def test_a_data_set_that_does_not_exist_is_named(kaggle, cache):
    kaggle.name = "tester/other"
    assert "Kaggle has no tester/chest that this account may see (404)" in refusal(cache, None)


def test_an_error_code_inside_an_answer_of_status_200_is_an_error(kaggle, cache):
    kaggle.answers.append((200, *api_error(403)[1:]))
    assert "(403)" in refusal(cache)


def test_another_refusal_tells_its_status(kaggle, cache):
    kaggle.answers.append(api_error(418))
    assert "(status 418)" in refusal(cache)


@pytest.mark.parametrize("slug", ["chest", "../chest", "a/b/c", "a/..", "", "a/b?x=1"])
def test_what_is_no_slug_is_refused(cache, slug):
    with pytest.raises(ThoraxError, match="must look like owner/name"):
        fetch.kaggle_archive(slug, 1, cache)


@pytest.mark.parametrize("retry_after", ["1", None, formatdate(time.time() + 1, usegmt=True), "soon"])
def test_too_many_requests_are_waited_for_as_asked(kaggle, cache, monkeypatch, retry_after):
    waits = []
    monkeypatch.setattr(http.time, "sleep", waits.append)
    kaggle.answers.append(api_error(429, **({"Retry-After": retry_after} if retry_after else {})))
    assert get(cache).read_bytes() == ARCHIVE
    assert len(waits) == 1
    assert waits[0] <= 1
    assert retry_after != "1" or waits[0] == 1


def test_an_unreasonable_wait_is_told_and_not_sat_out(kaggle, cache):
    kaggle.answers.append(api_error(429, **{"Retry-After": "3600"}))
    assert "too many requests (429); it asks to wait 60 minutes" in refusal(cache)


def test_a_failure_of_the_service_is_retried(kaggle, cache):
    kaggle.answers += [api_error(500), (502, {"Content-Type": "text/html"}, b"<html>bad gateway</html>")]
    kaggle.faults.append(Fault(status=503))
    assert get(cache).read_bytes() == ARCHIVE


def test_a_service_that_keeps_failing_is_given_up(kaggle, cache):
    kaggle.answers += [api_error(500)] * 10
    assert "a failure of the service (500); run the same command again later (tried 4 times)" in refusal(cache)
    assert len(kaggle.requests) == http.TRIES


def test_waits_between_tries_double(monkeypatch):
    waits = []
    monkeypatch.setattr(http, "BACKOFF_S", 2.0)
    monkeypatch.setattr(http.time, "sleep", waits.append)

    def fail():
        raise http.Trouble("no")

    with pytest.raises(ThoraxError):
        http.patiently(fail)
    assert waits == [2, 4, 8]


def test_tries_start_again_after_progress(monkeypatch):
    monkeypatch.setattr(http, "PROGRESS_BYTES", 10)
    have = []

    def step():
        have.append(10)
        if len(have) < 20:
            raise http.Trouble("cut")
        return "done"

    assert http.patiently(step, lambda: sum(have)) == "done"


def test_a_page_instead_of_the_api_is_called_so(kaggle, cache):
    kaggle.answers.append((200, {"Content-Type": "text/html"}, b"<html>sign in to this network</html>"))
    assert "no address of an archive but status 200, text/html; if a sign-in page" in refusal(cache)


# What the network does ------------------------------------------------------------------------------------------------


def test_a_cut_at_any_byte_ends_in_the_same_archive(kaggle, tmp_path):
    kaggle.archive = zipped(("a", b"film"))
    cuts = range(len(kaggle.archive))
    for number in cuts:
        kaggle.faults.append(Fault(cut=number))
        assert get(tmp_path / str(number)).read_bytes() == kaggle.archive
    ranges = [headers.get("Range") for headers in kaggle.asked("/bundle/")]
    assert ranges == [asked for number in cuts for asked in (None, f"bytes={number}-" if number else None)]


def test_a_cut_that_stays_is_told_and_the_next_run_goes_on_there(kaggle, cache):
    kaggle.faults += [Fault(cut=100)] + [Fault(cut=0)] * 3
    assert "the connection was cut" in refusal(cache)
    assert (cache / "tester-chest-v2.zip.part").read_bytes() == ARCHIVE[:100]
    kaggle.requests.clear()
    assert get(cache).read_bytes() == ARCHIVE
    tag = f'"{hashlib.md5(ARCHIVE).hexdigest()}"'
    assert [(asked["Range"], asked["If-Range"]) for asked in kaggle.asked("/bundle/")] == [("bytes=100-", tag)]


def test_a_killed_fetch_leaves_nothing_that_looks_complete_and_the_next_one_goes_on(kaggle, cache):
    kaggle.faults.append(Fault(stall=100))
    script = ("import sys, kagglesdk.kaggle_env as e; e._env_to_endpoint[e.KaggleEnv.PROD] = sys.argv[1]\n"
              "from pathlib import Path; from thorax import fetch\n"
              "from thorax.fetch import transfer; transfer.CHUNK_BYTES = 10\n"
              f"fetch.kaggle_archive('{SLUG}', 2, Path(sys.argv[2]))")
    part, deadline = cache / "tester-chest-v2.zip.part", time.monotonic() + 30
    with subprocess.Popen([sys.executable, "-c", script, kaggle.api, str(cache)], cwd=ROOT) as process:
        while not kaggle.asked("/bundle/") and time.monotonic() < deadline:
            time.sleep(0.02)
        while not part.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
    assert not (cache / "tester-chest-v2.zip").exists()
    assert get(cache).read_bytes() == ARCHIVE


def test_an_archive_that_changed_after_the_cut_is_fetched_from_its_start(kaggle, cache):
    kaggle.faults += [Fault(cut=100)] + [Fault(cut=0)] * 3
    refusal(cache)
    kaggle.archive = zipped(("a/1.jpeg", b"another film" * 30))
    assert get(cache).read_bytes() == kaggle.archive


def test_a_storage_that_ignores_ranges_is_fetched_from_its_start(kaggle, cache):
    kaggle.faults += [Fault(cut=100), Fault(ranges=False)]
    assert get(cache).read_bytes() == ARCHIVE


@pytest.mark.parametrize("headers", [
    {"Content-Range": f"bytes 90-{len(ARCHIVE) - 1}/{len(ARCHIVE)}"}, {"Content-Range": None}, {"ETag": '"other"'},
    {"Content-Range": f"bytes 100-{len(ARCHIVE)}/{len(ARCHIVE) + 1}"}])
def test_a_part_that_does_not_fit_is_not_appended(kaggle, cache, headers):
    kaggle.faults += [Fault(cut=100), Fault(headers=headers)]
    assert get(cache).read_bytes() == ARCHIVE
    assert [headers.get("Range") for headers in kaggle.asked("/bundle/")] == [None, "bytes=100-", None]


def test_a_part_of_one_archive_is_never_completed_with_another(kaggle, cache):
    other = zipped(("b/1.jpeg", b"another film" * 30))
    kaggle.faults += [Fault(cut=100), Fault(body=other, cut=50, headers={"ETag": None, "x-goog-hash": None})]
    assert get(cache).read_bytes() == ARCHIVE


def test_without_a_strong_etag_nothing_is_resumed(kaggle, cache):
    kaggle.faults += [Fault(cut=100, headers={"ETag": 'W/"weak"'})]
    assert get(cache).read_bytes() == ARCHIVE
    assert all("Range" not in headers for headers in kaggle.asked("/bundle/"))


@pytest.mark.parametrize("note", [
    "", "{", "[]", '{"etag": null, "bytes": 1, "md5": null}', '{"etag": "x", "bytes": 5}',
    '{"etag": "x", "bytes": null}'])
def test_a_torn_note_of_the_partial_file_costs_the_part_and_no_more(kaggle, cache, note):
    cache.mkdir()
    part = cache / "tester-chest-v2.zip.part"
    part.write_bytes(b"PK rubbish")
    transfer.note_of(part).write_text(note)
    assert get(cache).read_bytes() == ARCHIVE


def test_an_address_that_has_run_out_is_asked_for_again(kaggle, cache):
    kaggle.faults += [Fault(cut=100), Fault(status=403)]
    assert get(cache).read_bytes() == ARCHIVE
    assert len(kaggle.asked("DownloadDataset")) == 3


@pytest.mark.parametrize("stalled", ["the storage", "the API"])
def test_a_stalled_connection_is_dropped(kaggle, cache, monkeypatch, stalled):
    monkeypatch.setattr(http, "SILENCE_S", 0.2)
    if stalled == "the API":
        kaggle.answers += [(None, {}, b"")] * http.TRIES
    else:
        kaggle.faults += [Fault(stall=100)] + [Fault(stall=0)] * 3
    started = time.monotonic()
    assert "127.0.0.1: silent for 0.2 s; check the network" in refusal(cache)
    assert time.monotonic() - started < 5


def test_a_service_that_cannot_be_reached_is_named(kaggle, cache, monkeypatch):
    import kagglesdk.kaggle_env as environment

    monkeypatch.setitem(environment._env_to_endpoint, environment.KaggleEnv.PROD, "http://127.0.0.1:9")
    assert "127.0.0.1: cannot be reached; check the network" in refusal(cache)


def test_an_encrypted_service_does_not_lead_to_an_open_address(kaggle, cache, monkeypatch):
    def answer(*_, **__):
        response = service_answer()
        response.url = "https://api.kaggle.com/v1/x"
        return response, {}

    def service_answer():
        import requests

        response = requests.Response()
        response.status_code, response.headers = 302, requests.structures.CaseInsensitiveDict(Location="http://x/y")
        return response

    monkeypatch.setattr("thorax.fetch.kaggle.ask", answer)
    assert "unencrypted address" in refusal(cache)


# What arrives ---------------------------------------------------------------------------------------------------------


def test_a_page_instead_of_the_archive_is_called_so(kaggle, cache):
    kaggle.faults.append(Fault(body=b"<html>sign in</html>", headers={"Content-Type": "text/html; charset=utf-8"}))
    assert "tester/chest: 127.0.0.1 sends a web page instead of a zip" in refusal(cache)


def test_what_does_not_begin_like_a_zip_is_not_written(kaggle, cache):
    kaggle.faults.append(Fault(body=b"<html>sign in</html>"))
    assert "sends b'<html>si'..., which is no zip" in refusal(cache)
    assert transfer.size(cache / "tester-chest-v2.zip.part") == 0


def test_an_archive_with_another_hash_than_announced_is_thrown_away(kaggle, cache):
    kaggle.faults.append(Fault(headers={"x-goog-hash": "crc32c=AAAAAA==,md5=AAAAAAAAAAAAAAAAAAAAAA=="}))
    assert "has another hash than the service announced; it was thrown away" in refusal(cache)
    assert not list(cache.glob("*.part*"))
    assert get(cache).read_bytes() == ARCHIVE


def test_bytes_that_changed_on_the_disk_before_a_resume_are_found_by_the_hash(kaggle, cache):
    kaggle.faults += [Fault(cut=100)] + [Fault(cut=0)] * 3
    refusal(cache)
    (cache / "tester-chest-v2.zip.part").write_bytes(b"PK" + bytes(98))
    assert "another hash" in refusal(cache)


def test_a_shorter_archive_than_announced_is_never_kept(kaggle, cache):
    kaggle.faults += [Fault(headers={"Content-Length": str(len(ARCHIVE) + 10)}) for _ in range(4)]
    assert "127.0.0.1: sends a shorter archive than it announced" in refusal(cache)


def test_without_length_and_hash_a_cut_is_found_in_the_zip(kaggle, cache):
    bare = {"Content-Length": None, "x-goog-hash": None, "ETag": None}
    kaggle.faults.append(Fault(cut=len(ARCHIVE) - 10, headers=bare))
    assert "the zip is cut short or damaged, its directory cannot be read; it was thrown away" in refusal(cache)
    assert not list(cache.glob("*.part*"))
    kaggle.faults.append(Fault(headers=bare))
    assert get(cache).read_bytes() == ARCHIVE


def test_a_bomb_from_the_service_is_refused(kaggle, cache):
    kaggle.archive = bomb()
    assert "refused as a zip bomb" in refusal(cache)


# What the disk does ---------------------------------------------------------------------------------------------------


def test_too_little_free_space_is_told_before_the_download(kaggle, cache, monkeypatch):
    usage = transfer.shutil._ntuple_diskusage(10**9, 10**9, 1000)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: usage)
    assert "only 0.00 GB of the disk are free; free some space, or set THORAX_CACHE" in refusal(cache)
    assert not (cache / "tester-chest-v2.zip.part").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a device of Linux")
def test_a_disk_that_fills_up_is_told(kaggle, cache):
    cache.mkdir()
    (cache / "tester-chest-v2.zip.part").symlink_to("/dev/full")
    assert "cannot be written (No space left on device); free some space, or set THORAX_CACHE" in refusal(cache)


@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_a_cache_that_cannot_be_written_is_named(kaggle, tmp_path, place):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" if place == "a file" else tmp_path / "file" / "cache"
    assert f"{folder}: cannot write the archive cache" in refusal(folder)
    assert kaggle.requests == []


def test_two_processes_never_write_one_archive(kaggle, cache):
    with locked(cache / "tester-chest-v2.zip", 0):
        assert f"process {os.getpid()} is writing it" in refusal(cache)


def test_two_fetches_at_once_download_once(kaggle, cache, monkeypatch):
    monkeypatch.setattr("thorax.fetch.LOCK_WAIT_S", 10)
    kaggle.faults.append(Fault(cut=100))
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(get(cache))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in paths] == [ARCHIVE, ARCHIVE]
    assert len(kaggle.asked("/bundle/")) == 2  # the cut one and its rest


def test_the_cache_lies_where_the_variable_says_or_in_the_home(tmp_path, monkeypatch):
    assert fetch.cache_folder() == tmp_path / "home" / ".cache" / "thorax"
    monkeypatch.setenv("THORAX_CACHE", "~/films")
    assert fetch.cache_folder() == tmp_path / "home" / "films"

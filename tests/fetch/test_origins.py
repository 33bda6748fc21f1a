"""What all three services do wrong, and what GitHub and Mendeley Data do in their own way, from local servers."""

import contextlib
import errno
import json
import logging
import os
import re
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.local_services import SIGNATURE, Fault, Kaggle, Mendeley, Service, bomb, serving, zipped
from thorax import fetch
from thorax.errors import ThoraxError
from thorax.fetch import github, http, mendeley, transfer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MEMBERS = ("a/1.jpeg", bytes(range(100))), ("a/2.jpeg", b"film" * 20), ("readme.txt", b"films")
SECRETS = ("t0ken", SIGNATURE)
FULL = shutil._ntuple_diskusage(10**9, 10**9, 1000)


@dataclass
class Origin:
    """A service that runs, the module that names it, and the archive as it should arrive."""

    service: Service
    dataset: SimpleNamespace
    cache: Path
    file: str
    comment: bytes = b""

    def zipped(self, *members, **options) -> bytes:
        return zipped(*members, comment=self.comment, **options)

    def get(self) -> bytes:
        return fetch.archive_of(self.dataset, None, self.cache, "version")[0].read_bytes()

    def refusal(self) -> str:
        """The one line that a failing fetch says; nothing it leaves looks complete, nothing it says is a secret."""
        with pytest.raises(ThoraxError) as caught:
            self.get()
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert not any(secret in told for secret in SECRETS)
        assert "\n" not in str(caught.value)
        assert not (self.cache / self.file).exists()
        return str(caught.value)

    def leftovers(self) -> list[str]:
        """What lies in the cache beside locks, which stay."""
        return sorted(name for name in os.listdir(self.cache) if not name.startswith(".lock-"))


@contextlib.contextmanager
def running(name: str, cache: Path, monkeypatch):
    if name == "kaggle":
        import kagglesdk.kaggle_env as environment

        monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
        with serving(Kaggle("tester/chest", zipped(*MEMBERS))) as server:
            monkeypatch.setitem(environment._env_to_endpoint, environment.KaggleEnv.PROD, server.api)
            yield Origin(server, SimpleNamespace(KAGGLE="tester/chest", VERSION=2), cache, "tester-chest-v2.zip")
    elif name == "github":
        with serving(Service("tester/chest", zipped(*MEMBERS, comment=COMMIT.encode()), COMMIT)) as server:
            monkeypatch.setattr(github, "CODELOAD", server.api)
            yield Origin(server, SimpleNamespace(GITHUB="tester/chest", COMMIT=COMMIT), cache,
                         f"tester-chest-{COMMIT}.zip", COMMIT.encode())
    else:
        with serving(Mendeley("9x9x9", zipped(*MEMBERS), 4, single=name == "mendeley-zip")) as server:
            monkeypatch.setattr(mendeley, "API", f"{server.api}/public-api")
            yield Origin(server, SimpleNamespace(MENDELEY=("9x9x9", 4)), cache, "mendeley-9x9x9-v4.zip")


@pytest.fixture(params=["kaggle", "github", "mendeley", "mendeley-zip"])
def origin(request, cache, monkeypatch):
    with running(request.param, cache, monkeypatch) as started:
        yield started


@pytest.fixture
def hub(cache, monkeypatch):
    with running("github", cache, monkeypatch) as started:
        yield started


@pytest.fixture
def data(cache, monkeypatch):
    with running("mendeley", cache, monkeypatch) as started:
        yield started


# All of them ----------------------------------------------------------------------------------------------------------


def test_the_archive_arrives_whole_once_and_then_needs_no_network(origin):
    assert origin.get() == origin.service.archive
    assert origin.leftovers() == [origin.file]
    origin.service.requests.clear()
    assert origin.get() == origin.service.archive
    assert origin.service.requests == []


def test_a_cut_at_any_byte_ends_in_the_same_archive(hub, data):
    for origin in (hub, data):
        origin.service.archive = origin.zipped(("a", b"film"))
        for number in range(len(origin.service.archive)):
            origin.service.faults.append(Fault(cut=number))
            assert origin.get() == origin.service.archive
            (origin.cache / origin.file).unlink()


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_cut_that_stays_is_told_and_leaves_only_what_can_be_gone_on_from(origin, cut):
    origin.service.faults += [Fault(cut=cut)] + [Fault(cut=0)] * 3
    assert "the connection was cut" in origin.refusal()
    resumable = cut and not origin.comment
    assert origin.leftovers() == ([f"{origin.file}.part", f"{origin.file}.part.json"] if resumable else [])
    assert origin.get() == origin.service.archive


@pytest.mark.parametrize("status", [401, 403, 404, 418])
def test_a_refusal_is_told_with_its_status_and_where_to_look(origin, status):
    origin.service.answers += [(status, {"Content-Type": "application/json"}, b"{}")] * http.TRIES
    message = origin.refusal()
    assert str(status) in message
    assert origin.leftovers() == []
    if status != 418:
        assert "https://" in message
        assert len(origin.service.requests) == 1  # patience would not help


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_patience_changes_tells_the_way_by_hand(origin, status):
    origin.service.answers.append((status, {}, b""))
    message = origin.refusal()
    assert "archive:<path.zip>" in message or (isinstance(origin.service, Kaggle) and status in (403, 404))


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again_as_long_as_asked(origin, monkeypatch, status):
    waits = []
    monkeypatch.setattr(http.time, "sleep", waits.append)
    origin.service.answers.append((status, {"Retry-After": "7"}, b""))
    assert origin.get() == origin.service.archive
    assert waits == [7]


@pytest.mark.parametrize("status", [429, 500])
def test_what_does_not_pass_is_given_up(origin, status):
    origin.service.answers += [(status, {}, b"")] * 10
    assert f"({status}); run the same command again later (tried 4 times)" in origin.refusal()
    origin.service.answers.clear()
    origin.service.answers.append((status, {"Retry-After": "3600"}, b""))
    assert f"({status}); it asks to wait 60 minutes" in origin.refusal()


@pytest.mark.parametrize("header", ["²", "-1", "1e9", "Mon, 32 Foo 99999 25:61:00 GMT", "9" * 400, "", "nan"])
def test_nonsense_in_retry_after_is_no_traceback(origin, monkeypatch, header):
    monkeypatch.setattr(http.time, "sleep", lambda wait: None)
    origin.service.answers.append((503, {"Retry-After": header.encode("latin-1").decode("latin-1")}, b""))
    with contextlib.suppress(ThoraxError):
        assert origin.get() == origin.service.archive


def test_a_page_instead_of_the_api_is_called_so(origin):
    origin.service.answers.append((200, {"Content-Type": "text/html"}, b"<html>sign in to this network</html>"))
    assert "sign-in page" in origin.refusal()
    assert origin.leftovers() == []


def test_a_page_instead_of_the_archive_is_called_so(origin):
    origin.service.faults.append(Fault(body=b"<html>sign in</html>", headers={"Content-Type": "text/html"}))
    assert "127.0.0.1 sends a web page instead of a zip" in origin.refusal()
    assert origin.leftovers() == []


def broken(kind: str, origin: Origin) -> bytes:
    return {"truncated": origin.service.archive[:-70],
            "outside": origin.zipped(("../../a.jpeg", b"film")),
            "a bomb": bomb(origin.comment),
            "twice": origin.zipped(("a/1", b"film"), ("a/2", b"film")).replace(b"a/2", b"a/1"),
            "changed": origin.service.archive.replace(bytes(range(50, 60)), bytes(range(60, 50, -1))),
            "no zip": b"Rar!" * 100}[kind]


WORDS = {"truncated": "the zip is cut short", "outside": "would lie outside", "a bomb": "a zip bomb", "twice": "twice",
         "changed": "damaged at the member", "no zip": "which is no zip"}


@pytest.mark.parametrize("kind", WORDS)
def test_an_archive_that_must_not_be_read_is_not_kept(origin, kind):
    body = broken(kind, origin)
    origin.service.archive, origin.service.listed = body, body
    if isinstance(origin.service, Mendeley) and not origin.service.single:
        origin.service.listed = zipped(*MEMBERS)  # of a set of loose files the list can be read
    assert WORDS[kind] in origin.refusal()
    assert origin.leftovers() == []


def test_another_archive_than_announced_is_not_kept(origin):
    other = origin.zipped(("a/1.jpeg", b"another film"))
    if isinstance(origin.service, Kaggle):
        origin.service.faults.append(Fault(headers={"x-goog-hash": f"md5={'A' * 22}=="}))
    elif isinstance(origin.service, Mendeley):
        origin.service.listed, origin.service.archive = origin.service.archive, other
    else:
        origin.service.archive = zipped(*MEMBERS, comment=b"f" * 40)
    message = origin.refusal()
    assert "another hash" in message or "the zip is not of this commit" in message
    assert "it was thrown away" in message
    assert origin.leftovers() == []


def test_a_wrong_length_is_never_kept(origin):
    length = len(origin.service.archive) + 10
    origin.service.faults += [Fault(headers={"Content-Length": str(length), "Transfer-Encoding": None})] * http.TRIES
    assert re.search("127.0.0.1: (sends a shorter archive|the connection was cut)", origin.refusal())


@pytest.mark.parametrize("stalled", ["the archive", "the API"])
def test_a_stalled_connection_is_dropped(origin, monkeypatch, stalled):
    monkeypatch.setattr(http, "SILENCE_S", 0.2)
    if stalled == "the API":
        origin.service.answers += [(None, {}, b"")] * http.TRIES
    else:
        origin.service.faults += [Fault(stall=100)] + [Fault(stall=0)] * 3
    started = time.monotonic()
    assert "127.0.0.1: silent for 0.2 s; check the network" in origin.refusal()
    assert time.monotonic() - started < 8


def test_too_little_free_space_is_told_before_anything_is_written(origin, monkeypatch):
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: FULL)
    assert "only 0.00 GB of the disk are free; free some space, or set THORAX_CACHE" in origin.refusal()
    assert origin.leftovers() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a device of Linux")
def test_a_disk_that_fills_up_is_told(origin):
    origin.cache.mkdir()
    (origin.cache / f"{origin.file}.part").symlink_to("/dev/full")
    assert "cannot be written (No space left on device); free some space, or set THORAX_CACHE" in origin.refusal()


def test_a_full_disk_at_the_very_end_is_told(origin, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(transfer.os, "fsync", full)
    assert "No space left on device" in origin.refusal()


def test_nothing_secret_is_logged_or_printed(origin, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    origin.service.faults += [Fault(cut=50), Fault(status=503)]
    origin.get()
    told = caplog.text + "".join(capfd.readouterr())
    assert not any(secret in told for secret in SECRETS)


def test_netrc_is_not_sent_to_anybody(origin, nobody):
    netrc = nobody.parent / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    netrc.chmod(0o600)
    assert origin.get() == origin.service.archive
    assert {headers.get("Authorization") for _, _, headers in origin.service.requests} <= {None, "Bearer t0ken"}


def test_a_proxy_that_does_not_answer_is_named_without_its_password(origin, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://me:t0ken-of-the-proxy@127.0.0.1:9")
    assert "the proxy does not answer or does not let this through; check HTTPS_PROXY" in origin.refusal()


def test_redirects_without_end_are_ended(hub, data):
    for origin in (hub, data):
        origin.service.answers += [(302, {"Location": f"{origin.service.api}/round"}, b"")] * 100
        assert "from one address to the next without end" in origin.refusal()


@pytest.mark.parametrize("location", ["http://[", "", "//", "ftp://x/y", "file:///etc/passwd", "http:///x"])
def test_a_redirect_to_nowhere_is_no_traceback(origin, location):
    origin.service.answers += [(302, {"Location": location}, b"")] * (http.TRIES * 10)
    origin.refusal()


def test_no_service_leads_from_https_to_http():
    with pytest.raises(ThoraxError, match="x: leads to an unencrypted address"):
        http.encrypted_as("https://x/y", "http://x/y")


def test_a_missing_file_of_certificates_is_named(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/at/all.pem")
    with pytest.raises(ThoraxError, match=r"127\.0\.0\.1: cannot be asked, as REQUESTS_CA_BUNDLE"):
        http.get("https://127.0.0.1:9/")


# Versions -------------------------------------------------------------------------------------------------------------


def test_the_recipes_version_goes_before_the_modules(origin):
    other = COMMIT[::-1] if origin.comment else 3
    origin.service.version = other
    if origin.comment:
        origin.service.archive = zipped(*MEMBERS, comment=other.encode())
    path, told = fetch.archive_of(origin.dataset, other, origin.cache, "version")
    assert str(other) in path.name
    assert told["version"] == other


def test_a_version_of_the_wrong_kind_is_named_by_its_key(origin):
    wrong, kind = (3, "a commit of 40 hexadecimal digits") if origin.comment else (COMMIT, "a number")
    with pytest.raises(ThoraxError, match=f"the key: {wrong!r} is no version of this data set; .* it is {kind}"):
        fetch.archive_of(origin.dataset, wrong, origin.cache, "the key")
    assert origin.service.requests == []


@pytest.mark.parametrize("call", [
    lambda cache: fetch.github_archive("../x", COMMIT, cache),
    lambda cache: fetch.github_archive("a/b?c", COMMIT, cache),
    lambda cache: fetch.github_archive("a/..", COMMIT, cache),
    lambda cache: fetch.github_archive("a/b", "master", cache),
    lambda cache: fetch.mendeley_archive("../x", 4, cache),
    lambda cache: fetch.mendeley_archive("", 4, cache)])
def test_what_could_lead_elsewhere_is_refused_unasked(call: Callable, cache):
    with pytest.raises(ThoraxError, match="must"):
        call(cache)
    assert not cache.exists()


# GitHub ---------------------------------------------------------------------------------------------------------------


def test_a_cut_transfer_from_github_starts_again_as_there_is_nothing_to_go_on_from(hub):
    hub.service.faults += [Fault(cut=100), Fault(cut=200)]
    assert hub.get() == hub.service.archive
    assert all("Range" not in headers for _, _, headers in hub.service.requests)


def test_transfers_that_start_again_are_not_taken_for_progress(monkeypatch):
    monkeypatch.setattr(http, "PROGRESS_BYTES", 10)
    sizes, calls = iter([0, 30, 30, 5, 5, 30, 30, 5, 5, 30, 30, 5, 5, 30, 30, 5, 5]), []

    def step():
        calls.append(None)
        raise http.Trouble("cut")

    with pytest.raises(ThoraxError, match="tried 4 times"):
        http.patiently(step, lambda: next(sizes))
    assert len(calls) == http.TRIES


def test_a_transfer_without_length_stops_before_the_disk_is_full(hub, monkeypatch):
    usage, given = shutil._ntuple_diskusage(10**9, 0, 10**9), []

    def fuller(_):
        given.append(None)
        return usage if len(given) < 3 else FULL

    monkeypatch.setattr(transfer.shutil, "disk_usage", fuller)
    assert "of the disk are free; free some space" in hub.refusal()
    assert hub.leftovers() == []


# Mendeley Data --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_a_list_of_files_in_pages_is_read_to_its_end(data, page):
    data.service.page_files = page
    assert data.get() == data.service.archive


def test_a_list_that_repeats_its_first_page_ends(data, monkeypatch):
    asked = mendeley.ask
    monkeypatch.setattr(mendeley, "ask", lambda route, *more: asked(route.split("&$start")[0] + "&$start=0&$limit=1"
                                                                    if "$start" in route else route, *more))
    assert "holds 1 files more than the 2 that the service lists" in data.refusal()


@pytest.mark.parametrize(("members", "why"), [
    (MEMBERS[:2], "1 of the 3 files that the service lists have another hash, such as 'readme.txt'"),
    ((*MEMBERS, ("b", b"more")), "holds 1 files more than the 3 that the service lists"),
    ((("a/1.jpeg", b"other"), *MEMBERS[1:]), "1 of the 3 files that the service lists have another hash")])
def test_the_zip_of_all_files_must_hold_what_the_list_says(data, members, why):
    data.service.listed, data.service.archive = data.service.archive, zipped(*members)
    assert why in data.refusal()
    assert data.leftovers() == []


@pytest.mark.parametrize("body", [
    b"", b"{", b"{}", b"[1]", b"null", b"[" * 100_000, b"[" + b" " * http.MAX_JSON_BYTES + b"]", b"\xff\xfe"])
def test_an_answer_that_is_no_list_of_files_is_told(data, body):
    data.service.answers.append((200, {"Content-Type": "application/json"}, body))
    assert "is no list of files but status 200, application/json" in data.refusal()


@pytest.mark.parametrize("file", [
    {}, {"id": "1"}, {"id": {"a": 1}}, {"id": "1", "filename": "a.zip"},
    {"id": "1", "filename": "a.zip", "content_details": []},
    {"id": "1", "filename": "a.zip", "content_details": {"sha256_hash": None}},
    {"id": "1", "filename": "a.zip", "content_details": {"sha256_hash": "f" * 63}}])
def test_a_file_without_hash_is_not_fetched(data, file):
    reply = {"Content-Type": "application/json"}
    data.service.answers += [(200, reply, b"[]"), (200, reply, json.dumps([file]).encode()), (200, reply, b"[]")]
    assert "lists no files with hashes" in data.refusal()


@pytest.mark.parametrize("folder", ['"../../x?y=z&"', '"\\ud800"', '"\\u0000"', "7", "null"])
def test_what_a_folder_is_called_stays_inside_the_query(data, folder):
    body = b'[{"id": %b}]' % folder.encode()
    data.service.answers.append((200, {"Content-Type": "application/json"}, body))
    data.service.listed = zipped(MEMBERS[2])
    data.service.archive = zipped(MEMBERS[2])
    assert data.get() == data.service.archive
    assert {path for _, path, _ in data.service.requests[1:-2]} == {"/public-api/datasets/9x9x9/files"}


def test_a_cut_list_of_files_is_asked_for_again(data):
    data.service.answers.append((200, {"Content-Type": "application/json", "Content-Length": "500"}, b"[]"))
    assert data.get() == data.service.archive


def test_control_characters_of_a_service_do_not_reach_the_terminal(data):
    data.service.answers.append((200, {"Content-Type": "\x1b[31mtext"}, b""))
    assert "status 200, of a type that is none;" in data.refusal()


def test_a_data_set_without_files_is_told(data):
    data.service.answers += [(200, {"Content-Type": "application/json"}, b"[]")] * 2
    assert "lists no files with hashes" in data.refusal()


def test_signed_addresses_that_run_out_are_asked_for_again(data):
    data.service.faults += [Fault(cut=100), Fault(status=403)]
    assert data.get() == data.service.archive
    assert len(data.service.asked("/zip/")) == 3

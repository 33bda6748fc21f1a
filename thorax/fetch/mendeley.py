"""A version of a data set of Mendeley Data, with the hashes that the service states.

Its public API needs no account. `datasets/<id>/files?folder_id=<folder or root>&version=<n>` lists the files of one
folder (`$start` and `$limit` page) with size, sha256_hash and download_url, `datasets/<id>/folders/<n>` lists the
folders, and `zip/<id>/download/<n>` redirects to a signed address of all files in one zip (Amazon's storage: ranges, a
strong ETag, no hash of the whole). A set that is itself one zip is fetched as that file, any other as the zip of all.
The API is documented nowhere; this is what its own web page and programs that use it ask.
"""

import hashlib
import zipfile
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from thorax.errors import ThoraxError
from thorax.fetch import http, transfer
from thorax.fetch.archives import check_archive, read_member

API = "https://data.mendeley.com/public-api"
PAGE_FILES = 1000
MAX_FILES = 1_000_000


def download(key: str, version: int, part: Path) -> None:
    """Bring the files of data set `key`, version `version`, to `part`: one zip, complete, with the files' hashes."""
    title = f"{key} version {version}"
    files = list_files(key, version)
    is_zip = len(files) == 1 and str(files[0].get("filename")).lower().endswith(".zip")
    if is_zip:
        address = http.encrypted_as(API, str(files[0]["content_details"].get("download_url")))
    else:
        address = f"{API}/zip/{key}/download/{version}"
    transfer.fetch(lambda: address, part, title, refusals={404: no_such(key, version)})
    otherwise = f"it was thrown away; run the same command again, {by_hand(key, version)}"
    with transfer.discarding(part):
        # The hash first: a zip that is not the announced one is better called so than damaged.
        if is_zip and transfer.digest(part, "sha256") != hash_of(files[0]):
            raise ThoraxError(f"{title} as fetched: another hash than the service announced; {otherwise}")
        check_archive(part, f"{title} as fetched", otherwise)
        if not is_zip and (fault := members_unlike(part, files)):
            raise ThoraxError(f"{title} as fetched: {fault}; {otherwise}")


def list_files(key: str, version: int) -> list[dict]:
    """What the service states of every file of every folder."""
    folders = ask(f"datasets/{key}/folders/{version}", key, version)
    files = {}
    for folder in ["root", *(str(folder.get("id")) for folder in folders)]:
        while True:
            start = sum(file["folder"] == folder for file in files.values())
            query = f"folder_id={quote(folder, '', errors='replace')}&version={version}"
            page = ask(f"datasets/{key}/files?{query}&$start={start}&$limit={PAGE_FILES}", key, version)
            # By id, so that a service which ignores `$start` ends the loop with its second answer.
            fresh = {str(file.get("id")): file | {"folder": folder} for file in page
                     if str(file.get("id")) not in files}
            files |= fresh
            if not fresh or len(files) > MAX_FILES:
                break
    if not files or not all(hash_of(file) for file in files.values()) or len(files) > MAX_FILES:
        raise ThoraxError(f"Mendeley Data lists no files with hashes for {key} version {version}; run the same command "
                          f"again later, {by_hand(key, version)}")
    return list(files.values())


def hash_of(file: dict) -> str | None:
    details = file.get("content_details")
    value = details.get("sha256_hash") if isinstance(details, dict) else None
    return value.lower() if isinstance(value, str) and len(value) == 64 else None


def members_unlike(path: Path, files: list[dict]) -> str:
    """What is wrong if the members of the zip are not exactly the listed files, by their hashes."""
    listed, found = Counter(hash_of(file) for file in files), Counter()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                digest = hashlib.sha256()
                for data in read_member(archive, member):
                    digest.update(data)
                found[digest.hexdigest()] += 1
    if lacking := listed - found:
        name = next(file.get("filename") for file in files if hash_of(file) in lacking)
        return (f"{lacking.total()} of the {len(files)} files that the service lists have another hash, such as "
                f"{str(name)[:80]!r}")
    if found != listed:
        return f"holds {(found - listed).total()} files more than the {len(files)} that the service lists"
    return ""


def ask(route: str, key: str, version: int) -> list[dict]:
    """The list that an API route answers with."""
    return http.patiently(lambda: ask_once(route, key, version))


def ask_once(route: str, key: str, version: int) -> list[dict]:
    with http.get(f"{API}/{route}") as answer:
        status = answer.status_code
        if status == 404:
            raise ThoraxError(no_such(key, version))
        if http.is_busy(status):
            raise http.busy("Mendeley Data", answer)
        if status in (401, 403):
            raise ThoraxError(f"Mendeley Data does not give out {key} version {version} ({status}); look at "
                              f"{page_of(key)}, {by_hand(key, version)}")
        values = http.json_in(answer)
    if status != 200 or not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise ThoraxError(f"Mendeley Data's answer for {key} is no list of files but "
                          f"{http.kind_of(answer)}; if a sign-in page of this network "
                          f"answers instead, sign in there, {by_hand(key, version)}")
    return values


def no_such(key: str, version: int) -> str:
    return (f"Mendeley Data has no {key} version {version} (404); look at {page_of(key)} and correct `version` in the "
            f"recipe, {by_hand(key, version)}")


def page_of(key: str) -> str:
    return f"https://data.mendeley.com/datasets/{key}"


def by_hand(key: str, version: int) -> str:
    return http.by_hand(f"{page_of(key)}/{version}")

"""Kaggle, GitHub and Mendeley Data on 127.0.0.1: the routes that a download needs and the storage that they lead to.

As the real ones do, Kaggle's API answers DownloadDataset, and Mendeley's its zip of all files, with a redirect to a
signed address on another host (here another port), which gives ranges and an ETag (and, as Google's, its MD5 in
`x-goog-hash`) and refuses a request that carries credentials; GitHub packs while it sends, in chunks, without length or
ranges. tests/fetch/test_kaggle.py downloads with Kaggle's own client as well, to hold this server to the real one's
manners.
"""

import base64
import contextlib
import hashlib
import io
import json
import re
import sys
import threading
import zipfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from thorax.fetch.archives import SMALL_BYTES

SIGNATURE = "5ecret0fTheStorage"
LONGEST_S = 10.0  # no handler outlives this, whatever the client does


@dataclass
class Fault:
    """What goes wrong with one answer of the storage; bytes are counted from the start of the answer's body."""

    cut: int | None = None         # the connection ends after so many bytes
    stall: int | None = None       # nothing more comes after so many bytes
    status: int | None = None
    headers: dict = field(default_factory=dict)  # that replace or join the usual ones; None leaves one out
    body: bytes | None = None      # instead of the archive, with status 200
    ranges: bool = True            # False: the whole archive is sent whatever was asked for


@dataclass
class Service:
    """State of a server, to be changed by tests; `requests` is what it was asked, in order."""

    name: str
    archive: bytes
    version: int | str = 2
    answers: deque = field(default_factory=deque)      # of the API, before the usual ones: (status, headers, body)
    faults: deque = field(default_factory=deque)       # of the archive, one for each request
    requests: list = field(default_factory=list)       # (method, path without query, headers)
    closing: threading.Event = field(default_factory=threading.Event)
    api: str = ""
    storage: str = ""

    def asked(self, what: str) -> list:
        return [headers for _, path, headers in self.requests if what in path]


@dataclass
class Kaggle(Service):
    accepted: tuple = ("Bearer t0ken",)  # values of the Authorization header


@dataclass
class Mendeley(Service):
    single: bool = False  # the set is one file, a zip; otherwise the files in `archive`, by folder
    page_files: int = 1000
    listed: bytes | None = None  # the archive that the list of files tells of, if it is not `archive`


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LONGEST_S
    disable_nagle_algorithm = True  # or every answer waits 40 ms for the client's delayed acknowledgement
    service: Service

    def log_message(self, *_):
        pass

    def answer(self, status: int, headers: dict, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body)), "Connection": "close"} | headers).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        self.wfile.write(body)

    def prepared(self) -> bool:
        """Whether a test had an answer ready, which was given."""
        if not self.service.answers:
            return False
        status, headers, body = self.service.answers.popleft()
        if status is None:  # never answers
            self.service.closing.wait(LONGEST_S)
        else:
            self.answer(status, headers, body)
        return True

    def fault(self) -> Fault:
        return self.service.faults.popleft() if self.service.faults else Fault()

    def json(self, values, status: int = 200, **headers: str) -> None:
        self.answer(status, {"Content-Type": "application/json"} | headers, json.dumps(values).encode())


class KaggleApi(Handler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.service.requests.append(("POST", self.path, dict(self.headers)))
        if self.prepared():
            return
        route = self.path.removeprefix("/v1/")
        if route == "users.AccountService/GenerateAccessToken":
            self.json({"token": "t0ken", "expiresIn": 43200} if request["refreshToken"] == "refre5h" else {})
        elif self.headers["Authorization"] not in self.service.accepted:
            self.json({"code": 401, "message": "Unauthenticated"}, 401)
        elif route == "security.OAuthService/IntrospectToken":
            self.json({"active": True, "username": "tester"})
        elif f"{request['ownerSlug']}/{request['datasetSlug']}" != self.service.name:
            self.json({"code": 404, "message": "Dataset not found"}, 404)
        elif route == "datasets.DatasetApiService/GetDataset":
            self.json({"ref": self.service.name, "currentVersionNumber": self.service.version})
        elif request.get("datasetVersionNumber", self.service.version) > self.service.version:
            self.json({"code": 404, "message": "Version not found"}, 404)
        else:
            self.answer(302, {"Location": f"{self.service.storage}/bundle/archive.zip?X-Goog-Signature={SIGNATURE}"})


class Storage(Handler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        self.service.requests.append(("GET", path, dict(self.headers)))
        if SIGNATURE not in query or "Authorization" in self.headers:
            self.answer(400, {"Content-Type": "application/xml"}, b"<Error/>")
            return
        fault = self.fault()
        if fault.status:
            self.answer(fault.status, fault.headers)
            return
        data = self.service.archive if fault.body is None else fault.body
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        headers = {"Content-Type": "application/zip", "ETag": tag, "Accept-Ranges": "bytes",
                   "Last-Modified": "Sat, 24 Mar 2018 00:00:00 GMT"}
        if isinstance(self.service, Kaggle):
            md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
            headers["x-goog-hash"] = f"crc32c=AAAAAA==,md5={md5}"
        status, start = 200, 0
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found and fault.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(found[1])
            if start >= len(data):
                self.answer(416, {"Content-Range": f"bytes */{len(data)}"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        headers["Content-Length"] = str(len(data) - start)
        body = data[start:]
        end = next((number for number in (fault.cut, fault.stall) if number is not None), len(body))
        self.answer(status, headers | fault.headers, body[:end])
        if fault.stall is not None:
            self.wfile.flush()
            self.service.closing.wait(LONGEST_S)


class Codeload(Handler):
    def do_GET(self):
        self.service.requests.append(("GET", self.path, dict(self.headers)))
        if self.prepared():
            return
        if self.path != f"/{self.service.name}/zip/{self.service.version}":
            self.answer(404, {"Content-Type": "text/plain; charset=utf-8"}, b"404: Not Found")
            return
        fault = self.fault()
        if fault.status:
            self.answer(fault.status, fault.headers)
            return
        body = self.service.archive if fault.body is None else fault.body
        self.answer(200, {"Content-Type": "application/zip", "Content-Length": None, "Transfer-Encoding": "chunked",
                          "ETag": 'W/"5ba9"'} | fault.headers)
        end = next((number for number in (fault.cut, fault.stall) if number is not None), None)
        if "Content-Length" not in fault.headers:
            body = b"".join(b"%x\r\n%b\r\n" % (len(body[start:start + 64]), body[start:start + 64])
                            for start in range(0, len(body), 64)) + b"0\r\n\r\n"
        self.wfile.write(body[:end])
        if fault.stall is not None:
            self.wfile.flush()
            self.service.closing.wait(LONGEST_S)


class MendeleyApi(Handler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        self.service.requests.append(("GET", path, dict(self.headers)))
        key, version = self.service.name, self.service.version
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        if self.prepared():
            return
        if path == f"/public-files/{key}/chest.zip":
            self.answer(302, {"Location": f"{self.service.storage}/bundle/chest.zip?X-Amz-Signature={SIGNATURE}"})
        elif path == f"/public-api/zip/{key}/download/{version}":
            self.answer(302, {"Location": f"{self.service.storage}/bundle/all.zip?X-Amz-Signature={SIGNATURE}"})
        elif path == f"/public-api/datasets/{key}/folders/{version}":
            self.json([] if self.service.single else [{"id": "f0lder", "name": "a"}])
        elif path == f"/public-api/datasets/{key}/files" and asked["version"] == str(version):
            start = int(asked["$start"])
            files = [file for file in self.files() if file["folder_id"] == asked["folder_id"]]
            self.json(files[start:start + min(int(asked["$limit"]), self.service.page_files)])
        else:
            self.json({"message": "Not found"}, 404)

    def files(self) -> list[dict]:
        data = self.service.archive if self.service.listed is None else self.service.listed
        if self.service.single:
            return [self.file("chest.zip", "root", data)]
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [self.file(name, "f0lder" if "/" in name else "root", archive.read(name))
                    for name in archive.namelist()]

    def file(self, name: str, folder: str, data: bytes) -> dict:
        details = {"sha256_hash": hashlib.sha256(data).hexdigest(), "size": len(data),
                   "download_url": f"{self.service.api}/public-files/{self.service.name}/chest.zip"}
        return {"id": f"id-{name}", "filename": name.rpartition("/")[2], "folder_id": folder, "size": len(data),
                "content_details": details}


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a client that hung up is part of the tests
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serving(service: Service) -> Iterator[Service]:
    """The two servers of `service`, up while the block runs; their addresses are in `.api` and `.storage`."""
    api = {Kaggle: KaggleApi, Mendeley: MendeleyApi, Service: Codeload}[type(service)]
    servers = [Server(("127.0.0.1", 0), type(kind.__name__, (kind,), {"service": service}))
               for kind in (api, Storage)]
    service.api, service.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield service
    finally:
        service.closing.set()
        for server in servers:
            server.shutdown()
            server.server_close()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.comment = comment
            for name, data in members:
                archive.writestr(zipfile.ZipInfo(name), data, method)
        return file.getvalue()


def bomb(comment: bytes = b"") -> bytes:
    return zipped(("zeros.dat", bytes(SMALL_BYTES + 1)), method=zipfile.ZIP_DEFLATED, comment=comment)

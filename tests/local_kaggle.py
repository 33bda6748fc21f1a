"""A small Kaggle on 127.0.0.1: the API routes that a download needs and the storage that they lead to.

As the real ones do, the API answers DownloadDataset with a redirect to a signed address on another host (here another
port), which gives ranges, an ETag and its MD5 in `x-goog-hash`, and refuses a request that carries credentials.
tests/test_fetch.py downloads with Kaggle's own client as well, to hold this server to the real one's manners.
"""

import base64
import contextlib
import hashlib
import json
import re
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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
class Kaggle:
    """State of the server, to be changed by tests; `requests` is what it was asked, in order."""

    slug: str
    archive: bytes
    version: int = 2
    accepted: tuple = ("Bearer t0ken",)                # values of the Authorization header
    answers: deque = field(default_factory=deque)      # of the API, before the usual ones: (status, headers, body)
    faults: deque = field(default_factory=deque)       # of the storage, one for each request
    requests: list = field(default_factory=list)       # (method, path without query, headers)
    closing: threading.Event = field(default_factory=threading.Event)
    api: str = ""
    storage: str = ""

    def asked(self, what: str) -> list:
        return [headers for _, path, headers in self.requests if what in path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LONGEST_S
    disable_nagle_algorithm = True  # or every answer waits 40 ms for the client's delayed acknowledgement
    kaggle: Kaggle

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

    def json(self, values: dict, status: int = 200, **headers: str) -> None:
        self.answer(status, {"Content-Type": "application/json"} | headers, json.dumps(values).encode())


class Api(Handler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.kaggle.requests.append(("POST", self.path, dict(self.headers)))
        if self.kaggle.answers:
            status, headers, body = self.kaggle.answers.popleft()
            if status is None:  # never answers
                self.kaggle.closing.wait(LONGEST_S)
                return
            self.answer(status, headers, body)
            return
        route = self.path.removeprefix("/v1/")
        if route == "users.AccountService/GenerateAccessToken":
            self.json({"token": "t0ken", "expiresIn": 43200} if request["refreshToken"] == "refre5h" else {})
        elif self.headers["Authorization"] not in self.kaggle.accepted:
            self.json({"code": 401, "message": "Unauthenticated"}, 401)
        elif route == "security.OAuthService/IntrospectToken":
            self.json({"active": True, "username": "tester"})
        elif f"{request['ownerSlug']}/{request['datasetSlug']}" != self.kaggle.slug:
            self.json({"code": 404, "message": "Dataset not found"}, 404)
        elif route == "datasets.DatasetApiService/GetDataset":
            self.json({"ref": self.kaggle.slug, "currentVersionNumber": self.kaggle.version})
        elif request.get("datasetVersionNumber", self.kaggle.version) > self.kaggle.version:
            self.json({"code": 404, "message": "Version not found"}, 404)
        else:
            self.answer(302, {"Location": f"{self.kaggle.storage}/bundle/archive.zip?X-Goog-Signature={SIGNATURE}"})


class Storage(Handler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        self.kaggle.requests.append(("GET", path, dict(self.headers)))
        if SIGNATURE not in query or "Authorization" in self.headers:
            self.answer(400, {"Content-Type": "application/xml"}, b"<Error/>")
            return
        fault = self.kaggle.faults.popleft() if self.kaggle.faults else Fault()
        if fault.status:
            self.answer(fault.status, fault.headers)
            return
        data = self.kaggle.archive if fault.body is None else fault.body
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        headers = {"Content-Type": "application/zip", "ETag": tag, "Accept-Ranges": "bytes",
                   "Last-Modified": "Sat, 24 Mar 2018 00:00:00 GMT",
                   "x-goog-hash": f"crc32c=AAAAAA==,md5={base64.b64encode(hashlib.md5(data).digest()).decode()}"}
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
            self.kaggle.closing.wait(LONGEST_S)


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a client that hung up is part of the tests
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serving(kaggle: Kaggle) -> Iterator[Kaggle]:
    """The two servers of `kaggle`, up while the block runs; their addresses are in `.api` and `.storage`."""
    servers = [Server(("127.0.0.1", 0), type(kind.__name__, (kind,), {"kaggle": kaggle}))
               for kind in (Api, Storage)]
    kaggle.api, kaggle.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield kaggle
    finally:
        kaggle.closing.set()
        for server in servers:
            server.shutdown()
            server.server_close()

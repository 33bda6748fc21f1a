"""How every service is asked: with timeouts, with patience, and without a word of what must stay secret.

`requests` honours HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE; ~/.netrc is kept out, as what it holds for a host is
none of the services' business.
"""

import contextlib
import email.utils
import json
import logging
import time
from collections.abc import Callable, Iterator
from urllib.parse import urljoin, urlsplit

from thorax.errors import ThoraxError

CONNECT_S = 10.0  # for a connection to be made
SILENCE_S = 30.0  # for the next byte to come; kagglehub waits 15 s, slow links stall longer than that
TRIES = 4         # in a row without progress
BACKOFF_S = 2.0   # before the second try, twice that before the third
MAX_WAIT_S = 120.0  # as long as it is reasonable to sit out a Retry-After; longer ones are told and left to the user
PROGRESS_BYTES = 1 << 20  # that many new bytes make a try a success worth starting the count of tries again
MAX_REDIRECTS = 5
MAX_JSON_BYTES = 16 << 20  # a page of a thousand files takes 0.6 MB
HEADERS = {"User-Agent": "thorax", "Accept-Encoding": "identity"}  # lengths and ranges count the bytes as stored


class Trouble(Exception):
    """What may pass by itself. The text is for the case that it does not; `wait_s` is how long to wait before the
    next try, None for the usual backoff."""

    def __init__(self, text: str, wait_s: float | None = None):
        super().__init__(text)
        self.wait_s = wait_s


def patiently(step: Callable, progress: Callable[[], int] = lambda: 0):
    """The value of `step()`, tried again after Trouble, TRIES times in a row if `progress()` (bytes) does not grow."""
    tries, furthest = 0, progress()
    while True:
        try:
            return step()
        except Trouble as trouble:
            # Compared with the furthest try and not with the last one: a transfer that starts anew after every cut
            # would seem to make progress for ever.
            tries = 1 if progress() - furthest >= PROGRESS_BYTES else tries + 1
            furthest = max(furthest, progress())
            if tries >= TRIES:
                raise ThoraxError(f"{trouble} (tried {tries} times)") from None
            time.sleep(BACKOFF_S * 2 ** (tries - 1) if trouble.wait_s is None else trouble.wait_s)


@contextlib.contextmanager
def network(host: str) -> Iterator[None]:
    """Turn the HTTP libraries' exceptions into Trouble. Their own texts, and the debug log of urllib3, hold signed
    addresses, which are as good as a password for some hours: none of it gets out."""
    import requests  # here: the answer "no credentials" must not wait for it
    import urllib3

    log = logging.getLogger("urllib3")
    level = log.level
    log.setLevel(max(level, logging.INFO))
    again = "check the network and run the same command again"
    try:
        yield
    except (requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL, urllib3.exceptions.ProxyError):
        raise Trouble(f"{host}: the proxy does not answer or does not let this through; check HTTPS_PROXY and "
                      "NO_PROXY, then run the same command again") from None
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError):
        raise ThoraxError(f"{host}: its certificate is not accepted; behind a proxy that opens connections, set "
                          "REQUESTS_CA_BUNDLE to the proxy's certificate") from None
    except (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
        raise Trouble(f"{host}: no connection within {CONNECT_S:g} s; {again}") from None
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
        raise Trouble(f"{host}: silent for {SILENCE_S:g} s; {again}") from None
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError):
        raise Trouble(f"{host}: the connection was cut; {again}") from None
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError):
        raise Trouble(f"{host}: cannot be reached; {again}") from None
    except ValueError:  # an address that is none, past the libraries' own checks
        raise Trouble(f"{host}: leads to an address that is none; {again}") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise ThoraxError(f"{host}: cannot be asked, as REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of "
                          "certificates; correct it or unset it") from None
    finally:
        log.setLevel(level)


def host_of(address: str) -> str:
    """The host of an address, for messages: an address that a service gives may hold anything."""
    try:
        host = urlsplit(address).hostname or "?"
    except ValueError:  # brackets that hold no IPv6 address
        return "?"
    return host if host.isprintable() and len(host) < 256 else "?"


def kind_of(answer) -> str:
    """Status and type of an answer, for messages."""
    kind = answer.headers.get("Content-Type", "of no type")
    return f"status {answer.status_code}, {kind[:60] if kind.isprintable() else 'of a type that is none'}"


def get(address: str, headers: dict[str, str] | None = None):
    """The answer (requests.Response, body unread) to a GET without credentials, after redirects. Never from https to
    http."""
    import requests

    first = host_of(address)
    for _ in range(1 + MAX_REDIRECTS):
        host = host_of(address)
        with network(host):
            # `auth` that does nothing: without one, and at redirects of its own, requests looks into ~/.netrc.
            answer = requests.get(address, headers=HEADERS | (headers or {}), auth=lambda request: request, stream=True,
                                  allow_redirects=False, timeout=(CONNECT_S, SILENCE_S))
        if not answer.is_redirect:
            return answer
        answer.close()
        with contextlib.suppress(ValueError):
            onward = urljoin(address, answer.headers["Location"])
            address = encrypted_as(address, onward)
            continue
        break
    raise Trouble(f"{first}: sends from one address to the next without end; run the same command again later")


def encrypted_as(address: str, onward: str) -> str:
    """`onward`, if it is not less encrypted than `address`."""
    if address.startswith("https:") and not onward.startswith("https:"):
        raise ThoraxError(f"{host_of(address)}: leads to an unencrypted address; check the network's proxy")
    return onward


def json_in(answer):
    """The JSON in the body of an answer; None if it holds none, or too much to be one."""
    if "json" not in answer.headers.get("Content-Type", ""):
        return None
    body = b""
    with network(host_of(answer.url)):
        while len(body) <= MAX_JSON_BYTES and (data := answer.raw.read(1 << 20)):  # to the end: a cut shows only there
            body += data
    try:
        return json.loads(body) if len(body) <= MAX_JSON_BYTES else None
    except (ValueError, RecursionError):
        return None


def is_busy(status: int) -> bool:
    return status in (408, 429) or status >= 500


def busy(who: str, answer) -> Exception:
    """Trouble for 408, 429 and 5xx; ThoraxError where the service asks for a longer wait than is reasonable."""
    reason = "too many requests" if answer.status_code == 429 else "a failure of the service"
    wait = seconds(answer.headers.get("Retry-After"))
    if wait is not None and wait > MAX_WAIT_S:
        return ThoraxError(f"{who}: {reason} ({answer.status_code}); it asks to wait {wait / 60:.0f} minutes: run the "
                           "same command again then")
    return Trouble(f"{who}: {reason} ({answer.status_code}); run the same command again later", wait)


def seconds(retry_after: str | None) -> float | None:
    """A Retry-After header (seconds or a date, RFC 9110 section 10.2.3) in seconds from now; None if it says none."""
    if retry_after is None:
        return None
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def by_hand(page: str) -> str:
    """The way around this service, for messages."""
    return (f"or download {page} by hand and set the source in params.yaml to folder:<path> (unpacked) or "
            "archive:<path.zip>")

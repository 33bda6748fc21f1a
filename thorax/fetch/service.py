"""Questions to Kaggle's API, and what its refusals mean.

The routes and bodies are those of kagglesdk 0.1 (DatasetApiService, AccountService): POST with JSON. DownloadDataset
answers with a redirect to a signed address of the archive in Google's storage, which must be asked without credentials.
"""

import contextlib
import email.utils
import logging
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from thorax.errors import ThoraxError
from thorax.fetch.credentials import Credentials, by_hand

CONNECT_S = 10.0  # for a connection to be made
SILENCE_S = 30.0  # for the next byte to come; kagglehub waits 15 s, slow links stall longer than that
TRIES = 4         # in a row without progress
BACKOFF_S = 2.0   # before the second try, twice that before the third
MAX_WAIT_S = 120.0  # as long as it is reasonable to sit out a Retry-After; longer ones are told and left to the user
PROGRESS_BYTES = 1 << 20  # that many new bytes make a try a success worth starting the count of tries again
HEADERS = {"User-Agent": "thorax", "Accept-Encoding": "identity"}  # lengths and ranges count the bytes as stored


class Trouble(Exception):
    """What may pass by itself. The text is for the case that it does not; `wait_s` is how long to wait before the
    next try, None for the usual backoff."""

    def __init__(self, text: str, wait_s: float | None = None):
        super().__init__(text)
        self.wait_s = wait_s


def patiently(step: Callable, progress: Callable[[], int] = lambda: 0):
    """The value of `step()`, tried again after Trouble, TRIES times in a row if `progress()` (bytes) does not grow."""
    tries = 0
    while True:
        before = progress()
        try:
            return step()
        except Trouble as trouble:
            tries = 1 if progress() - before >= PROGRESS_BYTES else tries + 1
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
    again = "check the network and run the same command again: it goes on where it stopped"
    try:
        yield
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
    finally:
        log.setLevel(level)


def ask(route: str, body: dict, slug: str, credentials: Credentials, signed: bool = True):
    """The answer (requests.Response) of an API route: a success or a redirect."""
    import requests
    from kagglesdk.kaggle_env import KaggleEnv, get_endpoint  # makes no call; `import kaggle` does

    def sign(request):
        # As an `auth` function and not as a header, which an entry in ~/.netrc would replace.
        if signed:
            if credentials.user:
                requests.auth.HTTPBasicAuth(credentials.user, credentials.secret)(request)
            else:
                request.headers["Authorization"] = f"Bearer {credentials.secret}"
        return request

    address = f"{get_endpoint(KaggleEnv.PROD)}/v1/{route}"
    with (network(urlsplit(address).hostname),
          requests.post(address, json=body, auth=sign, headers=HEADERS, allow_redirects=False, stream=True,
                        timeout=(CONNECT_S, SILENCE_S)) as answer):
        if "json" in answer.headers.get("Content-Type", ""):
            _ = answer.content  # read here, where the network's faults are caught; other bodies are never read
    refuse(status_of(answer), answer.headers.get("Retry-After"), slug, body.get("datasetVersionNumber"), credentials)
    return answer


def status_of(answer) -> int:
    """The HTTP status; errors also come as status 200 with a `code` in the JSON body."""
    code = json_of(answer).get("code")
    return code if isinstance(code, int) and code >= 400 else answer.status_code


def json_of(answer) -> dict:
    if "json" not in answer.headers.get("Content-Type", ""):
        return {}
    try:
        values = answer.json()
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def refuse(status: int, retry_after: str | None, slug: str, version: int | None, credentials: Credentials) -> None:
    """Raise what an API status means, if it means a failure."""
    page = f"https://www.kaggle.com/datasets/{slug}"
    if status == 401:
        raise ThoraxError(f"Kaggle refuses the credentials of {credentials.place} (401); make new ones at "
                          f"https://www.kaggle.com/settings/api and put them there, {by_hand(slug)}")
    if status == 403:
        raise ThoraxError(f"Kaggle does not give {slug} to this account (403); open {page}, sign in, accept what it "
                          "asks (rules, phone number), then run the same command again")
    if status == 404:
        what = slug if version is None else f"{slug} version {version}"
        raise ThoraxError(f"Kaggle has no {what} that this account may see (404); look at {page} and correct "
                          "`version` in the recipe, or leave it out for the current one")
    if status == 429 or status >= 500 or status == 408:
        raise busy("Kaggle", status, retry_after)
    if status >= 400:
        raise ThoraxError(f"Kaggle refuses the request for {slug} (status {status}); look at {page}, {by_hand(slug)}")


def busy(who: str, status: int, retry_after: str | None) -> Exception:
    """Trouble for 429 and 5xx; ThoraxError where the service asks for a longer wait than is reasonable."""
    reason = "too many requests" if status == 429 else "a failure of the service"
    wait = seconds(retry_after)
    if wait is not None and wait > MAX_WAIT_S:
        return ThoraxError(f"{who}: {reason} ({status}); it asks to wait {wait / 60:.0f} minutes: run the same command "
                           "again then")
    return Trouble(f"{who}: {reason} ({status}); run the same command again later", wait)


def seconds(retry_after: str | None) -> float | None:
    """A Retry-After header (seconds or a date, RFC 9110 section 10.2.3) in seconds from now; None if it says none."""
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def logged_in(slug: str, credentials: Credentials) -> Credentials:
    """Credentials to sign with: a login of `kaggle auth login` is exchanged for a token, which is not kept."""
    if not credentials.login:
        return credentials
    body = {"refreshToken": credentials.secret, "apiVersion": "API_VERSION_V1"}
    token = json_of(ask("users.AccountService/GenerateAccessToken", body, slug, credentials, signed=False)).get("token")
    if not isinstance(token, str) or not token:
        raise ThoraxError(f"Kaggle gives no token for the login in {credentials.place}; run `kaggle auth login` again")
    return Credentials(credentials.place, token)


def current_version(slug: str, credentials: Credentials) -> int:
    """The number of the data set's newest version."""
    owner, name = slug.split("/")
    answer = ask("datasets.DatasetApiService/GetDataset", {"ownerSlug": owner, "datasetSlug": name}, slug,
                 logged_in(slug, credentials))
    version = json_of(answer).get("currentVersionNumber")
    if not isinstance(version, int) or version < 1:
        raise ThoraxError(f"Kaggle does not say which version of {slug} is the current one; put its `version` into "
                          "the recipe")
    return version


def archive_address(slug: str, version: int, credentials: Credentials) -> str:
    """The signed address of the archive: valid for some hours, and a secret as long."""
    owner, name = slug.split("/")
    body = {"ownerSlug": owner, "datasetSlug": name, "datasetVersionNumber": version}
    answer = ask("datasets.DatasetApiService/DownloadDataset", body, slug, logged_in(slug, credentials))
    address = answer.headers.get("Location", "")
    if not (answer.is_redirect and address):
        raise ThoraxError(f"Kaggle's answer for {slug} is no address of an archive but status {answer.status_code}, "
                          f"{answer.headers.get('Content-Type', 'of no type')}; if a sign-in page of this network "
                          f"answers instead of Kaggle, sign in there, {by_hand(slug)}")
    if answer.url.startswith("https:") and not address.startswith("https:"):
        raise ThoraxError(f"Kaggle's answer for {slug} leads to an unencrypted address; check the network's proxy")
    return address

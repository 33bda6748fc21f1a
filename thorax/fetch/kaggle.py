"""A version of a data set of Kaggle: questions to its API, and what its refusals mean.

The routes and bodies are those of kagglesdk 0.1 (DatasetApiService, AccountService): POST with JSON. DownloadDataset
answers with a redirect to a signed address of the archive in Google's storage, which must be asked without credentials.
"""

from pathlib import Path
from urllib.parse import urlsplit

from thorax.errors import ThoraxError
from thorax.fetch import http, transfer
from thorax.fetch.archives import check_archive
from thorax.fetch.credentials import Credentials, by_hand


def download(slug: str, version: int, credentials: Credentials, part: Path) -> None:
    """Bring the archive of data set `slug` ("owner/name"), version `version`, to `part`, complete and checked."""
    transfer.fetch(lambda: archive_address(slug, version, credentials), part, slug)
    with transfer.discarding(part):
        check_archive(part, f"{slug} version {version} as fetched",
                      f"it was thrown away; run the same command again, {by_hand(slug)}")


def ask(route: str, body: dict, slug: str, credentials: Credentials, signed: bool = True):
    """The answer (requests.Response) of an API route, a success or a redirect, and the mapping in its body."""
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
    with (http.network(urlsplit(address).hostname),
          requests.post(address, json=body, auth=sign, headers=http.HEADERS, allow_redirects=False, stream=True,
                        timeout=(http.CONNECT_S, http.SILENCE_S)) as answer):
        values = http.json_in(answer)
    values = values if isinstance(values, dict) else {}
    code = values.get("code")  # errors also come as status 200 with a `code` in the JSON body
    if isinstance(code, int) and 400 <= code < 600:
        answer.status_code = code
    refuse(answer, slug, body.get("datasetVersionNumber"), credentials)
    return answer, values


def refuse(answer, slug: str, version: int | None, credentials: Credentials) -> None:
    """Raise what the status of an API answer means, if it means a failure."""
    status = answer.status_code
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
    if http.is_busy(status):
        raise http.busy("Kaggle", answer)
    if status >= 400:
        raise ThoraxError(f"Kaggle refuses the request for {slug} (status {status}); look at {page}, {by_hand(slug)}")


def logged_in(slug: str, credentials: Credentials) -> Credentials:
    """Credentials to sign with: a login of `kaggle auth login` is exchanged for a token, which is not kept."""
    if not credentials.login:
        return credentials
    body = {"refreshToken": credentials.secret, "apiVersion": "API_VERSION_V1"}
    token = ask("users.AccountService/GenerateAccessToken", body, slug, credentials, signed=False)[1].get("token")
    if not isinstance(token, str) or not token:
        raise ThoraxError(f"Kaggle gives no token for the login in {credentials.place}; run `kaggle auth login` again")
    return Credentials(credentials.place, token)


def current_version(slug: str, credentials: Credentials) -> int:
    """The number of the data set's newest version."""
    owner, name = slug.split("/")
    _, values = ask("datasets.DatasetApiService/GetDataset", {"ownerSlug": owner, "datasetSlug": name}, slug,
                    logged_in(slug, credentials))
    version = values.get("currentVersionNumber")
    if type(version) is not int or version < 1:
        raise ThoraxError(f"Kaggle does not say which version of {slug} is the current one; put its `version` into "
                          "the recipe")
    return version


def archive_address(slug: str, version: int, credentials: Credentials) -> str:
    """The signed address of the archive: valid for some hours, and a secret as long."""
    owner, name = slug.split("/")
    body = {"ownerSlug": owner, "datasetSlug": name, "datasetVersionNumber": version}
    answer, _ = ask("datasets.DatasetApiService/DownloadDataset", body, slug, logged_in(slug, credentials))
    address = answer.headers.get("Location", "")
    if not (answer.is_redirect and address):
        raise ThoraxError(f"Kaggle's answer for {slug} is no address of an archive but "
                          f"{http.kind_of(answer)}; if a sign-in page of this network "
                          f"answers instead of Kaggle, sign in there, {by_hand(slug)}")
    return http.encrypted_as(answer.url, address)

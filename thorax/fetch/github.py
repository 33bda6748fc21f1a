"""A repository at one commit, as GitHub packs it.

codeload.github.com packs while it sends: no ranges and, the first time at least, no Content-Length, so a cut transfer
starts again. The zip's bytes may differ from one year to the next while its files do not; what pins these is the
commit, which `git archive` writes into the zip's comment.
"""

import zipfile
from pathlib import Path

from thorax.errors import ThoraxError
from thorax.fetch import http, transfer
from thorax.fetch.archives import check_archive

CODELOAD = "https://codeload.github.com"


def download(repository: str, commit: str, part: Path) -> None:
    """Bring the zip of `repository` ("owner/name") at `commit` (40 hexadecimal digits) to `part`, complete and
    checked."""
    title = f"{repository} at {commit[:7]}"
    page = f"https://github.com/{repository}"
    by_hand = http.by_hand(f"{page}/archive/{commit}.zip")
    no_access = f"GitHub does not give out {repository} (status {{}}); look at {page}, {by_hand}"
    transfer.fetch(lambda: f"{CODELOAD}/{repository}/zip/{commit}", part, title, refusals={
        401: no_access.format(401), 403: no_access.format(403), 451: no_access.format(451),
        404: f"GitHub has no {repository} at commit {commit} (404); look at {page}/commit/{commit} and correct "
             f"`version` in the recipe, {by_hand}"})
    thrown_away = f"it was thrown away; run the same command again, {by_hand}"
    with transfer.discarding(part):
        check_archive(part, f"{title} as fetched", thrown_away)
        with zipfile.ZipFile(part) as archive:
            if archive.comment != commit.encode():
                raise ThoraxError(f"{title} as fetched: the zip is not of this commit, by its comment; {thrown_away}")

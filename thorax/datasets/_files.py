"""What the modules of the data sets share: telling films from all the other files of a download by their names."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

NO_FILM = "no film of this set by its name"
SECOND_COPY = "the second copy of the tree"
NAMED_AT_MOST = 25


def by_name(names: Sequence[str], describe: Callable[[str], dict | str | None]) -> tuple[pd.DataFrame, Counter]:
    """The table of films and the count of the other files by reason.

    `describe(name)` gives a film's row, the reason why the file is none, or None where nothing is known of it. The row
    holds, beside columns of the table, `member`: the file's place within the data set. Where a member lies more than
    once, the file with the shortest path counts.
    """
    rows, skipped, seen = [], Counter(), set()
    for name in sorted(names, key=lambda name: (name.count("/"), name)):
        found = debris(name) or describe(name) or NO_FILM
        if isinstance(found, dict) and found["member"] in seen:
            found = SECOND_COPY
        if isinstance(found, str):
            skipped[found] += 1
        else:
            seen.add(found["member"])
            rows.append({"path": name} | {key: value for key, value in found.items() if key != "member"})
    return pd.DataFrame(rows), skipped


def debris(name: str) -> str | None:
    """Why the file is no film of any set: what desktops leave in archives; None if it may be one."""
    file = name.rpartition("/")[2]
    if "__MACOSX/" in name or file.startswith("._"):
        return "a resource fork of macOS, no film"
    return "the notes of a file browser, no film" if file in (".DS_Store", "Thumbs.db", "desktop.ini") else None


def listed(names: Iterable[str]) -> str:
    """The names, for a message: all of a few, the first of many."""
    names = sorted(names)
    more = f" and {len(names) - NAMED_AT_MOST:,} more" if len(names) > NAMED_AT_MOST else ""
    return ", ".join(names[:NAMED_AT_MOST]) + more

"""Near-duplicates in a folder of films, or between two: `python -m thorax.duplicates FOLDER [FOLDER]`.

Prints a line for each pair, then their count. A folder may also be a .zip; it is read without being extracted.
"""

import argparse
import json
import sys
from pathlib import Path
from zipfile import BadZipFile

from thorax.duplicates import THRESHOLD, pairs
from thorax.duplicates.reading import films_in, thumbnails_of
from thorax.errors import ThoraxError
from thorax.splits import clusters


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m thorax.duplicates", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", metavar="FOLDER", type=Path, help="folder or .zip with PNG and JPEG films")
    parser.add_argument("second", metavar="FOLDER", type=Path, nargs="?", help="compare with these instead")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="cosine, default %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of lines")
    options = parser.parse_args(arguments)
    if not 0 < options.threshold < 1:
        parser.error(f"--threshold {options.threshold:g}: must be between 0 and 1")
    try:
        report(options)
    except (ThoraxError, BadZipFile, OSError) as error:
        sys.exit(f"duplicates: error: {error}")


def report(options: argparse.Namespace) -> None:
    folders = [folder for folder in (options.first, options.second) if folder]
    read = [thumbnails_of(folder, films_in(folder)) for folder in folders]
    (names, thumbnails, _), others = read[0], read[-1][0]
    found, cosines = pairs(thumbnails, read[1][1] if options.second else None, options.threshold)
    lines = [{"first": names[i], "second": others[j], "cosine": round(float(cosine), 5)}
             for (i, j), cosine in zip(found.tolist(), cosines, strict=True)]
    summary = {"films": [len(each[0]) for each in read], "pairs": len(lines),
               "films_with_a_near_duplicate": len(set(found.ravel().tolist() if len(read) == 1 else found[:, 0]))}
    if len(read) == 1 and names:
        summary["films_that_repeat_another"] = len(names) - int(clusters(names, pairs=found).max() + 1)
    unreadable = {f"{folder}/{name}": reason for folder, each in zip(folders, read, strict=True)
                  for name, reason in each[2].items()}
    if options.json:
        print(json.dumps({**summary, "near_duplicates": lines, "unreadable": unreadable}, indent=2))
        return
    for line in lines:
        print(f"{line['cosine']:.5f}  {line['first']}  {line['second']}")
    for name, reason in unreadable.items():
        print(f"unreadable: {name}: {reason}", file=sys.stderr)
    films = " and ".join(f"{count:,}" for count in summary["films"])
    print(f"{len(lines):,} pairs above {options.threshold:g} among {films} films: "
          + ", ".join(f"{summary[key]:,} {key.replace('_', ' ')}" for key in list(summary)[2:])
          + (f"; {len(unreadable):,} unreadable" if unreadable else ""))


if __name__ == "__main__":
    main()

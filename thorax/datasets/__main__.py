"""`python -m thorax.datasets` prints the data sets: origin, size, licence, classes, and whether they are here."""

import argparse
import json
import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from zipfile import BadZipFile

from thorax import datasets, fetch, raw
from thorax.errors import ThoraxError
from thorax.reader import load_params
from thorax.recipe import Params

HEADS = {"data set": 12, "origin": 30, "download": 13, "licence": 24, "classes": 27, "here": 30}  # characters


def main() -> None:
    argparse.ArgumentParser(prog="python -m thorax.datasets", description=__doc__).parse_args()
    params, trouble = None, ""
    if Path("params.yaml").is_file():  # outside a project there is none
        try:
            params = load_params()
        except ThoraxError as error:
            trouble = str(error)
    rows = [list(HEADS), ["-" * width for width in HEADS.values()]]
    for name in datasets.names():
        dataset = datasets.load(name)
        rows.append([name, dataset.ORIGIN, dataset.DOWNLOAD, dataset.LICENCE, ", ".join(classes(dataset)),
                     "; ".join(places(name, dataset, params)) or "no"])
    for row in rows:
        print_row(row)
    if trouble:
        print(f"sources not looked at: {trouble}")


def classes(dataset: ModuleType) -> list[str]:
    """The labels, with the number of films where it is known."""
    expected = getattr(dataset, "EXPECTED", {})
    return [f"{label} {expected[label]:,}" if label in expected else label for label in dataset.LABELS]


def places(name: str, dataset: ModuleType, params: Params | None) -> Iterator[str]:
    """Where films of the data set are: outputs of downloads, archives in the cache, the sources of params.yaml."""
    for note in sorted(Path("data/raw").glob(f"*/{name}/source.json")):
        source = json.loads(note.read_text())
        kind = "phantoms" if source.get("source") == "phantom" else "films"
        yield f"{note.parent.as_posix()} ({source['films']:,} {kind})"
    for archive in sorted(fetch.cache_folder().glob("*.zip")):
        if archive.name.startswith(tuple(f"{key}-" for key in archive_keys(dataset))):
            yield f"{archive.name} in {fetch.cache_folder()}"
    source = params.source_of(name) if params else ""
    if source.startswith(("folder:", "archive:")):
        count = films_in(dataset, source)
        yield from [f"{source} ({count:,} films)"] if count else []


def archive_keys(dataset: ModuleType) -> list[str]:
    """How the names of its archives in the cache begin."""
    slugs = [getattr(dataset, field).replace("/", "-") for field in ("KAGGLE", "GITHUB") if hasattr(dataset, field)]
    return [*slugs, f"mendeley-{dataset.MENDELEY[0]}"] if hasattr(dataset, "MENDELEY") else slugs


def films_in(dataset: ModuleType, source: str) -> int:
    """How many films of the data set, of whatever label, a folder or archive of the user holds."""
    try:
        files, read = opened(source)
        return len(dataset.index(sorted(files), read)[0])
    except (ThoraxError, OSError, BadZipFile):
        return 0


def opened(source: str) -> tuple[Sequence[str], Callable[[str], bytes]]:
    kind, _, path = source.partition(":")
    origin = Path(path).expanduser()
    if kind == "archive":
        return raw.list_archive(origin), raw.open_archive(origin).read
    return raw.list_folder(origin, source), lambda name: (origin / name).read_bytes()


def print_row(cells: Sequence[str]) -> None:
    """One row of the table, its cells wrapped to the columns' widths."""
    wrapped = [textwrap.wrap(cell, width) for cell, width in zip(cells, HEADS.values(), strict=True)]
    for line in zip_longest(*wrapped, fillvalue=""):
        print("  ".join(f"{text:{width}}" for text, width in zip(line, HEADS.values(), strict=True)).rstrip())


if __name__ == "__main__":
    main()

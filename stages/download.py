"""download: bring a study's films to data/raw/<study>/<dataset>/, and index them."""

from collections import Counter
from pathlib import Path

from thorax import datasets, fetch, raw
from thorax.errors import ThoraxError
from thorax.reader import load_params, load_study
from thorax.recipe import Dataset, Params, Phantom
from thorax.running import run, writing


def main(study: str) -> None:
    """Fetch, refer to or simulate every data set of STUDY, by `source` in params.yaml."""
    params, recipe = load_params(), load_study(study)
    with writing(Path("data/raw") / study) as out:
        for name, wanted in recipe.download.datasets.items():
            folder = out / name
            folder.mkdir()
            films, skipped = bring(name, wanted, recipe.download.phantom, params, folder)
            counts = ", ".join(f"{count} {label}" for label, count in films["label"].value_counts(sort=False).items())
            print(f"download: {study}: {name} from {source_of(name, params)}: {len(films)} films ({counts}), "
                  f"{films['group'].mask(films['group'] == '', films['path']).nunique()} groups")
            for reason, count in sorted(skipped.items()):
                print(f"download: {study}: {name}: left out {count} files: {reason}")


def source_of(dataset: str, params: Params) -> str:
    # Phantoms exist nowhere else, whatever `source` says for the studies beside them.
    return "phantom" if dataset == "phantom" else params.source_of(dataset)


def bring(name: str, wanted: Dataset, settings: Phantom, params: Params, folder: Path):
    """Put the data set's archive, or the reference to where it lies, and its manifest into `folder`."""
    source = source_of(name, params)
    dataset = datasets.load_checked(name, wanted)
    if source == "phantom":
        twin = dataset.simulate(wanted.labels, settings, params.seed)
        raw.write_archive(folder / raw.ARCHIVE, twin, f"simulate {name}")
        files, read = raw.list_archive(folder / raw.ARCHIVE), raw.open_archive(folder / raw.ARCHIVE).read
        where, description = f"phantom {name}", {"kind": "archive", "source": "phantom"}
    elif source == "download" and fetch.origin_of(dataset):
        key = f"download.datasets.{name}.version"
        fetched, origin = fetch.archive_of(dataset, wanted.version, fetch.cache_folder(), key)
        if origin["source"] == "kaggle" and not (wanted.version or hasattr(dataset, "VERSION")):
            print(f"download: warning: {name}: no version is pinned and Kaggle's current one may change; set {key} to "
                  f"{origin['version']} in the recipe to keep this one")
        raw.link_archive(fetched, folder / raw.ARCHIVE)
        files, read = raw.list_archive(folder / raw.ARCHIVE), raw.open_archive(folder / raw.ARCHIVE).read
        where = f"{origin['source']} {origin['name']} version {origin['version']}"
        description = {"kind": "archive"} | origin | fetch.fingerprint(fetched)
    elif source.startswith("archive:"):
        # Referred to, as a folder is: the user keeps this file, and DVC would copy whatever lies in data/raw.
        origin = Path(source.removeprefix("archive:")).expanduser()
        where = f"params.yaml: source {source}"
        fetch.check_archive(origin, where)
        files, read = raw.list_archive(origin), raw.open_archive(origin).read
        description = {"kind": "archive", "archive": str(origin)} | fetch.fingerprint(origin)
    elif source.startswith("folder:"):
        origin = Path(source.removeprefix("folder:")).expanduser()
        where = f"params.yaml: source {source}"
        files, description = raw.list_folder(origin, where), {"kind": "folder", "folder": str(origin)}

        def read(file: str) -> bytes:
            return (origin / file).read_bytes()
    else:
        raise ThoraxError(f"params.yaml: source {source}: '{name}' cannot be fetched from there; download it by hand "
                          f"({dataset.ORIGIN}) and say folder:<path> or archive:<path.zip>")
    films, skipped = datasets.films_of(name, wanted, files, read, where, assert_counts=source != "phantom")
    # For the reports, which know data sets by these files alone.
    description |= {field.lower(): getattr(dataset, field) for field in ("TITLE", "ORIGIN", "LICENCE", "CITATION")}
    raw.write_manifest(folder, description, films, Counter(skipped), read)
    return films, skipped


if __name__ == "__main__":
    run(main)

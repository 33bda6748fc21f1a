"""enhance: read every film once, enhance it, and pack each variant into one array under data/enhanced/<study>/."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from thorax import enhance, packed, raw
from thorax.duplicates import SIDE, thumbnail
from thorax.errors import ThoraxError
from thorax.films import UnreadableFilm, pixel_sha256, read_film
from thorax.reader import load_study
from thorax.recipe import Enhance, Variant
from thorax.running import run, worker_pool, writing

FILM_COLUMNS = ["id", "dataset", "source", "path", "label", "group", "group_quality", "part", "view", "sex", "age",
                "lung_mask", "lesion_mask", "sha256"]


def main(study: str) -> None:
    """Enhance the films of STUDY with every variant of its recipe."""
    recipe = load_study(study).enhance
    source = Path("data/raw") / study
    folders = raw.datasets_in(source)
    if not folders:
        raise ThoraxError(f"{source}: no films; run `dvc repro`, which brings them")
    manifest = pd.concat([raw.read_manifest(folder).assign(dataset=folder.name) for folder in folders],
                         ignore_index=True)
    with writing(Path("data/enhanced") / study) as out:
        films, rejects, thumbnails = pack(manifest, source, recipe, out)
        check_losses(manifest, rejects, recipe.reject_limit)
        films.to_csv(out / "films.csv", index=False, lineterminator="\n")
        rejects.to_csv(out / "rejects.csv", index=False, lineterminator="\n")
        np.save(out / "thumbnails.npy", thumbnails)
        for name, variant in recipe.variants.items():
            description = {"films": name, **variant.model_dump()}
            (out / f"{name}.json").write_text(json.dumps(description, indent=2) + "\n")
    sizes = ", ".join(f"{name} {variant.image_size}x{variant.image_size}" for name, variant in recipe.variants.items())
    print(f"enhance: {study}: {len(films)} films as {sizes}; {len(rejects)} rejected")


def pack(manifest: pd.DataFrame, source: Path, recipe: Enhance,
         out: Path) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Write the array of each variant and return the tables of films and rejects, and the films' thumbnails, by which
    the split stage finds near-duplicates."""
    kept, rejects, thumbnails = [], [], []
    sides = {out / f"{name}.npy": variant.image_size for name, variant in recipe.variants.items()}
    sides[out / packed.MASKS] = mask_side(manifest, recipe)
    with packed.writers(sides) as append:
        progress = tqdm(read_all(manifest, source, recipe), "enhance", total=len(manifest), unit="film", disable=None)
        for row, (digest, small, images, reason) in zip(manifest.itertuples(), progress, strict=True):
            if reason:
                rejects.append({"dataset": row.dataset, "path": row.path, "label": row.label, "reason": reason})
                continue
            append(images)  # the masks last
            thumbnails.append(small)
            # Data sets count their groups without knowing of each other.
            kept.append({"id": f"{row.dataset}/{row.path}", "dataset": row.dataset, "source": row.source,
                         "path": row.path, "label": row.label, "group": f"{row.dataset}/{row.group or row.path}",
                         "group_quality": row.group_quality, "part": row.part, "view": row.view, "sex": row.sex,
                         "age": row.age, "lung_mask": row.lung_mask, "lesion_mask": row.lesion_mask,
                         "sha256": digest})
    return (pd.DataFrame(kept, columns=FILM_COLUMNS),
            pd.DataFrame(rejects, columns=["dataset", "path", "label", "reason"]),
            np.array(thumbnails, np.uint8).reshape(-1, SIDE, SIDE))


def read_all(manifest: pd.DataFrame, source: Path, recipe: Enhance) -> Iterator[tuple]:
    rows = [SimpleNamespace(dataset=row.dataset, path=row.path, bytes=row.bytes, sha256=row.sha256,
                            lung_mask=row.lung_mask, lesion_mask=row.lesion_mask)
            for row in manifest.itertuples()]
    side = mask_side(manifest, recipe)
    with worker_pool() as pool:
        yield from pool.map(partial(enhance_film, source, recipe.variants, side), rows, chunksize=16)


def mask_side(manifest: pd.DataFrame, recipe: Enhance) -> int:
    """Pixels a side of all masks: those of the largest variant, or 0 in a study whose data sets have none."""
    known = (manifest[["lung_mask", "lesion_mask"]] != "").any(axis=None)
    return max(variant.image_size for variant in recipe.variants.values()) if known else 0


def enhance_film(source: Path, variants: dict[str, Variant], side: int,
                 row) -> tuple[str, np.ndarray | None, list[np.ndarray], str]:
    """The hash of the film's pixels, its thumbnail, and its variants and last its masks; or, for a film that cannot be
    read, the reason. A film whose mask cannot be read is none that can be trusted."""
    cv2.setNumThreads(1)  # one process per CPU already
    read = raw.reader(source / row.dataset)
    try:
        data = read(row.path)
    except FileNotFoundError:
        data = b""
    if not raw.checked(data, row):
        raise ThoraxError(f"{row.path}: changed or gone since the download stage indexed it; "
                          f"run `dvc repro --force download@{source.name}`")
    try:
        film, masks = read_film(data), read_masks(read, row, side)
    except UnreadableFilm as error:
        return "", None, [], str(error)
    images = [enhance.build(variant.steps, variant.image_size)(film) for variant in variants.values()]
    return pixel_sha256(film), thumbnail(film), [*images, masks], ""


def read_masks(read: Callable[[str], bytes], row, side: int) -> np.ndarray:
    """The film's masks, uint8 (side, side), bits as in thorax/packed.py: inside is what is covered to a half or more,
    squashed as the films are. UnreadableFilm, with the mask's path, for a mask that is missing or damaged."""
    masks = np.zeros((side, side), np.uint8)
    for path, bit in ((row.lung_mask, packed.LUNG), (row.lesion_mask, packed.LESION)):
        if path:
            try:
                mask = read_film(read(path))
            except (FileNotFoundError, KeyError):  # of a folder, of an archive
                raise UnreadableFilm(f"its mask {path} is missing") from None
            except UnreadableFilm as error:
                raise UnreadableFilm(f"its mask {path}: {error}") from None
            inside = mask if mask.ndim == 2 else mask.max(axis=2)
            masks |= bit * (enhance.resize(side)(255 * (inside > 0).astype(np.uint8)) >= 128).astype(np.uint8)
    return masks


def check_losses(manifest: pd.DataFrame, rejects: pd.DataFrame, limit: float) -> None:
    """ThoraxError when more films are unreadable than `limit` allows, or all of a label."""
    if rejects.empty:
        return
    listed = "; ".join(f"{row.path} ({row.reason})" for row in rejects.head(3).itertuples())
    lost = [label for label, count in manifest["label"].value_counts().items()
            if (rejects["label"] == label).sum() == count]
    if lost:
        raise ThoraxError(f"all films of {', '.join(lost)} are unreadable, among them {listed}; replace them")
    if len(rejects) > limit * len(manifest):
        raise ThoraxError(f"{len(rejects)} of {len(manifest)} films are unreadable, more than reject_limit "
                          f"{limit:g} allows, among them {listed}; replace them or raise enhance.reject_limit")


if __name__ == "__main__":
    run(main)

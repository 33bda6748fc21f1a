"""What the phantom twins of the real data sets share: whose films they are, and how one becomes an image file."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import cv2
import numpy as np

from thorax.phantom.film import render_film
from thorax.phantom.plan import FilmPlan, plan_films
from thorax.recipe import Phantom
from thorax.running import worker_pool

# What is simulated for the labels of the real sets.
FINDING_OF = {"normal": "normal", "covid": "covid", "bacteria": "bacterial", "virus": "viral", "opacity": "opacity",
              "pneumothorax": "pneumothorax", "pneumonia": "bacterial"}

# Films that are rendered before worker processes have started.
FEW = 32

# A resource fork as macOS leaves it in archives, and an empty zip in the place of an Excel table.
RESOURCE_FORK = b"\x00\x05\x16\x07" + bytes(78)
EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


def plan(labels: Sequence[str], settings: Phantom, seed: int,
         finding_of: Mapping[str, str] = FINDING_OF) -> list[tuple[str, FilmPlan]]:
    """The films to simulate, each with its label, ordered by patient: `settings.patients` patients of each label.
    Labels that are simulated by the same finding share out its patients."""
    sharers: dict[str, list[str]] = {}
    for label in labels:
        sharers.setdefault(finding_of[label], []).append(label)
    plans = plan_films({finding: settings.patients * len(sharing) for finding, sharing in sharers.items()}, seed,
                       settings.confound, tuple(settings.films_per_patient))
    label_of: dict[str, str] = {}
    dealt = dict.fromkeys(sharers, 0)
    for film in plans:
        if film.patient not in label_of:
            sharing = sharers[film.finding]
            label_of[film.patient] = sharing[dealt[film.finding] % len(sharing)]
            dealt[film.finding] += 1
    return [(label_of[film.patient], film) for film in plans]


def render(plans: Sequence[FilmPlan], formats: Sequence[tuple[str, str]], settings: Phantom,
           ) -> Iterator[tuple[bytes, bytes]]:
    """For each film the bytes of its file and of its lung mask, a PNG; `formats` gives extension and pixels of the
    file, see `encode`."""
    render = partial(render_one, image_size=settings.image_size)
    if len(plans) <= FEW:
        yield from map(render, plans, formats)
        return
    with worker_pool() as pool:
        yield from pool.map(render, plans, formats, chunksize=8)


def render_one(plan: FilmPlan, format: tuple[str, str], image_size: int) -> tuple[bytes, bytes]:
    cv2.setNumThreads(1)  # one process per CPU already
    film = render_film(plan, image_size)
    return encode(*format, film.image), encode(".png", "gray", film.lung_mask * np.uint8(255))


def encode(extension: str, pixels: str, image: np.ndarray) -> bytes:
    """A uint8 gray image (height, width) as the file of a download: `extension` as in the file's name (.jfif is JPEG),
    `pixels` gray, rgb, rgba, palette or 16-bit, the last three for PNG alone."""
    if pixels == "palette":
        return encode_palette(image)
    if pixels == "16-bit":
        image = image.astype(np.uint16) * 257
    elif pixels in ("rgb", "rgba"):
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if pixels == "rgb" else cv2.COLOR_GRAY2BGRA)
    done, data = cv2.imencode(".jpeg" if extension.lower() == ".jfif" else extension.lower(), image)
    if not done:
        raise ValueError(f"OpenCV cannot encode a {image.shape} {image.dtype} image as {extension}")
    return data.tobytes()


def encode_palette(image: np.ndarray) -> bytes:
    # OpenCV writes no palettes.
    import io

    from PIL import Image

    picture = Image.fromarray(image).convert("P")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def sex_of(plan: FilmPlan) -> str:
    return "MF"[int(plan.patient[1:]) % 2]


def age_of(plan: FilmPlan) -> int:
    """20 to 89 years."""
    return 20 + int(plan.patient[1:]) % 70

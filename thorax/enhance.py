"""Enhancement of films: a registry of small factories, each of which checks its arguments and returns an operation.

An operation takes a film, uint8 0..255 of shape (height, width) or (height, width, 3), and returns one; it never writes
into its input. A recipe lists operations in order; the published study "white balance + CLAHE, three backbones"
(HQR2000/Chest_X_Ray_Images_Classification) resizes to 224x224, then

    [{op: white_balance, low: 0.05, high: 99.95}, {op: gray}, {op: clahe, clip_limit: 2.0, tiles: 16}]
"""

import inspect
import math
from collections.abc import Callable

import cv2
import numpy as np

from thorax.errors import ThoraxError
from thorax.recipe import suggest

Op = Callable[[np.ndarray], np.ndarray]

MOST_TILES = 64


def resize(image_size: int) -> Op:
    """Squash to image_size x image_size (16 to 2048 pixels), whatever the aspect, as the published systems do."""
    _check_number("resize", "image_size", image_size, 16, 2048, whole=True)

    def op(film):
        height, width = film.shape[:2]
        # A side that shrinks is averaged, one that grows interpolated: OpenCV's area mode does only the first. Linear,
        # because cubic overshoots at edges and so makes values that the film does not have.
        film = cv2.resize(film, (min(width, image_size), min(height, image_size)), interpolation=cv2.INTER_AREA)
        return cv2.resize(film, (image_size, image_size), interpolation=cv2.INTER_LINEAR)

    return op


def white_balance(low: float = 0.05, high: float = 99.95) -> Op:
    """Stretch each channel so that its percentiles `low` (0..49) and `high` (51..100) become 0 and 255; clip the rest.

    Percentiles are NumPy's default (method "linear") and results are rounded. A channel whose two percentiles coincide,
    such as a constant film, is returned unchanged; the published code divides by zero there.
    """
    _check_number("white_balance", "low", low, 0, 49)
    _check_number("white_balance", "high", high, 51, 100)

    def balance(channel):
        # 256 counts say as much as all pixels sorted, and faster.
        ends = np.cumsum(np.bincount(channel.ravel(), minlength=256))
        return _stretch(channel, _percentile(ends, low), _percentile(ends, high))

    def op(film):
        return balance(film) if film.ndim == 2 else cv2.merge([balance(channel) for channel in cv2.split(film)])

    return op


def min_max() -> Op:
    """Stretch the film so that its darkest value becomes 0 and its brightest 255, all channels alike."""
    return lambda film: _stretch(film, film.min(), film.max())


def gray() -> Op:
    """Luma of an RGB film (Rec. 601: .299 R + .587 G + .114 B), shape (height, width). Gray films pass unchanged."""
    return lambda film: film if film.ndim == 2 else cv2.cvtColor(film, cv2.COLOR_RGB2GRAY)


def clahe(clip_limit: float = 2.0, tiles: int = 16) -> Op:
    """Contrast-limited adaptive histogram equalisation of a gray film on a grid of tiles x tiles (1 to 64).

    `clip_limit` (0.01 to 256) is in multiples of a bin of a flat histogram: the higher, the more contrast. OpenCV clips
    at whole counts and at least at one: 224x224 with 16x16 tiles has 196 pixels a tile, .77 a bin, so there every limit
    below 2.62 acts alike. Constant films are returned unchanged. Raises ThoraxError for colour films and for films with
    fewer pixels a side than tiles.
    """
    _check_number("clahe", "clip_limit", clip_limit, 0.01, 256)
    _check_number("clahe", "tiles", tiles, 1, MOST_TILES, whole=True)

    def op(film):
        if film.ndim != 2:
            raise ThoraxError("clahe: works on gray films only; put {op: gray} before it")
        if min(film.shape) < tiles:
            raise ThoraxError(f"clahe: tiles = {tiles} but the film is {film.shape[1]}x{film.shape[0]} pixels; "
                              f"must be at most {min(film.shape)}")
        # OpenCV would shift the level of a film in which there is no contrast to enhance.
        if film.min() == film.max():
            return film
        # Made anew for each film: the object keeps buffers and is not safe in threads.
        return cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(film)

    return op


# What a recipe can name. Not resize: its target is the recipe's image_size.
OPERATIONS: dict[str, Callable[..., Op]] = {
    "white_balance": white_balance,
    "min_max": min_max,
    "gray": gray,
    "clahe": clahe,
}


def build(steps: list[dict], image_size: int) -> Op:
    """Resize, then `steps` in order, then gray: from any film to uint8 (image_size, image_size).

    A step is a mapping of `op` and its arguments, such as {"op": "clahe", "tiles": 16}. An unknown operation, argument
    or value raises ThoraxError that names the step and says what is allowed. The result holds closures, which cannot be
    pickled: send the steps to another process and build there.
    """
    if not isinstance(steps, list):
        raise ThoraxError(f"enhance steps are {steps!r}; must be a list of mappings such as {{op: gray}}")
    named = [_operation(f"enhance step {number}", step) for number, step in enumerate(steps, 1)]
    operations = [resize(image_size), *named, gray()]

    def op(film):
        for operation in operations:
            film = operation(film)
        return film

    return op


def check(steps: list[dict], image_size: int = MOST_TILES) -> None:
    """ThoraxError where `build` would raise it, or the result on some film, such as clahe before gray.

    Tries the steps on a blank colour film. Without `image_size` only a grid too fine for it remains undetected.
    """
    build(steps, image_size)(np.zeros((image_size, image_size, 3), np.uint8))


def _operation(where: str, step: dict) -> Op:
    if not isinstance(step, dict) or not isinstance(step.get("op"), str):
        raise ThoraxError(f"{where} is {step!r}; must be a mapping with the key 'op', such as {{op: gray}}")
    arguments = dict(step)
    name = arguments.pop("op")
    if name not in OPERATIONS:
        raise ThoraxError(f"{where}: unknown operation '{name}'; {suggest(name, OPERATIONS)}")
    known = inspect.signature(OPERATIONS[name]).parameters
    for argument in arguments:
        if argument not in known:
            raise ThoraxError(f"{where}: {name} has no argument '{argument}'; {suggest(argument, known)}")
    try:
        return OPERATIONS[name](**arguments)
    except ThoraxError as error:
        raise ThoraxError(f"{where}: {error}") from None


def _check_number(op: str, name: str, value, low: float, high: float, whole: bool = False) -> None:
    # bool is an int to Python, but `tiles: true` is a mistake; NaN fails the comparison.
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not low <= value <= high:
        raise ThoraxError(f"{op}: {name} = {value!r}; must be a {'whole ' if whole else ''}number from {low} to {high}")


def _percentile(ends: np.ndarray, percent: float) -> float:
    """NumPy's linear percentile of 8-bit values of which ends[v] are at most v."""
    rank = percent / 100 * (int(ends[-1]) - 1)
    below, above = np.searchsorted(ends, [math.floor(rank), math.ceil(rank)], side="right")
    return below + (above - below) * (rank - math.floor(rank))


def _stretch(values: np.ndarray, darkest: float, brightest: float) -> np.ndarray:
    if brightest <= darkest:
        return values
    levels = (np.arange(256) - float(darkest)) * (255 / (float(brightest) - float(darkest)))
    return cv2.LUT(values, np.clip(np.rint(levels), 0, 255).astype(np.uint8))

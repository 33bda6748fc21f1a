"""From detector signal to the picture on the screen: exposure, processing, window, collimation and marker of six scanners."""

from dataclasses import dataclass

import cv2
import numpy as np

from thorax.phantom.projection import blurred


@dataclass(frozen=True)
class Scanner:
    """The look of one source. Ranges are (lowest, highest) of a uniform draw per film.

    ap_share: share of bedside films. quanta: photons used per mm2 of open field. scatter: scatter over primary. blur: mm.
    low, high: percentiles of the log signal that become black and white. gamma: exponent after the window. crisp: gain of an unsharp
    mask of 5 mm. local: blend with local histogram equalisation. margin: collimated border, share of the side. border: its grey level.
    marker: text burned in, {} is the side "L" or "R". marker_size: height as share of the side. corner: "top" or "bottom".
    """

    ap_share: float
    quanta: tuple[float, float]
    scatter: tuple[float, float]
    blur: float
    low: tuple[float, float]
    high: tuple[float, float]
    gamma: tuple[float, float]
    crisp: float
    local: float
    margin: tuple[float, float]
    border: int
    marker: str
    marker_size: float
    corner: str


SCANNERS: dict[str, Scanner] = {
    # flat-panel room, neutral processing
    "scanner_a": Scanner(0.10, (2e5, 4e5), (0.2, 0.35), 0.6, (1, 4), (97, 99.5), (0.85, 1.15), 0.35, 0.0, (0.0, 0.02), 0, "{}", 0.05, "top"),
    # computed radiography with strong edge enhancement
    "scanner_b": Scanner(0.25, (8e4, 2e5), (0.2, 0.45), 0.9, (2, 5), (97, 99.5), (0.95, 1.3), 0.8, 0.0, (0.0, 0.03), 0, "{} PA", 0.04, "top"),
    # film, digitised: steep, soft, light frame
    "scanner_c": Scanner(0.15, (1e5, 3e5), (0.3, 0.5), 1.3, (3, 7), (93, 97), (0.8, 1.1), 0.2, 0.0, (0.01, 0.04), 200, "{}", 0.06, "bottom"),
    # portable unit in the ward: noisy, scatter, tight
    "scanner_d": Scanner(0.90, (3e4, 8e4), (0.4, 0.7), 1.0, (1, 5), (97, 99.8), (0.75, 1.05), 0.3, 0.0, (0.0, 0.05), 0, "AP {}", 0.045, "top"),
    # vendor with local contrast equalisation
    "scanner_e": Scanner(0.30, (1e5, 3e5), (0.2, 0.4), 0.8, (2, 6), (97, 99.8), (0.85, 1.15), 0.4, 0.35, (0.0, 0.03), 12, "{}", 0.035, "bottom"),
    # bright teaching-file look, reduced dynamic range
    "scanner_f": Scanner(0.40, (8e4, 2e5), (0.25, 0.5), 0.9, (0.5, 3), (95, 99), (0.65, 0.95), 0.5, 0.0, (0.0, 0.04), 40, "PORT {}", 0.03, "top"),
}


def display(signal: np.ndarray, scanner: str, view: str, pitch: float, rng: np.random.Generator) -> np.ndarray:
    """Picture (H, W) uint8, bone white and air black, of a detector signal (H, W) > 0; pitch: mm per pixel."""
    look = SCANNERS[scanner]
    height, width = signal.shape
    picture = -cv2.log(blurred(signal, look.blur / pitch))
    if look.crisp:
        picture += np.float32(look.crisp * rng.uniform(0.6, 1.2)) * (picture - blurred(picture, 5.0 / pitch))
    open_field = _collimation(height, width, look, rng)
    inside = picture[open_field][:: max(height * width // 8192, 1)]
    low, high = np.percentile(inside, [rng.uniform(*look.low), rng.uniform(*look.high)])
    picture = np.clip((picture - low) / max(high - low, 1e-3), 0.0, 1.0).astype(np.float32)
    picture = cv2.pow(picture, float(rng.uniform(*look.gamma)))
    floor, ceiling = rng.uniform(0, 22), rng.uniform(222, 255)
    picture = np.rint(floor + picture * (ceiling - floor)).astype(np.uint8)
    if look.local:
        equal = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(6, 6)).apply(picture)
        picture = cv2.addWeighted(equal, look.local, picture, 1.0 - look.local, 0.0)
    picture[~open_field] = look.border
    _mark(picture, look, view, rng)
    return picture


def _collimation(height: int, width: int, look: Scanner, rng: np.random.Generator) -> np.ndarray:
    """True inside the collimator: four straight blades, each at its own depth, slightly out of square."""
    top, right, bottom, left = rng.uniform(*look.margin, 4) * (height, width, height, width)
    skew = rng.normal(0, 0.008) * width
    blades = np.float32([(left, top + skew), (width - 1 - right + skew, top), (width - 1 - right, height - 1 - bottom), (left + skew, height - 1 - bottom)])
    inside = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(inside, np.rint(blades * 16).astype(np.int32), 1, shift=4)
    return inside.astype(bool)


def _mark(picture: np.ndarray, look: Scanner, view: str, rng: np.random.Generator) -> None:
    """Burn in the lead marker, on the patient's side that it names."""
    height, width = picture.shape
    side = "L" if rng.random() < 0.5 else "R"
    text = look.marker.format(side).replace("PA", view)
    size = look.marker_size * height * rng.uniform(0.85, 1.15)
    scale = size / 21.0  # the font is 21 pixels high at scale 1
    across = rng.uniform(0.03, 0.10)
    length = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
    column = width * (1 - across) - length if side == "L" else width * across
    row = height * rng.uniform(0.04, 0.10) + size if look.corner == "top" else height * (1 - rng.uniform(0.04, 0.10))
    thickness = max(int(round(height / 160)), 1)
    cv2.putText(picture, text, (int(column), int(row)), cv2.FONT_HERSHEY_SIMPLEX, scale, 250, thickness, cv2.LINE_AA)

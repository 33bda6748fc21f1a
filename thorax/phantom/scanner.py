"""From detector signal to the picture on the screen: exposure, processing, window, collimation and marker of six
scanners."""

from dataclasses import dataclass

import cv2
import numpy as np

from thorax.phantom.projection import blurred


@dataclass(frozen=True)
class Scanner:
    """The look of one source. Ranges are (lowest, highest) of a uniform draw per film.

    ap_share: share of bedside films. quanta: photons used per mm2 of open field. scatter: scatter over primary. blur:
    mm. low, high: percentiles of the log signal that become black and white. gamma: exponent after the window. crisp:
    gain of an unsharp mask of 5 mm. local: blend with local histogram equalisation. margin: collimated border, share
    of the side. border: its grey level. marker: text burned in, with the side "L" or "R". marker_size: height as
    share of the side. corner: "top" or "bottom".
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


DIRECT_EXPOSURE = 0.7  # log signal, i.e. half the open field, below which a pixel has seen next to no body

# fmt: off
SCANNERS: dict[str, Scanner] = {
    # flat-panel room, neutral processing
    "scanner_a": Scanner(ap_share=0.10, quanta=(2e5, 4e5), scatter=(0.2, 0.35), blur=0.6, low=(0.3, 2), high=(90, 94),
                         gamma=(0.92, 1.12), crisp=0.35, local=0.0, margin=(0.0, 0.02), border=0,
                         marker="{side}", marker_size=0.05, corner="top"),
    # computed radiography with strong edge enhancement
    "scanner_b": Scanner(ap_share=0.25, quanta=(8e4, 2e5), scatter=(0.2, 0.45), blur=0.9, low=(0.5, 3), high=(90, 94),
                         gamma=(1.0, 1.2), crisp=0.8, local=0.0, margin=(0.0, 0.03), border=0,
                         marker="{side} {view}", marker_size=0.04, corner="top"),
    # film, digitised: steep, soft, light frame
    "scanner_c": Scanner(ap_share=0.15, quanta=(1e5, 3e5), scatter=(0.3, 0.5), blur=1.3, low=(1, 4), high=(87, 91),
                         gamma=(0.9, 1.1), crisp=0.2, local=0.0, margin=(0.01, 0.04), border=200,
                         marker="{side}", marker_size=0.06, corner="bottom"),
    # portable unit in the ward: noisy, much scatter, tight
    "scanner_d": Scanner(ap_share=0.90, quanta=(3e4, 8e4), scatter=(0.4, 0.7), blur=1.0, low=(0.3, 2.5), high=(90, 95),
                         gamma=(0.85, 1.05), crisp=0.3, local=0.0, margin=(0.0, 0.05), border=0,
                         marker="{view} {side}", marker_size=0.045, corner="top"),
    # vendor with local contrast equalisation
    "scanner_e": Scanner(ap_share=0.30, quanta=(1e5, 3e5), scatter=(0.2, 0.4), blur=0.8, low=(0.5, 3), high=(91, 95),
                         gamma=(0.92, 1.15), crisp=0.4, local=0.35, margin=(0.0, 0.03), border=12,
                         marker="{side}", marker_size=0.035, corner="bottom"),
    # bright teaching-file look, gray frame
    "scanner_f": Scanner(ap_share=0.40, quanta=(8e4, 2e5), scatter=(0.25, 0.5), blur=0.9, low=(0.1, 1.5), high=(89, 93),
                         gamma=(0.78, 0.95), crisp=0.5, local=0.0, margin=(0.0, 0.04), border=40,
                         marker="PORT {side}", marker_size=0.03, corner="top"),
}
# fmt: on


def display(signal: np.ndarray, scanner: str, view: str, pitch: float, rng: np.random.Generator) -> np.ndarray:
    """Picture (H, W) uint8, bone white and air black, of a detector signal (H, W) > 0; pitch: mm per pixel."""
    look = SCANNERS[scanner]
    height, width = signal.shape
    picture = -cv2.log(blurred(signal, look.blur / pitch))
    if look.crisp:
        picture += np.float32(look.crisp * rng.uniform(0.6, 1.2)) * (picture - blurred(picture, 5.0 / pitch))
    open_field = _collimation(height, width, look, rng)
    # As processing software does, the window is set by the body: what the beam reaches directly is left out.
    inside = picture[open_field][:: max(height * width // 8192, 1)]
    inside = inside[inside > DIRECT_EXPOSURE] if (inside > DIRECT_EXPOSURE).any() else inside
    low, high = np.percentile(inside, [rng.uniform(*look.low), rng.uniform(*look.high)])
    picture = np.clip((picture - low) / max(high - low, 1e-3), 0.0, 1.0).astype(np.float32)
    picture = cv2.pow(picture, float(rng.uniform(*look.gamma)))
    floor, ceiling = rng.uniform(0, 10), rng.uniform(238, 255)
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
    blades = np.float32(
        [
            (left, top + skew),
            (width - 1 - right + skew, top),
            (width - 1 - right, height - 1 - bottom),
            (left + skew, height - 1 - bottom),
        ]
    )
    inside = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(inside, np.rint(blades * 16).astype(np.int32), 1, shift=4)
    return inside.astype(bool)


def _mark(picture: np.ndarray, look: Scanner, view: str, rng: np.random.Generator) -> None:
    """Burn in the lead marker, on the patient's side that it names."""
    height, width = picture.shape
    side = "L" if rng.random() < 0.5 else "R"
    text = look.marker.format(side=side, view=view)
    size = look.marker_size * height * rng.uniform(0.85, 1.15)
    scale = size / 21.0  # the font is 21 pixels high at scale 1
    across = rng.uniform(0.03, 0.10)
    length = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
    column = width * (1 - across) - length if side == "L" else width * across
    row = height * rng.uniform(0.04, 0.10) + size if look.corner == "top" else height * (1 - rng.uniform(0.04, 0.10))
    thickness = max(round(height / 160), 1)
    cv2.putText(picture, text, (int(column), int(row)), cv2.FONT_HERSHEY_SIMPLEX, scale, 250, thickness, cv2.LINE_AA)

"""From bodies to photons: beam geometry, line integrals, Beer-Lambert, scatter and quantum noise.

Coordinates in mm, origin in the middle of the chest: x to the patient's left (right on the film), y down, z forward.
Line integrals are exact along a ray that is parallel to z inside one body; divergence of the beam enters as the
magnification of each body (or each point of a tube) at its own depth. The error of that is below 1 % of a chord at
1.8 m. Attenuation: mu/rho of the ICRU-44 tissues at 60 keV, about the mean energy of a 120 kVp chest beam behind the
patient (Hubbell & Seltzer, NIST SRD 126), times density.
"""

from dataclasses import dataclass

import cv2
import numpy as np

# Linear attenuation coefficients, 1/mm.
# skeletal muscle of 1.05 g/cm3; adipose tissue (.1974 * .95) is averaged in through the size of the body
MU_SOFT = 0.2048 * 1.05 / 10
MU_CORTICAL = 0.3148 * 1.92 / 10  # cortical bone
MU_TRABECULAR = 0.2600 * 1.18 / 10  # spongy bone with marrow, between the two by mass
MU_LUNG_TISSUE = 0.2053 * 1.05 / 10  # lung tissue without air: times the fraction of tissue, .2 to .35 by inspiration

SOURCE_MM = {"PA": 1800.0, "AP": 1100.0}  # focus to detector
MIDPLANE_MM = 140.0  # middle of the chest to detector
SCATTER_SPREAD_MM = 45.0  # standard deviation of the scatter kernel, some centimetres (after Boone & Seibert 1988)


@dataclass(frozen=True)
class Beam:
    """Where the rays of a film are. x (W,), y (H,): detector coordinates of columns and rows, mm; pitch: mm per pixel;
    source_mm: focus to detector; facing: +1 detector in front (PA), -1 behind (AP); turn: rotation about the body
    axis, radians."""

    x: np.ndarray
    y: np.ndarray
    pitch: float
    source_mm: float
    facing: int
    turn: float

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.y), len(self.x)


def magnification(beam: Beam, z):
    """Size on the detector over size in the body at depth z (mm, scalar or array), dimensionless, > 1."""
    return beam.source_mm / (beam.source_mm - MIDPLANE_MM + beam.facing * z)


def turned(beam: Beam, x, z):
    """(x, z) after the rotation of the patient about the body axis."""
    return x * np.cos(beam.turn) + z * np.sin(beam.turn), z * np.cos(beam.turn) - x * np.sin(beam.turn)


def ellipsoid(beam: Beam, centre: tuple[float, float, float], semi: tuple[float, float, float], tilt: float = 0.0):
    """Half chords of an ellipsoid: (window, half (h, w) mm, z of its centre). `window` is the pair of slices it is
    confined to.

    centre, semi: mm; tilt: rotation in the plane of the film, radians, clockwise on the film.
    """
    x0, z0 = turned(beam, centre[0], centre[2])
    scale = magnification(beam, z0)
    cos, sin = np.cos(tilt), np.sin(tilt)
    reach_x = scale * np.hypot(semi[0] * cos, semi[1] * sin)
    reach_y = scale * np.hypot(semi[0] * sin, semi[1] * cos)
    window = (_span(beam.y, scale * centre[1], reach_y), _span(beam.x, scale * x0, reach_x))
    x = (beam.x[window[1]] / scale - x0)[None, :]
    y = (beam.y[window[0]] / scale - centre[1])[:, None]
    inside = 1.0 - ((x * cos + y * sin) / semi[0]) ** 2 - ((y * cos - x * sin) / semi[1]) ** 2
    return window, np.float32(semi[2]) * np.sqrt(np.maximum(inside, 0.0, dtype=np.float32)), float(z0)


def _span(axis: np.ndarray, centre: float, reach: float) -> slice:
    first, last = np.searchsorted(axis, [centre - reach, centre + reach])
    return slice(int(first), int(last))


def overlap(half: np.ndarray, other: np.ndarray, z: float) -> np.ndarray:
    """Length common to the chords [-half, half] and [z - other, z + other], mm: what an organ displaces of the lung."""
    return np.maximum(np.minimum(half, z + other) - np.maximum(-half, z - other), 0.0)


def splat(beam: Beam, points: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Path length (H, W) float32, mm, of matter concentrated in points: (N, 3) mm with volumes (N,) mm3, bilinear on
    the pixels.

    A tube is many points along its centre line (volume = cross-section * step), blurred afterwards to its radius: so
    a rib that runs along the beam at the chest wall gets its long path without being treated as a special case.
    """
    x, z = turned(beam, points[:, 0], points[:, 2])
    scale = magnification(beam, z)
    column = (x * scale - beam.x[0]) / beam.pitch
    row = (points[:, 1] * scale - beam.y[0]) / beam.pitch
    height, width = beam.shape
    seen = (column >= 0) & (column < width - 1) & (row >= 0) & (row < height - 1)
    column, row = column[seen], row[seen]
    mass = (volume * scale * scale)[seen] / beam.pitch**2
    left, top = column.astype(np.int64), row.astype(np.int64)
    right_share, low_share = column - left, row - top
    corner = top * width + left
    index = np.concatenate([corner, corner + 1, corner + width, corner + width + 1])
    right, rest = mass * right_share, mass * (1 - right_share)
    weight = np.concatenate([rest * (1 - low_share), right * (1 - low_share), rest * low_share, right * low_share])
    return np.bincount(index, weight, height * width).astype(np.float32).reshape(height, width)


def tube_kernel(radius_px: float, hollow: float = 0.0) -> np.ndarray:
    """Unit-sum kernel that gives splatted points the profile of a tube. hollow: density missing inside, 0 solid to
    1.2 shell with bright edges, as cortical bone has."""
    reach = int(np.ceil(radius_px)) + 1
    offset = (np.arange(-2 * reach - 1, 2 * reach + 2) / 2.0).astype(
        np.float32
    )  # two samples per pixel, then area-averaged
    distance = offset[:, None] ** 2 + offset[None, :] ** 2
    kernel = np.sqrt(np.maximum(radius_px**2 - distance, 0)) - hollow * np.sqrt(
        np.maximum((0.78 * radius_px) ** 2 - distance, 0)
    )
    kernel = cv2.sepFilter2D(kernel, -1, np.float32([0.25, 0.5, 0.25]), np.float32([0.25, 0.5, 0.25]))[1::2, 1::2]
    return (kernel / kernel.sum()).astype(np.float32)


def blurred(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """Gaussian blur; what is below a quarter of a pixel is left alone."""
    return image if sigma_px < 0.25 else cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)


def detected(
    attenuation: np.ndarray, pitch: float, scatter_ratio: float, quanta: float, rng: np.random.Generator
) -> np.ndarray:
    """Relative detector signal (H, W) float32 > 0 behind `attenuation` (line integral of mu, dimensionless).

    scatter_ratio: scattered signal per photon removed nearby, .2 with a good grid to .7 without; behind the
    mediastinum the scatter then equals or exceeds the primary, as measured in chest films (Niklason 1981).
    quanta: photons per mm2 of open field that a pixel makes use of; the noise is Poisson in its normal limit.
    """
    primary = cv2.exp(-attenuation)
    height, width = primary.shape
    # Scatter is born in the body, in proportion to the photons removed there, and is so smooth that 1/8 resolution is
    # enough.
    coarse = cv2.resize(
        primary * (1.0 - primary), (max(width // 8, 4), max(height // 8, 4)), interpolation=cv2.INTER_AREA
    )
    coarse = blurred(coarse, SCATTER_SPREAD_MM / (pitch * width / coarse.shape[1]))
    signal = primary + scatter_ratio * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    noise = rng.standard_normal((height, width), dtype=np.float32)
    signal += cv2.sqrt(signal) * noise * np.float32(1.0 / np.sqrt(quanta * pitch**2))
    return np.maximum(signal, np.float32(1e-4))

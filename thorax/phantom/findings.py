"""What disease does to the lung: tissue in place of air, or air in place of lung, as path lengths along the beam.

The patterns follow the Fleischner Society's glossary (Hansell 2008): ground glass, consolidation, reticulation,
nodule, pneumothorax. A patient's lesions stay where they are from film to film; severity changes their number, size
and density. They overlap as they do in practice: early covid with viral pneumonia, a small consolidation with a focal
opacity, and anything with normal when it is slight.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from thorax.phantom.anatomy import Patient, Pose, lung_section, recess
from thorax.phantom.organs import Lungs
from thorax.phantom.projection import MU_SOFT, Beam, blurred, magnification


@dataclass(frozen=True)
class Lesion:
    """dense: mm of lung along the ray turned into soft tissue, at most the path through lung. air: mm of lung
    replaced by free air. pleura: mm of soft tissue added. All (H, W) float32."""

    dense: np.ndarray
    air: np.ndarray
    pleura: np.ndarray


@dataclass(frozen=True)
class Case:
    """What a pattern is drawn from. fixed: random numbers of the patient; varied: of this film; bronchi: path of the
    mid-size vessels."""

    patient: Patient
    pose: Pose
    beam: Beam
    lungs: Lungs
    vessels: np.ndarray
    bronchi: np.ndarray
    severity: float
    fixed: np.random.Generator
    varied: np.random.Generator


def cloud(rng: np.random.Generator, beam: Beam, wavelength: float) -> np.ndarray:
    """Smooth random field (H, W) float32 with mean 0, standard deviation about 1 and structures of `wavelength` mm."""
    height, width = beam.shape
    rows, columns = (max(int(2 * side * beam.pitch / wavelength), 3) for side in (height, width))
    return cv2.resize(
        rng.standard_normal((rows, columns), dtype=np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    ) * np.float32(1.3)


def plainness(severity: float) -> float:
    """Contrast of a finding, 0 to 1, by severity: rises fast and levels off, so that most cases are plain and a few
    are near invisible."""
    return 1.12 * severity / (severity + 0.12)


def on_film(case: Case, side: float, across: float, rise: float) -> tuple[float, float]:
    """Detector coordinates, mm, of a place in a lung."""
    y = case.patient.apex + rise * (recess(case.patient, case.pose) - case.patient.apex)
    inner, outer, _ = lung_section(case.patient, case.pose, np.array([y]))
    scale = magnification(case.beam, 0.0)
    return float(scale * side * ((inner + outer) / 2 + across * (outer - inner) / 2)[0]), float(scale * y)


def patch(
    case: Case, centre: tuple[float, float], radius: tuple[float, float], tilt: float, edge: float, ragged: np.ndarray
):
    """Ellipse on the film, (H, W) from 0 to 1: softened over `edge` of its radius and made irregular by the field
    `ragged`."""
    x, y = (case.beam.x - centre[0])[None, :], (case.beam.y - centre[1])[:, None]
    cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    distance = np.sqrt(
        ((x * cos + y * sin) / np.float32(radius[0])) ** 2 + ((y * cos - x * sin) / np.float32(radius[1])) ** 2
    )
    return 1.0 / (1.0 + cv2.exp(np.minimum((distance + ragged - 1.0) / np.float32(edge), 30.0)))


def _in_lung(case: Case, dense: np.ndarray) -> Lesion:
    none = np.zeros_like(dense)
    return Lesion(np.clip(dense, 0.0, 0.95 * case.lungs.path).astype(np.float32), none, none)


def ground_glass(case: Case) -> Lesion:
    """COVID-19: hazy patches in both lungs, at the periphery and low down, through which vessels stay visible."""
    ragged, texture = 0.22 * cloud(case.fixed, case.beam, 40.0), cloud(case.varied, case.beam, 14.0)
    patches = 5 + round(4 * case.severity)
    total = np.zeros(case.beam.shape, np.float32)
    for index in range(9):
        side = (-1.0, 1.0)[index % 2]
        across, rise = case.fixed.uniform(0.35, 0.92), float(np.clip(case.fixed.normal(0.66, 0.13), 0.3, 0.9))
        radius = case.fixed.uniform(27.0, 40.0) * (0.7 + 0.4 * case.severity)
        shape, tilt = case.fixed.uniform(0.6, 1.0), case.fixed.uniform(0, np.pi)
        if index < patches:
            here = patch(case, on_film(case, side, across, rise), (radius, radius * shape), tilt, 0.22, ragged)
            total += here * np.float32(1.3 * radius)
    density = 0.02 + 0.80 * plainness(case.severity)
    return _in_lung(case, np.minimum(total, 70.0) * np.float32(density) * (1.0 + 0.12 * texture))


# side; centre (across, rise); share of the path; fissure at the lower (+1) or upper (-1) border or none (0); rise of it
LOBES = {
    "right upper": (-1.0, (0.0, 0.30), 0.75, 1, 0.47),
    "right middle": (-1.0, (-0.2, 0.62), 0.50, -1, 0.48),
    "right lower": (-1.0, (0.1, 0.72), 0.60, 0, 0.0),
    "left upper": (1.0, (0.0, 0.33), 0.65, 0, 0.0),
    "lingula": (1.0, (0.0, 0.62), 0.45, 0, 0.0),
    "left lower": (1.0, (0.3, 0.72), 0.60, 0, 0.0),
}


def consolidation(case: Case) -> Lesion:
    """Bacterial: one lobe, or in slight cases a segment of it, filled with fluid; straight edge at the fissure, air
    in the bronchi."""
    side, centre, share, border, fissure = LOBES[list(LOBES)[int(case.fixed.integers(len(LOBES)))]]
    across, rise = centre[0] + case.fixed.normal(0, 0.2), centre[1] + case.fixed.normal(0, 0.05)
    tilt, shape = case.fixed.uniform(-0.5, 0.5), case.fixed.uniform(0.75, 1.1)
    slope, ragged = case.fixed.normal(0, 0.03), 0.16 * cloud(case.fixed, case.beam, 40.0)
    reach = 42.0 + 40.0 * case.severity
    here = patch(case, on_film(case, side, across, rise), (reach, reach * shape), tilt, 0.09, ragged)
    if border:
        beyond = (case.lungs.rise[:, None] - fissure - slope * case.lungs.across) * np.float32(border * 70.0)
        here = here / (1.0 + cv2.exp(np.clip(beyond, -20, 20)))
    here = here * (case.lungs.side == side)[None, :]
    fluid = case.lungs.path * here * np.float32(share * (0.04 + 1.3 * plainness(case.severity)))
    bronchogram = np.minimum(0.4 * case.bronchi, 0.4 * fluid) * here * np.float32(case.severity)
    return _in_lung(case, (fluid - bronchogram) * (1.0 + 0.06 * cloud(case.varied, case.beam, 30.0)))


def interstitial(case: Case) -> Lesion:
    """Viral: thickened walls of bronchi and septa in both lungs, a fine net denser around the hila, with little
    haze."""
    net = np.zeros(case.beam.shape, np.float32)
    for wavelength, strength in ((17.0, 0.6), (28.0, 0.5)):
        net += np.float32(strength) * cv2.exp(-((cloud(case.varied, case.beam, wavelength) / np.float32(0.38)) ** 2))
    central = 0.55 + 0.45 * cv2.exp(-(((case.lungs.across + 0.6) / np.float32(0.9)) ** 2))
    uneven = np.clip(1.0 + 0.35 * cloud(case.fixed, case.beam, 90.0), 0.25, 2.0)
    cuffs = blurred(case.vessels, 2.6 / case.beam.pitch)
    dense = case.lungs.path * (net * np.float32(0.23) + np.float32(0.02)) + 1.2 * cuffs
    return _in_lung(case, dense * central * uneven * np.float32(0.04 + 0.96 * plainness(case.severity)))


def focal(case: Case) -> Lesion:
    """Opacity: one to three round or ill-defined foci anywhere in the lungs."""
    count = int(case.fixed.choice([1, 2, 3], p=[0.4, 0.35, 0.25]))
    ragged = 0.10 * cloud(case.fixed, case.beam, 26.0)
    total = np.zeros(case.beam.shape, np.float32)
    for _ in range(count):
        side = float(case.fixed.choice([-1.0, 1.0]))
        across, rise = case.fixed.uniform(-0.3, 0.65), case.fixed.uniform(0.2, 0.7)
        radius = case.fixed.uniform(19.0, 31.0) * (0.75 + 0.35 * case.severity)
        edge, shape, tilt = case.fixed.uniform(0.05, 0.18), case.fixed.uniform(0.75, 1.0), case.fixed.uniform(0, np.pi)
        here = patch(case, on_film(case, side, across, rise), (radius, radius * shape), tilt, edge, ragged)
        total = np.maximum(total, here * np.float32(2.0 * radius))
    return _in_lung(case, total * np.float32(0.03 + 1.0 * plainness(case.severity)))


def pneumothorax(case: Case) -> Lesion:
    """Free air beside and above one lung: no vessels in it, and the edge of the lung as a thin white line."""
    side = float(case.fixed.choice([-1.0, 1.0]))
    gap = 3.0 + 64.0 * case.severity
    scale = magnification(case.beam, 0.0)
    y = case.beam.y / scale
    rise = np.clip(case.lungs.rise, 0.0, 1.0)
    taken = gap * (1.0 - 0.72 * rise + 0.10 * np.sin(5 * rise + case.fixed.uniform(0, 6)))
    # The lung sinks away from the apex as well: its section is that of a lung that starts lower.
    low, drop = recess(case.patient, case.pose), 0.75 * gap
    sunk = low - (low - y) * (low - case.patient.apex) / (low - case.patient.apex - drop)
    inner, outer, depth = (part.astype(np.float32)[:, None] for part in lung_section(case.patient, case.pose, sunk))
    outer = np.maximum(outer - taken[:, None].astype(np.float32), inner + 0.5)
    x = np.abs(case.beam.x / scale)[None, :]
    offset = np.abs(x - (inner + outer) / 2) / np.maximum((outer - inner) / 2, 1.0)

    def chord(widened: float) -> np.ndarray:
        profile = np.minimum(offset / (1.0 + widened / np.maximum((outer - inner) / 2, 4.0)), 1.0)
        return 2.0 * depth * np.sqrt(1.0 - profile * profile * profile)

    mine = (case.lungs.side == side)[None, :] & (case.lungs.cavity > 0)
    kept = np.minimum(chord(0.0), case.lungs.cavity)
    share = case.lungs.path / np.maximum(case.lungs.cavity, 1.0)
    air = np.where(mine, np.maximum(case.lungs.cavity - kept, 0.0) * share, 0.0).astype(np.float32)
    line = np.where(mine & (air > 0), np.maximum(chord(1.1) - kept, 0.0) * share, 0.0).astype(np.float32)
    # What is left of the lung holds the same tissue in less room.
    packed = np.where(mine, kept * share, 0.0).astype(np.float32) * np.float32(0.25 * gap / case.patient.width)
    return Lesion(packed, air, np.minimum(line, 16.0) * np.float32(0.7))


PATTERNS = {
    "covid": ground_glass,
    "bacterial": consolidation,
    "viral": interstitial,
    "opacity": focal,
    "pneumothorax": pneumothorax,
}


def lesion_mask(lesion: Lesion, lung_field: np.ndarray, pitch: float) -> np.ndarray:
    """Extent (H, W) bool as a reader would outline it: where the change is at least a third of its strongest, meshes
    of a net filled."""
    if lesion.air.any():
        change = lesion.air * (lesion.air > 2.0)
        return (change > 0) | (lesion.pleura > 0.5)
    change = blurred(lesion.dense * np.float32(MU_SOFT), 6.0 / pitch)
    visible = change * lung_field
    strongest = visible.max() if visible.any() else change.max()
    return (change > strongest / 3) & (lesion.dense > 0)

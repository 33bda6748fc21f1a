"""Who is on the film: the measures of a patient and how the patient stands before the detector, and the shape of the
chest that follows. All lengths in mm; the means are those of adults (chest 27 x 18 cm inside, lungs 23 cm high, heart
about half as wide as the chest).
"""

from dataclasses import dataclass

import numpy as np

FRONT_OF_SPINE = -62.0  # z of the vertebral bodies in an average chest


@dataclass(frozen=True)
class Patient:
    """Measures that stay with a patient. Ratios are relative to the average adult."""

    width: float  # largest half width of the chest cavity
    apex: float  # y of the lung apex
    height: float  # apex to the lowest recess at full inspiration
    depth: float  # half depth of the cavity, front to back
    apex_x: float  # distance of the apices from the midline
    fullness: float  # shape of the shoulder of the lung: 1.6 pointed to 2.6 square
    fat: float  # soft tissue outside the ribs
    breast: float  # thickness of the breast shadow; 0 for none
    breast_y: float
    heart: float  # size ratio
    heart_tilt: float  # long axis against the horizontal, radians
    heart_x: float
    aorta: float  # radius of the aortic knob
    mediastinum: float  # half width of the upper mediastinum
    right_dome: float  # y of the domes at full inspiration
    left_dome: float
    dome_round: float  # height of the dome above the costophrenic angle
    rib_first: float
    rib_spacing: float
    rib_drop: float  # from the spine to the front end of a rib
    rib_radius: float
    bone: float  # mineral ratio
    spine_bend: float  # sideways amplitude of the spine
    clavicle_rise: float
    clavicle_y: float
    shoulder: float  # y of the shoulders
    marking: float  # prominence of the vessels, ratio
    stroma: float  # share of tissue in the lung at full inspiration; ICRU 44 gives an inflated lung .26 g/cm3
    gas: float  # radius of the gas bubble in the stomach


@dataclass(frozen=True)
class Pose:
    """What changes from film to film of a patient."""

    inspiration: float  # 1 full, 0 poor: the domes are up to 38 mm higher
    turn: float  # about the body axis, radians
    roll: float  # in the plane of the film, radians
    shift_x: float  # of the film against the patient
    shift_y: float
    field: float  # side of the square film
    arms: float  # how far the upper arms are from the chest
    scapula: float  # distance of the inner border of the scapula from the midline, share of the chest's half width


def _around(rng: np.random.Generator, mean: float, spread: float, reach: float = 2.2) -> float:
    """Normal variation, cut at `reach` standard deviations so that no patient is impossible."""
    return mean + spread * float(np.clip(rng.standard_normal(), -reach, reach))


def draw_patient(rng: np.random.Generator) -> Patient:
    """A patient from the spread of adults: one size for all, own proportions, habitus and bone."""
    size = _around(rng, 1.0, 0.07)
    female = rng.random() < 0.5
    size *= 0.96 if female else 1.04
    habitus = rng.gamma(3.0, 1.0) / 3.0  # 1 on average, skewed to the heavy side
    width = 136.0 * size * _around(rng, 1.0, 0.055)
    height = 246.0 * size * _around(rng, 1.0, 0.06)
    apex = -118.0 * size * _around(rng, 1.0, 0.05)
    recess = apex + height
    return Patient(
        width=width,
        apex=apex,
        height=height,
        depth=84.0 * size * _around(rng, 1.0, 0.09),
        apex_x=width * _around(rng, 0.40, 0.03),
        fullness=_around(rng, 2.0, 0.18),
        fat=10.0 + 22.0 * min(habitus, 2.5),
        breast=max(0.0, _around(rng, 11.0 if female else 1.0, 5.0)) * (0.7 + 0.3 * min(habitus, 2.0)),
        breast_y=_around(rng, 62.0, 14.0) * size,
        heart=size * _around(rng, 1.0, 0.10),
        heart_tilt=_around(rng, 0.72, 0.16),
        heart_x=_around(rng, 0.0, 6.0),
        aorta=_around(rng, 17.0, 3.0) * size,
        mediastinum=_around(rng, 26.0, 3.5) * size + 3.0 * min(habitus, 2.0),
        right_dome=recess - _around(rng, 54.0, 6.0) * size,
        left_dome=recess - _around(rng, 42.0, 6.0) * size,
        dome_round=_around(rng, 48.0, 8.0) * size,
        rib_first=apex + _around(rng, 4.0, 5.0),
        rib_spacing=height * _around(rng, 0.098, 0.006),
        rib_drop=_around(rng, 92.0, 17.0) * size,
        rib_radius=_around(rng, 5.6, 0.6) * size,
        bone=_around(rng, 1.0, 0.18),
        spine_bend=_around(rng, 0.0, 5.0),
        clavicle_rise=_around(rng, 22.0, 10.0),
        clavicle_y=apex + _around(rng, 34.0, 8.0),
        shoulder=apex + _around(rng, 22.0, 12.0),
        marking=_around(rng, 1.0, 0.2),
        stroma=_around(rng, 0.25, 0.025),
        gas=max(0.0, _around(rng, 11.0, 9.0)),
    )


def draw_pose(rng: np.random.Generator, patient: Patient, view: str) -> Pose:
    """How the patient is positioned for one film; at the bedside (AP) with less inspiration and more rotation."""
    bedside = view == "AP"
    return Pose(
        inspiration=float(np.clip(rng.normal(0.55 if bedside else 0.75, 0.22), 0.05, 1.0)),
        turn=_around(rng, 0.0, 0.085 if bedside else 0.06),
        roll=_around(rng, 0.0, 0.045 if bedside else 0.03),
        shift_x=_around(rng, 0.0, 8.0),
        shift_y=_around(rng, 0.0, 10.0),
        # The field is collimated to the patient, more or less tightly.
        field=max(2.0 * patient.width * 1.10, patient.height) * _around(rng, 1.19, 0.05),
        arms=_around(rng, 52.0, 14.0),
        scapula=_around(rng, 0.74 if bedside else 0.90, 0.07),
    )


def recess(patient: Patient, pose: Pose) -> float:
    """y of the lowest point of the lungs on this film."""
    return patient.apex + patient.height - 0.5 * dome_rise(pose)


def dome_rise(pose: Pose) -> float:
    """How much higher than at full inspiration the diaphragm stands, mm."""
    return 38.0 * (1.0 - pose.inspiration)


def lung_section(patient: Patient, pose: Pose, y: np.ndarray):
    """Axial section of one lung at heights y (N,): (inner, outer, depth) mm, the first two as distances from the
    midline.

    The section is |u|^3 + (z / depth)^2 <= 1 with u = -1 at the inner and +1 at the outer border. Above the
    apex and below the recess inner = outer.
    """
    rise = (y - patient.apex) / (recess(patient, pose) - patient.apex)
    inside = (rise > 0) & (rise < 1)
    rise = np.clip(rise, 0.0, 1.0)
    power = patient.fullness
    shoulder = (1.0 - (1.0 - np.minimum(rise / 0.72, 1.0)) ** power) ** (1.0 / power)
    outer = patient.apex_x + (patient.width - patient.apex_x) * shoulder * (
        1.0 - 0.10 * np.maximum(rise - 0.72, 0.0) / 0.28
    )
    medial = (1.0 - (1.0 - np.minimum(rise / 0.35, 1.0)) ** 2.2) ** (1.0 / 2.2)
    inner = patient.apex_x - (patient.apex_x - 13.0) * medial
    inner = np.minimum(inner, outer)
    foot = np.sqrt(np.maximum(1.0 - (np.maximum(rise - 0.80, 0.0) / 0.2) ** 2, 0.0))
    depth = patient.depth * (0.35 + 0.65 * shoulder) * foot
    return (
        np.where(inside, inner, patient.apex_x),
        np.where(inside, outer, patient.apex_x),
        np.where(inside, depth, 0.0),
    )

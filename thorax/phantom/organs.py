"""Soft tissue: trunk, lungs, heart, mediastinum, diaphragm, airways, as path lengths on the film."""

from dataclasses import dataclass

import cv2
import numpy as np

from thorax.phantom.anatomy import FRONT_OF_SPINE, Patient, Pose, dome_rise, lung_section, recess
from thorax.phantom.projection import Beam, blurred, ellipsoid, magnification, overlap, splat

SIDES = (-1.0, 1.0)  # the patient's right lung is on the left of the film


@dataclass(frozen=True)
class Lungs:
    """Both lungs on the film. Arrays (H, W) float32 unless said.

    path: mm of lung along the ray with heart, mediastinum and diaphragm taken out. cavity: the same with nothing
    taken out. across: -1 inner to +1 outer border of its lung, outside beyond that. rise: (H,) 0 apex to 1 recess.
    side: (W,) -1 or +1. field: bool, the lung as one outlines it on a film: clear of heart, mediastinum and dome.
    """

    path: np.ndarray
    cavity: np.ndarray
    across: np.ndarray
    rise: np.ndarray
    side: np.ndarray
    field: np.ndarray


def trunk(patient: Patient, pose: Pose, beam: Beam) -> np.ndarray:
    """Path through skin, fat and muscle of neck, chest, shoulders, arms, abdomen and breasts, mm (H, W), lungs not
    yet taken out."""
    scale = magnification(beam, 0.0)
    x, y = beam.x / scale, beam.y / scale
    chest = patient.width + 0.6 * patient.fat + 10.0
    neck = patient.apex - 52.0
    levels = [
        neck - 60,
        neck,
        patient.apex - 12,
        patient.shoulder + 14,
        patient.shoulder + 70,
        patient.shoulder + 120,
        400,
    ]
    half_width = np.interp(y, levels, [58, 61, 104, chest * 1.30, chest * 1.16, chest, chest * 1.02])
    half_width = cv2.blur(half_width[:, None], (1, 2 * int(14 / beam.pitch) + 1), borderType=cv2.BORDER_REPLICATE)[:, 0]
    half_depth = np.interp(
        y,
        [*levels[:3], 0.0, recess(patient, pose), 400],
        [56, 58, 62, patient.depth, patient.depth + 4, patient.depth + 6],
    ) + 0.55 * patient.fat * np.interp(y, [neck, 0, 150], [0.4, 0.9, 1.3])
    across = np.minimum((x[None, :] / half_width[:, None].astype(np.float32)) ** 2, 1.0)
    path = np.sqrt(1.0 - across * np.sqrt(across)) * (2.0 * half_depth[:, None].astype(np.float32))
    for side in SIDES:
        reach = side * (patient.width + patient.fat)
        arm = ((reach + side * pose.arms, patient.shoulder + 120, 0.0), (34.0 + 0.3 * patient.fat, 190.0, 44.0))
        window, half, _ = ellipsoid(beam, *arm, tilt=-side * 0.12)
        path[window] = np.maximum(path[window], 2.0 * half)
        if patient.breast > 0:
            centre = (side * patient.width * 0.56, patient.breast_y, patient.depth)
            window, half, _ = ellipsoid(beam, centre, (patient.width * 0.46, 52.0, patient.breast))
            path[window] += half
    return path


def lungs(patient: Patient, pose: Pose, beam: Beam) -> Lungs:
    """Both lungs and what heart, great vessels, spine and diaphragm leave of them."""
    scale = magnification(beam, 0.0)
    x, y = beam.x / scale, beam.y / scale
    inner, outer, depth = (part.astype(np.float32)[:, None] for part in lung_section(patient, pose, y))
    centre, half_width = (inner + outer) / 2, np.maximum((outer - inner) / 2, np.float32(1e-3))
    across = (np.abs(x)[None, :] - centre) / half_width
    profile = np.minimum(np.abs(across), 1.0)
    half = depth * np.sqrt(1.0 - profile * profile * profile)
    rise = (y - patient.apex) / (recess(patient, pose) - patient.apex)
    taken = np.zeros_like(half)
    for window, chord, z in _mediastinum(patient, pose, beam):
        taken[window] = np.maximum(taken[window], overlap(half[window], chord, z))
    below, chord = _domes(patient, pose, beam)
    taken[below] = np.maximum(taken[below], overlap(half[below], chord, 0.0))
    path = np.maximum(2.0 * half - taken, 0.0)
    field = (half > 3.0) & (taken < np.maximum(0.12 * half, 4.0))
    return Lungs(path, 2.0 * half, across, rise.astype(np.float32), np.sign(x).astype(np.float32), field)


def _mediastinum(patient: Patient, pose: Pose, beam: Beam):
    """Chords of everything dense between the lungs, one (window, half chord, z) per body."""
    size, x0 = patient.heart, patient.heart_x
    low = 0.35 * dome_rise(pose)  # the heart rides up and lies flatter with the diaphragm
    apex, base = patient.apex, patient.left_dome - 0.8 * dome_rise(pose)
    heart_y = base - 34.0 * size
    column = patient.mediastinum
    bodies = (
        # centre, semi-axes, tilt
        (
            (x0 + 27 * size, heart_y, 24.0),
            (68 * size, 46 * size, 46 * size),
            patient.heart_tilt * (1 - low / 60),
        ),  # left ventricle
        ((x0 - 16 * size, heart_y - 2, 22.0), (29 * size, 48 * size, 36 * size), 0.0),  # right atrium
        (
            (x0 + 20 * size, heart_y - 42 * size, 14.0),
            (24 * size, 26 * size, 28 * size),
            0.3,
        ),  # pulmonary trunk, left appendage
        ((21.0, apex + 74, -12.0), (patient.aorta, patient.aorta * 1.15, 36.0), 0.0),  # aortic knob
        ((-6.0, apex + 60, -4.0), (column, 105.0, 58.0), 0.0),  # superior vena cava, trachea, vessels to neck and arms
        ((4.0, heart_y, -30.0), (column * 0.95, 200.0, 62.0), 0.0),  # oesophagus, descending aorta, roots of the lungs
        ((0.0, 40.0, FRONT_OF_SPINE * patient.depth / 84), (24.0, 420.0, 30.0), 0.0),  # spine and muscles beside it
    )
    for centre, semi, tilt in bodies:
        yield ellipsoid(beam, centre, semi, tilt)


def _domes(patient: Patient, pose: Pose, beam: Beam):
    """Rows below the higher dome and the half chord of the abdomen there: two domes, each a column below its own
    equator."""
    scale = magnification(beam, 0.0)
    x, y = beam.x / scale, beam.y / scale
    tops = {-1.0: patient.right_dome - dome_rise(pose), 1.0: patient.left_dome - 0.9 * dome_rise(pose)}
    below = slice(int(np.searchsorted(y, min(tops.values()))), len(y))
    chord = np.zeros((len(y) - below.start, len(x)), np.float32)
    for side, top in tops.items():
        drop = np.minimum((y[below] - top - patient.dome_round) / patient.dome_round, 0.0)
        offset = (x - side * 0.50 * patient.width) / (0.53 * patient.width)
        inside = 1.0 - drop[:, None] ** 2 - offset[None, :] ** 2 + 0.06 * offset[None, :]
        chord = np.maximum(chord, patient.depth * 0.93 * np.sqrt(np.maximum(inside, 0.0)))
    return (below, slice(0, len(x))), chord


def airways(patient: Patient, beam: Beam) -> np.ndarray:
    """Path through the air of trachea and main bronchi, mm (H, W)."""
    carina = patient.apex + 92.0
    lines = (
        ((0.0, patient.apex - 110.0), (-3.0, carina), 8.0),
        ((-3.0, carina), (-40.0, carina + 30), 5.5),
        ((-3.0, carina), (46.0, carina + 38), 5.0),
    )
    points, volume = [], []
    for start, end, radius in lines:
        length = np.hypot(end[0] - start[0], end[1] - start[1])
        share = (np.arange(int(length)) + 0.5) / int(length)
        points.append(
            np.stack(
                [start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]), share * 0 - 15], 1
            )
        )
        volume.append(np.full(len(share), np.pi * radius**2 * length / len(share)))
    return blurred(splat(beam, np.concatenate(points), np.concatenate(volume)), 4.0 / beam.pitch)


def stomach_gas(patient: Patient, pose: Pose, beam: Beam):
    """Window and path of the gas bubble below the left dome, mm."""
    top = patient.left_dome - 0.9 * dome_rise(pose) + 10.0 + patient.gas * 0.6
    window, half, _ = ellipsoid(
        beam, (0.45 * patient.width, top, 10.0), (1.3 * patient.gas + 1, 0.6 * patient.gas + 1, patient.gas + 1)
    )
    return window, 2.0 * half

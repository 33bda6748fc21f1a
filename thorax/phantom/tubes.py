"""Bones and vessels: long thin bodies, as points along their centre lines."""

import cv2
import numpy as np

from thorax.phantom.anatomy import FRONT_OF_SPINE, Patient, Pose, lung_section, recess
from thorax.phantom.organs import SIDES
from thorax.phantom.projection import (
    MU_CORTICAL,
    MU_SOFT,
    MU_TRABECULAR,
    Beam,
    blurred,
    ellipsoid,
    magnification,
    splat,
    tube_kernel,
)

RIBS = 10
VESSEL_RADII = (0.7, 1.3, 2.3, 4.2)  # mm; a vessel is drawn at the nearest of these
GENERATIONS = 6


def ribs(patient: Patient, pose: Pose, beam: Beam) -> np.ndarray:
    """Attenuation (dimensionless, (H, W)) of the ribs over that of soft tissue: up from the spine, round the chest
    wall, down in front."""
    angle = np.linspace(0.05, 2.55, 110)
    number = np.arange(RIBS)[:, None]
    spine_y = patient.rib_first + number * patient.rib_spacing
    drop = patient.rib_drop * np.interp(number, [0, 4, 9], [0.55, 1.0, 1.15])
    y = (
        spine_y
        + drop * (1 - np.cos(angle)) / 2
        - 11.0 * np.sin(angle) ** 2 * np.interp(number, [0, 5, 9], [1.4, 0.9, 0.2])
    )
    _, outer, depth = lung_section(patient, pose, np.clip(y, patient.apex + 10.0, recess(patient, pose) - 30.0).ravel())
    outer, depth = outer.reshape(y.shape) + 4.0, np.maximum(depth.reshape(y.shape), 40.0) * 1.03
    x = 19.0 + (outer - 19.0) * np.sin(angle) ** 0.85
    z = -depth * np.cos(angle)
    # Bone turns to cartilage in front, earlier in the low ribs; cartilage is soft tissue to the beam.
    end = np.interp(number, [0, 3, 9], [2.5, 2.3, 1.75])
    present = 1.0 / (1.0 + np.exp((angle - end) / 0.05))
    step = np.sqrt(np.diff(x, axis=1) ** 2 + np.diff(y, axis=1) ** 2 + np.diff(z, axis=1) ** 2)
    middle = [(part[:, 1:] + part[:, :-1]) / 2 for part in (x, y, z, present)]
    # mm2 of a rib's cross-section of about 90 that are bone, between cortical and trabecular in density
    bone_area = 38.0 * patient.bone * (patient.rib_radius / 5.6) ** 2
    behind = middle[2] < 0
    total = np.zeros(beam.shape, np.float32)
    for back, radius in ((True, patient.rib_radius), (False, patient.rib_radius * 1.2)):
        chosen = (behind == back) & (middle[3] > 0.02)
        volume = (step * middle[3] * bone_area)[chosen]
        points = np.concatenate(
            [np.stack([side * middle[0][chosen], middle[1][chosen], middle[2][chosen]], 1) for side in SIDES]
        )
        layer = splat(beam, points, np.concatenate([volume, volume]))
        total += cv2.filter2D(layer, -1, tube_kernel(radius * 1.1 / beam.pitch, 1.15), borderType=cv2.BORDER_REPLICATE)
    return np.maximum(total, 0.0) * np.float32((MU_CORTICAL + MU_TRABECULAR) / 2 - MU_SOFT)


def shoulder_girdle(patient: Patient, pose: Pose, beam: Beam) -> np.ndarray:
    """Attenuation of clavicles, scapulae and humeral heads over that of soft tissue, (H, W)."""
    share = np.linspace(0.0, 1.0, 60)
    reach = patient.width * 1.02
    x = 17.0 + reach * share
    y = patient.clavicle_y - patient.clavicle_rise * share + 7.0 * np.sin(2 * np.pi * share)
    z = 62.0 - 62.0 * share + 8.0 * np.sin(2 * np.pi * share)
    points = np.concatenate([np.stack([side * x, y, z], 1) for side in SIDES])
    volume = np.full(len(points), 130.0 * patient.bone * np.hypot(reach, patient.clavicle_rise) / 60)
    layer = cv2.filter2D(
        splat(beam, points, volume), -1, tube_kernel(6.2 / beam.pitch, 1.0), borderType=cv2.BORDER_REPLICATE
    )
    bone = np.maximum(layer, 0.0) * np.float32((MU_CORTICAL + MU_TRABECULAR) / 2 - MU_SOFT)
    plate = np.zeros(beam.shape, np.float32)
    scale = magnification(beam, -60.0)
    for side in SIDES:
        inner, top = side * pose.scapula * patient.width, patient.shoulder + 6.0
        corners = [
            (inner, top),
            (inner + side * 58, top + 6),
            (inner + side * 50, top + 42),
            (inner + side * 16, top + 128),
            (inner + side * 4, top + 96),
        ]
        pixels = [((scale * u - beam.x[0]) / beam.pitch, (scale * v - beam.y[0]) / beam.pitch) for u, v in corners]
        cv2.fillPoly(plate, [np.round(np.float32(pixels) * 16).astype(np.int32)], 1.0, lineType=cv2.LINE_AA, shift=4)
        window, half, _ = ellipsoid(beam, (side * (reach + 34), patient.shoulder + 22, 0.0), (23.0, 25.0, 22.0))
        bone[window] += 2.0 * half * np.float32(MU_TRABECULAR - MU_SOFT)
    rim = plate - blurred(plate, 2.5 / beam.pitch)
    return bone + np.maximum(1.6 * plate + 2.4 * rim, 0.0) * np.float32(patient.bone * (MU_CORTICAL - MU_SOFT))


def spine(patient: Patient, beam: Beam) -> np.ndarray:
    """Attenuation of the vertebrae over that of soft tissue, (H, W): bodies, the discs between them, pedicles,
    spinous processes."""
    scale = magnification(beam, FRONT_OF_SPINE)
    y = beam.y / scale
    bend = patient.spine_bend * np.sin((y - patient.apex) / patient.height * np.pi)
    centre = bend + FRONT_OF_SPINE * np.sin(beam.turn)
    half_width = (17.0 + 0.022 * (y - patient.apex)).astype(np.float32)
    phase = ((y - patient.rib_first) / patient.rib_spacing) % 1.0
    body = 1.0 - 0.75 * np.exp(-(((phase - 0.5) / 0.13) ** 2))
    waist = half_width * (1.0 - 0.08 * np.cos(2 * np.pi * (phase - 0.5)))
    columns = slice(*np.searchsorted(beam.x, [-62.0 * scale, 62.0 * scale]))
    offset = (beam.x[columns] / scale)[None, :] - centre[:, None].astype(np.float32)
    across = np.minimum((offset / waist[:, None].astype(np.float32)) ** 2, 1.0)
    path = 26.0 * np.sqrt(1.0 - across) * body[:, None]
    shape = ((phase - 0.08) / 0.17) ** 2
    for shift, width, dense in ((-0.62, 4.0, 8.0), (0.62, 4.0, 8.0), (0.0, 3.5, 9.0)):  # pedicles and spinous process
        path += dense * np.exp(-(((offset - shift * waist[:, None]) / width) ** 2) - shape[:, None])
    total = np.zeros(beam.shape, np.float32)
    total[:, columns] = path * (patient.bone * (MU_TRABECULAR - MU_SOFT))
    return total


def vessel_tree(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pulmonary vessels of both lungs in lung coordinates: points (N, 4) of side, across, rise, depth and (N, 2)
    radius, step in mm.

    They start at the hilum and divide in two, each branch thinner by 2^(-1/3) or more (Murray 1926) and shorter;
    grown in a box the size of a lung, so that they follow the shape of any lung and any inspiration.
    """
    side = np.repeat(SIDES, 9)
    count = len(side)
    heading = np.tile(np.linspace(-1.45, 1.45, 9), 2) + rng.normal(0, 0.12, count)
    tip = np.stack(
        [np.full(count, 14.0) + rng.normal(0, 2, count), 104.0 + 18 * np.sin(heading), rng.normal(-5, 8, count)], 1
    )
    elevation = rng.normal(0, 0.45, count)
    length, radius = rng.normal(40, 6, count), rng.normal(3.6, 0.5, count)
    points, sizes = [], []
    share = np.linspace(0.0, 1.0, 12)[None, :]
    for _ in range(GENERATIONS):
        bend = rng.normal(0, 0.18, len(tip))[:, None] * share
        direction = np.stack(
            [
                np.cos(heading[:, None] + bend),
                np.sin(heading[:, None] + bend),
                np.broadcast_to(np.sin(elevation)[:, None], bend.shape),
            ],
            2,
        )
        line = tip[:, None, :] + direction * (length[:, None] * share)[:, :, None]
        points.append(
            np.concatenate([np.broadcast_to(side[:, None, None], (*line.shape[:2], 1)), line], 2).reshape(-1, 4)
        )
        thick = radius[:, None] * (1.0 - 0.22 * share)
        sizes.append(
            np.stack([thick, np.broadcast_to(length[:, None] / share.shape[1], thick.shape)], 2).reshape(-1, 2)
        )
        tip, side = np.repeat(line[:, -1], 2, axis=0), np.repeat(side, 2)
        fork = np.tile([-1.0, 1.0], len(heading)) * rng.normal(0.42, 0.14, 2 * len(heading))
        heading, elevation = np.repeat(heading, 2) + fork, np.repeat(elevation, 2) + rng.normal(0, 0.45, len(fork))
        length = np.repeat(length, 2) * rng.uniform(0.62, 0.9, len(fork))
        radius = np.repeat(radius, 2) * rng.uniform(0.62, 0.8, len(fork))
    points, sizes = np.concatenate(points), np.concatenate(sizes)
    points[:, 1:] = points[:, 1:] / [54.0, 240.0, 78.0] - [1.0, 0.0, 0.0]
    inside = (np.abs(points[:, 1]) < 0.96) & (np.abs(points[:, 2] - 0.5) < 0.48) & (np.abs(points[:, 3]) < 0.95)
    return points[inside], sizes[inside]


def vessels(
    patient: Patient, pose: Pose, beam: Beam, tree: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Path through blood, mm (H, W): (all vessels, those of 1 to 3 mm alone, which run with the bronchi)."""
    (side, across, rise, forward), (radius, step) = tree[0].T, tree[1].T
    y = patient.apex + rise * (recess(patient, pose) - patient.apex)
    inner, outer, depth = lung_section(patient, pose, y)
    points = np.stack([side * ((inner + outer) / 2 + across * (outer - inner) / 2), y, forward * depth], 1)
    volume = np.pi * radius**2 * step * patient.marking
    layer = np.argmin(np.abs(np.log(radius)[:, None] - np.log(VESSEL_RADII)[None, :]), axis=1)
    layers = [
        blurred(splat(beam, points[layer == index], volume[layer == index]), VESSEL_RADII[index] / 1.9 / beam.pitch)
        for index in range(len(VESSEL_RADII))
    ]
    return sum(layers), layers[1] + layers[2]

"""One film, from its plan to its pixels and masks."""

from dataclasses import dataclass

import cv2
import numpy as np

from thorax.phantom import anatomy, organs, tubes
from thorax.phantom.findings import PATTERNS, Case, Lesion, cloud, lesion_mask
from thorax.phantom.plan import ANATOMY, FINDINGS, LESION, LESION_FILM, NOISE, POSE, SCANNER, TEXTURE, FilmPlan, stream
from thorax.phantom.projection import MU_LUNG_TISSUE, MU_SOFT, SOURCE_MM, Beam, blurred, detected
from thorax.phantom.scanner import SCANNERS, display


@dataclass(frozen=True)
class Film:
    """A picture and what is known about it, all (H, W) and in register.

    image: uint8, bone white, air black. lung_mask: bool, both lung fields as outlined on a film (without heart, dome
    and what lies behind them; with the air of a pneumothorax). lesion_mask: bool, extent of the finding, empty for a
    normal film.
    """

    image: np.ndarray
    lung_mask: np.ndarray
    lesion_mask: np.ndarray


def render_film(plan: FilmPlan, image_size: int = 256) -> Film:
    """Simulate one film of `image_size` x `image_size` pixels (64 to 1024), about 1.4 mm each at 256.

    The bytes depend on the plan and the size alone: not on the process, the order or the other films. Raises
    ValueError for a plan with an unknown finding, scanner or view, a severity outside 0 to 1, or a size out of range.
    """
    _check(plan, image_size)
    number = int(plan.patient[1:])

    def rng(purpose: int, film: int = plan.film) -> np.random.Generator:
        return stream(plan.seed, number, film, purpose)

    shared = rng(ANATOMY, 0)
    patient = anatomy.draw_patient(shared)
    pose = anatomy.draw_pose(rng(POSE), patient, plan.view)
    beam = _beam(patient, pose, plan.view, image_size)
    lungs = organs.lungs(patient, pose, beam)
    blood, bronchi = tubes.vessels(patient, pose, beam, tubes.vessel_tree(shared))
    case = Case(patient, pose, beam, lungs, blood, bronchi, plan.severity, rng(LESION, 0), rng(LESION_FILM))
    lesion = _lesion(plan, case)
    attenuation = _attenuation(case, lesion, rng(TEXTURE))

    centre = ((image_size - 1) / 2, (image_size - 1) / 2)
    roll = cv2.getRotationMatrix2D(centre, float(np.degrees(pose.roll)), 1.0)

    def rolled(image: np.ndarray, interpolation: int) -> np.ndarray:
        return cv2.warpAffine(
            image, roll, (image_size, image_size), flags=interpolation, borderMode=cv2.BORDER_REPLICATE
        )

    look_rng = rng(SCANNER)
    look = SCANNERS[plan.scanner]
    signal = detected(
        rolled(attenuation, cv2.INTER_LINEAR),
        beam.pitch,
        look_rng.uniform(*look.scatter),
        float(np.exp(look_rng.uniform(*np.log(look.quanta)))),
        rng(NOISE),
    )
    image = display(signal, plan.scanner, plan.view, beam.pitch, look_rng)
    extent = lesion_mask(lesion, lungs.field, beam.pitch) if plan.finding != "normal" else np.zeros(beam.shape, bool)
    masks = [rolled(mask.astype(np.uint8), cv2.INTER_NEAREST).astype(bool) for mask in (lungs.field, extent)]
    return Film(image, *masks)


def _check(plan: FilmPlan, image_size: int) -> None:
    allowed = {"finding": FINDINGS, "scanner": tuple(SCANNERS), "view": tuple(SOURCE_MM)}
    for name, values in allowed.items():
        if getattr(plan, name) not in values:
            raise ValueError(f"plan.{name} is {getattr(plan, name)!r}; allowed: {', '.join(values)}")
    if not (plan.patient[:1] == "p" and plan.patient[1:].isdecimal()):
        raise ValueError(f"plan.patient is {plan.patient!r}; allowed: p and a number, as in p0003")
    if not 0.0 <= plan.severity <= 1.0:
        raise ValueError(f"plan.severity is {plan.severity!r}; allowed: 0 to 1")
    if isinstance(image_size, bool) or not isinstance(image_size, (int, np.integer)) or not 64 <= image_size <= 1024:
        raise ValueError(f"image_size is {image_size!r}; allowed: an integer from 64 to 1024")


def _beam(patient: anatomy.Patient, pose: anatomy.Pose, view: str, image_size: int) -> Beam:
    """The rays of a square field that is centred on the lungs but for the shift."""
    pitch = pose.field / image_size
    offset = (np.arange(image_size) - (image_size - 1) / 2) * pitch
    middle = patient.apex + 0.47 * patient.height
    x, y = (offset + pose.shift_x).astype(np.float32), (offset + middle + pose.shift_y).astype(np.float32)
    return Beam(x, y, pitch, SOURCE_MM[view], 1 if view == "PA" else -1, pose.turn)


def _lesion(plan: FilmPlan, case: Case) -> Lesion:
    if plan.finding == "normal":
        none = np.zeros(case.beam.shape, np.float32)
        return Lesion(none, none, none)
    return PATTERNS[plan.finding](case)


def _attenuation(case: Case, lesion: Lesion, texture: np.random.Generator) -> np.ndarray:
    """Line integral of mu, dimensionless (H, W) float32."""
    patient, pose, beam, lungs = case.patient, case.pose, case.beam, case.lungs
    soft = organs.trunk(patient, pose, beam)
    soft -= organs.airways(patient, beam)
    window, gas = organs.stomach_gas(patient, pose, beam)
    soft[window] -= gas
    # The tissue of the lung is shared by less air when inspiration is poor, and gravity packs it towards the base.
    stroma = patient.stroma * (1.28 - 0.28 * pose.inspiration) * (0.86 + 0.28 * np.clip(lungs.rise, 0, 1))[:, None]
    grain = (
        1.0 + 0.02 * cloud(texture, beam, 10.0) + 0.03 * cloud(texture, beam, 28.0) + 0.05 * cloud(texture, beam, 80.0)
    )
    mu_lung = (MU_LUNG_TISSUE * stroma * grain).astype(np.float32)
    aerated = lungs.path - lesion.air
    covered = aerated / np.maximum(lungs.cavity, 1.0)  # vessels go where the lung goes
    filled = lesion.dense / np.maximum(aerated, 1.0)  # and do not show in what is as dense as they are
    total = np.maximum(soft - lungs.path + lesion.pleura, 0.0) * np.float32(MU_SOFT)
    total += (aerated - lesion.dense) * mu_lung + lesion.dense * np.float32(MU_SOFT)
    total += case.vessels * covered * (1.0 - np.minimum(filled, 1.0)) * np.float32(MU_SOFT)
    total += tubes.ribs(patient, pose, beam) + tubes.shoulder_girdle(patient, pose, beam) + tubes.spine(patient, beam)
    return blurred(np.maximum(total, 0.0), 0.35)

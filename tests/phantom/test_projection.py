"""Line integrals against solid geometry, and the physics of the detector."""

import cv2
import numpy as np
import pytest

from thorax.phantom.projection import (
    MU_CORTICAL,
    MU_SOFT,
    MU_TRABECULAR,
    Beam,
    detected,
    ellipsoid,
    magnification,
    overlap,
    splat,
    tube_kernel,
)


def beam(turn: float = 0.0, facing: int = 1) -> Beam:
    axis = (np.arange(200) - 99.5).astype(np.float32)
    return Beam(axis, axis, 1.0, 1800.0, facing, turn)


@pytest.mark.parametrize("tilt", [0.0, 0.6])
def test_an_ellipsoid_projects_to_its_volume(tilt):
    window, half, _ = ellipsoid(beam(), (5.0, -8.0, 0.0), (30.0, 20.0, 25.0), tilt)
    assert half.shape == (window[0].stop - window[0].start, window[1].stop - window[1].start)
    volume = 2 * half.sum() / magnification(beam(), 0.0) ** 2
    assert volume == pytest.approx(4 / 3 * np.pi * 30 * 20 * 25, rel=0.01)
    assert 2 * half.max() == pytest.approx(50.0, rel=0.01)


def test_a_body_outside_the_field_leaves_no_shadow():
    assert ellipsoid(beam(), (500.0, 0.0, 0.0), (30.0, 20.0, 25.0))[1].size == 0


def test_what_is_far_from_the_detector_is_magnified_more():
    front, back = (magnification(beam(), z) for z in (60.0, -60.0))
    assert 1.0 < front < back
    assert magnification(beam(facing=-1), 60.0) == pytest.approx(back)


def test_turning_the_patient_moves_front_and_back_in_opposite_directions():
    centres = []
    for z in (60.0, -60.0):
        window, half, _ = ellipsoid(beam(turn=0.1), (0.0, 0.0, z), (10.0, 10.0, 10.0))
        centres.append((half.sum(0) * beam().x[window[1]]).sum() / half.sum())
    assert centres[0] > 4 and centres[1] < -4


def test_a_heart_displaces_no_more_lung_than_there_is():
    lung = np.float32([50, 50, 50, 10])
    heart = np.float32([0, 30, 80, 30])
    assert overlap(lung, heart, 0.0) == pytest.approx([0, 60, 100, 20])
    assert overlap(lung, heart, 40.0) == pytest.approx([0, 40, 90, 0])


def test_splatted_points_keep_their_volume_and_place():
    points = np.array([[10.3, -20.7, 0.0], [0.0, 0.0, 0.0], [900.0, 0.0, 0.0]])
    path = splat(beam(), points, np.array([3.0, 2.0, 50.0]))
    scale = magnification(beam(), 0.0)
    assert path.sum() / scale**2 == pytest.approx(5.0, rel=1e-5)
    column = (path[70:85] * beam().x).sum() / path[70:85].sum()
    assert column == pytest.approx(10.3 * scale, abs=0.02)


def test_a_tube_along_the_beam_is_denser_than_one_across_it():
    along = np.stack([np.zeros(50), np.zeros(50), np.linspace(-25, 25, 50)], 1)
    across = along[:, [2, 1, 0]]
    kernel = tube_kernel(5.0)
    peak = [cv2.filter2D(splat(beam(), points, np.full(50, 10.0)), -1, kernel).max() for points in (along, across)]
    assert peak[0] > 3 * peak[1]


@pytest.mark.parametrize("hollow", [0.0, 1.15])
def test_a_tube_kernel_has_unit_sum_and_a_hollow_one_has_bright_edges(hollow):
    kernel = tube_kernel(6.0, hollow)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-4)
    profile = kernel.sum(0)
    assert (profile.argmax() != len(profile) // 2) == (hollow > 1)


def test_bone_stops_more_than_soft_tissue_and_cortex_more_than_marrow():
    assert MU_SOFT < MU_TRABECULAR < MU_CORTICAL


def test_beer_lambert_holds_without_scatter():
    attenuation = np.linspace(0, 5, 64 * 64, dtype=np.float32).reshape(64, 64)
    signal = detected(attenuation, 1.5, 0.0, 1e9, np.random.default_rng(0))
    assert -np.log(signal) == pytest.approx(attenuation, abs=0.02)


def test_scatter_lowers_the_contrast_of_what_is_dense():
    attenuation = np.full((64, 64), 1.5, np.float32)
    attenuation[:, 24:40] = 4.5
    contrast = [
        np.ptp(-np.log(detected(attenuation, 4.0, ratio, 1e9, np.random.default_rng(0)))) for ratio in (0.0, 0.5)
    ]
    assert contrast[1] < 0.8 * contrast[0]


def test_quantum_noise_follows_the_square_root_of_the_dose():
    flat = np.full((128, 128), 2.0, np.float32)
    spread = [detected(flat, 1.5, 0.0, quanta, np.random.default_rng(0)).std() for quanta in (1e4, 4e4)]
    assert spread[0] / spread[1] == pytest.approx(2.0, rel=0.05)
    assert spread[0] == pytest.approx(np.sqrt(np.exp(-2.0) / (1e4 * 1.5**2)), rel=0.05)

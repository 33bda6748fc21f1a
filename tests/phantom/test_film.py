"""A rendered film: reproducible, plausible, different between patients, with masks that tell where the finding is."""

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256

import cv2
import numpy as np
import pytest

from thorax.phantom import FINDINGS, SCANNERS, FilmPlan, contact_sheet, plan_films, render_film

PLANS = plan_films(dict.fromkeys(FINDINGS, 5), seed=7, films_per_patient=(1, 2))
SIZE = 128


@pytest.fixture(scope="module")
def films():
    return {plan.film_id: render_film(plan, SIZE) for plan in PLANS}


def digest(film) -> str:
    return sha256(film.image.tobytes() + film.lung_mask.tobytes() + film.lesion_mask.tobytes()).hexdigest()


def test_films_have_the_promised_shapes_and_types(films):
    for film in films.values():
        assert film.image.shape == film.lung_mask.shape == film.lesion_mask.shape == (SIZE, SIZE)
        assert (film.image.dtype, film.lung_mask.dtype, film.lesion_mask.dtype) == (np.uint8, bool, bool)


def test_films_are_byte_identical_in_any_order_and_with_any_number_of_threads(films):
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        again = {plan.film_id: digest(render_film(plan, SIZE)) for plan in reversed(PLANS[:12])}
    finally:
        cv2.setNumThreads(threads)
    assert again == {film_id: digest(films[film_id]) for film_id in again}


def test_films_are_byte_identical_in_another_process(films):
    script = (
        "from hashlib import sha256\n"
        "from thorax.phantom import FINDINGS, plan_films, render_film\n"
        "for plan in plan_films(dict.fromkeys(FINDINGS, 5), seed=7, films_per_patient=(1, 2))[::9]:\n"
        f"    film = render_film(plan, {SIZE})\n"
        "    parts = (film.image, film.lung_mask, film.lesion_mask)\n"
        "    print(plan.film_id, sha256(b''.join(part.tobytes() for part in parts)).hexdigest())\n"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout
    elsewhere = dict(line.split() for line in out.splitlines())
    assert elsewhere == {plan.film_id: digest(films[plan.film_id]) for plan in PLANS[::9]}


def test_no_two_films_are_near_duplicates(films):
    thumbs = np.stack(
        [cv2.resize(film.image, (16, 16), interpolation=cv2.INTER_AREA).ravel() for film in films.values()]
    )
    thumbs = (thumbs - thumbs.mean(1, keepdims=True)) / thumbs.std(1, keepdims=True)
    cosine = thumbs @ thumbs.T / thumbs.shape[1] - 2 * np.eye(len(thumbs))
    assert cosine.max() < 0.99


def test_lungs_cover_a_plausible_part_of_the_film_on_both_sides_and_are_darker_than_what_lies_between(films):
    for film in films.values():
        assert 0.15 < film.lung_mask.mean() < 0.45
        _, _, stats, _ = cv2.connectedComponentsWithStats(film.lung_mask.astype(np.uint8))
        assert (stats[1:, cv2.CC_STAT_AREA] > 0.04 * SIZE * SIZE).sum() == 2
        inside = film.image[film.lung_mask].mean()
        hull = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(film.lung_mask.astype(np.uint8))), 1)
        assert film.image[(hull > 0) & ~film.lung_mask].mean() > inside + 20


def test_the_heart_lies_to_the_right_of_the_film(films):
    # the left lung field gives room to the heart: in its lower half it is the smaller one
    shares = []
    for film in films.values():
        rows = np.flatnonzero(film.lung_mask.any(1))
        lower = film.lung_mask[rows[len(rows) // 2] : rows[-1]]
        columns = np.flatnonzero(film.lung_mask.any(0))
        middle = (columns[0] + columns[-1]) // 2
        shares.append(lower[:, :middle].sum() > lower[:, middle:].sum())
    assert np.mean(shares) > 0.8


def test_the_lesion_mask_is_empty_exactly_for_normal_films(films):
    for plan in PLANS:
        assert films[plan.film_id].lesion_mask.any() == (plan.finding != "normal")


@pytest.mark.parametrize("finding", FINDINGS[1:])
@pytest.mark.parametrize("severity", [0.01, 1.0])
def test_the_slightest_and_the_gravest_lesion_are_masked_inside_the_chest(finding, severity):
    for plan in [plan for plan in PLANS if plan.finding == finding][:3]:
        film = render_film(replace(plan, severity=severity), SIZE)
        assert film.lesion_mask.any()
        chest = cv2.dilate(film.lung_mask.astype(np.uint8), np.ones((SIZE // 8 + 1,) * 2)).astype(bool)
        assert (film.lesion_mask & chest).sum() > 0.6 * film.lesion_mask.sum()


@pytest.mark.parametrize("finding", FINDINGS[1:])
def test_the_finding_changes_the_pixels_of_its_mask_and_few_others(finding, films):
    for plan in [plan for plan in PLANS if plan.finding == finding][:4]:
        film, healthy = films[plan.film_id], render_film(replace(plan, finding="normal"), SIZE)
        assert (film.lung_mask == healthy.lung_mask).all()
        # The window follows the picture, so a lesion shifts all gray levels: taken out by a fit on the other pixels.
        after, before = film.image.astype(float), healthy.image.astype(float)
        fit = np.polyfit(before[~film.lesion_mask], after[~film.lesion_mask], 3)
        change = np.abs(after - np.polyval(fit, before))
        assert change[film.lesion_mask].mean() > 2.0 * change[~film.lesion_mask].mean()


@pytest.mark.parametrize("finding", FINDINGS[1:])
def test_a_graver_case_differs_more_from_the_healthy_film(finding):
    plan = next(plan for plan in PLANS if plan.finding == finding)
    healthy = render_film(replace(plan, finding="normal"), SIZE).image.astype(float)
    change = [
        np.abs(render_film(replace(plan, severity=severity), SIZE).image - healthy).mean() for severity in (0.05, 0.95)
    ]
    assert change[1] > 1.5 * change[0]


def test_pneumothorax_is_one_sided_and_covid_two_sided(films):
    for plan in PLANS:
        if plan.finding in ("pneumothorax", "covid"):
            film = films[plan.film_id]
            columns = np.flatnonzero(film.lung_mask.any(0))
            middle = (columns[0] + columns[-1]) // 2
            left = film.lesion_mask[:, :middle].sum() / film.lesion_mask.sum()
            assert (min(left, 1 - left) < 0.12) == (plan.finding == "pneumothorax")


def test_a_pneumothorax_is_darker_than_the_lung_it_replaces():
    for plan in [plan for plan in PLANS if plan.finding == "pneumothorax"][:3]:
        film, healthy = (
            render_film(replace(plan, finding=finding, severity=0.9), SIZE) for finding in ("pneumothorax", "normal")
        )
        inside = film.lesion_mask & film.lung_mask
        outside = ~film.lesion_mask & ~film.lung_mask
        gain = film.image.astype(float) - healthy.image
        assert np.median(gain[inside]) < np.median(gain[outside]) - 3


def test_films_of_one_patient_share_the_chest_but_not_the_pixels():
    plans = plan_films({"normal": 4}, seed=1, films_per_patient=(2, 2))
    for first, second in zip(plans[::2], plans[1::2], strict=True):
        a, b = render_film(first, SIZE), render_film(replace(second, scanner=first.scanner, view=first.view), SIZE)
        assert np.abs(a.image.astype(float) - b.image).mean() > 4
        assert a.lung_mask.mean() == pytest.approx(b.lung_mask.mean(), rel=0.6)


def test_scanners_look_different_on_one_and_the_same_patient():
    plan = PLANS[0]
    images = [render_film(replace(plan, scanner=scanner), SIZE).image.astype(float) for scanner in SCANNERS]
    for index, image in enumerate(images):
        for other in images[:index]:
            assert np.abs(image - other).mean() > 3


def test_a_larger_film_shows_the_same_patient():
    plan = PLANS[3]
    small, large = render_film(plan, 96), render_film(plan, 192)
    assert (
        cv2.resize(large.lung_mask.astype(np.uint8), (96, 96), interpolation=cv2.INTER_NEAREST)
        .astype(bool)[small.lung_mask]
        .mean()
        > 0.95
    )


@pytest.mark.parametrize(
    ("changes", "image_size", "message"),
    [
        ({"finding": "flu"}, 128, "plan.finding is 'flu'; allowed: normal, covid"),
        ({"scanner": "scanner_z"}, 128, "plan.scanner is 'scanner_z'; allowed: scanner_a"),
        ({"view": "lateral"}, 128, "plan.view is 'lateral'; allowed: PA, AP"),
        ({"severity": 1.5}, 128, "plan.severity is 1.5; allowed: 0 to 1"),
        ({"patient": "alice"}, 128, "plan.patient is 'alice'; allowed"),
        ({}, 16, "image_size is 16; allowed: an integer from 64 to 1024"),
        ({}, 256.0, "image_size is 256.0"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(changes, image_size, message):
    plan = FilmPlan("p0001_1", "p0001", 1, "covid", 0.5, "scanner_a", "PA", 0)
    with pytest.raises(ValueError) as caught:
        render_film(replace(plan, **changes), image_size)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_the_contact_sheet_has_a_labelled_pair_of_rows_per_finding():
    sheet = contact_sheet(0, patients_per_finding=2, image_size=64)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (len(FINDINGS) * (22 + 2 * 64), 2 * 64)
    with pytest.raises(ValueError, match="patients_per_finding is 0"):
        contact_sheet(0, patients_per_finding=0)


def test_the_command_writes_a_contact_sheet(tmp_path):
    out = tmp_path / "sheet.png"
    subprocess.run(
        [sys.executable, "-m", "thorax.phantom", str(out), "--patients", "1", "--image-size", "64"],
        check=True,
        timeout=60,
    )
    assert cv2.imread(str(out), cv2.IMREAD_GRAYSCALE).shape == (6 * 150, 64)

"""The probes find what was put there, and nothing where nothing was put."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from thorax.phantom import plan_films, render_film
from thorax.probes.battery import Films, probe
from thorax.recipe import Evaluate, Probes
from thorax.splits import split

FINDINGS = ["normal", "covid", "pneumothorax"]
EVALUATE = Evaluate(resamples=500)
RECIPE = Probes(trees=60)


@cache
def films(confound: float) -> Films:
    plans = plan_films(dict.fromkeys(FINDINGS, 40), 3, confound, (1, 2))
    images = [cv2.resize(render_film(plan, 64).image, (48, 48), interpolation=cv2.INTER_AREA) for plan in plans]
    labels, groups = np.array([FINDINGS.index(plan.finding) for plan in plans]), [plan.patient for plan in plans]
    parts = split([plan.film_id for plan in plans], labels, np.unique(groups, return_inverse=True)[1],
                  {"train": 0.5, "validation": 0.1, "test": 0.4}, 1)
    return Films(np.stack(images), labels, np.array(groups), np.array([plan.scanner for plan in plans]), parts)


def answers(some: Films, **changes) -> dict:
    return probe(some, FINDINGS, RECIPE.model_copy(update=changes), EVALUATE, seed=0)


@pytest.fixture(scope="module")
def clean() -> dict:
    return answers(films(0.0))


@pytest.fixture(scope="module")
def confounded() -> dict:
    return answers(films(1.0))


def test_without_confounding_no_probe_raises_the_alarm(clean):
    assert "alarm" not in {answer["verdict"] for answer in clean.values()}
    assert clean["control"]["verdict"] == "works"


@pytest.mark.parametrize("name", ["source", "shortcut", "no_lung", "border"])
def test_with_the_scanner_tied_to_the_finding_the_probe_raises_the_alarm(confounded, name):
    assert confounded[name]["verdict"] == "alarm"


def test_confounding_is_no_leak(confounded):
    assert confounded["permuted"]["verdict"] != "alarm"


def test_copies_of_films_on_both_sides_of_the_split_raise_the_alarm_of_the_shuffled_labels():
    some = films(0.0)
    rows = np.tile(np.arange(len(some.labels)), 2)
    parts = np.where(np.arange(len(rows)) < len(some.labels), "train", "test")
    leaking = Films(some.images[rows], some.labels[rows], some.groups[rows], some.sources[rows], parts)
    assert answers(leaking)["permuted"]["verdict"] == "alarm"


def test_a_mark_in_the_corner_is_found_by_the_border_and_not_taken_for_a_source():
    some = films(0.0)
    marked = some.images.copy()
    for label in range(3):
        marked[some.labels == label, :2, 8 * label:8 * label + 8] = 255
    found = answers(replace(some, images=marked))
    assert found["border"]["verdict"] == found["no_lung"]["verdict"] == "alarm"
    assert found["source"]["verdict"] != "alarm"


def test_a_model_that_is_blind_on_the_whole_films_clears_nobody():
    some = films(0.0)
    noise = np.random.default_rng(0).integers(0, 256, some.images.shape).astype("uint8")
    found = answers(replace(some, images=noise), margin=0.4)  # so wide that the probes' intervals lie below it
    assert found["control"]["verdict"] == "not decided"
    assert found["border"]["verdict"] == "not decided"
    assert "the small model finds nothing on the whole films either" in found["border"]["reason"]


def test_one_source_cannot_be_cleared():
    found = answers(replace(films(0.0), sources=np.full(len(films(0.0).labels), "one")), shortcut=False, no_lung=False,
                    border=False, permuted=False)
    assert list(found) == ["source"]
    assert found["source"]["verdict"] == "not decided"
    assert found["source"]["cramers_v"] is None


def test_the_same_films_give_the_same_figures(clean):
    assert answers(films(0.0)) == clean


def test_every_probe_can_be_switched_off():
    off = dict.fromkeys(("source", "shortcut", "no_lung", "border", "permuted"), False)
    assert answers(films(0.0), **off) == {}
    assert list(answers(films(0.0), **off | {"border": True})) == ["control", "border"]

"""Which films exist: stable, anonymous, and independent of the scanner unless told otherwise."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from thorax.phantom import FINDINGS, SCANNER_OF_FINDING, SCANNERS, plan_films

EACH = dict.fromkeys(FINDINGS, 30)


def test_the_same_call_plans_the_same_films():
    assert plan_films(EACH, seed=5) == plan_films(EACH, seed=5)


def test_another_seed_plans_other_films():
    assert not set(plan_films(EACH, seed=5)) & set(plan_films(EACH, seed=6))


def test_every_finding_has_the_patients_asked_for():
    asked = {finding: 3 + index for index, finding in enumerate(FINDINGS)}
    patients = {(plan.patient, plan.finding) for plan in plan_films(asked, seed=0)}
    assert Counter(finding for _, finding in patients) == asked


def test_a_patient_has_one_finding_and_consecutive_films():
    films = defaultdict(list)
    for plan in plan_films(EACH, seed=1, films_per_patient=(2, 4)):
        films[plan.patient].append(plan)
    for patient, plans in films.items():
        assert len({plan.finding for plan in plans}) == 1
        assert [plan.film for plan in plans] == list(range(1, len(plans) + 1))
        assert [plan.film_id for plan in plans] == [f"{patient}_{plan.film}" for plan in plans]
    assert {len(plans) for plans in films.values()} == {2, 3, 4}


def test_more_patients_of_one_finding_leave_the_other_films_alone():
    few, many = plan_films(EACH, seed=2), plan_films({**EACH, "viral": 60}, seed=2)
    assert set(few) <= set(many)
    assert {plan.finding for plan in set(many) - set(few)} == {"viral"}


def test_patient_numbers_do_not_reveal_the_finding():
    plans = plan_films(dict.fromkeys(FINDINGS, 200), seed=3, films_per_patient=(1, 1))
    assert plans == sorted(plans, key=lambda plan: plan.film_id)
    ordered = [plan.finding for plan in plans]
    # neither runs of one finding nor a fixed rotation, and every finding in the first and in the last third
    follows = sum(a == b for a, b in pairwise(ordered)) / len(ordered)
    assert 0.10 < follows < 0.25
    residues = Counter((int(plan.patient[1:]) % 6, plan.finding) for plan in plans)
    assert max(residues.values()) < 70 and len(residues) == 36
    for part in (ordered[:400], ordered[-400:]):
        assert min(Counter(part)[finding] for finding in FINDINGS) > 40


def test_patients_beyond_ten_thousand_keep_numbers_of_their_own():
    plans = plan_films({"normal": 3000}, seed=4, films_per_patient=(1, 1))
    assert len({plan.patient for plan in plans}) == 3000
    assert set(plan_films({"normal": 20}, seed=4, films_per_patient=(1, 1))) <= set(plans)


def test_without_confounding_every_scanner_serves_every_finding():
    table = Counter((plan.finding, plan.scanner) for plan in plan_films(dict.fromkeys(FINDINGS, 150), seed=0))
    for finding in FINDINGS:
        counts = [table[finding, scanner] for scanner in SCANNERS]
        assert min(counts) > 0.5 * sum(counts) / len(counts)


@pytest.mark.parametrize("confound", [0.5, 1.0])
def test_confound_is_the_share_of_films_whose_scanner_follows_from_the_finding(confound):
    plans = plan_films(dict.fromkeys(FINDINGS, 150), seed=0, confound=confound)
    tied = sum(plan.scanner == SCANNER_OF_FINDING[plan.finding] for plan in plans) / len(plans)
    assert tied == pytest.approx(confound + (1 - confound) / len(SCANNERS), abs=0.04)


def test_confound_changes_nothing_but_scanner_and_view():
    for free, tied in zip(plan_films(EACH, seed=0), plan_films(EACH, seed=0, confound=1.0), strict=True):
        assert (free.film_id, free.finding, free.severity) == (tied.film_id, tied.finding, tied.severity)


def test_severity_is_broad_and_has_a_slight_tail():
    severities = [plan.severity for plan in plan_films(dict.fromkeys(FINDINGS, 100), seed=0)]
    assert all(0.0 < severity <= 1.0 for severity in severities)
    assert 0.01 < sum(severity < 0.2 for severity in severities) / len(severities) < 0.15
    assert 0.35 < sum(severity > 0.7 for severity in severities) / len(severities) < 0.65


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patients": {"flu": 1}}, "unknown finding 'flu'; allowed: normal, covid"),
        ({"patients": {"covid": -1}}, "patients['covid'] is -1; allowed: an integer >= 0"),
        ({"patients": {"covid": 1.5}}, "patients['covid'] is 1.5"),
        ({"seed": -1}, "seed is -1; allowed: an integer >= 0"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"confound": 1.01}, "confound is 1.01; allowed: 0 to 1"),
        ({"confound": float("nan")}, "confound is nan"),
        ({"films_per_patient": (0, 2)}, "films_per_patient is (0, 2)"),
        ({"films_per_patient": (3, 2)}, "films_per_patient is (3, 2)"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments, message):
    with pytest.raises(ValueError) as caught:
        plan_films(**{"patients": {"normal": 1}, "seed": 0, **arguments})
    assert message in str(caught.value) and "\n" not in str(caught.value)

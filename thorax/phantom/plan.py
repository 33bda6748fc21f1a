"""Which films exist: patients, findings, severities and scanners, before a single pixel is computed.

Every draw is keyed by (seed, patient, film, purpose), never by position in a list: a film is the same whatever else was
planned around it, and `confound` changes the scanner of a film and nothing else about it.
"""

from dataclasses import dataclass

import numpy as np

from thorax.phantom.scanner import SCANNERS

FINDINGS: tuple[str, ...] = ("normal", "covid", "bacterial", "viral", "opacity", "pneumothorax")

# One scanner per finding: what `confound` = 1 turns into "the scanner is the diagnosis", as in sets merged from
# several hospitals.
SCANNER_OF_FINDING: dict[str, str] = dict(zip(FINDINGS, SCANNERS, strict=True))

# What a stream of random numbers is for; part of its key, so that drawing more for one purpose leaves the others alone.
PLAN, ANATOMY, POSE, LESION, LESION_FILM, TEXTURE, SCANNER, NOISE = range(1, 9)

SEVERITY_BETA = (2.6, 1.2)  # at presentation: mean .68, about 4 % below .2
EARLY, EARLY_SEVERITY = 0.04, 0.01  # share of patients filmed before the disease can be seen: what no model can call
PATIENTS_PER_BLOCK = 9996  # patient numbers are permuted in blocks of this many; a multiple of 6


@dataclass(frozen=True)
class FilmPlan:
    """All that `render_film` needs to know about one film.

    film_id: "p0003_1", patient and film number. patient: "p0003". film: 1, 2, ... within the patient. finding: one of
    FINDINGS. severity: extent and density of the finding, 0 (invisible) to 1 (textbook); it is drawn for every
    patient, a normal film ignores it. scanner: a key of SCANNERS. view: "PA" (standing, source 1.8 m) or "AP" (bedside,
    1.1 m). seed: of the whole set.
    """

    film_id: str
    patient: str
    film: int
    finding: str
    severity: float
    scanner: str
    view: str
    seed: int


def stream(seed: int, patient: int, film: int, purpose: int) -> np.random.Generator:
    """Independent random numbers for one purpose on one film (film 0: shared by all films of the patient)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, patient, film, purpose])))


def _patient_number(seed: int, finding: int, index: int) -> int:
    """Number of the `index`-th patient with `finding`: unique, stable when patients are added, and silent about the
    finding."""
    block, slot = divmod(len(FINDINGS) * index + finding, PATIENTS_PER_BLOCK)
    permutation = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, block]))).permutation(
        PATIENTS_PER_BLOCK
    )
    return block * PATIENTS_PER_BLOCK + int(permutation[slot])


def _plan_patient(seed: int, number: int, finding: str, confound: float, least: int, most: int) -> list[FilmPlan]:
    history = stream(seed, number, 0, PLAN)
    films = least + int(history.integers(0, most - least + 1))
    onset, drift = history.beta(*SEVERITY_BETA), history.normal(0.0, 0.10)
    if history.random() < EARLY:
        onset = EARLY_SEVERITY
    steady = min(onset / 0.2, 1.0)  # slight disease changes little from film to film
    plans = []
    for film in range(1, films + 1):
        rng = stream(seed, number, film, PLAN)
        severity = float(np.clip(onset + steady * (drift * (film - 1) + rng.normal(0.0, 0.07)), 0.01, 1.0))
        drawn, tied, view_draw = list(SCANNERS)[int(rng.integers(len(SCANNERS)))], rng.random() < confound, rng.random()
        scanner = SCANNER_OF_FINDING[finding] if tied else drawn
        view = "AP" if view_draw < SCANNERS[scanner].ap_share else "PA"
        patient = f"p{number:04d}"
        plans.append(FilmPlan(f"{patient}_{film}", patient, film, finding, round(severity, 4), scanner, view, seed))
    return plans


def plan_films(
    patients: dict[str, int], seed: int, confound: float = 0.0, films_per_patient: tuple[int, int] = (1, 3)
) -> list[FilmPlan]:
    """Plan the films of a data set, ordered by patient and film number.

    patients: how many patients per finding, e.g. {"normal": 40, "covid": 40}; findings left out have none.
    seed: any integer >= 0. confound: share of films, 0 to 1, whose scanner follows from their finding.
    films_per_patient: fewest and most films of one patient, drawn uniformly between them.
    A patient has one finding. Asking for more patients of one finding leaves all other films as they are.
    Raises ValueError for a finding that is not in FINDINGS or a number out of range.
    """
    for finding, count in patients.items():
        if finding not in FINDINGS:
            raise ValueError(f"patients: unknown finding {finding!r}; allowed: {', '.join(FINDINGS)}")
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
            raise ValueError(f"patients[{finding!r}] is {count!r}; allowed: an integer >= 0")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed is {seed!r}; allowed: an integer >= 0")
    if not 0.0 <= confound <= 1.0:
        raise ValueError(f"confound is {confound!r}; allowed: 0 to 1")
    if len(films_per_patient) != 2 or not 1 <= films_per_patient[0] <= films_per_patient[1]:
        raise ValueError(
            f"films_per_patient is {films_per_patient!r}; allowed: (fewest, most) with 1 <= fewest <= most"
        )
    numbered = [
        (_patient_number(int(seed), FINDINGS.index(finding), index), finding)
        for finding, count in patients.items()
        for index in range(count)
    ]
    least, most = (int(bound) for bound in films_per_patient)
    return [
        plan
        for number, finding in sorted(numbered)
        for plan in _plan_patient(int(seed), number, finding, float(confound), least, most)
    ]

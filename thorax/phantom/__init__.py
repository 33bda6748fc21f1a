"""Simulated chest films with known findings, patients, scanners and masks: `plan_films`, then `render_film` for each
plan."""

from thorax.phantom.film import Film, render_film
from thorax.phantom.plan import FINDINGS, SCANNER_OF_FINDING, FilmPlan, plan_films
from thorax.phantom.scanner import SCANNERS
from thorax.phantom.sheet import contact_sheet

__all__ = [
    "FINDINGS",
    "SCANNERS",
    "SCANNER_OF_FINDING",
    "Film",
    "FilmPlan",
    "contact_sheet",
    "plan_films",
    "render_film",
]

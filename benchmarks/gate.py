"""How often the regression gate errs, by simulation: false alarms, misses and wrong passes at several numbers of films.

Run `python -m benchmarks.gate [share]`: it prints the tables and puts them into docs/gate.md. `share` is that of the
repetitions, 1 as published (a few minutes on one core).

Two models with errors in common see films of groups of 1 to 3, three classes. The score of class c is
skill * (c is the film's) + noise; the noise is made of what the film shows (80 % of its variance, the same for both
models) and of the model's own (20 %), each of it half of the group and half of the film. Skill follows from the wanted
accuracy: 0.85 of the baseline, less the true drop of the candidate.

The gate's own code judges, but for one thing: the paired bootstrap of macro F1 and macro AUC is replaced by its
linearisation, which takes a hundredth of the time. On some pairs both are done, and how often they agree is printed.
"""

import functools
import sys
import time
from pathlib import Path

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from thorax.comparison import mcnemar
from thorax.gate.rule import FAIL, INCONCLUSIVE, PASS, check, conclude
from thorax.reader import load_params
from thorax.recipe import Gate
from thorax.reporting.results import fill_page

PAGE = Path("docs/gate.md")
CLASSES = ["normal", "covid", "viral"]
ACCURACY, OWN = 0.85, 0.2
DROPS = (0.0, 0.02, 0.04, 0.06, 0.10)
FILMS = (100, 400, 1000, 3000)
REPETITIONS = 1000
COMPARED = 5  # pairs of each number of films and each drop that are judged with the bootstrap as well
RUNS = 4  # of one pipeline, as the committed study has


@functools.cache
def skill_of(accuracy: float) -> float:
    """The advantage of the film's class at which the largest of the scores is its own with this probability."""
    def reached(skill: float) -> float:
        return quad(lambda x: norm.pdf(x) * norm.cdf(x + skill) ** (len(CLASSES) - 1), -8, 8)[0]

    return brentq(lambda skill: reached(skill) - accuracy, 0, 10)


def films(count: int, drop: float, random) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels and groups (count,), probabilities of baseline and candidate (count, k). A group has one label."""
    groups = np.repeat(np.arange(count), random.integers(1, 4, count))[:count]
    labels = random.integers(0, len(CLASSES), count)[groups]

    def noise() -> np.ndarray:
        return (random.normal(size=(count, len(CLASSES)))[groups] + random.normal(size=(count, len(CLASSES)))) / 2**0.5

    shown, models = noise(), []
    for accuracy in (ACCURACY, ACCURACY - drop):
        scores = (skill_of(accuracy) * np.eye(len(CLASSES))[labels] + (1 - OWN) ** 0.5 * shown + OWN**0.5 * noise())
        likely = np.exp(2 * scores)
        models.append(likely / likely.sum(axis=1, keepdims=True))
    return labels, groups, *models


def linearised(labels, before, after, groups, metrics, resamples: int, seed: int) -> dict[str, np.ndarray]:
    """In place of `paired_samples`: the quantiles of a normal distribution around the difference, with the variance
    that the influence of each group on it gives (the infinitesimal jackknife; Efron & Tibshirani 1993, chapter 21)."""
    old, new = influences(labels, before), influences(labels, after)
    normal = norm.ppf((np.arange(resamples) + 0.5) / resamples)
    drawn = {}
    for metric in metrics:
        value = new[metric][0] - old[metric][0]
        error = np.sqrt((np.bincount(groups, new[metric][1] - old[metric][1]) ** 2).sum())
        drawn[metric] = value + error * normal
    return drawn


def influences(labels, probabilities) -> dict[str, tuple[float, np.ndarray]]:
    """Macro F1 and macro AUC, each with the derivative by the weight of every film (n,)."""
    f1, auc, k = [], [], probabilities.shape[1]
    guesses = probabilities.argmax(axis=1)
    for c in range(k):
        positive, guessed = labels == c, guesses == c
        both = positive.sum() + guessed.sum()
        value = 2 * (positive & guessed).sum() / both
        f1.append((value, (2 * (positive & guessed) - value * (positive.astype(int) + guessed)) / both))
        score = probabilities[:, c]
        above, below = np.sort(score[positive]), np.sort(score[~positive])
        place = np.where(positive, np.searchsorted(below, score) / len(below),
                         1 - np.searchsorted(above, score) / len(above))  # of pairs with it, those in right order
        value = place[positive].mean()
        auc.append((value, (place - value) / np.where(positive, len(above), len(below))))
    return {name: (np.mean([value for value, _ in each]), np.mean([film for _, film in each], axis=0))
            for name, each in (("macro_f1", f1), ("macro_auc", auc))}


def simulate(count: int, drop: float, repetitions: int, settings: Gate) -> dict[str, np.ndarray]:
    """What the gate says of each repetition, and what simpler rules would: (repetitions,) each."""
    random = np.random.default_rng([count, round(1000 * drop)])
    seen: dict[str, list] = {}
    for seed in range(repetitions):
        labels, groups, before, after = films(count, drop, random)
        given = labels, before, after, groups, CLASSES, settings, seed
        checks = check(*given, draw=linearised)
        right, still = before.argmax(axis=1) == labels, after.argmax(axis=1) == labels
        fall = right.mean() - still.mean()
        alone = mcnemar(right, still, np.arange(count)) < 1 - settings.level and fall > settings.margins.accuracy
        failed = {each.metric for each in checks if each.verdict == FAIL}
        found = {"verdict": conclude(checks)[0], "any drop": fall > 0, "band": fall > settings.margins.accuracy,
                 "accuracy": "accuracy" in failed, "accuracy, films for groups": alone,
                 "macro F1": "macro_f1" in failed, "macro AUC": "macro_auc" in failed,
                 "a recall": any(metric.startswith("recall") for metric in failed),
                 "discordant": (right != still).mean(), "AUC": checks[2].difference}
        if seed < COMPARED:
            found["agrees"] = [each.verdict for each in check(*given)] == [each.verdict for each in checks]
        for name, value in found.items():
            seen.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in seen.items()}


def main(share: float = 1.0) -> None:
    """Print the tables and put them into the page."""
    settings = load_params().gate
    started, rows, alarms, agrees = time.process_time(), [], [], []
    for count in FILMS:
        for drop in DROPS:
            seen = simulate(count, drop, round(REPETITIONS * share), settings)
            agrees += list(seen["agrees"])
            shares = [(seen["verdict"] == verdict).mean() for verdict in (FAIL, INCONCLUSIVE, PASS)]
            rows.append([f"{count:,}", f"{drop:.2f}", *shares, seen["any drop"].mean(), seen["band"].mean(),
                         f"{seen['discordant'].mean():.3f}", f"{-seen['AUC'].mean():.3f}"])
            if drop == 0:
                failed = seen["verdict"] == FAIL
                together = failed[:len(failed) // RUNS * RUNS].reshape(-1, RUNS).any(axis=1)
                alarms.append([f"{count:,}", *(seen[name].mean() for name in
                                               ("accuracy", "accuracy, films for groups", "macro F1", "macro AUC",
                                                "a recall")), failed.mean(), together.mean()])
    minutes = (time.process_time() - started) / 60
    block = "\n".join([
        f"Baseline accuracy {ACCURACY}, three classes, groups of 1 to 3 films, {1 - OWN:.0%} of the noise in common; "
        f"margins {', '.join(f'{name} {value:g}' for name, value in settings.margins)}, level {settings.level:g}, "
        f"{len(seen['verdict']):,} repetitions in each line, so that a share is known to "
        f"{1.96 * (0.25 / len(seen['verdict'])) ** 0.5:.1%} or better. Linearised and with {settings.resamples:,} "
        f"resamples, all checks of a pair agree in {np.mean(agrees):.1%} of {len(agrees)} pairs. {minutes:.0f} minutes "
        "of CPU time.", "",
        table(["test films", "true drop of accuracy", "FAIL", "INCONCLUSIVE", "PASS", "\"any drop fails\"",
               f"\"more than {settings.margins.accuracy:g} fails\"", "films on which one is right",
               "drop of macro AUC"], rows), "",
        "False alarms without any true drop, by the check that fails:", "",
        table(["test films", "accuracy", "accuracy, were films taken for groups", "macro F1", "macro AUC", "a recall",
               "any check", f"any of {RUNS} independent runs"], alarms)])
    print(block)
    fill_page(PAGE, "gate", block + "\n")


def table(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head),
             *([f"{value:.1%}" if isinstance(value, float) else str(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main(*(float(number) for number in sys.argv[1:]))

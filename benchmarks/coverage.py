"""Do the 95 % intervals hold the truth in 95 % of the cases? Simulated test parts of patients with several films.

    python -m benchmarks.coverage [trials]

Each patient has one class, a difficulty that all the films share, and 1 to 3 films; probabilities are those of an
overconfident model. The truth is the figure of some 400,000 such films. Printed: the share of the trials whose interval
holds it, for groups drawn (as the project does) and, to compare, for films drawn singly. The calibration error is in
the list to show why it has no interval. A few minutes on one core.
"""

import sys

import numpy as np

from thorax import calibration, operating, scoring, selective
from thorax.intervals import bootstrap, percentile_interval

CLASSES, RESAMPLES = 3, 400
FIGURES = ("accuracy", "balanced accuracy", "macro AUC", "log-loss", "Brier score", "AURC",
           "sensitivity at a fixed threshold", "calibration error")
POINTS = {str(number): {"threshold": 0.5} for number in range(CLASSES)}


def simulate(patients: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n,), probabilities (n, k) and groups (n,)."""
    groups = np.repeat(np.arange(patients), random.integers(1, 4, patients))
    label = random.integers(0, CLASSES, patients)
    shared = random.normal(0, 1.2, (patients, CLASSES)) + 1.8 * np.eye(CLASSES)[label]
    logits = 1.5 * (shared[groups] + random.normal(0, 0.6, (len(groups), CLASSES)))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return label[groups], powers / powers.sum(axis=1, keepdims=True), groups


def figures(labels, probabilities, weights) -> np.ndarray:
    """(b, figures) of `FIGURES` under weights (b, n)."""
    found = scoring.scores(labels, probabilities, weights)
    brier = (weights * calibration.brier(labels, probabilities)).sum(axis=1) / weights.sum(axis=1)
    own = labels == 0
    flagged = operating.flags(probabilities, POINTS)[:, 0]
    sensitivity = weights[:, own & flagged].sum(axis=1) / weights[:, own].sum(axis=1)
    return np.stack([found["accuracy"], found["balanced_accuracy"], found["macro_auc"], found["log_loss"], brier,
                     selective.aurc(labels, probabilities, weights), sensitivity,
                     calibration.calibration_error(labels, probabilities, weights)], axis=1)


def main(trials: int = 400) -> None:
    random = np.random.default_rng(2026)
    labels, probabilities, _ = simulate(200_000, random)
    truth = figures(labels, probabilities, np.ones((1, len(labels))))[0]
    error = 1.96 * np.sqrt(0.95 * 0.05 / trials)
    print(f"{trials} trials, {RESAMPLES} resamples; a true 95 % shows as {0.95 - error:.1%} to {0.95 + error:.1%}")
    for patients in (50, 150, 500):
        hits, singly, shown = np.zeros(len(FIGURES)), np.zeros(len(FIGURES)), np.zeros(len(FIGURES))
        for trial in range(trials):
            labels, probabilities, groups = simulate(patients, random)
            shown += figures(labels, probabilities, np.ones((1, len(labels))))[0] / trials
            for units, count in ((groups, hits), (np.arange(len(labels)), singly)):
                samples = bootstrap(lambda weights: figures(labels, probabilities, weights), units, RESAMPLES, trial)  # noqa: B023
                for number in range(len(FIGURES)):
                    low, high = percentile_interval(samples[:, number])
                    count[number] += low <= truth[number] <= high
        print(f"{patients} patients, about {2 * patients} films")
        for name, *values in zip(FIGURES, truth, shown, hits / trials, singly / trials, strict=True):
            print("  {}: truth {:.3f}, shown on average {:.3f}; holds it: {:.1%} over groups, {:.1%} over films".format(
                name, *values))


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))

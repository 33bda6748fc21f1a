"""Time of the metrics with their intervals: 3,000 films, 4 classes, 2,000 resamples; expected below 10 s on one core.

Run `python -m benchmarks.intervals [films] [classes] [resamples]`.
"""

import resource
import sys
import time

import numpy as np

from thorax.intervals import metrics_with_intervals


def main(films: int = 3000, classes: int = 4, resamples: int = 2000) -> None:
    """Print seconds, and the peak memory of the process, on invented predictions of about three films per group."""
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, films)
    logits = random.normal(size=(films, classes)) + 2.0 * np.eye(classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    groups = random.integers(0, films // 3, films)
    names = [f"class{c}" for c in range(classes)]
    wall, cpu = time.perf_counter(), time.process_time()
    metrics = metrics_with_intervals(labels, probabilities, groups, names, resamples)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shown = metrics["accuracy"]
    print(
        f"{films} films, {classes} classes, {resamples} resamples: "
        f"{wall:.2f} s ({cpu:.2f} s of CPU), peak {peak:.0f} MB of memory"
    )
    print(f"{len(metrics)} metrics; accuracy {shown['value']} ({shown['low']} to {shown['high']})")


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))

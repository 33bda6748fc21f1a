"""All models of a task on the same test films: every pair compared, and which models these films cannot tell apart."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from thorax.comparison import holm, mcnemar, paired_difference
from thorax.errors import ThoraxError


@dataclass(frozen=True)
class Pair:
    """`difference` in accuracy, better less worse: value, low, high. `p` of McNemar's exact test over groups, and
    `adjusted` by Holm's method for all pairs of the ranking; the intervals are not adjusted."""

    better: str
    worse: str
    difference: dict[str, float]
    p: float
    adjusted: float


@dataclass(frozen=True)
class Ranking:
    """`accuracies` by model, best first; `alike`: lists of neighbours in this order of whom no two are significantly
    different, none contained in another, none of one model alone."""

    accuracies: dict[str, float]
    pairs: list[Pair]
    alike: list[list[str]]
    level: float


def rank(labels, models: dict[str, np.ndarray], groups, resamples: int, level: float, seed: int) -> Ranking:
    """Compare all pairs of models.

    Args: labels (n,) int; models: name to probabilities (n, k), of the same films in the same order; groups (n,) ids;
    resamples, level and seed of the intervals, which are those of the paired bootstrap over groups; two models differ
    significantly if the adjusted p is below 1 - level.

    Raises:
        ThoraxError: fewer than two models.
    """
    if len(models) < 2:
        raise ThoraxError(f"{len(models)} model(s): a ranking needs two")
    right = {name: probabilities.argmax(axis=1) == labels for name, probabilities in models.items()}
    order = sorted(models, key=lambda name: -right[name].mean())  # stable: equal ones stay as they were given
    couples = list(combinations(order, 2))
    p_values = [mcnemar(right[worse], right[better], groups) for better, worse in couples]
    adjusted = holm(p_values)
    pairs = [Pair(better, worse, paired_difference(labels, models[worse], models[better], groups, "accuracy",
                                                   resamples, level, seed), p, float(corrected))
             for (better, worse), p, corrected in zip(couples, p_values, adjusted, strict=True)]
    told_apart = {(pair.better, pair.worse) for pair in pairs if pair.adjusted < 1 - level}
    return Ranking({name: float(right[name].mean()) for name in order}, pairs, neighbours(order, told_apart), level)


def neighbours(order: list[str], told_apart: set[tuple[str, str]]) -> list[list[str]]:
    """The longest stretches of `order` in which no two are told apart."""
    stretches: list[list[str]] = []
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and not any((name, order[end]) in told_apart for name in order[start:end]):
            end += 1
        stretch = order[start:end]
        if len(stretch) > 1 and not (stretches and set(stretch) <= set(stretches[-1])):
            stretches.append(stretch)
    return stretches


def table(ranking: Ranking) -> str:
    """The pairs as a Markdown table, with what the intervals and the p values are."""
    lines = ["| better | worse | difference in accuracy | p | p, Holm | told apart |", "|---|---|---|---|---|---|"]
    for pair in ranking.pairs:
        low, high = pair.difference["low"], pair.difference["high"]
        apart = "yes" if pair.adjusted < 1 - ranking.level else "no"
        lines.append(f"| {pair.better} | {pair.worse} | {pair.difference['value']:+.3f} ({low:+.3f} to {high:+.3f}) | "
                     f"{pair.p:.2g} | {pair.adjusted:.2g} | {apart} |")
    return "\n".join([*lines, "", f"Intervals: paired bootstrap over groups, {ranking.level:.0%}, of each pair by "
                      "itself. p: exact McNemar test over groups; Holm's correction is for all "
                      f"{len(ranking.pairs)} pairs.", ""])

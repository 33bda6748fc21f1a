"""All probes of one task; the answer of each is a figure with a verdict.

Probes are trained on the training part and tested on the films of both other parts: nothing is chosen on the
validation part here, and more films make a narrower interval. The shortcut floor is a cross-validation over all films.
"""

from dataclasses import dataclass

import numpy as np

from thorax.intervals import DIGITS
from thorax.probes import forest, intensity, sources
from thorax.probes.judgement import judged, share_right, undecided
from thorax.recipe import Evaluate, Probes

SHUFFLES = 3  # of the labels; one alone leaves an interval of +-.06 on 200 films and six classes


@dataclass(frozen=True)
class Films:
    """The films of a task: images uint8 (n, side, side), labels int (n,), groups, sources and parts str (n,)."""

    images: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    sources: np.ndarray
    parts: np.ndarray


def probe(films: Films, classes: list[str], recipe: Probes, evaluate: Evaluate, seed: int) -> dict[str, dict]:
    """The figures of the probes that the recipe asks for, by name, each as `judged` gives it.

    `control` is the small model on the whole films. Where it finds nothing there, that it finds nothing elsewhere is
    no good news, and `ok` becomes `not decided`.
    """
    train = films.parts == "train"
    held_out = ~train
    chance = 1 / len(classes)

    def figure(labels, predicted, rows, balanced=True) -> dict:
        return share_right(labels[rows], predicted, films.groups[rows], evaluate.resamples, evaluate.level, seed,
                           balanced)

    answers = {}
    if recipe.source:
        answers["source"] = source(films, classes, recipe.margin, train, figure)
    if recipe.shortcut:
        answers["shortcut"] = shortcut(films, chance, recipe, seed, figure)
    if not (recipe.no_lung or recipe.border or recipe.permuted):
        return answers
    small = forest.reduced(films.images, recipe.image_size)

    def retrained(pixels: np.ndarray) -> dict:
        found = forest.trained_and_tested(pixels, films.labels, train, recipe.trees, seed)
        return judged(figure(films.labels, found, held_out), chance, recipe.margin)

    answers["control"] = retrained(small)
    if recipe.no_lung:
        answers["no_lung"] = retrained(forest.without_box(small, tuple(recipe.box.model_dump().values())))
    if recipe.border:
        answers["border"] = retrained(forest.border_only(small, recipe.ring))
    if recipe.permuted:
        answers["permuted"] = permuted(small, films, chance, recipe, evaluate, seed)
    if answers["control"]["verdict"] != "alarm":
        for name in ("no_lung", "border", "permuted"):
            if answers.get(name, {}).get("verdict") == "ok":
                answers[name] = undecided(answers[name], "the small model finds nothing on the whole films either")
    # That it sees something is what the control is for, and nothing to be alarmed about.
    answers["control"] |= {"verdict": "works" if answers["control"]["verdict"] == "alarm" else "not decided"}
    return answers


def source(films: Films, classes: list[str], margin: float, train: np.ndarray, figure) -> dict:
    """Accuracy of the class most frequent in the film's source, against that of the class most frequent in all."""
    held_out = ~train
    found = sources.class_of_source(films.labels[train], films.sources[train], films.sources[held_out])
    majority = np.bincount(films.labels[train]).argmax()
    answer = judged(figure(films.labels, found, held_out, balanced=False),
                    float(np.mean(films.labels[held_out] == majority)), margin)
    table = sources.crosstab(films.labels, films.sources, classes)
    count = len(np.unique(films.sources))
    if count == 1:
        answer = undecided(answer, "all films name one source, so the probe has nothing to compare")
    return answer | {"cramers_v": sources.cramers_v([list(row.values()) for row in table.values()]), "table": table}


def permuted(small: np.ndarray, films: Films, chance: float, recipe: Probes, evaluate: Evaluate, seed: int) -> dict:
    """Balanced accuracy on shuffled labels, over SHUFFLES shuffles: each is a new draw for the same films."""
    train = films.parts == "train"
    labels = [forest.shuffled_by_group(films.labels, films.groups, seed + number) for number in range(SHUFFLES)]
    found = [forest.trained_and_tested(small, each, train, recipe.trees, seed) for each in labels]
    figure = share_right(np.concatenate([each[~train] for each in labels]), np.concatenate(found),
                         np.tile(films.groups[~train], SHUFFLES), evaluate.resamples, evaluate.level, seed)
    return judged(figure | {"films": int((~train).sum())}, chance, recipe.margin)


def shortcut(films: Films, chance: float, recipe: Probes, seed: int, figure) -> dict:
    """The better one of two models on ten intensity figures, by grouped cross-validation over all films."""
    everything = np.ones(len(films.labels), bool)
    fewest = min(len(np.unique(films.groups[films.labels == label])) for label in np.unique(films.labels))
    if fewest < intensity.FOLDS:
        return {"metric": "balanced_accuracy", "value": None, "low": None, "high": None, "films": len(films.labels),
                "groups": len(np.unique(films.groups)), "chance": round(chance, DIGITS), "verdict": "not decided",
                "reason": f"a class has {fewest} groups, too few for {intensity.FOLDS} folds"}
    features = np.array([intensity.ten_statistics(np.asarray(film)) for film in films.images])
    found = intensity.predicted(features, films.labels, films.groups, recipe.trees, seed)
    figures = {name: figure(films.labels, predicted, everything) for name, predicted in found.items()}
    best = max(figures, key=lambda name: figures[name]["value"])
    return judged(figures[best], chance, recipe.shortcut_limit) | {
        "model": best, **{name: each["value"] for name, each in figures.items()}}

"""How models do on films of other studies, as Markdown, from the files under models/."""

import json
from dataclasses import dataclass
from pathlib import Path

from thorax import predictions
from thorax.comparison import unpaired_differences
from thorax.intervals import as_text
from thorax.recipe import ExternalRun, Params, Study

METRICS = {"balanced_accuracy": "balanced accuracy", "macro_auc": "macro AUC"}


def external_lines(recipe: Study, runs: list[ExternalRun], seed: int, root: Path = Path(".")) -> list[str]:
    """A table of the runs, each on its own test part and then on the external sets; empty without runs."""
    if not runs:
        return []
    columns = ["model", "tested on", "films", "left out", *METRICS.values(),
               *(f"change of {title}" for title in METRICS.values())]
    lines = ["External sets: films of other studies. Left out are those with a copy (a near-duplicate, or equal in "
             "every pixel) among the films that the model was trained or validated on, their relatives, and labels of "
             "none of the classes. Change: "
             f"minus the own test part, two independent bootstraps of whole groups, {recipe.evaluate.level:.0%}.", "",
             f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for run in runs:
        folder = root / "models" / run.study / run.model
        own = json.loads((folder / "evaluation" / "metrics.json").read_text())
        if run is next(each for each in runs if each.model == run.model):
            lines.append(row(run.model, f"own test part of `{run.split}`",
                             len(predictions.read(folder / "evaluation" / "predictions.csv")), "-", own,
                             dict.fromkeys(METRICS, "-")))
        lines.append(external_row(run, folder, own, recipe, seed))
    return [*lines, ""]


def external_row(run: ExternalRun, folder: Path, own: dict, recipe: Study, seed: int) -> str:
    metrics, films = (json.loads((folder / "external" / run.name / name).read_text())
                      for name in ("metrics.json", "films.json"))
    inside, outside = (predictions.to_arrays(predictions.read(place / "predictions.csv"))
                       for place in (folder / "evaluation", folder / "external" / run.name))
    changes = unpaired_differences(inside, outside, list(METRICS), recipe.evaluate.resamples, recipe.evaluate.level,
                                   seed)
    # Where one of the two figures has no interval, that of their difference would be too narrow.
    known = {name: None not in (own[name]["low"], metrics[name]["low"]) for name in METRICS}
    told = {name: f"{change['value']:+.3f}" + known[name] * f" ({change['low']:+.3f} to {change['high']:+.3f})"
            for name, change in changes.items()}
    counts = films["classes"].values()
    copies, relatives = (sum(each[kind] for each in counts) for kind in ("near_duplicates", "their_relatives"))
    left_out = f"{copies} copies, {relatives} relatives, {sum(films['other_labels'].values())} of other labels"
    return row(run.model, f"`{run.name}`: {films_of(run, recipe)}", sum(each["tested"] for each in counts), left_out,
               metrics, told)


def row(model: str, films: str, count: int, left_out: str, metrics: dict, changes: dict[str, str]) -> str:
    cells = [model, films, count, left_out, *(as_text(metrics[name]) for name in METRICS), *changes.values()]
    return f"| {' | '.join(map(str, cells))} |"


def films_of(run: ExternalRun, recipe: Study) -> str:
    """The films of an external set in the words of the tables: study, split and part."""
    return f"{run.other} ({run.other_split}, {recipe.external[run.name].part})"


@dataclass(frozen=True)
class Matrix:
    """Models that share their classes (named in `classes`), each tested on several films: `cells` maps model -> films
    -> balanced accuracy with bounds, `own` the model to the films that are its own test part."""

    classes: str
    cells: dict[str, dict[str, dict]]
    own: dict[str, str]

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys([*self.own.values(), *(films for each in self.cells.values() for films in each)]))


def matrices(params: Params, recipes: dict[str, Study], root: Path = Path(".")) -> list[Matrix]:
    """The runs that have external sets, a matrix for all that share the names of their classes."""
    found: dict[str, Matrix] = {}
    for run in params.externals.values():
        recipe, folder = recipes[run.study], root / "models" / run.study / run.model
        classes = ", ".join(sorted(recipe.external[run.name].classes))
        matrix, model = found.setdefault(classes, Matrix(classes, {}, {})), f"{run.study}/{run.model}"
        matrix.own[model] = f"{run.study} ({run.split}, test)"
        for films, place in ((matrix.own[model], folder / "evaluation"),
                             (films_of(run, recipe), folder / "external" / run.name)):
            metrics = json.loads((place / "metrics.json").read_text())
            matrix.cells.setdefault(model, {})[films] = metrics["balanced_accuracy"]
    return list(found.values())


def matrix_lines(matrix: Matrix, figure: str) -> list[str]:
    lines = [f"## Trained on, tested on: {matrix.classes}", "",
             "Balanced accuracy with its interval, in bold on the model's own test part. Elsewhere films that the "
             "model has met are removed, so that a column need not hold the same films in every row; the tables of "
             "the studies count them.", "",
             f"| trained | {' | '.join(matrix.columns)} |", "|---" * (len(matrix.columns) + 1) + "|"]
    for model, cells in matrix.cells.items():
        texts = {films: as_text(cells[films]) if films in cells else "-" for films in matrix.columns}
        texts[matrix.own[model]] = f"**{texts[matrix.own[model]]}**"
        lines.append(f"| {model} | {' | '.join(texts.values())} |")
    return [*lines, "", f"![Trained on, tested on: {matrix.classes}]({figure})", ""]

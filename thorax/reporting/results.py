"""The tables that people read, as Markdown, from the files on disk: results.md and blocks in other pages."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from thorax import predictions
from thorax.comparison import paired_difference
from thorax.errors import ThoraxError
from thorax.intervals import as_text
from thorax.recipe import Model, Params, Study, load_study
from thorax.running import writing_into

COLUMNS = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1",
           "macro_auc": "macro AUC"}


@dataclass(frozen=True)
class Cell:
    """A finished run: its recipe, training.json, metrics.json and where they lie."""

    name: str
    recipe: Model
    training: dict
    metrics: dict
    folder: Path

    def predictions(self) -> pd.DataFrame:
        return predictions.read(self.folder / "evaluation" / "predictions.csv")


def cells_of(study: str, params: Params, root: Path = Path(".")) -> list[Cell]:
    """The study's runs, in the order of params.yaml (a listing of models/ would keep those taken out of it)."""
    recipe, cells = load_study(study, root), []
    for run in params.runs.values():
        if run.study == study:
            folder = root / "models" / study / run.model
            cells.append(Cell(run.model, recipe.models[run.model], read_json(folder / "training.json"),
                              read_json(folder / "evaluation" / "metrics.json"), folder))
    return cells


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise ThoraxError(f"{path}: no such file; run `dvc repro`, which makes it") from None


def best(cells: list[Cell]) -> Cell:
    """The cell with the best validation accuracy: the test part chooses nothing."""
    return max(cells, key=lambda cell: cell.training["val_accuracy"])


def study_block(study: str, params: Params, figures: str, root: Path = Path(".")) -> str:
    """The study's tables and figures; `figures` is the way from the page to the folder of the figures."""
    recipe, cells = load_study(study, root), cells_of(study, params, root)
    audit = read_json(root / "data" / "split" / study / "audit.json")
    lines = [f"**{recipe.title}** (study `{study}`). {provenance(study, recipe, params, audit)}", ""]
    for task in recipe.tasks:
        members = [cell for cell in cells if cell.recipe.task == task]
        if members:
            lines += [*task_lines(task, members, recipe, params.seed), *figure_lines(members, figures), ""]
    return "\n".join(lines).rstrip() + "\n"


def provenance(study: str, recipe: Study, params: Params, audit: dict) -> str:
    sources = ", ".join(f"`{name}`" + (" (simulated films)" if is_phantom(name, params) else " (real films)")
                        for name in recipe.download.datasets)
    quality = ", ".join(f"{count} by {name}" for name, count in audit["group_quality"].items())
    return (f"Data: {sources}, {audit['films']} films in {audit['groups']} groups ({quality}); no group lies in two "
            f"parts (found: {audit['groups_in_two_parts']}). Split {recipe.split.train:.0%} / "
            f"{recipe.split.validation:.0%} / {recipe.split.test:.0%} by group, seed {params.seed}.")


def is_phantom(dataset: str, params: Params) -> bool:
    return dataset == "phantom" or params.source_of(dataset) == "phantom"


def task_lines(task: str, cells: list[Cell], recipe: Study, seed: int) -> list[str]:
    classes = recipe.tasks[task]
    films = len(cells[0].predictions())
    lines = [f"Task `{task}` ({', '.join(classes)}), {films} test films; {recipe.evaluate.level:.0%} intervals from "
             f"{recipe.evaluate.resamples} resamples of whole groups.", "",
             f"| model | films | image | parameters | epochs | {' | '.join(COLUMNS.values())} |",
             "|---|---|---|---|---|" + "---|" * len(COLUMNS)]
    for cell in cells:
        facts = cell.training
        values = " | ".join(as_text(cell.metrics[name]) for name in COLUMNS)
        side = recipe.enhance.variants[cell.recipe.films].image_size
        lines.append(f"| {cell.name} | {cell.recipe.films} | {side} | {facts['parameters']:,} | "
                     f"{facts['kept_epoch']} of {facts['epochs']} | {values} |")
    lines += ["", *enhancement_lines(cells, recipe, seed)]
    chosen = best(cells)
    lines += [f"Per class, `{chosen.name}` (best validation accuracy):", "",
              "| class | test films | precision | recall | F1 | AUC | average precision |",
              "|---|---|---|---|---|---|---|"]
    for name in classes:
        of = {metric: as_text(chosen.metrics[f"{metric}_{name}"])
              for metric in ("precision", "recall", "f1", "roc_auc", "average_precision")}
        lines.append(f"| {name} | {chosen.metrics[f'support_{name}']['value']:.0f} | {' | '.join(of.values())} |")
    return [*lines, ""]


def enhancement_lines(cells: list[Cell], recipe: Study, seed: int) -> list[str]:
    """Pairs of models that differ in the films alone, and what the enhancement changed."""
    lines = []
    for plain in cells:
        for other in cells:
            alike = other.recipe.model_copy(update={"films": plain.recipe.films}) == plain.recipe
            if plain.recipe.films == "plain" and other is not plain and alike:
                change = difference(plain, other, recipe, seed)
                verdict = ("the interval contains zero" if change["low"] <= 0 <= change["high"] else
                           "the interval does not contain zero")
                lines += [f"Enhancement, `{other.name}` minus `{plain.name}` on the same films and split: balanced "
                          f"accuracy {change['value']:+.3f} ({change['low']:+.3f} to {change['high']:+.3f}, paired); "
                          f"{verdict}.", ""]
    return lines


def difference(baseline: Cell, candidate: Cell, recipe: Study, seed: int) -> dict:
    """The paired difference in balanced accuracy; both predicted the same test films."""
    first, second = baseline.predictions(), candidate.predictions()
    if list(first["id"]) != list(second["id"]):
        raise ThoraxError(f"{baseline.folder} and {candidate.folder} were evaluated on different films; run "
                          "`dvc repro`")
    labels, before, groups = predictions.to_arrays(first)
    _, after, _ = predictions.to_arrays(second)
    return paired_difference(labels, before, after, groups, "balanced_accuracy", recipe.evaluate.resamples,
                             recipe.evaluate.level, seed)


def figure_lines(cells: list[Cell], figures: str) -> list[str]:
    task, name = cells[0].recipe.task, best(cells).name
    shown = {f"{task}_comparison": "Models compared", f"{task}_{name}_confusion": f"Confusion matrix of {name}",
             f"{task}_{name}_learning_curves": f"Learning curves of {name}",
             f"{task}_{name}_gradcam": f"Grad-CAM of {name}"}
    return [f"![{title}]({figures}/{file}.png)" for file, title in shown.items()]


def fill(page: str, study: str, block: str) -> str:
    """`page` with the text between the study's markers replaced; a page without them comes back as it is."""
    start, end = f"<!-- results:{study} -->", f"<!-- /results:{study} -->"
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    return pattern.sub(lambda _: f"{start}\n{block}{end}", page)




def fill_page(path: Path, study: str, block: str) -> None:
    """Fill the study's block in a page, if the page is there and has the markers."""
    if path.exists():
        page = path.read_text(encoding="utf-8")
        filled = fill(page, study, block)
        if filled != page:
            with writing_into(path.parent, path.name) as out:
                (out / path.name).write_text(filled, encoding="utf-8")


def text_table(cells: list[Cell]) -> str:
    """The models of a study with their metrics, aligned for a terminal."""
    rows = [["model", "task", "films", *COLUMNS.values()]]
    rows += [[cell.name, cell.recipe.task, cell.recipe.films,
              *(as_text(cell.metrics[name]) for name in COLUMNS)] for cell in cells]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
                     for row in rows)

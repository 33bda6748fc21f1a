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
from thorax.reader import load_model, load_study
from thorax.recipe import Model, Params, Split, Study
from thorax.reporting.external_tables import external_lines
from thorax.reporting.published import protocol_lines, source_text
from thorax.reporting.tuning_tables import search_lines
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
            wanted = load_model(study, run.model, recipe, root)
            cells.append(Cell(run.model, wanted, read_json(folder / "training.json"),
                              read_json(folder / "evaluation" / "metrics.json"), folder))
    return cells


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise ThoraxError(f"{path}: no such file; run `dvc repro`, which makes it") from None


def best(cells: list[Cell], recipe: Study) -> Cell:
    """The cell with the best validation accuracy: the test part chooses nothing. Cells whose films were split by group
    come first, as a validation part that shares patients with the training part flatters."""
    return max(cells, key=lambda cell: (recipe.split[cell.recipe.split].unit == "group", cell.training["val_accuracy"]))


def study_block(study: str, params: Params, figures: str, root: Path = Path(".")) -> str:
    """The study's tables and figures; `figures` is the way from the page to the folder of the figures."""
    recipe, cells = load_study(study, root), cells_of(study, params, root)
    audits = read_json(root / "data" / "audit" / f"{study}.json")
    used = dict.fromkeys(cell.recipe.split for cell in cells)
    lines = [f"**{recipe.title}** (study `{study}`). {provenance(recipe, params)} "
             f"{' '.join(protocol(name, recipe.split[name], audits[name], params.seed) for name in used)} "
             f"{source_text(recipe)}".rstrip(), ""]
    for task in recipe.tasks:
        members = [cell for cell in cells if cell.recipe.task == task]
        if members:
            names = {cell.name for cell in members}
            external = [run for run in params.externals.values() if run.study == study and run.model in names]
            lines += [*task_lines(task, members, recipe, params.seed), *search_lines(members, recipe, params.seed),
                      *external_lines(recipe, external, params.seed, root),
                      *figure_lines(members, figures, recipe), ""]
    if not cells:
        lines += ["No models of its own: its films test those of other studies."]
    return "\n".join(lines).rstrip() + "\n"


def provenance(recipe: Study, params: Params) -> str:
    sources = ", ".join(f"`{name}`" + (" (simulated films)" if is_phantom(name, params) else " (real films)")
                        for name in recipe.download.datasets)
    return f"Data: {sources}."


def protocol(name: str, split: Split, audit: dict, seed: int) -> str:
    """How a split was made, of what, and what its audit found."""
    quality = ", ".join(f"{count} by {name}" for name, count in audit["group_quality"].items())
    films = f"{audit['films']} films in {audit['groups']} groups ({quality})"
    copies = f" and {audit['copies']} copies" if audit["copies"] else ""
    drawn = ", with the numbers of the recipe" if split.per_class or split.films else ""
    found = (f"{audit['groups_in_two_parts']} groups, {audit['exact_duplicates_in_two_parts']} exact duplicates, "
             f"{audit['near_duplicate_pairs_in_two_parts']} pairs of near-duplicates and "
             f"{audit['copied_films_in_two_parts']} copied films")
    how = "by group, with near-duplicates" if split.unit == "group" else "film by film, which leaks"
    share = audit["test_share_with_a_relative_in_train"]
    return (f"Split `{name}`: {films}{copies}, {split.train:.0%} / {split.validation:.0%} / {split.test:.0%}{drawn}, "
            f"{how}, seed {seed}; in two parts lie {found}; {share:.1%} of the test films have a relative among the "
            "training films.")


def is_phantom(dataset: str, params: Params) -> bool:
    return dataset == "phantom" or params.source_of(dataset) == "phantom"


def task_lines(task: str, cells: list[Cell], recipe: Study, seed: int) -> list[str]:
    classes = recipe.tasks[task]
    films = " and ".join(dict.fromkeys(f"{len(cell.predictions())} test films of split `{cell.recipe.split}`"
                                       for cell in cells))
    several = len({cell.recipe.split for cell in cells}) > 1
    columns = ["model", *(["split"] if several else []), "films", "image", "parameters", "epochs", *COLUMNS.values()]
    lines = [f"Task `{task}` ({', '.join(classes)}), {films}; {recipe.evaluate.level:.0%} intervals from "
             f"{recipe.evaluate.resamples} resamples of whole groups.", "",
             f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for cell in cells:
        facts = cell.training
        side = recipe.enhance.variants[cell.recipe.films].image_size
        row = [cell.name, *([cell.recipe.split] if several else []), cell.recipe.films, side,
               f"{facts['parameters']:,}", f"{facts['kept_epoch']} of {facts['epochs']}",
               *(as_text(cell.metrics[name]) for name in COLUMNS)]
        lines.append(f"| {' | '.join(map(str, row))} |")
    lines += ["", *enhancement_lines(cells, recipe, seed), *protocol_lines(cells, recipe, COLUMNS, seed)]
    chosen = best(cells, recipe)
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


def figure_lines(cells: list[Cell], figures: str, recipe: Study) -> list[str]:
    task, name = cells[0].recipe.task, best(cells, recipe).name
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
    rows = [["model", "task", "films", "split", *COLUMNS.values()]]
    rows += [[cell.name, cell.recipe.task, cell.recipe.films, cell.recipe.split,
              *(as_text(cell.metrics[name]) for name in COLUMNS)] for cell in cells]
    if len({cell.recipe.split for cell in cells}) < 2:
        rows = [[*row[:3], *row[4:]] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
                     for row in rows)

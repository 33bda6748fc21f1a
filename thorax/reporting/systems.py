"""One table over all studies: of every published system its figures, those measured here, the films and the command."""

import json
from pathlib import Path

from thorax import predictions
from thorax.intervals import as_text
from thorax.reader import load_study
from thorax.recipe import Params, Study
from thorax.reporting.costs import costs
from thorax.reporting.published import differs_in_unit_alone, rows_of
from thorax.reporting.results import Cell, cells_of, read_json

HEAD = ["published system", "command", "figure", "published", "split film by film", "split by group", "inflation",
        "test films", "with relatives", "training (s)"]


def system_lines(params: Params, root: Path = Path(".")) -> list[str]:
    """A row for every model that repeats a published one, with the first metric of each published figure, and one for
    every external set that it was tested on; empty without any. `with relatives` is the share of the test films, dealt
    film by film, that have a relative among the training films. Where test films or training times of the two splits
    differ, that film by film comes first."""
    rows, told = [], []
    for study in params.studies:
        recipe, cells = load_study(study, root), cells_of(study, params, root)
        spent, audits = costs(study, cells, root / "logs"), read_json(root / "data" / "audit" / f"{study}.json")
        for leaky in cells:
            figures = [figure.model_copy(update={"metrics": dict(list(figure.metrics.items())[:1])})
                       for figure in (recipe.published.figures if recipe.published else [])
                       if figure.model == leaky.name]
            if figures:
                honest = next((cell for cell in cells if differs_in_unit_alone(cell, leaky, recipe)), None)
                pair = [cell for cell in (leaky, honest) if cell]
                head = [recipe.published.source, f"`python -m stages.select {study}`, `dvc repro`"]
                tail = [joined(f"{len(cell.predictions()):,}" for cell in pair),
                        f"{audits[leaky.recipe.split]['test_share_with_a_relative_in_train']:.1%}",
                        joined(seconds(spent[cell.name]["training_s"]) for cell in pair)]
                measured = rows_of(leaky, honest, list(enumerate(figures, len(told) + 1)), recipe, {}, params.seed)
                rows += [[*head, f"`{leaky.name}`: {row[0]}", *row[1:], *tail] for row in measured]
                rows += [[*head, f"`{leaky.name}`: {row[0]}", *row[1:], "-", "-"] for row in outside_rows(pair, recipe)]
                told += [f"[{number}] {figure.films}" for number, figure in enumerate(figures, len(told) + 1)]
    table = [f"| {' | '.join(row)} |" for row in [HEAD, ["---"] * len(HEAD), *rows]]
    return [*table, "", f"Published on: {'; '.join(told)}.", ""] if rows else []


def outside_rows(pair: list[Cell], recipe: Study) -> list[list[str]]:
    """Figure, published, by film, by group, inflation and films, for every external set."""
    rows = []
    for name in recipe.external:
        folders = [cell.folder / "external" / name for cell in pair]
        if all(folder.exists() for folder in folders):
            texts = [as_text(json.loads((folder / "metrics.json").read_text())["balanced_accuracy"])
                     for folder in folders]
            films = joined(f"{len(predictions.read(folder / 'predictions.csv')):,}" for folder in folders)
            rows.append([f"balanced accuracy on `{name}`", "-", *texts, *["-"] * (3 - len(texts)), films])
    return rows


def seconds(spent: float | None) -> str:
    return "-" if spent is None else f"{spent:,.0f}"  # trained elsewhere, or logs/ is gone


def joined(texts) -> str:
    return " / ".join(dict.fromkeys(texts))

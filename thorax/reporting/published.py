"""Published figures beside measured ones: of a system split as it was published, and of the same split by group."""

import json

from thorax import predictions
from thorax.comparison import unpaired_differences
from thorax.intervals import as_text
from thorax.recipe import Study


def source_text(recipe: Study) -> str:
    """Where the published figures stand, and what of them cannot be reproduced; empty for a study of its own."""
    published = recipe.published
    return f"Published: {published.source}. {published.note}".strip() if published else ""


def protocol_lines(cells: list, recipe: Study, titles: dict[str, str], seed: int) -> list[str]:
    """A table with a row for every figure of every model that is split film by film: the published figure, what was
    measured with that split, with the split by group, and the difference, which is what the leakage adds.

    Args: cells, finished runs of one task as `results.cells_of` gives them; titles of the metrics always shown.
    """
    rows, sources = [], []
    for leaky in cells:
        figures = recipe.published.figures if recipe.published else []
        figures = list(enumerate((figure for figure in figures if figure.model == leaky.name), len(sources) + 1))
        honest = next((cell for cell in cells if differs_in_unit_alone(cell, leaky, recipe)), None)
        if figures or honest:
            sources += [f"[{number}] `{leaky.name}`, {figure.films}" for number, figure in figures]
            rows += [[f"`{leaky.name}`", *row] for row in rows_of(leaky, honest, figures, recipe, titles, seed)]
    if not rows:
        return []
    head = ["model", "figure", "published", "split film by film", "split by group", "inflation"]
    keep = [column for column in range(len(head)) if sources or head[column] != "published"]
    table = [f"| {' | '.join(row[column] for column in keep)} |" for row in [head, ["---"] * len(head), *rows]]
    return ["Split film by film against split by group. Inflation is the first figure minus the second: the leakage, "
            "and what else differs between the splits (unpaired, as the test films differ).", "", *table, "",
            *([f"Published on: {'; '.join(sources)}.", ""] if sources else [])]


def rows_of(leaky, honest, figures: list, recipe: Study, titles: dict[str, str], seed: int) -> list[list[str]]:
    """Figure, published, by film, by group (none where `honest` is), inflation. Figures of external films come last,
    beside what was measured on the external set of that name; of these the films may differ, so no inflation."""
    told: dict[str, list[str]] = {}
    outside = []
    for number, figure in figures:
        for metric, value in figure.metrics.items():
            if figure.external:
                title = f"{metric.replace('_', ' ')} on {figure.external}"
                outside.append([title, f"{value:.3f} [{number}]",
                                *(measured_outside(cell, figure.external, metric, recipe) for cell in (leaky, honest)),
                                "-"])
            else:
                told.setdefault(metric, []).append(f"{value:.3f} [{number}]")
    metrics = list(dict.fromkeys([*told, *titles]))
    added = inflation(honest, leaky, metrics, recipe, seed) if honest else dict.fromkeys(metrics, "-")
    return [[titles.get(metric, metric.replace("_", " ")), ", ".join(told.get(metric, "-")),
             as_text(leaky.metrics[metric]), as_text(honest.metrics[metric]) if honest else "-", added[metric]]
            for metric in metrics] + outside


def measured_outside(cell, name: str, metric: str, recipe: Study) -> str:
    """The metric of a run on the external set `name`; a dash where the run is not tested on it."""
    path = cell.folder / "external" / name / "metrics.json" if cell and name in recipe.external else None
    return as_text(json.loads(path.read_text())[metric]) if path and path.exists() else "-"


def differs_in_unit_alone(honest, leaky, recipe: Study) -> bool:
    """Whether two runs are the same but for their splits, one by group and one by film, of the same numbers of films
    where the recipe sets numbers: test parts of other class shares are not compared."""
    one, other = recipe.split[honest.recipe.split], recipe.split[leaky.recipe.split]
    return ((one.unit, other.unit) == ("group", "film") and one.films == other.films
            and leaky.recipe.model_copy(update={"split": honest.recipe.split}) == honest.recipe)


def inflation(honest, leaky, metrics: list[str], recipe: Study, seed: int) -> dict[str, str]:
    tables = [cell.predictions() for cell in (honest, leaky)]
    changes = unpaired_differences(*map(predictions.to_arrays, tables), metrics, recipe.evaluate.resamples,
                                   recipe.evaluate.level, seed, predictions.classes_of(tables[0]))
    # Where one of the two has no interval, the difference has none either: resamples that all agree prove nothing.
    known = {metric: all(cell.metrics[metric]["low"] is not None for cell in (honest, leaky)) for metric in metrics}
    return {metric: f"{change['value']:+.3f}" + known[metric] * f" ({change['low']:+.3f} to {change['high']:+.3f})"
            for metric, change in changes.items()}

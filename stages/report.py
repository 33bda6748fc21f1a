"""report: the tables and figures that people read, from models/, to reports/ and into the pages that show them."""

import shutil
from pathlib import Path

import numpy as np

from thorax import packed
from thorax.augment import augment
from thorax.reader import load_params, load_study
from thorax.recipe import Params, Study
from thorax.reporting import card, charts, external_tables, results, sheets, study_page
from thorax.reporting.costs import cost_chart, costs
from thorax.reporting.matrix_chart import matrix_chart
from thorax.reporting.page import html_page
from thorax.reporting.ranking_chart import ranking_chart
from thorax.running import run, writing

PAGE = Path("README.md")
EXAMPLES = 3  # films in the sheets of enhancement and augmentation
SAMPLES = 4  # films of every label in the sheet of them
DRAWN = 5  # changes of a film in the sheet of the augmentation


def main() -> None:
    """Write reports/results.md, the figures of every study, and the block of README.md between its markers."""
    params = load_params()
    with writing(Path("reports")) as out:
        blocks = {study: results.study_block(study, params, study) for study in params.studies}
        head = "# Results\n\nWritten by `dvc repro` (stage report) from the files under models/. Do not edit.\n"
        matrices = draw_matrices(params, out)
        (out / "results.md").write_text("\n".join([head, *blocks.values(), *matrices]))
        for study in params.studies:
            draw(study, params, out / study)
            if results.cells_of(study, params):  # else its films test the models of other studies
                write_pages(study, params, out / study)
                draw_costs(study, params)
    for study in params.studies:
        block = results.study_block(study, params, f"reports/{study}")
        results.fill_page(PAGE, study, block)
    print(f"report: reports/results.md with {len(params.runs)} runs of {', '.join(params.studies)}; {PAGE} filled in")


def draw(study: str, params: Params, out: Path) -> None:
    recipe, cells = load_study(study), results.cells_of(study, params)
    out.mkdir()
    for task in recipe.tasks:
        members = [cell for cell in cells if cell.recipe.task == task]
        if not members:
            continue
        protocols = ", ".join(dict.fromkeys(f"{cell.recipe.split} split, {len(cell.predictions())} test films"
                                            for cell in members))
        rows = [{"model": cell.name, **{name: cell.metrics[name] for name in ("balanced_accuracy", "macro_auc")}}
                for cell in members]
        charts.comparison(rows, out / f"{task}_comparison.png",
                           f"study {study}, task {task}, {protocols}, "
                           f"{recipe.evaluate.level:.0%} group bootstrap")
        chosen = results.best(members, recipe)
        for path in sorted(chosen.folder.glob("*/*.png")):
            shutil.copy(path, out / f"{task}_{chosen.name}_{path.name}")
        for split, ranking in study_page.rankings(members, recipe, params).items():
            ranking_chart(ranking, out / f"{task}_{split}_ranking.png", f"study {study}, task {task}, {split} split")
        draw_augmentation(chosen, recipe, study, params.seed, out / f"{task}_{chosen.name}_augmentation.png")
    draw_samples(study, next(iter(recipe.enhance.variants)), out / "samples.png")
    if {"plain", "enhanced"} <= set(recipe.enhance.variants):
        draw_enhancement(study, out / "enhancement.png")


def write_pages(study: str, params: Params, out: Path) -> None:
    """index.html, which holds all of the study, and a model card per run."""
    recipe = load_study(study)
    cards = {cell.name: card.model_card(card.facts_of(study, params, recipe, cell))
             for cell in results.cells_of(study, params)}
    for name, text in cards.items():
        (out / f"card_{name}.md").write_text(text, encoding="utf-8")
    page = html_page(recipe.title, study_page.study_page(study, params, out), out, "Model cards", cards)
    (out / "index.html").write_text(page, encoding="utf-8")


def draw_costs(study: str, params: Params) -> None:
    """logs/<study>-costs.png: outside the outputs, because times are never the same."""
    found = costs(study, results.cells_of(study, params))
    cost_chart(found, Path("logs") / f"{study}-costs.png", f"study {study}; times of the runs on this machine")


def draw_matrices(params: Params, out: Path) -> list[str]:
    """The lines of the results page on what is trained on one set and tested on another, and their figures."""
    recipes, lines = {study: load_study(study) for study in params.studies}, []
    for number, matrix in enumerate(external_tables.matrices(params, recipes), 1):
        name = f"trained_tested_{number}.png"
        matrix_chart(matrix.cells, matrix.own, matrix.columns, out / name,
                     f"classes {matrix.classes}; intervals by group bootstrap; bold: own test part")
        lines += external_tables.matrix_lines(matrix, name)
    return lines


def draw_samples(study: str, variant: str, path: Path) -> None:
    """The first films of every label of every data set."""
    arrays, films = packed.read(Path("data/enhanced") / study, variant)
    shown = films.groupby(["dataset", "label"]).head(SAMPLES).sort_values(["label", "dataset"], kind="stable")
    sheets.contact_sheet([np.asarray(arrays[row]) for row in shown.index],
                         [f"{row.label} ({row.dataset})" for row in shown.itertuples()], SAMPLES, path,
                         f"study {study}: the first films of every label, {variant}", title="Films")


def draw_augmentation(cell: results.Cell, recipe: Study, study: str, seed: int, path: Path) -> None:
    """The first film of some labels, and what the first epochs make of it; nothing where films are not changed."""
    if cell.recipe.train.augment.is_off():
        return
    arrays, films = packed.read(Path("data/enhanced") / study, cell.recipe.films)
    labels = [label for members in recipe.tasks[cell.recipe.task].values() for label in members]
    shown, captions = [], []
    for row, label in films["label"][films["label"].isin(labels)].drop_duplicates().head(EXAMPLES).items():
        film = np.asarray(arrays[row])
        shown += [film, *(augment(film, cell.recipe.train.augment, seed, epoch, row) for epoch in range(DRAWN))]
        captions += [label, *(f"epoch {epoch}" for epoch in range(1, DRAWN + 1))]
    sheets.contact_sheet(shown, captions, DRAWN + 1, path,
                         f"study {study}, {cell.name}: films as they are, and as epochs of a training change them",
                         title="Augmentation")


def draw_enhancement(study: str, path: Path) -> None:
    """One film of each of the first labels, before and after."""
    folder = Path("data/enhanced") / study
    plain, films = packed.read(folder, "plain")
    enhanced, _ = packed.read(folder, "enhanced")
    first = films["label"].drop_duplicates().head(EXAMPLES)
    pairs = [(label, np.asarray(plain[row]), np.asarray(enhanced[row])) for row, label in first.items()]
    sheets.enhancement(pairs, path, f"study {study}: the first film of some labels")


if __name__ == "__main__":
    run(main)

"""The page of a study, as Markdown: for a reader who wants to know what was asked, found and to be doubted, before how.

Its tables are those of the other modules of this package; its figures lie in the folder of the page.
"""

from pathlib import Path

import numpy as np

from thorax import predictions
from thorax.intervals import as_text
from thorax.ranking import Ranking, rank, table
from thorax.reader import load_study
from thorax.recipe import Params, Study
from thorax.reporting.evaluation_tables import calibration_lines, gate_lines, operating_lines, subgroup_lines
from thorax.reporting.explanation_tables import explanation_lines
from thorax.reporting.probe_tables import floor_lines, probe_lines
from thorax.reporting.results import Cell, best, cells_of, is_phantom, read_json, study_block

# Figures of the shown model, by the heading they stand under.
CALIBRATION = {"reliability": "Reliability before and after the temperature", "risk_coverage": "Risk against coverage"}
CURVES = {"roc": "ROC curves", "precision_recall": "Precision-recall curves", "class_bars": "Films per class and part",
          "class_pie": "Shares of the classes", "augmentation": "Films as epochs of its training change them"}
EXPLANATION = {"gradcam": "Grad-CAM", "sanity": "The same maps with shuffled weights"}


def study_page(study: str, params: Params, shown: Path, root: Path = Path(".")) -> str:
    """The page, with those figures that the folder `shown` holds. ThoraxError if a file it is made of is missing."""
    recipe, cells = load_study(study, root), cells_of(study, params, root)
    lines = [f"# {recipe.title}", "", *warning(recipe, params), "## In short", ""]
    tasks = {task: [cell for cell in cells if cell.recipe.task == task] for task in recipe.tasks}
    tasks = {task: members for task, members in tasks.items() if members}
    lines += [in_short(task, members, recipe) for task, members in tasks.items()]
    lines += ["", "Figures in brackets are an interval: another set of films of the same kind would give a value in "
              "it. A difference smaller than the interval is no difference.", "", "## Results", "",
              study_block(study, params, ".", root),
              *figures(shown, {"samples": "Films of every label", "enhancement": "Before and after the enhancement"})]
    for task, members in tasks.items():
        lines += task_lines(study, task, members, recipe, params, shown, root)
    return "\n".join(lines).rstrip() + "\n"


def warning(recipe: Study, params: Params) -> list[str]:
    simulated = [name for name in recipe.download.datasets if is_phantom(name, params)]
    text = "**Not for diagnosis.** Nothing here is a medical device."
    if simulated:
        text += (f" **The films of {', '.join(simulated)} are simulated**: these figures show that the software works "
                 "and say nothing about patients.")
    return [f"> {text}", ""]


def in_short(task: str, cells: list[Cell], recipe: Study) -> str:
    chosen = best(cells, recipe)
    accuracy, balanced = (chosen.metrics[name] for name in ("accuracy", "balanced_accuracy"))
    classes = ", ".join(recipe.tasks[task])
    chance = 1 / len(recipe.tasks[task])
    return (f"- **{task}**: told {classes} apart. Of the models that were compared, `{chosen.name}` was chosen on the "
            f"validation films. On {len(chosen.predictions())} films that it had never seen it was right in "
            f"{as_text(accuracy)} of the cases; the mean over the classes is {as_text(balanced)}, where guessing gives "
            f"{chance:.3f}.")


def task_lines(study: str, task: str, cells: list[Cell], recipe: Study, params: Params, shown: Path,
               root: Path) -> list[str]:
    chosen, classes = best(cells, recipe), list(recipe.tasks[task])
    found = {name: read_json(chosen.folder / "evaluation" / f"{name}.json")
             for name in ("calibration", "odd_inputs", "subgroups")}
    explanations = {cell.name: read_json(cell.folder / "explanation" / "explanation.json") for cell in cells}
    lines = [f"## Task {task}: which differences are real", ""]
    for split, ranking in rankings(cells, recipe, params).items():
        lines += [f"Split `{split}`:", "", table(ranking), "",
                  *figures(shown, {"ranking": "Models that cannot be told apart are joined"}, f"{task}_{split}_")]
    prefix = f"{task}_{chosen.name}_"
    lines += [f"## Task {task}: where `{chosen.name}` errs", "", *figures(shown, CURVES, prefix),
              f"## Task {task}: can its probabilities be believed?", "",
              *calibration_lines(chosen.metrics, found["calibration"]),
              *operating_lines(chosen.metrics, found["calibration"]), *figures(shown, CALIBRATION, prefix),
              f"## Task {task}: what is no film of the chest?", "", *gate_lines(chosen.metrics, found["odd_inputs"])]
    if subgroups := subgroup_lines(found["subgroups"]):
        lines += [f"## Task {task}: subgroups", "", *subgroups, ""]
    lines += [f"## Task {task}: does it look at the finding?", "",
              *explanation_lines(explanations, chosen.name, classes), *figures(shown, EXPLANATION, prefix)]
    answers = read_json(root / "data" / "probes" / study / "probes.json")["tasks"].get(task)
    if answers:
        balanced = {cell.name: cell.metrics["balanced_accuracy"] for cell in cells}
        lines += [f"## Task {task}: could it be solved without a finding?", "", *probe_lines(task, answers),
                  *floor_lines(balanced, answers, recipe.probes.margin), ""]
    return lines


def rankings(cells: list[Cell], recipe: Study, params: Params) -> dict[str, Ranking]:
    """The models of a task compared by pairs, for every split of which there are two: they share their test films."""
    found = {}
    for split in dict.fromkeys(cell.recipe.split for cell in cells):
        members = {cell.name: cell.predictions() for cell in cells if cell.recipe.split == split}
        if len(members) > 1:
            labels, _, groups = predictions.to_arrays(next(iter(members.values())))
            probabilities = {name: np.asarray(predictions.to_arrays(each)[1]) for name, each in members.items()}
            found[split] = rank(labels, probabilities, groups, recipe.evaluate.resamples, recipe.evaluate.level,
                                params.seed)
    return found


def figures(shown: Path, names: dict[str, str], prefix: str = "") -> list[str]:
    """Markdown of those figures that there are, by their names and titles."""
    return [line for name, title in names.items() if (shown / f"{prefix}{name}.png").exists()
            for line in (f"![{title}]({prefix}{name}.png)", "")]

"""What the searches of a study found, beside the configuration set by hand that they started from."""

from pathlib import Path

import pandas as pd

from thorax import predictions
from thorax.comparison import paired_difference
from thorax.errors import ThoraxError
from thorax.intervals import as_text
from thorax.recipe import Study

TESTED = {"accuracy": "test accuracy", "macro_f1": "test macro F1", "macro_auc": "test macro AUC"}
STATES = ("finished", "pruned", "failed")


def search_lines(cells: list, recipe: Study, seed: int) -> list[str]:
    """A table for every configuration that searches started from; `cells` are the runs of one task (results.Cell)."""
    searched = [cell for cell in cells if cell.name in recipe.tune]
    lines = []
    for base in dict.fromkeys(recipe.tune[cell.name].base for cell in searched):
        ours = [cell for cell in searched if recipe.tune[cell.name].base == base]
        hand = next((cell for cell in cells if cell.name == base), None)
        lines += [*table_lines(base, hand, ours, recipe), *difference_lines(hand, ours, recipe, seed)]
    return lines


def table_lines(base: str, hand, searched: list, recipe: Study) -> list[str]:
    columns = ["configuration", "trials", *STATES, "validation macro F1, best trial", "validation macro F1, trained",
               *TESTED.values()]
    budget = " and ".join(dict.fromkeys(str(recipe.tune[cell.name].trials) for cell in searched))
    split = searched[0].recipe.split
    lines = [f"Search of hyper-parameters from `{base}`, selected on validation (macro F1, split `{split}`, one seed; "
             f"{budget} trials); the test films chose nothing. The value of a best trial is the largest of many, and "
             "flatters; the winner is trained anew, at the length of the base.", "",
             f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for cell in ([hand] if hand else []) + searched:
        if cell is hand:
            row = [f"{cell.name}, set by hand", *["-"] * (2 + len(STATES))]
        else:
            wanted, trials = recipe.tune[cell.name], trials_of(cell.folder)
            counts = [(trials["state"] == state).sum() for state in STATES]
            how = f"{cell.name}: {wanted.sampler}, pruner {wanted.pruner}, up to {wanted.epochs} epochs a trial"
            row = [how, len(trials), *counts, f"{trials.loc[trials['best'] == 1, 'macro_f1'].iloc[0]:.3f}"]
        row += [f"{cell.training['val_macro_f1']:.3f}", *(as_text(cell.metrics[name]) for name in TESTED)]
        lines.append(f"| {' | '.join(map(str, row))} |")
    return [*lines, ""]


def trials_of(folder: Path) -> pd.DataFrame:
    path = folder / "tuning" / "trials.csv"
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise ThoraxError(f"{path}: no such file; run `dvc repro`, which searches") from None


def difference_lines(hand, searched: list, recipe: Study, seed: int) -> list[str]:
    """What each search changed on the test films, paired with the configuration set by hand."""
    lines = []
    for cell in searched if hand else []:
        labels, before, groups = predictions.to_arrays(hand.predictions())
        _, after, _ = predictions.to_arrays(cell.predictions())
        change = paired_difference(labels, before, after, groups, "macro_f1", recipe.evaluate.resamples,
                                   recipe.evaluate.level, seed)
        verdict = "contains zero" if change["low"] <= 0 <= change["high"] else "does not contain zero"
        lines += [f"Search, `{cell.name}` minus `{hand.name}` on the same test films: macro F1 {change['value']:+.3f} "
                  f"({change['low']:+.3f} to {change['high']:+.3f}, paired); the interval {verdict}.", ""]
    return lines

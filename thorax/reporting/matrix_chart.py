"""What models trained on one set of films do on another, as a table of colours."""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from thorax.reporting.look import GREY, drawn, new_figure, save


@drawn
def matrix_chart(cells: dict[str, dict[str, dict]], own: dict[str, str], columns: list[str], path,
                 label: str) -> Figure:
    """Balanced accuracy with its interval, a row for each model and a column for each set of films.

    Args:
        cells: model -> films -> entry, as `thorax.intervals.metrics_with_intervals` gives it; where a model was not
            tested stands a dash.
        own: model -> the films of its own test part, whose figures are bold.
        columns: all films, in their order.
    """
    values = np.array([[each.get(films, {}).get("value") for films in columns] for each in cells.values()], float)
    figure = new_figure("Trained on, tested on: balanced accuracy", label, 1.2 + 0.75 * len(cells))
    axes = figure.add_subplot()
    axes.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        model, films = list(cells)[row], columns[column]
        entry = cells[model].get(films)
        text = "–" if np.isnan(value) else f"{value:.3f}"
        if entry and entry["low"] is not None:
            text += f"\n{entry['low']:.3f} to {entry['high']:.3f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=11 if len(columns) < 5 else 9,
                  fontweight="bold" if films == own[model] else "normal",
                  color=GREY if np.isnan(value) else "white" if value > 0.7 else "black")
    axes.set_xticks(range(len(columns)), [broken(films, 60 // len(columns)) for films in columns])
    axes.set_yticks(range(len(cells)), [model.replace("/", "/\n") for model in cells])
    axes.set(xlabel="tested on", ylabel="trained")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return save(figure, path)


def broken(name: str, width: int) -> str:
    """The name in lines of at most `width` characters, broken at spaces and after underscores."""
    return "\n".join(textwrap.wrap(name.replace("_", "_ "), width, break_long_words=False)).replace("_ ", "_")

"""The charts of a search: how it went, which keys mattered, and what each of their values gave.

`trials` is the table of thorax/tuning.py; every function ends with `path` and `label` as those of charts.py do.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from thorax.recipe import Dimension
from thorax.reporting.look import GREY, PALETTE, drawn, new_figure, save, say_empty
from thorax.space import text

MARKS = {"finished": ("o", PALETTE[0]), "pruned": ("x", GREY), "failed": ("v", PALETTE[1])}
COLUMNS = 3  # panels of the slices beside each other


@drawn
def history(trials: pd.DataFrame, path, label: str) -> Figure:
    """Macro F1 of every trial in its order, and the best so far; failed trials and those that did not fit have none
    and stand on the axis."""
    figure = new_figure("Search: macro F1 on the validation part, trial by trial", label, 3.6)
    axes = figure.add_subplot()
    finished = trials["macro_f1"].where(trials["state"] == "finished")
    axes.step(trials["trial"], finished.cummax().ffill(), where="post", color=PALETTE[2], label="best so far")
    floor = axes.get_xaxis_transform()
    for state, (mark, colour) in MARKS.items():
        chosen = trials[trials["state"] == state]
        known = chosen[chosen["macro_f1"].notna()]
        axes.plot(known["trial"], known["macro_f1"], mark, color=colour, label=f"{state} ({len(chosen)})")
        none = chosen[chosen["macro_f1"].isna()]
        if len(none):
            axes.plot(none["trial"], np.full(len(none), 0.02), mark, color=colour, transform=floor)
    axes.set(xlabel="trial", ylabel="macro F1")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return save(figure, path)


@drawn
def importance(shares: dict[str, float], path, label: str) -> Figure:
    """Shares of the variance of macro F1 as bars, the largest on top; empty where they cannot be told."""
    figure = new_figure("Search: which keys decide on macro F1 (fANOVA)", label, 0.8 + 0.32 * max(2, len(shares)))
    axes = figure.add_subplot()
    if not shares:
        axes.set_axis_off()
        say_empty(axes, "too few finished trials, or all alike: nothing to explain")
        return save(figure, path)
    bars = axes.barh(list(shares), list(shares.values()), height=0.7, color=PALETTE[0])
    axes.bar_label(bars, labels=[f"{share:.0%}" for share in shares.values()], padding=3, fontsize=10)
    axes.invert_yaxis()
    axes.set_xlabel("share of the variance between trials")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.margins(x=0.12)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return save(figure, path)


@drawn
def slices(trials: pd.DataFrame, space: dict[str, Dimension], path, label: str) -> Figure:
    """A panel for every key: its value against macro F1; the ring marks the winner."""
    rows = -(-len(space) // COLUMNS)
    figure = new_figure("Search: macro F1 by the value of each key", label, 0.5 + 2.4 * rows)
    panels = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False).ravel()
    for axes, (key, dimension) in zip(panels, space.items(), strict=False):
        places = trials[key]
        if dimension.choices is not None:
            names = [text(choice) for choice in dimension.choices]
            places = trials[key].astype(str).map(names.index)
            lines = [name.replace(", ", "\n") for name in names]
            axes.set_xticks(range(len(names)), lines, fontsize=9, rotation=90 if max(map(len, names)) > 9 else 0)
            axes.set_xlim(-0.5, len(names) - 0.5)
        elif dimension.is_whole() and not dimension.log:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        if dimension.log:
            axes.set_xscale("log")
            if dimension.high < 100 * dimension.low:  # too short for powers of ten alone
                ticks = np.geomspace(dimension.low, dimension.high, 4)
                axes.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
                axes.minorticks_off()
        for state, (mark, colour) in MARKS.items():
            chosen = trials["state"] == state
            axes.plot(places[chosen], trials["macro_f1"][chosen], mark, color=colour, label=state)
        best = trials["best"] == 1
        axes.plot(places[best], trials["macro_f1"][best], "o", markersize=13, markerfacecolor="none",
                  color=PALETTE[2], label="winner", clip_on=False)
        axes.set_title(key, fontsize=10, loc="left")
        axes.grid(axis="y")
    for axes in panels[len(space):]:
        axes.set_axis_off()
    for axes in panels[::COLUMNS]:
        axes.set_ylabel("macro F1")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return save(figure, path)

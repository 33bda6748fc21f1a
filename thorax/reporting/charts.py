"""The charts of the reports: one function each, which writes one PNG and returns the matplotlib figure.

Every function ends with `path` (the PNG to write) and `label`, the line under the title that says what was measured:
data set, protocol, n.
"""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from thorax import scoring
from thorax.reporting.look import DASHES, GREY, PALETTE, WIDTH, drawn, new_figure, save, say_empty


@drawn
def class_bars(counts: dict[str, dict[str, int]], path, label: str) -> Figure:
    """Films per class and split as bars; `counts` maps class -> split -> n, a split that is not named counts 0."""
    splits = list(dict.fromkeys(split for each in counts.values() for split in each))
    thick = 0.8 / max(1, len(splits))
    figure = new_figure("Films per class and split", label, 0.75 + len(counts) * (0.2 + 0.24 * max(1, len(splits))))
    axes = figure.add_subplot()
    for position, split in enumerate(splits):
        values = [each.get(split, 0) for each in counts.values()]
        where = np.arange(len(counts)) + (position - (len(splits) - 1) / 2) * thick
        bars = axes.barh(where, values, height=0.92 * thick, color=PALETTE[position % len(PALETTE)], label=split)
        axes.bar_label(bars, labels=[f"{value:,}" for value in values], padding=3, fontsize=10)
    axes.set_yticks(range(len(counts)), list(counts))
    axes.invert_yaxis()
    axes.margins(x=0.1, y=0.02)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("films")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="x")
    if splits:
        figure.legend(*axes.get_legend_handles_labels(), loc="upper right", ncols=len(splits))
    return save(figure, path)


@drawn
def class_pie(counts: dict[str, dict[str, int]], path, label: str) -> Figure:
    """Shares of the classes over all splits; classes without films have no wedge but stay in the legend."""
    totals = {name: sum(each.values()) for name, each in counts.items()}
    figure = new_figure("Shares of the classes", label, max(3.6, 0.6 + 0.3 * len(counts)))
    axes = figure.add_subplot()
    everything = sum(totals.values())
    if not everything:
        axes.set_axis_off()
        say_empty(axes, "no films")
        return save(figure, path)
    shown = {name: n for name, n in totals.items() if n}
    colours = {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(totals)}
    edge = {"width": 0.45, "edgecolor": "white", "linewidth": 2}
    axes.pie(
        shown.values(), colors=[colours[name] for name in shown], startangle=90, counterclock=False, wedgeprops=edge
    )
    axes.text(0, 0, f"{everything:,}\nfilms", ha="center", va="center", fontsize=14)
    patches = [Patch(color=colours[name]) for name in totals]
    names = [f"{name}   {n:,}  ({n / everything:.1%})" for name, n in totals.items()]
    figure.legend(patches, names, loc="outside right center", fontsize=11, labelspacing=0.8)
    return save(figure, path)


@drawn
def learning_curves(history: pd.DataFrame, path, label: str, kept: int | None = None) -> Figure:
    """Loss, accuracy (and precision and recall, where recorded) of training and validation, and the learning rate.

    Args:
        history: one row per epoch, columns epoch, phase, learning_rate, loss, accuracy, val_loss, val_accuracy; also
            precision, recall and auc with their val_ columns. NaN leaves a gap. Epochs that start again in a later
            phase are numbered through.
        kept: the epoch, as numbered on the axis, whose weights were kept; none marks none.
    """
    epochs = history["epoch"].to_numpy(dtype=float)
    if (np.diff(epochs) <= 0).any():
        epochs = np.arange(1.0, len(epochs) + 1)
    measured = [name for name in ("loss", "accuracy", "precision", "recall", "auc") if name in history]
    rows = [measured[start : start + 2] for start in range(0, len(measured), 2)]
    mosaic = [row * (2 // len(row)) for row in rows] + [["learning_rate"] * 2]
    figure = new_figure("Learning curves", label, 2.5 * len(rows) + 1.6)
    panels = figure.subplot_mosaic(mosaic, height_ratios=[2.5] * len(rows) + [1.6])
    phase = history["phase"].astype(str).to_numpy()
    starts = np.flatnonzero(np.r_[True, phase[1:] != phase[:-1]]) if len(phase) else []
    marker = "o" if len(epochs) < 25 else None  # a single epoch has no line
    for name, axes in panels.items():
        lines = [(name, "training", PALETTE[0], DASHES[0]), (f"val_{name}", "validation", PALETTE[1], DASHES[1])]
        for column, whose, colour, dash in lines:
            if column in history:
                values = history[column].to_numpy(dtype=float)
                kind = {"color": GREY, "drawstyle": "steps-mid"} if name == "learning_rate" else {"color": colour}
                axes.plot(epochs, values, linestyle=dash, label=whose, marker=marker, markersize=3.5, **kind)
        for start in starts[1:]:
            between = (epochs[start - 1] + epochs[start]) / 2
            axes.axvline(
                between, color="black", linewidth=1, linestyle=":", label="next phase" if start == starts[1] else None
            )
        if kept is not None:
            axes.axvline(kept, color=PALETTE[2], linewidth=5, alpha=0.4, label=f"kept: epoch {kept}")
        axes.set_title(name.replace("_", " "), loc="left")
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    rate = panels["learning_rate"]
    if (history["learning_rate"] > 0).any():
        rate.set_yscale("log")
        rate.margins(y=0.35)
    told = [f"phase {phase[start]} from epoch {epochs[start]:.0f}" for start in starts]
    rate.set_xlabel("   |   ".join(["epoch", *(told if len(told) > 1 else [])]))
    handles, names = panels[measured[0]].get_legend_handles_labels()
    figure.legend(handles, names, loc="upper right", ncols=4)
    return save(figure, path)


@drawn
def confusion(matrix, classes: list[str], path, label: str) -> Figure:
    """Confusion matrix (k, k) of counts, rows the true class; colour and percentage of a cell are shares of its row."""
    matrix = np.asarray(matrix)
    k, sums = len(classes), matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, sums, out=np.zeros(matrix.shape), where=sums > 0)
    room = WIDTH - 0.8 - 0.085 * max(10, *(len(name) for name in classes))  # inches left of the row names at 11 points
    side, names_below = min(room, 0.9 + 0.9 * k), 0.75 if k < 5 else 0.5 + 0.06 * max(len(name) for name in classes)
    figure = new_figure("Confusion matrix", label, side + names_below)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    size = 12 if k < 5 else 10 if k < 7 else 9
    for (row, column), n in np.ndenumerate(matrix):
        text = f"{n:,.0f}\n{share[row, column]:.1%}" if n else "0" if sums[row, 0] else "–"
        colour = GREY if not n else "white" if share[row, column] > 0.6 else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    names = classes if k > 4 else [textwrap.fill(name, 12, break_long_words=False) for name in classes]
    tilt = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if k > 4 else {}
    axes.set_xticks(range(k), names, **tilt)
    axes.set_yticks(range(k), [f"{name}\nn = {n:,.0f}" for name, n in zip(classes, sums[:, 0], strict=True)])
    axes.set_xlabel("predicted  (colour and %: share of the true class)")
    axes.set_ylabel("true")
    axes.tick_params(length=0)
    axes.spines[:].set_color("#D0D0D0")
    axes.spines[:].set_visible(True)
    return save(figure, path)


@drawn
def roc_curves(labels, probabilities, classes: list[str], path, label: str) -> Figure:
    """ROC curve of each class against the rest, with its area; arrays as `thorax.scoring.scores` takes them."""
    figure, axes = _curves("ROC curves, each class against the rest", label, "1 − specificity", "sensitivity")
    areas, drawn = scoring.scores(labels, probabilities)["roc_auc"], []
    for c, (line, positive) in enumerate(_each_class(labels, classes)):
        if np.isnan(areas[c]):
            axes.plot([], [], **line, label=_named(classes[c], f"{'only' if positive.any() else 'no'} films of it"))
            continue
        true, false = scoring.threshold_counts(positive, np.asarray(probabilities)[:, c])
        points = np.r_[0, false / false[-1]], np.r_[0, true / true[-1]]
        drawn.append((points, line))
        axes.plot(*points, **line, label=_named(classes[c], f"AUC {_short(areas[c])}"))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="chance   AUC .500")
    if drawn and np.nanmin(areas) > 0.9:  # else the curves of good models are one line in the corner
        corner = axes.inset_axes((0.4, 0.1, 0.56, 0.56), xlim=(-0.004, 0.2), ylim=(0.8, 1.004))
        for points, line in drawn:
            corner.plot(*points, **line)
        corner.set_title("upper left corner, enlarged", fontsize=9)
        corner.set(xticks=[0, 0.1, 0.2], yticks=[0.8, 0.9, 1.0])
        corner.tick_params(labelsize=9)
        corner.grid()
    axes.legend(loc="center left", bbox_to_anchor=(1.03, 0.5), labelspacing=0.8)
    return save(figure, path)


@drawn
def precision_recall_curves(labels, probabilities, classes: list[str], path, label: str) -> Figure:
    """Precision against recall of each class, with average precision (AP); dotted, its share of films (chance)."""
    figure, axes = _curves("Precision and recall, each class against the rest", label, "recall", "precision")
    averages = scoring.scores(labels, probabilities)["average_precision"]
    for c, (line, positive) in enumerate(_each_class(labels, classes)):
        if np.isnan(averages[c]):
            axes.plot([], [], **line, label=_named(classes[c], "no films of it"))
            continue
        true, false = scoring.threshold_counts(positive, np.asarray(probabilities)[:, c])
        # Steps, not slopes: AP is the area under the steps, and between thresholds precision is not linear. Thresholds
        # lower than the one that finds every film of the class are left out: precision only falls there.
        seen = slice(0, np.flatnonzero(true == true[-1])[0] + 1)
        precision, recall = (true / (true + false))[seen], (true / true[-1])[seen]
        name = _named(classes[c], f"AP {_short(averages[c])}")
        axes.plot(np.r_[0, recall], np.r_[precision[0], precision], **line, drawstyle="steps-pre", label=name)
        axes.axhline(positive.mean(), color=line["color"], linewidth=1, linestyle=":")
    axes.plot([], [], color=GREY, linewidth=1, linestyle=":", label="chance: share of films")
    axes.legend(loc="center left", bbox_to_anchor=(1.03, 0.5), labelspacing=0.8)
    return save(figure, path)


def _curves(title: str, label: str, x: str, y: str):
    """A figure with one square of 4.1 inches, placed by hand so that it is the same whatever stands in the legend."""
    figure = new_figure(title, label, 4.8)
    figure.set_layout_engine("none")
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0.75 / width, 0.55 / height, 4.1 / width, 4.1 / height))
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y)
    axes.grid()
    return figure, axes


def _named(name: str, what: str) -> str:
    return f"{textwrap.fill(name, 24)}   {what}"


def _each_class(labels, classes):
    for c in range(len(classes)):
        yield {"color": PALETTE[c % len(PALETTE)], "linestyle": DASHES[c % len(DASHES)]}, np.asarray(labels) == c


def _short(value: float) -> str:
    """Three digits without the leading zero: .912, 1.000."""
    return f"{value:.3f}".removeprefix("0")


@drawn
def comparison(rows: list[dict], path, label: str) -> Figure:
    """Balanced accuracy and macro AUC of the models of a study with their intervals, best balanced accuracy first.

    Args:
        rows: each {"model": name, "balanced_accuracy": entry, "macro_auc": entry}, entries as
            `thorax.intervals.metrics_with_intervals` gives them; without an interval the point is hollow.
    """
    rows = sorted(
        rows, key=lambda row: -1 if row["balanced_accuracy"]["value"] is None else row["balanced_accuracy"]["value"]
    )
    figure = new_figure("Models compared", label, 1.0 + 0.45 * max(2, len(rows)))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, name, title in zip(
        panels, ("balanced_accuracy", "macro_auc"), ("balanced accuracy", "macro AUC"), strict=True
    ):
        for y, row in enumerate(rows):
            entry = row[name]
            if entry["value"] is None:
                axes.text(
                    0.5, y, "not defined", transform=axes.get_yaxis_transform(), va="center", ha="center", color=GREY
                )
                continue
            known = entry["low"] is not None
            if known:
                axes.plot([entry["low"], entry["high"]], [y, y], color=PALETTE[0], linewidth=2.5, solid_capstyle="butt")
            axes.plot(
                entry["value"], y, "o", color=PALETTE[0], markerfacecolor=PALETTE[0] if known else "white", markersize=8
            )
            span = f"[{_short(entry['low'])}, {_short(entry['high'])}]" if known else "no interval"
            text = f"{_short(entry['value'])}  {span}"
            axes.annotate(text, (entry["value"], y), (0, 7), textcoords="offset points", ha="center", fontsize=9)
        axes.set(ylim=(-0.6, len(rows) - 0.2), xlabel=title, yticks=range(len(rows)))
        axes.set_yticklabels([str(row["model"]) for row in rows])
        axes.margins(x=0.3)
        axes.set_xlim(axes.get_xlim() if axes.lines else (0, 1))
        axes.locator_params(axis="x", nbins=5)  # numbers of three digits side by side
        axes.set_xticks([tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= 1])
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
    return save(figure, path)

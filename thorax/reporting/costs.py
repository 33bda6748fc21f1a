"""What the runs cost: parameters, training time, latency, memory, beside what they reach.

Times differ from run to run and machine to machine, so they are read from logs/, and what is made of them goes there
too: no output of the pipeline depends on it.
"""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from thorax.intervals import as_text
from thorax.reporting.look import GREY, PALETTE, drawn, new_figure, save, say_empty
from thorax.reporting.results import Cell

LETTERS = 100  # of a legend in one row across the figure
MEASURES = {"parameters": "parameters", "training_s": "training (s)", "latency_ms": "latency (ms, single film)"}


def costs(study: str, cells: list[Cell], logs: Path = Path("logs")) -> dict[str, dict]:
    """By model: balanced accuracy (value, low, high), parameters, and training_s, latency_ms and memory_mb where the
    stages ran on this machine, else None. latency_ms is the median of single films."""
    found = {}
    for cell in cells:
        train, evaluate = (read(logs / stage / f"{study}-{cell.name}.json") for stage in ("train", "evaluate"))
        memory = [each["peak_memory_mb"] for each in (train, evaluate) if each]
        found[cell.name] = {"balanced_accuracy": cell.metrics["balanced_accuracy"],
                            "parameters": cell.training["parameters"], "training_s": train.get("seconds"),
                            "latency_ms": evaluate.get("latency_ms"), "memory_mb": max(memory, default=None)}
    return found


def read(path: Path) -> dict:
    return json.loads(path.read_text()) if path.is_file() else {}


def cost_table(found: dict[str, dict]) -> list[str]:
    lines = ["| model | balanced accuracy | parameters | training (s) | latency (ms) | largest process (MB) |",
             "|---|---|---|---|---|---|"]
    for name, row in found.items():
        numbers = (("-" if row[key] is None else f"{row[key]:,}")
                   for key in ("parameters", "training_s", "latency_ms", "memory_mb"))
        lines.append(f"| {name} | {as_text(row['balanced_accuracy'])} | {' | '.join(numbers)} |")
    return lines


@drawn
def cost_chart(found: dict[str, dict], path, label: str) -> Figure:
    """Balanced accuracy with its interval against each measure, on logarithmic axes."""
    figure = new_figure("What accuracy costs", label, 3.4)
    panels = figure.subplots(1, len(MEASURES), sharey=True)
    for axes, (measure, title) in zip(panels, MEASURES.items(), strict=True):
        axes.set_xlabel(title, fontsize=9.5)
        axes.grid()
        shown = {name: row for name, row in found.items() if row[measure]}
        if not shown:
            say_empty(axes, "not measured here")
            continue
        axes.set_xscale("log")
        # The least, the largest and one between, written out: on a short axis Matplotlib's own run into each other.
        values = [row[measure] for row in shown.values()]
        ticks = dict.fromkeys(rounded(value) for value in np.geomspace(min(values), max(values), 3))
        axes.set_xticks(list(ticks) if max(ticks) > 1.3 * min(ticks) else [max(ticks)], minor=False)
        axes.xaxis.set_major_formatter(lambda value, _: written(value))
        axes.minorticks_off()
        axes.margins(x=0.25, y=0.15)
        for number, (name, row) in enumerate(shown.items()):
            entry = row["balanced_accuracy"]
            if entry["low"] is not None:
                axes.plot([row[measure]] * 2, [entry["low"], entry["high"]], color=GREY, linewidth=1)
            axes.plot(row[measure], entry["value"], "o", color=PALETTE[number % len(PALETTE)],
                      label=name if axes is panels[0] else None)
    panels[0].set_ylabel("balanced accuracy")
    longest = max(map(len, found), default=0)
    figure.legend(loc="outside lower center", ncols=min(4, max(1, LETTERS // (longest + 6))))
    return save(figure, path)


def rounded(value: float) -> float:
    return float(f"{value:.2g}")


def written(value: float) -> str:
    """A rounded number in a few letters: 2.4, 180, 98k, 7M."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= 10 * unit or (value >= unit and unit == 1e6):
            return f"{value / unit:g}{letter}"
    return f"{value:g}"

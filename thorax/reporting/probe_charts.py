"""The chart of the probes."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thorax.reporting.look import GREY, PALETTE, drawn, new_figure, save

TITLES = {"source": "source alone", "shortcut": "ten intensity figures", "control": "whole film (control)",
          "no_lung": "lungs blanked", "border": "border only", "permuted": "shuffled labels"}
COLOURS = {"alarm": PALETTE[1], "not decided": PALETTE[3], "ok": PALETTE[0], "works": GREY}


@drawn
def probe_bars(answers: dict[str, dict[str, dict]], path, label: str) -> Figure:
    """What each probe found, as a bar with its interval, against chance (dotted) and the alarm's threshold (solid).

    Args: answers: task -> probe -> figure, as `thorax.probes.battery.probe` gives it; path: the PNG to write; label:
    the line under the title.
    """
    rows = [(task, name, answer) for task, each in answers.items() for name, answer in each.items()]
    figure = new_figure("What tells the classes apart without a finding", label, 1.0 + 0.42 * max(1, len(rows)))
    axes = figure.add_subplot()
    for y, (_, _, answer) in enumerate(rows):
        colour = COLOURS[answer["verdict"]]
        if answer["value"] is not None:
            axes.barh(y, answer["value"], height=0.6, color=colour, alpha=0.55)
        if answer["low"] is not None:
            axes.plot([answer["low"], answer["high"]], [y, y], color=colour, linewidth=3, solid_capstyle="butt")
        axes.vlines(answer["chance"], y - 0.4, y + 0.4, color="black", linestyle=":", linewidth=1.5)
        if answer.get("threshold") is not None and answer["verdict"] != "works":
            axes.vlines(answer["threshold"], y - 0.4, y + 0.4, color="black", linewidth=1.5)
        axes.text(1.02, y, answer["verdict"], va="center", fontsize=10)
    names = [f"{task}: {TITLES[name]}" if len(answers) > 1 else TITLES[name] for task, name, _ in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="balanced accuracy (source: accuracy)")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    marks = [Line2D([], [], color="black", linestyle=":"), Line2D([], [], color="black")]
    figure.legend(marks, ["chance (source: majority)", "threshold"], loc="outside lower right", ncols=2)
    return save(figure, path)

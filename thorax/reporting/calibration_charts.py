"""The charts of how far a model's confidence can be trusted: reliability diagram and risk-coverage curve.

As in thorax/reporting/charts.py each function writes one PNG to `path` and returns the figure; `label` says what was
measured.
"""

import numpy as np
from matplotlib.figure import Figure

from thorax.reporting.look import DASHES, GREY, PALETTE, drawn, new_figure, save


@drawn
def reliability(before: list[dict], after: list[dict], errors: tuple[float, float], temperature: float, path,
                label: str) -> Figure:
    """Accuracy against confidence, before and after calibration.

    Args:
        before, after: the rows of `thorax.calibration.reliability`; errors: the calibration error of each, in [0, 1];
        temperature: the one that `after` was made with.
    """
    figure = new_figure("Reliability of the confidence", label, 4.3)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, rows, error, title, colour in zip(
            panels, (before, after), errors, ("before calibration", f"after, temperature {temperature:.2f}"),
            PALETTE[:2], strict=True):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="confidence = accuracy")
        for row in rows:
            accuracy = row["accuracy"]
            known = accuracy["low"] is not None
            if known:
                axes.plot([row["confidence"]] * 2, [accuracy["low"], accuracy["high"]], color=colour, linewidth=1.2,
                          alpha=0.6)
            axes.plot(row["confidence"], accuracy["value"], "o", color=colour, markersize=6,
                      markerfacecolor=colour if known else "white")
        films = [row["films"] for row in rows]
        each = f"{min(films)}" if min(films) == max(films) else f"{min(films)} to {max(films)}"
        axes.set_title(f"{title}: ECE {error:.3f}", loc="left")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal",
                 xlabel=f"mean confidence of a bin of {each} films")
        axes.grid()
    panels[0].set_ylabel("accuracy in the bin")
    panels[0].legend(loc="lower right")
    return save(figure, path)


@drawn
def risk_coverage(coverage, risk, area: float, path, label: str) -> Figure:
    """Error rate among the films that are answered, the most confident first, against their share.

    Args: coverage and risk (m,) of `thorax.selective.risk_coverage`; area: its AURC.
    """
    coverage, risk = np.asarray(coverage), np.asarray(risk)
    total = risk[-1]
    figure = new_figure("Risk and coverage: the least confident films left to a reader", label, 3.6)
    axes = figure.add_subplot()
    axes.plot(coverage, risk, color=PALETTE[0], marker="o" if len(coverage) == 1 else None,
              label=f"this model   AURC {area:.3f}")
    axes.axhline(total, color=GREY, linewidth=1, linestyle=":", label=f"random order   {total:.3f}")
    # Nobody can do better than to answer all the right ones first.
    share = np.linspace(0.001, 1, 400)
    axes.plot(share, np.maximum(0, share - (1 - total)) / share, color=PALETTE[2], linestyle=DASHES[1], linewidth=1.2,
              label="perfect order")
    top = max(float(risk.max()), 0.01)
    axes.set(xlim=(0, 1.01), ylim=(-0.02 * top, 1.5 * top), xlabel="coverage: share of the films answered",
             ylabel="error rate among them")
    axes.grid()
    axes.legend(loc="upper left")
    return save(figure, path)

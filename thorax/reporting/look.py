"""How figures look: sizes, colours and the page that every one of them is drawn on.

Figures are drawn without pyplot, so nothing is kept between them; matplotlib's own defaults are set for the drawing, so
a user's matplotlibrc changes no byte; the same input gives the same bytes with the same matplotlib. Colours are those
of Okabe & Ito (2008), told apart with any colour vision, and never carry a meaning alone.
"""

import functools
import textwrap
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000", "#8C7A00")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))  # a class's line, besides its colour
GREY, RIGHT, WRONG = "#5A5A5A", PALETTE[0], PALETTE[1]
WIDTH = 8.0  # inches; 1,200 pixels at 150 dpi, so that 11 points read well at the 830 pixels a README gives
DPI = 150
STYLE = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 1.8,
}


def drawn(draw):
    """Draw with matplotlib's defaults and `STYLE`, whatever is set outside, and leave the settings outside alone."""

    @functools.wraps(draw)
    def wrapped(*args, **kwargs):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return draw(*args, **kwargs)

    return wrapped


def new_figure(title: str, label: str, height: float, width: float = WIDTH) -> Figure:
    """A figure of `height` inches below its two-part heading."""
    lines = textwrap.wrap(label, int(width * 13.5)) or [""]  # 13.5 characters of 10 points per inch
    head = 0.42 + 0.19 * len(lines)
    total = height + head
    figure = Figure(figsize=(width, total), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(rect=(0, 0, 1, height / total), w_pad=0.06, h_pad=0.06)
    figure.text(0.1 / width, 1 - 0.08 / total, title, fontsize=14, fontweight="bold", va="top")
    figure.text(0.1 / width, 1 - 0.37 / total, "\n".join(lines), fontsize=10, color=GREY, va="top")
    return figure


def save(figure: Figure, path: str | Path) -> Figure:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})  # else the version of matplotlib is in it
    return figure


def say_empty(axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY)

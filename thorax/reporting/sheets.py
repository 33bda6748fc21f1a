"""The sheets of films in the reports: one function each, which writes one PNG and returns the matplotlib figure.

`path` is the PNG to write, `label` the line under the title that says which films these are.
"""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from thorax.reporting.look import GREY, PALETTE, RIGHT, WIDTH, WRONG, drawn, new_figure, save


@drawn
def enhancement(pairs: list[tuple], path, label: str) -> Figure:
    """Films before and after enhancement with the histograms of their grey values.

    Args:
        pairs: one row each, (name, before, after); films uint8 (h, w) or (h, w, 3), of any size.
    """
    figure = new_figure("Enhancement: before and after", label, 2.35 * max(1, len(pairs)))
    panels = figure.subplots(max(1, len(pairs)), 3, squeeze=False, width_ratios=[1, 1, 1.35])
    for axes in panels[len(pairs) :].flat:
        axes.set_axis_off()
    for row, (name, before, after) in enumerate(pairs):
        for axes, film, when in zip(panels[row], (before, after), ("before", "after"), strict=False):
            _film(axes, film)
            axes.set_title(when if row == 0 else "", fontsize=11)
        panels[row, 0].set_ylabel(textwrap.fill(str(name), 26), fontsize=9)
        curve, top = panels[row, 2], 0.0
        for film, when, colour, dash in ((before, "before", GREY, "-"), (after, "after", PALETTE[1], "-")):
            grey = np.asarray(film) if np.ndim(film) == 2 else np.asarray(film).mean(axis=2)
            share = np.histogram(grey, bins=64, range=(0, 256))[0] / grey.size
            top = max(top, 115 * share[1:-1].max())  # black borders and burned-in text would flatten all else
            curve.stairs(100 * share, np.arange(0, 257, 4), color=colour, label=when, linewidth=1.5, linestyle=dash)
        curve.set(xlim=(0, 256), ylim=(0, top or 100), ylabel="% of pixels", xticks=[0, 64, 128, 192, 255])
        curve.grid(axis="y")
        if row == 0:
            curve.legend(loc="upper right")
        if row == len(pairs) - 1:
            curve.set_xlabel("grey value (end bins may be cut)", fontsize=10)
    return save(figure, path)


@drawn
def contact_sheet(films, captions: list, columns: int, path, label: str, heatmaps=None, title: str = "Films",
                  outlines=None) -> Figure:
    """A sheet of captioned films, with heat maps beside them where given.

    Args:
        films: n films, uint8 (h, w) or (h, w, 3), of any size.
        captions: n texts, or n dicts {"true": name, "predicted": name, "probability": of the predicted class, in [0,
            1]}, which are shown with a tick where right and a cross where wrong.
        columns: cases per row.
        heatmaps: none, or n maps (h', w') in [0, 1] (none where a film has no map), stretched over their films.
        outlines: none, or n masks, bool (h", w"), stretched too and drawn as lines on every picture of the film.
    """
    each = 1 if heatmaps is None else 2
    columns = max(1, min(columns, len(films)))
    rows = max(1, -(-len(films) // columns))
    across = max(columns * each, 3)  # a lone film does not fill the page
    cell, room = WIDTH / across, WIDTH / across * each  # inches
    said = [_caption(caption, int(room * 12.5)) for caption in captions]
    tall = max([np.shape(film)[0] / np.shape(film)[1] for film in films], default=1.0)
    lines = max([text.count("\n") + 1 for text, _ in said], default=1)
    figure = new_figure(
        title, label + _key(captions, heatmaps), rows * ((cell - 0.12) * min(tall, 2.0) + 0.19 * lines + 0.22)
    )
    panels = figure.subplots(rows, across, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
        axes.set_anchor("N")
    for index, (film, (text, colour)) in enumerate(zip(films, said, strict=True)):
        row, column = divmod(index, columns)
        axes = panels[row, column * each]
        _film(axes, film)
        axes.set_title(text, fontsize=9, color=colour, loc="left", linespacing=1.2)
        if each == 2 and heatmaps[index] is not None:
            _heat(panels[row, column * each + 1], film, heatmaps[index])
        if outlines is not None:
            for axes in panels[row, column * each:(column + 1) * each]:
                _outline(axes, film, outlines[index])
    return save(figure, path)


@drawn
def randomisation(films, captions: list, heatmaps: dict, path, label: str) -> Figure:
    """One row per film: the film, then its heat maps one after the other.

    Args:
        films, captions: as `contact_sheet` takes them.
        heatmaps: n maps (h', w') in [0, 1] by the title of their column.
    """
    rows, columns = max(1, len(films)), 1 + len(heatmaps)
    said = [_caption(caption, 26) for caption in captions]
    figure = new_figure("Grad-CAM with shuffled weights", label + _key([], heatmaps), rows * 2.1)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for row, (film, (text, colour)) in enumerate(zip(films, said, strict=True)):
        _film(panels[row, 0], film)
        panels[row, 0].set_title(text, fontsize=9, color=colour, loc="left", linespacing=1.2)
        for axes, (title, maps) in zip(panels[row, 1:], heatmaps.items(), strict=True):
            _heat(axes, film, maps[row])
            axes.set_title((title if row == 0 else "") + ("\n" if maps[row].any() else "\n(empty map)"), fontsize=10)
    return save(figure, path)


def _heat(axes, film, heat) -> None:
    """The film under its heat map; cold parts stay clear, so that the film can be read."""
    heat = np.clip(np.nan_to_num(np.asarray(heat, dtype=float)), 0, 1)
    height, width = np.shape(film)[:2]
    _film(axes, film)
    look = {"cmap": "inferno", "vmin": 0, "vmax": 1, "alpha": 0.75 * heat**0.5, "interpolation": "bilinear"}
    axes.imshow(heat, **look, extent=(0, width, height, 0))


def _outline(axes, film, mask) -> None:
    (height, width), mask = np.shape(film)[:2], np.pad(np.asarray(mask, dtype=float), 1)  # closed at the film's edge
    if mask.any():
        y, x = ((np.arange(count) - 0.5) * side / (count - 2) for count, side in zip(mask.shape, (height, width),
                                                                                    strict=True))
        axes.contour(x, y, mask, levels=[0.5], colors=["#56B4E9"], linewidths=1.1)
        axes.set(xlim=(0, width), ylim=(height, 0))


def _film(axes, film) -> None:
    film = np.asarray(film)
    height, width = film.shape[:2]
    axes.imshow(
        film, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0)
    )  # grey values as they are: no stretching
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _caption(caption, characters: int) -> tuple[str, str]:
    """Text of at most `characters` per line, and its colour."""
    if isinstance(caption, str):
        return textwrap.fill(caption, characters), "black"
    right = caption["true"] == caption["predicted"]
    lines = (f"{'✓' if right else '✗'} {caption['predicted']} {caption['probability']:.0%}", f"true: {caption['true']}")
    return "\n".join(textwrap.fill(line, characters) for line in lines), RIGHT if right else WRONG


def _key(captions: list, heatmaps) -> str:
    """What the signs of a sheet mean, for its heading."""
    signs = (
        "✓ right, ✗ wrong, with the probability of the prediction"
        if any(not isinstance(each, str) for each in captions)
        else ""
    )
    heat = "heat map from dark (0) to bright (1)" if heatmaps is not None else ""
    return "".join(f"; {each}" for each in (signs, heat) if each)

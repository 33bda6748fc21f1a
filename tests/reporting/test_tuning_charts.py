"""The charts of a search show every trial, of whatever end."""

import numpy as np
import pandas as pd
import pytest

from thorax.recipe import Dimension
from thorax.reporting import tuning_charts

SPACE = {"rate": Dimension(low=1e-5, high=1e-2, log=True), "units": Dimension(low=64, high=512, log=True),
         "optimizer": Dimension(choices=[{"name": "adam"}, {"name": "sgd", "momentum": 0.9}]),
         "blocks": Dimension(low=3, high=5)}


@pytest.fixture
def trials() -> pd.DataFrame:
    return pd.DataFrame({
        "trial": [1, 2, 3, 4, 5], "state": ["finished", "failed", "pruned", "finished", "pruned"],
        "best": [0, 0, 0, 1, 0], "macro_f1": [0.5, np.nan, 0.3, 0.7, np.nan], "rate": [1e-5, 1e-4, 1e-3, 1e-2, 2e-3],
        "units": [64, 100, 200, 512, 70], "optimizer": ["adam", "sgd, momentum 0.9"] * 2 + ["adam"],
        "blocks": [3, 4, 5, 3, 3]})


def test_the_history_has_a_mark_for_every_trial_and_the_best_so_far(trials, tmp_path):
    [axes] = tuning_charts.history(trials, tmp_path / "history.png", "study x").axes
    best, *marks = axes.lines
    assert list(best.get_ydata()) == [0.5, 0.5, 0.5, 0.7, 0.7]
    assert sum(len(line.get_xdata()) for line in marks) == len(trials)
    assert [line.get_label() for line in marks if not line.get_label().startswith("_")] == [
        "finished (2)", "pruned (2)", "failed (1)"]


def test_the_slices_ring_the_winner_in_a_panel_for_every_key(trials, tmp_path):
    figure = tuning_charts.slices(trials, SPACE, tmp_path / "slices.png", "study x")
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in panels] == list(SPACE)
    for axes, place in zip(panels, [1e-2, 512, 1, 3], strict=True):
        [ring] = [line for line in axes.lines if line.get_label() == "winner"]
        assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([place], [0.7])
    assert [label.get_text() for label in panels[2].get_xticklabels()] == ["adam", "sgd\nmomentum 0.9"]


def test_importance_is_drawn_largest_first_and_says_where_there_is_none(tmp_path):
    [axes] = tuning_charts.importance({"rate": 0.8, "blocks": 0.2}, tmp_path / "importance.png", "x").axes
    assert [text.get_text() for text in axes.texts] == ["80%", "20%"]
    [empty] = tuning_charts.importance({}, tmp_path / "importance.png", "x").axes
    assert "nothing to explain" in empty.texts[0].get_text()

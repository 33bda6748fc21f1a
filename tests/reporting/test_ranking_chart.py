import warnings

import numpy as np
import pytest

from thorax.ranking import rank
from thorax.reporting import look
from thorax.reporting.look import PALETTE
from thorax.reporting.ranking_chart import ranking_chart


@pytest.fixture(autouse=True)
def few_pixels(monkeypatch):
    monkeypatch.setattr(look, "DPI", 30)


def ranking(accuracies: dict[str, float]):
    labels = np.arange(200) % 2
    models = {name: np.eye(2)[np.where(np.arange(200) < 200 * accuracy, labels, 1 - labels)]
              for name, accuracy in accuracies.items()}
    return rank(labels, models, np.arange(200), 100, 0.95, 0)


@pytest.mark.parametrize("accuracies", [
    {"a": 0.5, "b": 0.9}, {"a": 0.7, "b": 0.7, "c": 0.7}, {"a": 1.0, "b": 1.0},
    {f"a_backbone_of_a_long_name_{i}": 0.5 + i / 50 for i in range(9)}])
def test_every_model_stands_at_its_accuracy_and_every_stretch_has_a_bar(accuracies, tmp_path):
    found = ranking(accuracies)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = ranking_chart(found, tmp_path / "ranking.png", "study phantom")
    axes = figure.axes[0]
    dots = sorted(line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o")
    assert dots == pytest.approx(sorted(found.accuracies.values()))
    bars = [line for line in axes.lines if line.get_color() == PALETTE[1]]
    assert len(bars) == len(found.alike)
    assert all(np.ptp(bar.get_xdata()) > 0 for bar in bars)
    names = [text.get_text().split("  ")[0] for text in axes.texts]
    assert sorted(names) == sorted(accuracies)
    page = figure.get_window_extent()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 for box in boxes)
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_the_same_ranking_gives_the_same_bytes(tmp_path):
    for name in ("one.png", "two.png"):
        ranking_chart(ranking({"a": 0.6, "b": 0.8, "c": 0.81}), tmp_path / name, "study phantom")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()

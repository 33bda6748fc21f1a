import json
from itertools import pairwise
from types import SimpleNamespace

import pytest

from thorax.reporting.costs import MEASURES, cost_chart, cost_table, costs, written

ACCURACY = {"value": 0.8, "low": 0.7, "high": 0.9}


def cell(name: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, metrics={"balanced_accuracy": ACCURACY}, training={"parameters": 98646})


def test_times_come_from_the_logs_and_a_run_without_logs_has_none(tmp_path):
    for stage, log in (("train", {"seconds": 21.5, "peak_memory_mb": 900}),
                       ("evaluate", {"seconds": 4.0, "peak_memory_mb": 1200, "latency_ms": 3.1})):
        (tmp_path / stage).mkdir()
        (tmp_path / stage / "s-here.json").write_text(json.dumps(log))
    found = costs("s", [cell("here"), cell("elsewhere")], tmp_path)
    table = "\n".join(cost_table(found))
    assert "| here | 0.800 (0.700 to 0.900) | 98,646 | 21.5 | 3.1 | 1,200 |" in table
    assert "| elsewhere | 0.800 (0.700 to 0.900) | 98,646 | - | - | - |" in table


def test_the_numbers_below_the_axes_do_not_overlap(tmp_path):
    found = {f"m{number}": {"balanced_accuracy": ACCURACY, "parameters": 10**5 * 9**number,
                            "training_s": 12 * 2**number, "latency_ms": 2.6 * 1.9**number, "memory_mb": 1000}
             for number in range(3)}
    figure = cost_chart(found, tmp_path / "costs.png", "x")
    figure.canvas.draw()
    for axes in figure.axes:
        low, high = axes.get_xlim()
        ticks = sorted([*axes.xaxis.get_major_ticks(), *axes.xaxis.get_minor_ticks()], key=lambda tick: tick.get_loc())
        boxes = [tick.label1.get_window_extent() for tick in ticks
                 if low <= tick.get_loc() <= high and tick.label1.get_text()]
        assert boxes
        assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
    assert len(figure.axes) == len(MEASURES)


@pytest.mark.parametrize("growth", [1.01, 1.2, 2.0, 9.0])
def test_however_near_each_other_the_costs_are_they_can_be_told_and_long_names_stay_on_the_page(growth, tmp_path):
    found = {f"pneumonia_small_cnn_as_published_{number}": {
        "balanced_accuracy": ACCURACY, "parameters": 98646 * growth**number, "training_s": 140 * growth**number,
        "latency_ms": 2.1 * growth**number, "memory_mb": 1000} for number in range(7)}
    figure = cost_chart(found, tmp_path / "costs.png", "x")
    figure.canvas.draw()
    for axes in figure.axes:
        labels = [label for label in axes.get_xticklabels() if label.get_text()]
        assert len({label.get_text() for label in labels}) == len(labels) >= 1
        boxes = [label.get_window_extent() for label in labels]
        assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
    [legend] = figure.legends
    assert legend.get_window_extent().x0 >= 0
    assert legend.get_window_extent().x1 <= figure.bbox.x1


def test_numbers_are_written_short():
    assert [written(value) for value in (2.4, 180.0, 4200.0, 98000.0, 7e6, 2.6e7)] == [
        "2.4", "180", "4200", "98k", "7M", "26M"]

import json
from itertools import pairwise
from types import SimpleNamespace

from thorax.reporting.costs import MEASURES, cost_chart, cost_table, costs

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

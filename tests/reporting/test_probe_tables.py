import pytest

from thorax.reporting.probe_charts import probe_bars
from thorax.reporting.probe_tables import floor_lines, probe_lines, stamp

SOURCE = {"metric": "accuracy", "value": 0.97, "low": 0.94, "high": 0.99, "films": 200, "groups": 100, "chance": 0.3,
          "threshold": 0.405, "verdict": "alarm", "reason": "the interval lies above", "cramers_v": 0.953,
          "table": {"a": {"s": 1}}}
BORDER = {"metric": "balanced_accuracy", "value": 0.5, "low": 0.45, "high": 0.55, "films": 200, "groups": 100,
          "chance": 0.25, "threshold": 0.3625, "verdict": "alarm", "reason": "the interval lies above"}
CLEAN = BORDER | {"value": 0.26, "low": 0.2, "high": 0.3, "verdict": "ok", "reason": "the interval lies below"}
NO_FIGURE = {"metric": "balanced_accuracy", "value": None, "low": None, "high": None, "films": 9, "groups": 4,
             "chance": 0.25, "verdict": "not decided", "reason": "a class has 1 groups, too few for 5 folds"}


def test_the_stamp_says_what_the_source_alone_gives():
    assert stamp({"source": SOURCE, "border": CLEAN}) == (
        "**Confounded:** the source alone gives the class of 97% of the films (Cramér's V 0.95); a metric of this task "
        "may measure the source and not the finding.")


def test_an_alarm_of_another_probe_is_named_and_a_clean_task_has_no_stamp():
    assert stamp({"border": BORDER}) == "**Alarm** of 1 of the other probes: border only."
    assert stamp({"source": SOURCE | {"verdict": "ok"}, "border": CLEAN}) == ""


def test_every_probe_is_a_row_with_its_interval_and_its_reason():
    lines = probe_lines("findings", {"border": BORDER, "permuted": CLEAN, "shortcut": NO_FIGURE})
    assert ("| border only | 200 | 0.500 (0.450 to 0.550) | 0.250 | 0.362 | alarm | the interval lies above |"
            in lines)
    assert "| shuffled labels | 200 | 0.260 (0.200 to 0.300) | 0.250 | 0.362 | ok | the interval lies below |" in lines
    assert ("| ten intensity figures | 9 | - | 0.250 | - | not decided | a class has 1 groups, too few for 5 folds |"
            in lines)
    assert any(line.startswith("**Alarm**") for line in lines)


@pytest.mark.parametrize(("low", "high", "says"), [
    (0.61, 0.9, "beats it"), (0.59, 0.9, "not decided"), (0.3, 0.59, "does not beat it")])
def test_a_model_beats_the_floor_with_its_whole_interval_and_by_the_margin(low, high, says):
    models = {"small": {"value": (low + high) / 2, "low": low, "high": high}}
    lines = floor_lines(models, {"shortcut": BORDER}, margin=0.2)  # threshold .5 + .2 * .5
    assert any(line.startswith("- `small`") and f": {says}, threshold 0.600" in line for line in lines)


def test_without_a_floor_nothing_is_compared():
    assert floor_lines({}, {"border": BORDER}, 0.1) == floor_lines({}, {"shortcut": NO_FIGURE}, 0.1) == []


def test_the_chart_has_a_row_for_every_probe_and_its_verdict(tmp_path):
    answers = {"source": SOURCE, "shortcut": NO_FIGURE, "control": BORDER | {"verdict": "works"}, "border": BORDER,
               "permuted": CLEAN}
    figure = probe_bars({"a": answers, "b": answers}, tmp_path / "probes.png", "label")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [answer["verdict"] for answer in answers.values()] * 2
    assert (tmp_path / "probes.png").stat().st_size > 10_000

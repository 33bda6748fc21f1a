from thorax.reporting import evaluation_tables as tables


def entry(value, low=None, high=None, **more) -> dict:
    return {"value": value, "low": low, "high": high, **more}


CALIBRATION = {"temperature": 1.5, "films": 70, "rule": "youden", "operating_points": {
    "covid": {"threshold": 0.25, "sensitivity": 1.0, "specificity": 0.9},
    "normal": {"threshold": None, "sensitivity": None, "specificity": None,
               "note": "no validation film of this class"}}}
METRICS = {"accuracy": entry(0.8), "log_loss_gain": entry(0.02, 0.01, 0.03), "aurc": entry(0.05, 0.02, 0.09),
           "input_gate_refusal": entry(0.01, 0.002, 0.05),
           **{f"{name}{suffix}": entry(0.2, 0.1, 0.3) for name in ("brier", "log_loss")
              for suffix in ("", "_calibrated")},
           "ece": entry(0.1, reason="biased"), "ece_calibrated": entry(0.04, reason="biased"),
           "ece_by_chance": entry(0.03, 0.01, 0.05), "ece_calibrated_by_chance": entry(0.05, 0.02, 0.08),
           **{f"point_{measure}_covid": entry(0.9, 0.8, 1.0) for measure in ("sensitivity", "specificity", "ppv")},
           "point_npv_covid": entry(None, reason="no films not flagged as covid"),
           **{f"point_{measure}_normal": entry(None, reason="no operating point")
              for measure in ("sensitivity", "specificity", "ppv", "npv")}}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def is_table(lines: list[str]) -> bool:
    """Whether all rows of each table have as many cells as its head."""
    rows = [line for line in lines if line.startswith("|")]
    return bool(rows) and len({line.count("|") for line in rows}) == 1 and lines[-1] == ""


def test_calibration_is_shown_before_and_after_with_what_chance_gives_and_the_note():
    lines = tables.calibration_lines(METRICS, CALIBRATION)
    assert is_table(lines)
    assert "| calibration error (ECE) | 0.100 | 0.040 |" in lines
    assert "| ECE that chance alone gives | 0.030 (0.010 to 0.050) | 0.050 (0.020 to 0.080) |" in lines
    assert "0.020 (0.010 to 0.030) (paired)" in lines[-2]
    assert "in random order it would be 0.200" in lines[-2]
    assert lines[0] == "Temperature 1.500, fitted on 70 validation films."
    assert "(why)" in tables.calibration_lines(METRICS, CALIBRATION | {"note": "why"})[0]


def test_operating_points_name_their_rule_and_a_class_without_one_its_reason():
    lines = tables.operating_lines(METRICS, CALIBRATION)
    assert is_table(lines)
    assert "chosen by Youden's index on 70 validation films" in lines[0]
    assert cells(lines[-3]) == ["covid", "0.250", *["0.900 (0.800 to 1.000)"] * 3, "-"]
    assert cells(lines[-2]) == ["normal", "no validation film of this class", "-", "-", "-", "-"]
    assert "to reach sensitivity 0.95" in tables.operating_lines(METRICS, CALIBRATION | {"rule": "sensitivity 0.95"})[0]


def test_the_input_gate_states_its_refusals_of_ordinary_films_and_of_every_odd_input():
    lines = tables.gate_lines(METRICS, {"noise": {"images": 1, "softmax_maximum": 0.99987, "refused": 1}})
    assert is_table(lines)
    assert "0.010 (0.002 to 0.050) of the test films" in lines[0]
    assert "| noise | 1 | 1.000 | 1 |" in lines


def test_a_small_subgroup_shows_its_reason_and_without_subgroups_there_is_no_table():
    small = entry(None, reason="n < 30")
    lines = tables.subgroup_lines({"sex": {
        "F": {"films": 40, "groups": 30, "classes": 3, "accuracy": entry(0.9, 0.8, 1.0),
              "balanced_accuracy": entry(0.8)},
        "M": {"films": 9, "groups": 8, "classes": 2, "accuracy": small, "balanced_accuracy": small}}})
    assert is_table(lines)
    assert "| sex: F | 40 | 30 | 3 | 0.900 (0.800 to 1.000) | 0.800 |" in lines
    assert "| sex: M | 9 | 8 | 2 | n < 30 | n < 30 |" in lines
    assert tables.subgroup_lines({}) == []

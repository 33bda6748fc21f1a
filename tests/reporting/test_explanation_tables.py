"""The report of the explain stage says what explanation.json says."""

from copy import deepcopy

from thorax.reporting.explanation_tables import explanation_lines


def entry(value, low=None, high=None) -> dict:
    return {"value": value, "low": low, "high": high}


def place(ratio: float, films: int = 30) -> dict:
    return {"films": films, "area": 0.1, "energy_ratio": entry(ratio, ratio - 0.5, ratio + 0.5),
            "hit_rate": entry(0.625, 0.5, 0.75)}


FOUND = {"films": 40, "right": 30, "empty": entry(0.025, 0.0, 0.05),
         "lesion": {"right": place(2.75), "wrong": place(1.25, 10), "right_sick": place(2.75)},
         "sanity": {"films": 32, "draws": 2, "unchanged": 0.5, "verdict": "pass", "levels": {
             level: {"empty": 0.0, "rank_correlation": entry(rank, rank - 0.1, rank + 0.1), "ssim": entry(0.35)}
             for level, rank in (("head", 0.31), ("last_block", 0.12))}}}


def rows(lines: list[str]) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_the_figures_of_a_model_stand_under_their_names():
    head, _, row, *_ = rows(explanation_lines({"cnn": FOUND}, "cnn", ["sick", "well"]))
    said = dict(zip(head, row, strict=False))
    assert said["rank correlation: head"] == "0.310 (0.210 to 0.410)"
    assert row[3] == "0.120 (0.020 to 0.220)"
    assert said["lesion: energy ratio"] == "2.750 (2.250 to 3.250)"  # of right decisions, not of wrong ones
    assert said["lesion: by chance"] == "0.100"
    assert said["empty maps"] == "0.025 (0.000 to 0.050)"
    assert not any("lung" in title for title in head)


def test_a_failed_check_cannot_be_overlooked():
    broken = deepcopy(FOUND)
    broken["sanity"]["verdict"] = "fail"
    lines = explanation_lines({"good": FOUND, "broken": broken}, "good", ["sick"])
    assert ["FAIL" in line for line in lines if line.startswith(("| good", "| broken"))] == [False, True]


def test_a_class_without_lesions_and_a_study_without_masks_have_dashes_and_no_table():
    lines = explanation_lines({"cnn": FOUND}, "cnn", ["sick", "well"])
    assert ["well", "0", "-", "-", "-"] in rows(lines)
    bare = {key: value for key, value in FOUND.items() if key != "lesion"}
    text = "\n".join(explanation_lines({"cnn": bare}, "cnn", ["sick", "well"]))
    assert "rank correlation" in text and "nergy ratio" not in text and "By class" not in text


def test_every_row_has_the_cells_of_its_heading():
    for lines in (explanation_lines({"cnn": FOUND, "other": FOUND}, "cnn", ["sick", "well"]),):
        table = []
        for line in [*lines, ""]:
            if line.startswith("|"):
                table.append(line.count("|"))
            else:
                assert len(set(table)) <= 1
                table = []

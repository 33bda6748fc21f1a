"""Published figures stand beside those measured under both protocols, and beside nothing else."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from tests.conftest import ROOT
from thorax import predictions, recipe, scoring
from thorax.intervals import as_text, metrics_with_intervals
from thorax.reader import load_study
from thorax.reporting.published import protocol_lines, source_text
from thorax.reporting.results import COLUMNS, Cell


def cell(study: recipe.Study, name: str, strength: float, folder) -> Cell:
    """A finished run: 300 test films in 150 groups, the truer the stronger."""
    wanted = study.models[name]
    classes = list(study.tasks[wanted.task])
    random = np.random.default_rng(len(name))
    labels = random.integers(0, len(classes), 300)
    scores = random.dirichlet(np.ones(len(classes)), 300) + strength * np.eye(len(classes))[labels]
    table = pd.DataFrame({"id": [f"film{row}" for row in range(300)], "group": [f"g{row // 2}" for row in range(300)],
                          "source": "", "label": np.array(classes)[labels]})
    table[classes] = scores / scores.sum(axis=1, keepdims=True)
    (folder / name / "evaluation").mkdir(parents=True)
    predictions.write(table, folder / name / "evaluation" / "predictions.csv")
    table = predictions.read(folder / name / "evaluation" / "predictions.csv")
    metrics = metrics_with_intervals(*predictions.to_arrays(table), classes, 200, 0.95, 1)
    return Cell(name, wanted, {}, metrics, folder / name)


def study_of(name: str) -> recipe.Study:
    study = load_study(name, ROOT)
    return study.model_copy(update={"evaluate": recipe.Evaluate(resamples=200)})


def table(lines: list[str]) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]


@pytest.fixture
def scratch(tmp_path):
    study = study_of("scratch_cnn")
    return study, [cell(study, "cnn", 0.3, tmp_path), cell(study, "cnn_as_published", 0.6, tmp_path)]


def test_a_published_figure_stands_beside_both_measured_ones_and_their_difference(scratch):
    study, cells = scratch
    rows = {row[1]: row for row in table(protocol_lines(cells, study, COLUMNS, 1))}
    for name, title in (("recall_pneumothorax", "recall pneumothorax"), ("accuracy", "accuracy")):
        leaky, honest, added = rows[title][3:]
        assert leaky == as_text(cells[1].metrics[name])
        assert honest == as_text(cells[0].metrics[name])
        change = cells[1].metrics[name]["value"] - cells[0].metrics[name]["value"]
        value, low, high = map(float, re.fullmatch(r"(\S+) \((\S+) to (\S+)\)", added).groups())
        assert value == pytest.approx(change, abs=6e-4)
        assert low < value < high
    assert rows["recall pneumothorax"][2] == "0.380 [2]"
    assert rows["macro AUC"][2] == "-"


def test_two_published_figures_of_one_model_are_both_told_with_what_they_were_measured_on(scratch):
    study, cells = scratch
    lines = protocol_lines(cells, study, COLUMNS, 1)
    [row] = [row for row in table(lines) if row[1] == "accuracy"]
    assert row[2] == "0.978 [1], 0.740 [2]"
    assert ("Published on: [1] `cnn_as_published`, 600 test films, as evaluated with the training's preparation; "
            "[2] `cnn_as_published`, the same 600 test films, by the notebook's classification report.") in lines
    assert source_text(study).startswith("Published: github.com/OviSarkar62/")


def test_where_one_of_two_figures_has_no_interval_their_difference_has_none(scratch):
    study, cells = scratch
    cells[0].metrics["accuracy"] |= {"low": None, "high": None}
    rows = {row[1]: row for row in table(protocol_lines(cells, study, COLUMNS, 1))}
    assert re.fullmatch(r"[+-]\d\.\d{3}", rows["accuracy"][5])
    assert "to" in rows["macro F1"][5]


def test_without_its_twin_a_run_has_no_inflation(scratch):
    study, [_, leaky] = scratch
    rows = table(protocol_lines([leaky], study, COLUMNS, 1))
    assert {tuple(row[4:]) for row in rows[2:]} == {("-", "-")}


def test_a_figure_of_external_films_stands_beside_nothing_that_was_measured_on_the_test_part(tmp_path):
    study = study_of("external_validation")
    cells = [cell(study, name, 0.5, tmp_path) for name in ("resnet50", "resnet50_as_published")]
    rows = {row[1]: row[2:] for row in table(protocol_lines(cells, study, COLUMNS, 1))}
    assert rows["accuracy"][0] == "0.930 [1]"
    assert rows["accuracy on prashant"] == ["0.920 [2]", "-", "-", "-"]
    assert "f1 covid" not in rows
    (cells[1].folder / "external" / "prashant").mkdir(parents=True)
    outside = {name: {"value": 0.713, "low": 0.7, "high": 0.75} for name in cells[1].metrics}
    (cells[1].folder / "external" / "prashant" / "metrics.json").write_text(json.dumps(outside))
    rows = {row[1]: row[2:] for row in table(protocol_lines(cells, study, COLUMNS, 1))}
    assert rows["f1 covid on prashant"] == ["0.930 [2]", "0.713 (0.700 to 0.750)", "-", "-"]


def test_a_study_without_published_figures_has_no_column_for_them(tmp_path):
    study = study_of("radiography_small").model_copy(update={"published": None})
    cells = [cell(study, name, 0.5, tmp_path) for name in ("small_cnn", "small_cnn_as_published")]
    head, _, *rows = table(protocol_lines(cells, study, COLUMNS, 1))
    assert head == ["model", "figure", "split film by film", "split by group", "inflation"]
    assert [row[1] for row in rows] == list(COLUMNS.values())
    assert source_text(study) == ""


def test_test_parts_of_other_class_shares_are_not_compared(tmp_path):
    study = study_of("radiography_resnet")
    leaky = cell(study, "resnet50_as_published", 0.5, tmp_path)
    for name, compared in (("resnet50_undersampled", False), ("resnet50_weighted", False), ("resnet50", True)):
        rows = table(protocol_lines([cell(study, name, 0.4, tmp_path), leaky], study, COLUMNS, 1))
        assert (rows[2][4] != "-") == compared


def test_no_table_where_every_split_is_by_group(tmp_path):
    study = study_of("scratch_cnn")
    assert protocol_lines([cell(study, "cnn", 0.5, tmp_path)], study, COLUMNS, 1) == []


def test_a_recipe_may_name_every_metric_that_is_computed():
    assert recipe.OVERALL == scoring.OVERALL
    assert set(recipe.PER_CLASS) == set(scoring.PER_CLASS) - {"support"}

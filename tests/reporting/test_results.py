"""The README says what the files say."""

import json
import re

import pytest

from tests.conftest import ROOT
from thorax.reader import load_params, load_study
from thorax.reporting.results import best, cells_of, fill, study_block, text_table


def block_of(page: str, study: str) -> str:
    return re.search(f"<!-- results:{study} -->\n(.*?)<!-- /results:{study} -->", page, re.DOTALL).group(1)


@pytest.mark.parametrize("study", load_params(ROOT).studies)
def test_the_committed_readme_shows_the_committed_metrics(study):
    page = (ROOT / "README.md").read_text()
    assert block_of(page, study) == study_block(study, load_params(ROOT), f"reports/{study}", ROOT)


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "reports" / "results.md",
                                  *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name)
def test_every_file_that_a_committed_page_shows_or_links_to_is_there(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), f"{page.name} leads to {target}"


def test_the_readme_shows_what_the_demo_prints_but_for_times():
    params = load_params(ROOT)
    for line in text_table(cells_of(params.studies[0], params, ROOT)).splitlines():
        assert f"    {line}\n" in (ROOT / "README.md").read_text()


def test_the_finished_project_s_readme_shows_its_metrics(finished):
    page = (finished / "README.md").read_text()
    assert block_of(page, "phantom") == study_block("phantom", load_params(finished), "reports/phantom", finished)
    accuracy = json.loads((finished / "models/phantom/small_cnn/evaluation/metrics.json").read_text())["accuracy"]
    assert f"{accuracy['value']:.3f}" in page


def test_a_changed_metric_changes_the_block(finished_copy):
    path = finished_copy / "models/phantom/small_cnn/evaluation/metrics.json"
    before = study_block("phantom", load_params(finished_copy), "reports/phantom", finished_copy)
    metrics = json.loads(path.read_text())
    metrics["macro_f1"]["value"] = 0.123
    path.write_text(json.dumps(metrics))
    after = study_block("phantom", load_params(finished_copy), "reports/phantom", finished_copy)
    assert before != after
    assert "0.123" in after


def test_the_results_page_shows_its_figures(finished):
    page = finished / "reports" / "results.md"
    figures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text())
    assert len(figures) >= 4
    assert all((page.parent / figure).is_file() for figure in figures)


def test_the_shown_model_is_chosen_by_validation(finished):
    cells = cells_of("phantom", load_params(finished), finished)
    assert best(cells, load_study("phantom", finished)).training["val_accuracy"] == max(
        cell.training["val_accuracy"] for cell in cells)


def test_the_enhancement_is_compared_as_a_pair_with_its_interval(finished):
    text = (finished / "reports" / "results.md").read_text()
    assert re.search(r"`small_cnn` minus `small_cnn_plain` on the same films and split: balanced accuracy [+-]0\.\d{3} "
                     r"\([+-]\d\.\d{3} to [+-]\d\.\d{3}, paired\)", text)


def test_only_the_text_between_the_markers_is_replaced():
    page = "a\n<!-- results:x -->\nold \\1\n<!-- /results:x -->\nb <!-- results:y --><!-- /results:y -->"
    assert fill(page, "x", "new \\g<0>\n") == page.replace("old \\1", "new \\g<0>")
    assert fill("no markers", "x", "new") == "no markers"


def test_models_that_differ_in_the_split_alone_say_how_much_the_leakage_adds(two_protocols):
    text = study_block("phantom", load_params(two_protocols), "figures", two_protocols)
    line = re.search(r"\| `small_cnn_plain` \| accuracy \| .* \| \+(0\.\d{3}) \([+-]\d\.\d{3} to [+-]\d\.\d{3}\) \|\n",
                     text)
    grouped = json.loads((two_protocols / "models/phantom/small_cnn/evaluation/metrics.json").read_text())
    assert float(line.group(1)) == pytest.approx(1 - grouped["accuracy"]["value"], abs=6e-4)
    assert "Enhancement" not in text


def test_with_several_splits_the_table_names_the_split_and_the_page_says_what_each_leaks(two_protocols):
    text = study_block("phantom", load_params(two_protocols), "figures", two_protocols)
    assert "| model | split | films |" in text
    assert "| small_cnn_plain | as_published | enhanced |" in text
    assert re.search(r"Split `grouped`: .*, by group, with near-duplicates, seed 2026; in two parts lie 0 groups, 0 "
                     r"exact duplicates, 0 pairs of near-duplicates and 0 copied films; 0\.0% of the test films", text)
    assert "film by film, which leaks, seed 2026; in two parts lie 7 groups" in text
    assert "43.2% of the test films have a relative" in text


def test_the_model_shown_in_detail_is_one_whose_split_is_by_group(two_protocols):
    path = two_protocols / "models/phantom/small_cnn_plain/training.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"val_accuracy": 1.0}))
    cells = cells_of("phantom", load_params(two_protocols), two_protocols)
    assert best(cells, load_study("phantom", two_protocols)).name == "small_cnn"


def test_with_one_split_the_table_has_no_column_for_it(finished):
    assert "| model | films |" in (finished / "reports" / "results.md").read_text()

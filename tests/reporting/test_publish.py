"""`python -m stages.publish` fills a page over all selected studies, and writes one for each of them."""

import json
import re
import shutil

import pytest

from stages import publish
from tests.conftest import edit, run
from thorax.errors import ThoraxError
from thorax.intervals import as_text
from thorax.reader import load_params
from thorax.reporting.systems import system_lines

MARKERS = "By hand.\n<!-- results:systems -->\n<!-- /results:systems -->\nThe end.\n"
PUBLISHED = {"source": "example.org/system", "figures": [
    {"model": "small_cnn_plain", "films": "99 films of theirs", "metrics": {"accuracy": 0.99, "macro_f1": 0.98}}]}


@pytest.fixture
def project(two_protocols, monkeypatch):
    """A project whose small_cnn_plain repeats, film by film, a published system, and an empty page."""
    edit(two_protocols / "studies" / "phantom.yaml", lambda recipe: recipe.update(published=PUBLISHED))
    splits = two_protocols / "data" / "split" / "phantom"
    shutil.copy(splits / "grouped.csv", splits / "as_published.csv")
    run(two_protocols, "python", "-m", "stages.report")
    (two_protocols / "docs").mkdir()
    (two_protocols / "docs" / "real.md").write_text(MARKERS)
    monkeypatch.chdir(two_protocols)
    return two_protocols


def contents(folder) -> dict:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_published_system_has_one_row_with_the_figures_of_both_splits(project):
    head, _, row = [line.strip("| ").split(" | ") for line in system_lines(load_params()) if line.startswith("|")]
    row = dict(zip(head, row, strict=True))
    honest, leaky = (json.loads((project / "models/phantom" / name / "evaluation/metrics.json").read_text())["accuracy"]
                     for name in ("small_cnn", "small_cnn_plain"))
    assert row["published system"] == "example.org/system"
    assert row["published"] == "0.990 [1]"
    assert row["split film by film"] == as_text(leaky)
    assert row["split by group"] == as_text(honest)
    assert row["inflation"].startswith("+")
    assert row["with relatives"] == "43.2%"
    films = [len((project / "models/phantom" / name / "evaluation/predictions.csv").read_text().splitlines()) - 1
             for name in ("small_cnn_plain", "small_cnn")]
    assert row["test films"] == " / ".join(map(str, films))
    assert re.fullmatch(r"\d+( / \d+)?", row["training (s)"])
    assert "phantom" in row["command"]
    assert "Published on: [1] 99 films of theirs." in system_lines(load_params())


def test_no_table_of_systems_where_no_study_repeats_one(finished):
    assert system_lines(load_params(finished), finished) == []


def test_the_page_and_those_of_the_studies_are_written_with_their_figures_and_the_same_twice(project):
    for _ in range(2):
        run(project, "python", "-m", "stages.publish", "docs/real.md")
        before = contents(project / "docs")
    assert contents(project / "docs") == before
    overview = (project / "docs" / "real.md").read_text()
    assert overview.startswith("By hand.\n")
    assert overview.endswith("The end.\n")
    assert "0.990 [1]" in overview
    assert "(real/phantom.md)" in overview
    page = (project / "docs" / "real" / "phantom.md").read_text()
    assert "Task `findings`" in page
    assert "minutes on" in page
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", page)
    assert any("gradcam" in figure for figure in shown)
    assert all((project / "docs" / "real" / figure).is_file() for figure in shown)


def test_sheets_with_films_that_may_not_be_shown_are_left_out(project, monkeypatch):
    edit(project / "params.yaml", lambda params: params.update(source="folder:/films"))
    monkeypatch.setattr(publish, "SHOWN", {"kermany"})
    publish.main("docs/real.md")
    page = (project / "docs" / "real" / "phantom.md").read_text()
    assert "gradcam" not in page
    assert "confusion.png" in page
    assert not list((project / "docs" / "real").rglob("*gradcam*"))


def test_a_page_without_markers_is_refused_and_nothing_is_written(project):
    (project / "docs" / "real.md").write_text("By hand.\n")
    done = run(project, "python", "-m", "stages.publish", "docs/real.md", check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "publish: error: docs/real.md: no page (.md) with the markers <!-- results:systems --> and "
        "<!-- /results:systems -->; put them where the results shall stand"]
    assert list((project / "docs").iterdir()) == [project / "docs" / "real.md"]


def test_a_page_whose_folder_would_take_its_place_is_refused(project):
    (project / "docs" / "real").write_text(MARKERS)
    with pytest.raises(ThoraxError, match=r"docs/real: no page \(\.md\)"):
        publish.main("docs/real")
    assert (project / "docs" / "real").read_text() == MARKERS


def test_a_training_without_a_log_has_no_time(project):
    shutil.rmtree("logs/train")
    assert system_lines(load_params())[2].endswith("| - |")


def test_a_folder_with_other_files_is_not_replaced(project):
    (project / "docs" / "real").mkdir()
    (project / "docs" / "real" / "notes.txt").write_text("mine")
    done = run(project, "python", "-m", "stages.publish", "docs/real.md", check=False)
    assert done.returncode == 1
    assert "docs/real: holds other files" in done.stdout
    assert (project / "docs" / "real" / "notes.txt").read_text() == "mine"
    assert (project / "docs" / "real.md").read_text() == MARKERS

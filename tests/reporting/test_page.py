import re

import pytest

from thorax.errors import ThoraxError
from thorax.reporting.page import html_page

PNG = b"\x89PNG\r\n\x1a\n-not-really"


@pytest.fixture
def figures(tmp_path):
    (tmp_path / "roc.png").write_bytes(PNG)
    return tmp_path


def test_the_page_needs_no_other_file_and_no_network(figures):
    page = html_page("t", "# A\n\n![ROC curves](roc.png)\n", figures)
    sources = re.findall(r'(?:src|href)="([^"]{0,22})', page)
    assert sources == ["data:image/png;base64,"]
    assert 'alt="ROC curves"' in page
    assert "<script" not in page


def test_tables_scroll_by_themselves(figures):
    page = html_page("t", "| a | b |\n|---|---|\n| 1 | 2 |\n", figures)
    assert '<div class="table"><table>' in page
    assert "<td>2</td>" in page


def test_html_of_a_title_or_text_is_shown_and_not_run(figures):
    page = html_page("<b>t</b>", "x <script>alert(1)</script>", figures, "Cards", {"<i>": "y"})
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "<title>&lt;b&gt;t&lt;/b&gt;</title>" in page
    assert "<summary>&lt;i&gt;</summary>" in page


@pytest.mark.parametrize("name", ["gone.png", "../outside.png"])
def test_a_figure_that_is_not_there_or_outside_is_named(figures, name):
    (figures.parent / "outside.png").write_bytes(PNG)
    with pytest.raises(ThoraxError, match=name.rpartition("/")[2]):
        html_page("t", f"![x]({name})", figures)


def test_headings_can_be_linked_to(figures):
    assert '<h2 id="per-class-small-cnn">' in html_page("t", "## Per class, `small_cnn`", figures)

"""A Markdown text as one HTML file that holds its figures: to be mailed, archived and opened without a network."""

import base64
import html
import re
from pathlib import Path

from markdown_it import MarkdownIt

from thorax.errors import ThoraxError

STYLE = """
:root { color-scheme: light; --ink: #1c1c1c; --grey: #5a5a5a; --line: #d9d9d9; --blue: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1rem 1.25rem 4rem; color: var(--ink); background: #fff;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.25; } h2 { margin-top: 2.6rem; border-bottom: 1px solid var(--line); }
h3 { margin-top: 2rem; } p, li { max-width: 48rem; }
blockquote { margin: 1rem 0; padding: .1rem 1rem; border-left: .3rem solid var(--blue); background: #f2f7fb; }
.table { overflow-x: auto; margin: 1rem 0; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  font-variant-numeric: tabular-nums; } th { border-bottom: 2px solid var(--grey); }
figure { margin: 1.5rem 0; } figcaption { color: var(--grey); font-size: .9rem; }
img { max-width: 100%; height: auto; } code { font-size: .92em; background: #f4f4f4; padding: 0 .2em; }
nav ul { columns: 18rem; padding-left: 1.2rem; } a { color: var(--blue); }
details { margin: .6rem 0; border: 1px solid var(--line); border-radius: .3rem; padding: .2rem 1rem; }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
@media print { details > * { display: block; } }
"""


def html_page(title: str, markdown: str, figures: Path, heading: str = "",
              sections: dict[str, str] | None = None) -> str:
    """A self-contained page.

    Args:
        title: of the window.
        markdown: CommonMark with tables; its images are paths below the folder `figures`. HTML in it is shown, not run.
        heading, sections: of what follows, and its Markdown texts by their titles, closed until the reader opens them.

    Raises:
        ThoraxError: an image is not there, or lies outside `figures`.
    """
    body = to_html(markdown, figures) + (to_html(f"## {heading}", figures) if sections else "")
    for name, text in (sections or {}).items():
        body += f"<details><summary>{html.escape(name)}</summary>\n{to_html(text, figures)}</details>\n"
    return (f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n")


def to_html(markdown: str, figures: Path) -> str:
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    # A wide table scrolls by itself; the page does not.
    body = body.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    body = re.sub(r"<h2>(.*?)</h2>", lambda found: f'<h2 id="{anchor(found[1])}">{found[1]}</h2>', body)
    return re.sub(r'<img src="([^"]*)" alt="([^"]*)"[^>]*>', lambda found: embedded(figures, found[1], found[2]), body)


def anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"<[^>]+>", "", heading).lower()).strip("-")


def embedded(figures: Path, name: str, title: str) -> str:
    path = (figures / html.unescape(name)).resolve()
    if not path.is_relative_to(figures.resolve()) or not path.is_file():
        raise ThoraxError(f"{figures / name}: the page shows this figure, which is not there; run `dvc repro`")
    return f'<img src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}" alt="{title}">'

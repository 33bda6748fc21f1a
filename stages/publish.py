"""publish: put a study's results, with time and memory, into a page of its own; not a stage of dvc.yaml."""

import json
import re
import shutil
from pathlib import Path

from thorax.errors import ThoraxError
from thorax.recipe import load_params
from thorax.reporting.results import fill_page, study_block
from thorax.running import run, writing


def main(study: str, page: str) -> None:
    """Fill the block of STUDY in PAGE (a Markdown file) and copy the figures that it shows to a folder beside it."""
    path = Path(page)
    marker = f"<!-- results:{study} -->"
    if not path.is_file() or marker not in path.read_text(encoding="utf-8"):
        raise ThoraxError(f"{page}: no page with the markers {marker} and <!-- /results:{study} -->; put them where "
                          "the results shall stand")
    block = study_block(study, load_params(), path.stem)
    with writing(path.parent / path.stem) as out:
        for figure in re.findall(rf"\({path.stem}/([^)]+)\)", block):
            shutil.copy(Path("reports") / study / figure, out)
    fill_page(path, study, f"{block}\n{costs(study)}")
    print(f"publish: {page} filled in with the results of {study}")


def costs(study: str) -> str:
    """What the stages of the study took when they last ran."""
    lines = ["| stage | run | seconds | peak memory (MB) | CPUs |", "|---|---|---|---|---|"]
    for path in sorted(Path("logs").glob(f"*/{study}*.json")):
        cost = json.loads(path.read_text())
        lines.append(f"| {path.parent.name} | {path.stem} | {cost['seconds']} | {cost['peak_memory_mb']} | "
                     f"{cost['cpus']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run(main)

"""publish: put a study's results, with time and memory, into a page of its own; not a stage of dvc.yaml."""

import json
import re
import shutil
from pathlib import Path

from thorax.errors import ThoraxError
from thorax.reader import load_params
from thorax.reporting.results import fill_page, study_block
from thorax.running import run, writing


def main(study: str, page: str) -> None:
    """Fill the block of STUDY in PAGE (a Markdown file) and copy the figures that it shows to a folder beside it."""
    path = Path(page)
    marker = f"<!-- results:{study} -->"
    if not path.is_file() or marker not in path.read_text(encoding="utf-8"):
        raise ThoraxError(f"{page}: no page with the markers {marker} and <!-- /results:{study} -->; put them where "
                          "the results shall stand")
    folder = path.parent / path.stem
    if folder.exists() and any(file.suffix != ".png" for file in folder.iterdir()):
        raise ThoraxError(f"{folder}: holds other files than figures and will not be replaced; give the page "
                          "another name")
    block = study_block(study, load_params(), path.stem)
    with writing(folder) as out:
        for figure in re.findall(rf"\({path.stem}/([^)]+)\)", block):
            shutil.copy(Path("reports") / study / figure, out)
    fill_page(path, study, f"{block}\n{costs(study)}")
    print(f"publish: {page} filled in with the results of {study}")


def costs(study: str) -> str:
    """What the stages of the study took when they last ran."""
    lines = ["| stage | run | seconds | largest process (MB) | CPUs |", "|---|---|---|---|---|"]
    runs = [f"{study}-{run.model}" for run in load_params().runs.values() if run.study == study]
    for path in sorted(path for name in (study, *runs) for path in Path("logs").glob(f"*/{name}.json")):
        cost = json.loads(path.read_text())
        lines.append(f"| {path.parent.name} | {path.stem} | {cost['seconds']} | {cost['peak_memory_mb']} | "
                     f"{cost['cpus']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run(main)

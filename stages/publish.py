"""publish: put a study's results, with time and memory, into a page of its own; not a stage of dvc.yaml."""

import json
import re
import shutil
from pathlib import Path

from thorax.errors import ThoraxError
from thorax.reader import load_params
from thorax.reporting.costs import cost_table, costs
from thorax.reporting.results import cells_of, fill_page, study_block
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
        shutil.copy(Path("logs") / f"{study}-costs.png", out / "costs.png")
        for figure in re.findall(rf"\({path.stem}/([^)]+)\)", block):
            shutil.copy(Path("reports") / study / figure, out)
    fill_page(path, study, "\n".join([block, *cost_lines(study, path.stem), ""]))
    print(f"publish: {page} filled in with the results of {study}")


def cost_lines(study: str, folder: str) -> list[str]:
    """What the runs of the study cost when they were last made, and all of it together."""
    params = load_params()
    cells = cells_of(study, params)
    names = [study, *(f"{study}-{cell.name}" for cell in cells),
             *(f"{study}-{each.model}-{each.name}" for each in params.externals.values() if each.study == study)]
    logs = [json.loads(path.read_text()) for name in names for path in Path("logs").glob(f"*/{name}.json")]
    minutes = sum(log["seconds"] for log in logs) / 60
    return [*cost_table(costs(study, cells)), "",
            f"All stages of the study together: {minutes:.1f} minutes on {max(log['cpus'] for log in logs)} "
            "CPUs, importing libraries not counted; largest process "
            f"{max(log['peak_memory_mb'] for log in logs):,} MB.", "",
            f"![What accuracy costs]({folder}/costs.png)"]


if __name__ == "__main__":
    run(main)

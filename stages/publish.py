"""publish: put the results of the selected studies, with time and memory, into pages of their own; not a stage of
dvc.yaml."""

import json
import re
import shutil
from pathlib import Path

from thorax.errors import ThoraxError
from thorax.reader import load_params, load_study
from thorax.recipe import Params
from thorax.reporting.costs import cost_table, costs
from thorax.reporting.external_tables import matrices, matrix_lines
from thorax.reporting.probe_tables import probe_lines
from thorax.reporting.results import Cell, cells_of, fill_page, read_json, study_block
from thorax.reporting.systems import system_lines
from thorax.running import run, writing

SYSTEMS = "systems"  # the block of the page that holds what concerns all studies
# Data sets whose licence lets everybody show their films; sheets with films of another one are left out.
SHOWN = {"kermany", "nih", "phantom"}
PICTURE = re.compile(r"!\[[^]]*\]\(([^)]+)\)\n?")


def main(page: str) -> None:
    """Fill the block of all systems in PAGE (a Markdown file, docs/real-films.md say) and write a page for each study
    of params.yaml, with its figures, into the folder beside it (docs/real-films/)."""
    path, params = Path(page), load_params()
    marker = f"<!-- results:{SYSTEMS} -->"
    # A page without a suffix would have the name of its own folder, and be replaced by it.
    if path.suffix != ".md" or not path.is_file() or marker not in path.read_text(encoding="utf-8"):
        raise ThoraxError(f"{page}: no page (.md) with the markers {marker} and <!-- /results:{SYSTEMS} -->; put them "
                          "where the results shall stand")
    folder = path.with_suffix("")
    if any(file.suffix not in (".md", ".png") for file in folder.rglob("*") if file.is_file()):
        raise ThoraxError(f"{folder}: holds other files than pages and figures and will not be replaced; give the page "
                          "another name")
    studies = [study for study in params.studies if cells_of(study, params)]
    systems = system_lines(params)
    with writing(folder) as out:
        for study in studies:
            write_page(study, params, path.name, out)
        matrix = matrix_sections(params, folder.name, out)
    links = [f"- [{load_study(study).title}]({folder.name}/{study}.md)" for study in studies]
    fill_page(path, SYSTEMS, "\n".join([*systems, *links, "", *matrix]))
    print(f"publish: {page} and {folder}/ hold the results of {', '.join(studies)}")


def write_page(study: str, params: Params, overview: str, out: Path) -> None:
    """<study>.md and <study>/ with the figures that it shows."""
    recipe = load_study(study)
    block = study_block(study, params, study)
    if any(name not in SHOWN and params.source_of(name) != "phantom" for name in recipe.download.datasets):
        block = PICTURE.sub(lambda found: "" if found[1].endswith("_gradcam.png") else found[0], block)
    (out / study).mkdir()
    for picture in PICTURE.findall(block):
        shutil.copy(Path("reports") / picture, out / picture)
    shutil.copy(Path("logs") / f"{study}-costs.png", out / study / "costs.png")
    found = read_json(Path("data/probes") / study / "probes.json")["tasks"]
    probes = [line for task, answers in found.items() for line in probe_lines(task, answers)]
    lines = [f"# {recipe.title}", "", f"Written by `python -m stages.publish`; do not edit. Which films these are, and "
             f"what the figures can not tell: [{overview}](../{overview}).", "", block.rstrip(), "",
             "## Probes", "", *probes, "", "## Cost", "", *cost_lines(study, cells_of(study, params), params)]
    (out / f"{study}.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def matrix_sections(params: Params, folder: str, out: Path) -> list[str]:
    lines = []
    recipes = {study: load_study(study) for study in params.studies}
    for number, matrix in enumerate(matrices(params, recipes), 1):
        name = f"trained_tested_{number}.png"
        shutil.copy(Path("reports") / name, out)
        lines += matrix_lines(matrix, f"{folder}/{name}")
    return lines


def cost_lines(study: str, cells: list[Cell], params: Params) -> list[str]:
    """What the runs of the study cost when they were last made, and all of it together."""
    names = [study, *(f"{study}-{cell.name}" for cell in cells),
             *(f"{each.study}-{each.search}" for each in params.searches.values() if each.study == study),
             *(f"{study}-{each.model}-{each.name}" for each in params.externals.values() if each.study == study)]
    logs = [json.loads(path.read_text()) for name in names for path in Path("logs").glob(f"*/{name}.json")]
    models = [read_json(cell.folder / "model.json")["computed_with"] for cell in cells]
    made = {"Keras {keras} with {backend}, device {device}".format(**facts) for facts in models}
    return [*cost_table(costs(study, cells)), "",
            f"All stages of the study together: {sum(log['seconds'] for log in logs) / 60:.1f} minutes on "
            f"{max(log['cpus'] for log in logs)} CPUs, importing libraries not counted; largest process "
            f"{max(log['peak_memory_mb'] for log in logs):,} MB. {'; '.join(sorted(made))}.", "",
            f"![What accuracy costs]({study}/costs.png)"]


if __name__ == "__main__":
    run(main)

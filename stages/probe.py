"""probe: what can be told of the classes without a finding; data/probes/<study>/ says it in figures."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from thorax.intervals import as_text
from thorax.probes.battery import Films, probe
from thorax.reader import load_params, load_study
from thorax.reporting.probe_charts import probe_bars
from thorax.running import run, writing
from thorax.splits import PARTS
from thorax.tasks import part_of_task


def main(study: str) -> None:
    """Run the probes of STUDY."""
    params, recipe = load_params(), load_study(study)
    variant = recipe.probes.films or next(iter(recipe.enhance.variants))
    split = recipe.probes.split or next(iter(recipe.split))
    found = {}
    for task in recipe.probes.tasks or recipe.tasks:
        classes = recipe.tasks[task]
        films = films_of_task(study, variant, split, classes)
        found[task] = probe(films, list(classes), recipe.probes, recipe.evaluate, params.seed)
        for name, answer in found[task].items():
            print(f"probe: {study}: {task}: {name}: {answer['verdict']}; {answer['metric']} {as_text(answer)}; "
                  f"{answer['reason']}")
    with writing(Path("data/probes") / study) as out:
        answers = {"films": variant, "split": split, "tasks": found}
        (out / "probes.json").write_text(json.dumps(answers, indent=2) + "\n")
        probe_bars(found, out / "probes.png", f"study {study}, films {variant}, split {split}, "
                   f"{recipe.evaluate.level:.0%} group bootstrap; a probe raises the alarm where its whole interval "
                   "lies above the threshold")


def films_of_task(study: str, variant: str, split: str, classes: dict[str, list[str]]) -> Films:
    """The films of all parts of the split that belong to a class of the task."""
    parts = {part: part_of_task(study, variant, split, classes, part) for part in PARTS}
    films = pd.concat([table for _, table in parts.values()])
    return Films(np.concatenate([examples.inputs[examples.rows] for examples, _ in parts.values()]),
                 np.concatenate([examples.classes for examples, _ in parts.values()]),
                 films["group"].to_numpy(str), films["source"].to_numpy(str),
                 np.repeat(list(parts), [len(examples) for examples, _ in parts.values()]))


if __name__ == "__main__":
    run(main)

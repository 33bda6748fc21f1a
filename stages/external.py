"""external: test a model on films of another study, less those that it has met; models/<study>/<model>/external/."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from thorax import artefacts, predictions, scoring
from thorax.backend import prepare
from thorax.errors import ThoraxError
from thorax.external import dealt, met
from thorax.intervals import as_text, metrics_with_intervals
from thorax.reader import load_run
from thorax.recipe import External, ExternalRun, suggest
from thorax.reporting import charts
from thorax.running import run, writing
from thorax.tasks import part_of_task
from thorax.training import predict


def main(study: str, model: str, name: str) -> None:
    """Test MODEL of STUDY on the external set NAME of its recipe."""
    params, recipe, _ = load_run(study, model)
    key = f"{study}_{model}_on_{name}"
    if key not in params.externals:
        raise ThoraxError(f"params.yaml: externals names no '{key}'; {suggest(key, params.externals)}")
    wanted, external = params.externals[key], recipe.external[name]
    folder = Path("models") / study / model
    prepare(params.seed, params.threads, params.device)
    network, description = artefacts.load(folder)
    classes = list(description["classes"])
    examples, films, counts = unmet(wanted, external, classes)
    probabilities = predict(network, examples, "predict")
    with writing(folder / "external" / name) as out:
        table = films[["id", "group", "source"]].assign(label=films["class"])
        table = table.assign(**{name: probabilities[:, number] for number, name in enumerate(classes)})
        predictions.write(table, out / "predictions.csv")
        table = predictions.read(out / "predictions.csv")
        labels, probabilities, groups = predictions.to_arrays(table)
        metrics = metrics_with_intervals(labels, probabilities, groups, classes, recipe.evaluate.resamples,
                                         recipe.evaluate.level, params.seed)
        (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        (out / "films.json").write_text(json.dumps(counts, indent=2) + "\n")
        label = f"study {study}, {model}, tested on {len(table)} films of study {external.study}"
        charts.confusion(scoring.confusion_matrix(labels, probabilities), classes, out / "confusion.png", label)
        charts.roc_curves(labels, probabilities, classes, out / "roc.png", label)
    removed = sum(each["near_duplicates"] + each["their_relatives"] for each in counts["classes"].values())
    print(f"external: {study}: {model} on {name}: balanced accuracy {as_text(metrics['balanced_accuracy'])} on "
          f"{len(table)} films; {removed} removed, which the model has met or which belong to such a film")


def unmet(wanted: ExternalRun, external: External, classes: list[str]) -> tuple:
    """The films to test on, as `part_of_task` gives them, and what films.json says: how many of each class are tested
    and how many were removed, and how many films there are of labels outside the classes."""
    part = None if external.part == "all" else external.part
    examples, films = part_of_task(wanted.other, wanted.other_films, wanted.other_split,
                                   {name: external.classes[name] for name in classes}, part)
    everything = dealt(wanted.other, wanted.other_split)
    inside = everything if part is None else everything[everything["split"] == part]
    used = [label for members in external.classes.values() for label in members]
    copies, related = (np.isin(examples.rows, rows)
                       for rows in met(wanted.study, wanted.split, wanted.other, wanted.other_split))
    once = ~pd.Series(examples.rows).duplicated().to_numpy()  # the split may repeat films
    counts = {}
    for name in classes:
        own = once & (films["class"] == name).to_numpy()
        counts[name] = {"tested": int((own & ~related).sum()), "near_duplicates": int((own & copies).sum()),
                        "their_relatives": int((own & related & ~copies).sum())}
        if not counts[name]["tested"]:
            raise ThoraxError(f"studies/{wanted.study}.yaml: external.{wanted.name}: of the {own.sum()} films of class "
                              f"'{name}' none is left, as '{wanted.model}' was trained on all of them or their "
                              "relatives; test on other films")
    kept = once & ~related
    return (replace(examples, rows=examples.rows[kept], classes=examples.classes[kept]), films[kept],
            {"classes": counts, "other_labels": {str(label): int(count) for label, count in
                                                 inside.loc[~inside["label"].isin(used), "label"].value_counts()
                                                 .sort_index().items()}})


if __name__ == "__main__":
    run(main)

"""evaluate: predict the test part once; every metric and figure of models/<study>/<model>/evaluation/ comes from it."""

import json
from pathlib import Path

import pandas as pd

from thorax import artefacts, predictions, scoring
from thorax.backend import prepare
from thorax.intervals import as_text, metrics_with_intervals
from thorax.reader import load_run
from thorax.reporting import charts
from thorax.running import run, writing
from thorax.splits import PARTS
from thorax.tasks import part_of_task
from thorax.training import predict


def main(study: str, model: str) -> None:
    """Evaluate MODEL of STUDY on the test part."""
    params, recipe, _ = load_run(study, model)
    folder = Path("models") / study / model
    prepare(params.seed, params.threads, params.device)
    network, description = artefacts.load(folder)
    classes = description["classes"]
    examples, films = part_of_task(study, description["films"], description["split"], classes, "test")
    probabilities = predict(network, examples, "predict")
    with writing(folder / "evaluation") as out:
        table = films[["id", "group", "source"]].assign(label=films["class"])
        table = table.assign(**{name: probabilities[:, number] for number, name in enumerate(classes)})
        predictions.write(table, out / "predictions.csv")
        table = predictions.read(out / "predictions.csv")
        metrics = metrics_with_intervals(*predictions.to_arrays(table), list(classes), recipe.evaluate.resamples,
                                         recipe.evaluate.level, params.seed)
        (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        draw(out, table, classes, pd.read_csv(folder / "history.csv"), counts(study, description),
             f"study {study}, {model}, {description['split']} split, {len(table)} test films")
    print(f"evaluate: {study}: {model}: balanced accuracy {as_text(metrics['balanced_accuracy'])} on {len(table)} "
          "test films")


def counts(study: str, description: dict) -> dict[str, dict[str, int]]:
    """Films of every class in every part."""
    of = (study, description["films"], description["split"], description["classes"])
    parts = {part: part_of_task(*of, part)[1]["class"].value_counts() for part in PARTS}
    return {name: {part: int(films.get(name, 0)) for part, films in parts.items()} for name in description["classes"]}


def draw(out: Path, table: pd.DataFrame, classes, history: pd.DataFrame, films: dict, label: str) -> None:
    names = list(classes)
    labels, probabilities, _ = predictions.to_arrays(table)
    charts.class_bars(films, out / "class_bars.png", label)
    charts.class_pie(films, out / "class_pie.png", label)
    kept = int(history.loc[history["kept"] == 1, "epoch"].iloc[0])
    charts.learning_curves(history, out / "learning_curves.png", label, kept)
    matrix = scoring.confusion_matrix(labels, probabilities)
    charts.confusion(matrix, names, out / "confusion.png", label)
    charts.roc_curves(labels, probabilities, names, out / "roc.png", label)
    charts.precision_recall_curves(labels, probabilities, names, out / "precision_recall.png", label)


if __name__ == "__main__":
    run(main)

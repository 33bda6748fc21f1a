"""train: fit one model of a study; weights, description and history go to models/<study>/<model>/."""

import json
from pathlib import Path

from thorax import artefacts, live, models, scoring
from thorax.backend import computing, describe, precision_of, prepare
from thorax.reader import load_run, prefixed
from thorax.running import run, writing_into
from thorax.tasks import part_of_task
from thorax.training import fit, predict


def main(study: str, model: str) -> None:
    """Train MODEL of STUDY."""
    params, recipe, wanted = load_run(study, model)
    classes = recipe.tasks[wanted.task]
    films = json.loads((Path("data/enhanced") / study / f"{wanted.films}.json").read_text())
    prepare(params.seed, params.threads, params.device)
    with computing(wanted.train.precision), prefixed(f"studies/{study}.yaml: models.{model}"):
        network = models.of_recipe(wanted, len(classes), films["image_size"])
    training, _ = part_of_task(study, wanted.films, wanted.split, classes, "train")
    validation, _ = part_of_task(study, wanted.films, wanted.split, classes, "validation")
    print(f"train: {study}: {model}: {network.count_params():,} parameters, {len(training)} films to train on, "
          f"{len(validation)} to validate")
    with writing_into(Path("models") / study / model, "train") as out:
        with live.curves(study, model) as callbacks, computing(wanted.train.precision):
            history = fit(network, training, validation, wanted.train, list(classes), params.seed,
                          wanted.weights != "none", callbacks)
        history.to_csv(out / "history.csv", index=False, lineterminator="\n", float_format="%.6g")
        best = history[history["kept"] == 1].iloc[0]
        chosen_by = scoring.scores(validation.classes, predict(network, validation, "validate"))
        artefacts.save(out, network, {
            "study": study, "model": model, "architecture": wanted.architecture, "arguments": wanted.arguments,
            "head": wanted.head, "task": wanted.task, "classes": classes, "image_size": films["image_size"],
            "input": "gray films after the enhancement, uint8 0..255, (n, image_size, image_size)",
            "films": wanted.films, "split": wanted.split, "enhancement": films["steps"],
            "initial_weights": wanted.weights, "initial_weights_sha256": wanted.weights_sha256,
            "training_films": len(training), "validation_films": len(validation),
            "films_sha256": artefacts.sha256(Path("data/enhanced") / study / f"{wanted.films}.npy"),
            "split_sha256": artefacts.sha256(Path("data/split") / study / f"{wanted.split}.csv"),
            "seed": params.seed,
            "computed_with": describe(params.threads) | {"precision": precision_of(wanted.train.precision)}})
        summary = {"parameters": network.count_params(), "epochs": len(history), "kept_epoch": int(best["epoch"]),
                   **{name: round(float(best[name]), 6) for name in ("val_loss", "val_accuracy")},
                   "val_macro_f1": round(float(chosen_by["macro_f1"]), 6)}
        (out / "training.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(f"train: {study}: {model}: kept epoch {best['epoch']:.0f} of {len(history)}, validation accuracy "
          f"{best['val_accuracy']:.3f}")


if __name__ == "__main__":
    run(main)

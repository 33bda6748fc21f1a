"""evaluate: predict validation and test part once; every figure of models/<study>/<model>/evaluation/ comes from that.

What a served model needs (temperature, operating points, input gate) is chosen on the validation part and measured on
the test part.
"""

import json
import statistics
import time
from pathlib import Path

import numpy as np
import pandas as pd

from thorax import artefacts, calibration, enhance, inputgate, operating, predictions, scoring, selective, subgroups
from thorax.backend import keras, prepare
from thorax.batches import Examples
from thorax.intervals import DIGITS, as_text, metrics_with_intervals, wilson
from thorax.oddinputs import odd_inputs
from thorax.reader import load_run
from thorax.recipe import Evaluate
from thorax.reporting import calibration_charts, charts
from thorax.running import MEASURED, run, writing
from thorax.splits import PARTS
from thorax.tasks import part_of_task
from thorax.training import predict

LATENCY_FILMS = 20


def main(study: str, model: str) -> None:
    """Evaluate MODEL of STUDY on the test part."""
    params, recipe, _ = load_run(study, model)
    settings, folder = recipe.evaluate, Path("models") / study / model
    prepare(params.seed, params.threads, params.device)
    network, description = artefacts.load(folder)
    of = (study, description["films"], description["split"], description["classes"])
    parts = {part: part_of_task(*of, part) for part in PARTS}
    with writing(folder / "evaluation") as out:
        validation, test = (predicted(network, *parts[part], list(description["classes"]), out / name)
                            for part, name in (("validation", "validation.csv"), ("test", "predictions.csv")))
        chosen = choose(validation, settings)
        gate = fit_gate(parts["train"][0], parts["validation"][0], settings.gate_accepts)
        metrics = measure(test, chosen, settings, params.seed)
        metrics["input_gate_refusal"] = refusal(gate, parts["test"][0], settings.level)
        found = {"metrics": metrics, "calibration": chosen, "input_gate": gate,
                 "subgroups": groups_of(parts["test"][1], test, settings, params.seed),
                 "odd_inputs": odd_table(network, description, gate, parts["test"][0])}
        for name, content in found.items():
            (out / f"{name}.json").write_text(json.dumps(content, indent=None if name == "input_gate" else 2) + "\n")
        label = f"study {study}, {model}, {description['split']} split, {len(test)} test films"
        draw_calibration(out, test, chosen, metrics, settings, params.seed, label)
        draw(out, test, {part: films for part, (_, films) in parts.items()}, pd.read_csv(folder / "history.csv"), label)
    MEASURED["latency_ms"] = latency_ms(network, parts["test"][0])
    print(f"evaluate: {study}: {model}: balanced accuracy {as_text(metrics['balanced_accuracy'])} on {len(test)} "
          f"test films; temperature {chosen['temperature']:.2f}, calibration error "
          f"{metrics['ece']['value']:.3f} -> {metrics['ece_calibrated']['value']:.3f}; input gate refuses "
          f"{metrics['input_gate_refusal']['value']:.1%} of them")


def predicted(network: keras.Model, examples: Examples, films: pd.DataFrame, classes: list[str],
              path: Path) -> pd.DataFrame:
    """The table of predictions as it stands in the file `path`, which this writes."""
    probabilities = predict(network, examples, path.stem)
    table = films[["id", "group", "source"]].assign(label=films["class"])
    predictions.write(table.assign(**{name: probabilities[:, number] for number, name in enumerate(classes)}), path)
    return predictions.read(path)


def latency_ms(network: keras.Model, examples: Examples) -> float:
    """Median time of one film by itself, from array to probabilities."""
    times = []
    for row in examples.rows[:LATENCY_FILMS + 1]:
        started = time.perf_counter()
        network.predict_on_batch(examples.inputs[row:row + 1])
        times.append(time.perf_counter() - started)
    return round(1000 * statistics.median(times[1:] or times), 2)  # the first one builds the graph


def choose(validation: pd.DataFrame, settings: Evaluate) -> dict:
    """What calibration.json holds: temperature and operating points, from the validation part alone."""
    labels, probabilities, _ = predictions.to_arrays(validation)
    fitted = calibration.fit_temperature(labels, probabilities)
    rule = "youden" if settings.sensitivity is None else f"sensitivity {settings.sensitivity:g}"
    calibrated = calibration.calibrate(probabilities, fitted["temperature"])
    points = operating.choose(labels, calibrated, predictions.classes_of(validation), settings.sensitivity)
    return fitted | {"rule": rule, "operating_points": points}


def fit_gate(training: Examples, validation: Examples, accepts: float) -> dict:
    return inputgate.fit(training.inputs[inputgate.sample(training.rows)], validation.inputs[validation.rows], accepts)


def measure(table: pd.DataFrame, chosen: dict, settings: Evaluate, seed: int) -> dict:
    """All metrics of the test part that follow from its predictions, as metrics.json holds them."""
    labels, probabilities, groups = predictions.to_arrays(table)
    calibrated = calibration.calibrate(probabilities, chosen["temperature"])
    how = (settings.resamples, settings.level, seed)
    metrics = metrics_with_intervals(labels, probabilities, groups, predictions.classes_of(table), *how)
    metrics |= calibration.calibration_metrics(labels, probabilities, calibrated, groups, *how)
    metrics["aurc"] = selective.aurc_entry(labels, calibrated, groups, *how)
    return metrics | operating.point_metrics(labels, calibrated, groups, chosen["operating_points"], *how)


def refusal(gate: dict, test: Examples, level: float) -> dict:
    """The share of ordinary films that the gate refuses, in the form of the other metrics."""
    count, total = int(inputgate.refused(gate, test.inputs[test.rows]).sum()), len(test)
    low, high = wilson(count, total, level)
    return {"value": round(count / total, DIGITS), "low": round(low, DIGITS), "high": round(high, DIGITS),
            "method": "wilson"}


def groups_of(films: pd.DataFrame, table: pd.DataFrame, settings: Evaluate, seed: int) -> dict:
    labels, probabilities, _ = predictions.to_arrays(table)
    return subgroups.subgroups(films, labels, probabilities, settings.resamples, settings.level, seed)


def odd_table(network: keras.Model, description: dict, gate: dict, test: Examples) -> dict[str, dict]:
    """How sure the model is of images that are no films, and how many of them the gate refuses."""
    odd = odd_inputs(test.inputs[test.rows], enhance.build(description["enhancement"], description["image_size"]))
    images = np.concatenate(list(odd.values()))
    confidence = predict(network, Examples(images, np.arange(len(images)), np.zeros(len(images))), "odd").max(axis=1)
    refused, found, start = inputgate.refused(gate, images), {}, 0
    for name, some in odd.items():
        own, start = slice(start, start + len(some)), start + len(some)
        found[name] = {"images": len(some), "softmax_maximum": round(float(np.median(confidence[own])), 4),
                       "refused": int(refused[own].sum())}
    return found


def draw_calibration(out: Path, table: pd.DataFrame, chosen: dict, metrics: dict, settings: Evaluate, seed: int,
                     label: str) -> None:
    labels, probabilities, groups = predictions.to_arrays(table)
    calibrated = calibration.calibrate(probabilities, chosen["temperature"])
    before, after = (calibration.reliability(labels, values, groups, settings.resamples, settings.level, seed)
                     for values in (probabilities, calibrated))
    calibration_charts.reliability(before, after, (metrics["ece"]["value"], metrics["ece_calibrated"]["value"]),
                                   chosen["temperature"], out / "reliability.png", label)
    calibration_charts.risk_coverage(*selective.risk_coverage(labels, calibrated), metrics["aurc"]["value"],
                                     out / "risk_coverage.png", label)


def draw(out: Path, table: pd.DataFrame, films: dict[str, pd.DataFrame], history: pd.DataFrame, label: str) -> None:
    names = predictions.classes_of(table)
    labels, probabilities, _ = predictions.to_arrays(table)
    counted = {part: rows["class"].value_counts() for part, rows in films.items()}
    counts = {name: {part: int(count.get(name, 0)) for part, count in counted.items()} for name in names}
    charts.class_bars(counts, out / "class_bars.png", label)
    charts.class_pie(counts, out / "class_pie.png", label)
    kept = int(history.loc[history["kept"] == 1, "epoch"].iloc[0])
    charts.learning_curves(history, out / "learning_curves.png", label, kept)
    matrix = scoring.confusion_matrix(labels, probabilities)
    charts.confusion(matrix, names, out / "confusion.png", label)
    charts.roc_curves(labels, probabilities, names, out / "roc.png", label)
    charts.precision_recall_curves(labels, probabilities, names, out / "precision_recall.png", label)


if __name__ == "__main__":
    run(main)

"""Markdown tables of what the evaluate stage found beside its metrics: calibration, operating points, input gate,
subgroups. Each function returns lines; their arguments are the contents of the JSON files in evaluation/."""

from thorax.intervals import as_text
from thorax.operating import MEASURES


def calibration_lines(metrics: dict, calibration: dict) -> list[str]:
    """Brier score, log-loss and ECE before and after, what chance would give, and what the temperature rests on."""
    note = f" ({calibration['note']})" if "note" in calibration else ""
    lines = [f"Temperature {calibration['temperature']:.3f}, fitted on {calibration['films']} validation films{note}.",
             "", "| on the test part | before | after |", "|---|---|---|"]
    names = {"brier": "Brier score (0 to 2)", "log_loss": "log-loss", "ece": "calibration error (ECE)",
             "ece{}_by_chance": "ECE that chance alone gives"}
    for name, title in names.items():
        keys = [name.format(suffix) if "{}" in name else f"{name}{suffix}" for suffix in ("", "_calibrated")]
        lines.append(f"| {title} | {' | '.join(as_text(metrics[key]) for key in keys)} |")
    return [*lines, "", f"Log-loss gained by calibration: {as_text(metrics['log_loss_gain'])} (paired). Area under the "
            f"risk-coverage curve: {as_text(metrics['aurc'])}; in random order it would be "
            f"{1 - metrics['accuracy']['value']:.3f}.", ""]


def operating_lines(metrics: dict, calibration: dict) -> list[str]:
    """Threshold of every class, chosen on the validation part, and what it gives on the test part."""
    rule = {"youden": "by Youden's index"}.get(calibration["rule"], f"to reach {calibration['rule']}")
    lines = [f"Operating points, chosen {rule} on {calibration['films']} validation films, each class against the "
             "rest; measured on the test part:", "",
             f"| class | threshold | {' | '.join(name.upper() if len(name) == 3 else name for name in MEASURES)} |",
             "|---|---|" + "---|" * len(MEASURES)]
    for name, point in calibration["operating_points"].items():
        threshold = point.get("note", "-") if point["threshold"] is None else f"{point['threshold']:.3f}"
        found = " | ".join(as_text(metrics[f"point_{measure}_{name}"]) for measure in MEASURES)
        lines.append(f"| {name} | {threshold} | {found} |")
    return [*lines, ""]


def gate_lines(metrics: dict, odd_inputs: dict) -> list[str]:
    """How sure the model is of what is no film, whether the gate refuses it, and what it refuses of ordinary films."""
    lines = [f"The input gate refuses {as_text(metrics['input_gate_refusal'])} of the test films (Wilson's "
             "interval), and of inputs that are none:", "",
             "| input | images | softmax maximum (median) | refused |", "|---|---|---|---|"]
    lines += [f"| {name} | {row['images']} | {row['softmax_maximum']:.3f} | {row['refused']} |"
              for name, row in odd_inputs.items()]
    return [*lines, ""]


def subgroup_lines(subgroups: dict) -> list[str]:
    """Accuracy per source, view, sex and age band; empty where no column has two values."""
    if not subgroups:
        return []
    lines = ["| subgroup | films | groups | classes | accuracy | balanced accuracy |", "|---|---|---|---|---|---|"]
    for column, values in subgroups.items():
        for name, row in values.items():
            figures = " | ".join(entry["reason"] if entry["value"] is None else as_text(entry)
                                 for entry in (row["accuracy"], row["balanced_accuracy"]))
            lines.append(f"| {column}: {name} | {row['films']} | {row['groups']} | {row['classes']} | {figures} |")
    return [*lines, ""]

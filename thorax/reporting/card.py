"""The model card of a run, as Markdown, from the files on disk. A field that would be empty is an error, not a gap.

The fields are those that reviews of the field miss most often (Mitchell et al., FAT* 2019, for the form; TRIPOD+AI,
BMJ 385:e078378 (2024), and CLAIM, Radiol Artif Intell 6:e240300 (2024), for the content).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from thorax.errors import ThoraxError
from thorax.intervals import as_text
from thorax.recipe import Params, Study
from thorax.reporting.evaluation_tables import calibration_lines, gate_lines, operating_lines, subgroup_lines
from thorax.reporting.external_tables import external_lines
from thorax.reporting.probe_tables import stamp
from thorax.reporting.results import COLUMNS, Cell, protocol, read_json

FAILURES = 5  # named: the wrong decisions that the model was surest of


@dataclass(frozen=True)
class Facts:
    """What a card is written from."""

    study: str
    params: Params
    recipe: Study
    cell: Cell
    audit: dict
    model: dict
    sources: dict[str, dict]
    films: pd.DataFrame
    rejected: int
    probes: dict


def facts_of(study: str, params: Params, recipe: Study, cell: Cell, root: Path = Path(".")) -> Facts:
    enhanced = root / "data" / "enhanced" / study
    films = pd.read_csv(enhanced / "films.csv", dtype=str, keep_default_na=False)
    split = pd.read_csv(root / "data" / "split" / study / f"{cell.recipe.split}.csv", dtype=str)
    sources = {path.parent.name: read_json(path)
               for path in sorted((root / "data" / "raw" / study).glob("*/source.json"))}
    return Facts(study, params, recipe, cell, read_json(root / "data" / "audit" / f"{study}.json")[cell.recipe.split],
                 read_json(cell.folder / "model.json"), sources, split.merge(films, on="id"),
                 len(pd.read_csv(enhanced / "rejects.csv")),
                 read_json(root / "data" / "probes" / study / "probes.json")["tasks"].get(cell.recipe.task, {}))


def model_card(facts: Facts) -> str:
    """The card. ThoraxError if a field is empty."""
    lines = [f"# Model card: {facts.cell.name}, study {facts.study}", ""]
    for title, field in FIELDS.items():
        text = field(facts).strip()
        if not text:
            raise ThoraxError(f"{facts.cell.folder}: the model card's field '{title}' would be empty; run `dvc repro`, "
                              "which writes what it is made of")
        lines += [f"## {title}", "", text, ""]
    return "\n".join(lines)


def intended_use(facts: Facts) -> str:
    return ("Research on classifiers of chest X-rays and on how they are evaluated; a baseline to compare with. Users: "
            "ML engineers and radiology-AI researchers.")


def limits(facts: Facts) -> str:
    simulated = any(source.get("source") == "phantom" for source in facts.sources.values())
    phantoms = (" **Its films are simulated: the figures show that the software works and say nothing about "
                "patients.**") if simulated else ""
    return ("**Not for diagnosis**, triage or any decision about a patient; not a medical device; not tested "
            f"prospectively or in another hospital.{phantoms} It knows the classes "
            f"{', '.join(facts.model['classes'])} and no others: every film gets one of them.")


def data(facts: Facts) -> str:
    told = ("title", "origin", "licence", "citation")
    if not facts.sources or not all(source.get(field) for source in facts.sources.values() for field in told):
        return ""
    lines = []
    for name, source in facts.sources.items():
        kinds = {"phantom": "simulated", "folder": "read from a folder", "archive": "read from an archive"}
        came = kinds.get(source.get("source", source["kind"]), f"from {source.get('source')}")
        version = f", version {source['version']}" if "version" in source else ""
        digest = f", archive SHA-256 `{source['sha256']}`" if "sha256" in source else ""
        lines.append(f"- `{name}`: {source['title']} ({came}{version}{digest}). Origin: {source['origin']}; licence: "
                     f"{source['licence']}; {source['citation']}.")
    return "\n".join([*lines, "", f"Films as trained on, SHA-256 `{facts.model['films_sha256']}`; the split, SHA-256 "
                      f"`{facts.model['split_sha256']}`."])


def inclusion(facts: Facts) -> str:
    lines = []
    for name, wanted in facts.recipe.download.datasets.items():
        parts = f", parts {', '.join(wanted.parts)}" if wanted.parts else ""
        out = "; ".join(f"{count} {reason}" for reason, count in facts.sources[name]["left_out"].items()) or "none"
        lines.append(f"- `{name}`: labels {', '.join(wanted.labels)}{parts}. Files left out: {out}.")
    return "\n".join([*lines, f"- unreadable films: {facts.rejected} rejected (`rejects.csv`)."])


def partition(facts: Facts) -> str:
    return protocol(facts.cell.recipe.split, facts.recipe.split[facts.cell.recipe.split], facts.audit,
                    facts.params.seed)


def counts(facts: Facts) -> str:
    classes = {label: name for name, labels in facts.model["classes"].items() for label in labels}
    films = facts.films.assign(**{"class": facts.films["label"].map(classes)}).dropna(subset="class")
    if films.empty:
        return ""
    table = films.groupby(["class", "source"]).split.value_counts().unstack(fill_value=0)
    lines = ["| class | source | train | validation | test |", "|---|---|---|---|---|"]
    for (name, source), row in table.iterrows():
        lines.append(f"| {name} | {source or '-'} | " + " | ".join(
            str(row.get(part, 0)) for part in ("train", "validation", "test")) + " |")
    return "\n".join(lines)


def preprocessing(facts: Facts) -> str:
    steps = "; ".join(flow(step) for step in facts.model["enhancement"]) or "none"
    side = facts.model["image_size"]
    return (f"Decoded to gray, operations `{facts.model['films']}`: {steps}; {side}x{side} pixels. Standardisation is "
            "part of the model, which takes uint8 films.")


def model(facts: Facts) -> str:
    known = facts.model
    return (f"`{known['architecture']}`" + (f" ({flow(known['arguments'])})" if known["arguments"] else "")
            + f", head {known['head']}: {known['parameters']:,} parameters, of which {known['base_parameters']:,} in "
            f"the base. Task `{known['task']}`. Weights SHA-256 `{known['weights_sha256']}`. Initial weights: "
            f"{known['initial_weights']}" + (" (random)." if known["initial_weights"] == "none" else "."))


def training(facts: Facts) -> str:
    recipe = facts.cell.recipe.train.model_dump(exclude_none=True)
    lines = [f"- phase {number}: {flow(phase)}" for number, phase in enumerate(recipe.pop("phases"), 1)]
    lines += [f"- {name}: {flow(value) if isinstance(value, dict) else value}" for name, value in recipe.items()]
    return "\n".join([*lines, f"- seed: {facts.params.seed}", f"- computed with: {flow(facts.model['computed_with'])}",
                      f"- {facts.model['training_films']} films to train on, {facts.model['validation_films']} to "
                      "validate"])


def selection(facts: Facts) -> str:
    kept, search = facts.cell.training, facts.recipe.tune.get(facts.cell.name)
    chosen = "were set by hand; no search." if search is None else (
        f"are the best of {search.trials} trials ({search.sampler}, from `{search.base}`) by macro F1 on the "
        "validation part.")
    return (f"Weights of epoch {kept['kept_epoch']} of {kept['epochs']}, the best by "
            f"{facts.cell.recipe.train.early_stopping.monitor}. The test part chose nothing. Hyper-parameters "
            f"{chosen}")


def performance(facts: Facts) -> str:
    metrics = facts.cell.metrics
    lines = ["| metric | value |", "|---|---|"]
    lines += [f"| {title} | {as_text(metrics[name])} |" for name, title in COLUMNS.items()]
    for name in facts.model["classes"]:
        lines.append(f"| {name}: precision, recall, AUC | " + ", ".join(
            as_text(metrics[f"{metric}_{name}"]) for metric in ("precision", "recall", "roc_auc")) + " |")
    settings = facts.recipe.evaluate
    return "\n".join([*lines, "", f"{settings.level:.0%} intervals: percentiles of {settings.resamples} resamples of "
                      "whole groups of the test part. They cover neither another training nor another hospital."])


def elsewhere(facts: Facts) -> str:
    runs = [run for run in facts.params.externals.values() if (run.study, run.model) == (facts.study, facts.cell.name)]
    root = facts.cell.folder.parent.parent.parent
    return "\n".join(external_lines(facts.recipe, runs, facts.params.seed, root)) or (
        "Not tested on films of another study, so nothing is known of how it does there.")


def shortcuts(facts: Facts) -> str:
    if not facts.probes:
        return "Not looked for: the recipe probes no film of this task."
    undecided = [name for name, answer in facts.probes.items() if answer["verdict"] == "not decided"]
    return " ".join([stamp(facts.probes) or "No probe raised the alarm.",
                     *([f"Not decided: {', '.join(undecided)}."] if undecided else []),
                     "The probes and what they found: index.html of the study."])


def calibration(facts: Facts) -> str:
    known = read_json(facts.cell.folder / "evaluation" / "calibration.json")
    return "\n".join(calibration_lines(facts.cell.metrics, known) + operating_lines(facts.cell.metrics, known))


def input_gate(facts: Facts) -> str:
    return "\n".join(gate_lines(facts.cell.metrics, read_json(facts.cell.folder / "evaluation" / "odd_inputs.json")))


def subgroups(facts: Facts) -> str:
    found = subgroup_lines(read_json(facts.cell.folder / "evaluation" / "subgroups.json"))
    return "\n".join(found) or "The data know no subgroup of two values (source, view, sex, age)."


def failures(facts: Facts) -> str:
    cases = pd.read_csv(facts.cell.folder / "explanation" / "cases.csv")
    wrong = cases[cases["label"] != cases["predicted"]].sort_values("probability", ascending=False).head(FAILURES)
    if wrong.empty:
        return "None among the cases that were looked at."
    return "\n".join(f"- `{row.id}`: {row.label}, called {row.predicted} with probability {row.probability:.2f}"
                     for row in wrong.itertuples())


def reproduction(facts: Facts) -> str:
    return (f"The commit that holds this card (`git log -1 -- reports/{facts.study}`): `dvc repro` makes it again, "
            "with the same bytes on the same machine.")


def flow(mapping: dict) -> str:
    return ", ".join(f"{key} {value}" for key, value in mapping.items())


FIELDS: dict[str, Callable[[Facts], str]] = {
    "Intended use": intended_use,
    "Limits": limits,
    "Data": data,
    "Inclusion": inclusion,
    "Partition and disjointness": partition,
    "Films by class, source and part": counts,
    "Preprocessing": preprocessing,
    "Model": model,
    "Training": training,
    "Selection and search": selection,
    "Performance on the test part": performance,
    "Performance on films of other studies": elsewhere,
    "Shortcuts": shortcuts,
    "Calibration and operating points": calibration,
    "Odd inputs": input_gate,
    "Subgroups": subgroups,
    "Failure cases": failures,
    "How to make it again": reproduction,
}

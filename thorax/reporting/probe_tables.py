"""What the probes found, as Markdown: the table of a task, the stamp for its metrics, and the models' floor."""

from thorax.intervals import as_text
from thorax.probes.judgement import judged
from thorax.reporting.probe_charts import TITLES


def probe_lines(task: str, answers: dict[str, dict]) -> list[str]:
    """The probes of a task, a row each, under the stamp if there is one.

    Args: answers: probe -> figure, a task's part of probes.json (`tasks.<task>`).
    """
    lines = [f"Probes of task `{task}`: what tells its classes apart without a finding (docs/probes.md).", ""]
    if stamp(answers):
        lines += [stamp(answers), ""]
    lines += ["| probe | films | found | chance | threshold | verdict | why |", "|---|---|---|---|---|---|---|"]
    for name, answer in answers.items():
        limit = f"{answer['threshold']:.3f}" if "threshold" in answer else "-"
        lines.append(f"| {TITLES[name]} | {answer['films']} | {as_text(answer)} | {answer['chance']:.3f} | {limit} | "
                     f"{answer['verdict']} | {answer['reason']} |")
    return [*lines, ""]


def stamp(answers: dict[str, dict]) -> str:
    """The sentence that belongs beside every metric of the task, or nothing where no probe raised the alarm."""
    sentences = []
    source = answers.get("source")
    if source and source["verdict"] == "alarm":
        association = f"Cramér's V {source['cramers_v']:.2f}"
        sentences.append(f"**Confounded:** the source alone gives the class of {source['value']:.0%} of the films "
                         f"({association}); a metric of this task may measure the source and not the finding.")
    others = [TITLES[name] for name, answer in answers.items() if name != "source" and answer["verdict"] == "alarm"]
    if others:
        sentences.append(f"**Alarm** of {len(others)} of the other probes: {', '.join(others)}.")
    return " ".join(sentences)


def floor_lines(models: dict[str, dict], answers: dict[str, dict], margin: float) -> list[str]:
    """Whether each model does better than ten intensity figures by the margin, a share of the way from their balanced
    accuracy to 1.

    Args: models: name -> balanced accuracy, as in metrics.json; answers: as for `probe_lines`; margin: of the recipe.
    """
    floor = answers.get("shortcut", {}).get("value")
    if floor is None:
        return []
    says = {"alarm": "beats it", "ok": "does not beat it", "not decided": "not decided"}
    lines = []
    for name, entry in models.items():
        compared = judged(entry, floor, margin)
        lines.append(f"- `{name}`, balanced accuracy {as_text(entry)}: {says[compared['verdict']]}, threshold "
                     f"{compared['threshold']:.3f}")
    return [f"Shortcut floor {floor:.3f}, what ten intensity figures reach; a model must lie above it by {margin:.0%} "
            "of the way from there to 1, with its whole interval:", "", *lines, ""]

"""What the explain stage found, as Markdown, from explanation.json alone."""

from thorax.intervals import as_text

VERDICTS = {"pass": "pass: the maps change with the weights", "fail": "FAIL: the maps hardly depend on the weights",
            "undecided": "undecided"}


def explanation_lines(explanations: dict[str, dict], shown: str, classes: list[str]) -> list[str]:
    """The lines of a report: a table of the models, what it means, and a table of the classes for the model `shown`.

    Args: explanations: the content of explanation.json by model; classes: of the task, in their order.
    """
    masks = [kind for kind in ("lesion", "lung") if any(kind in each for each in explanations.values())]
    return [*model_table(explanations, masks), *meaning(explanations[shown], masks),
            *class_table(explanations[shown], shown, masks, classes)]


def model_table(explanations: dict[str, dict], masks: list[str]) -> list[str]:
    columns = ["model", "shuffled weights", "rank correlation: head", "and last block", "SSIM: head", "and last block"]
    columns += [f"{kind}: {title}" for kind in masks for title in ("energy ratio", "hit rate", "by chance")]
    lines = [*heading([*columns, "empty maps"])]
    for name, found in explanations.items():
        levels = found["sanity"]["levels"].values()
        cells = [name, VERDICTS[found["sanity"]["verdict"]]]
        cells += [as_text(level[title]) for title in ("rank_correlation", "ssim") for level in levels]
        for kind in masks:
            cells += localised(found.get(kind, {}).get("right"))
        lines.append(f"| {' | '.join([*cells, as_text(found['empty'])])} |")
    return [*lines, ""]


def class_table(found: dict, model: str, masks: list[str], classes: list[str]) -> list[str]:
    if not masks:
        return []
    columns = ["class", *(f"{kind}: {title}" for kind in masks
                          for title in ("films", "energy ratio", "hit rate", "by chance"))]
    lines = [f"By class, right decisions of `{model}`:", "", *heading(columns)]
    for name in classes:
        cells = []
        for kind in masks:
            own = found.get(kind, {}).get(f"right_{name}")
            cells += [str(own["films"]) if own else "0", *localised(own)]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return [*lines, ""]


def meaning(found: dict, masks: list[str]) -> list[str]:
    sanity = found["sanity"]
    lines = [f"Grad-CAM of the predicted class. Shuffled weights: {sanity['films']} test films, {sanity['draws']} "
             "shuffles of the head's weights, then of those of the base's last block too; equal maps have 1. `fail`: "
             f"the interval of the last rank correlation lies at {sanity['unchanged']:g} or above, `pass`: below."]
    if masks:
        lines.append("Energy ratio: the maps' share inside the mask over the mask's share of the film, 1 is none. Hit "
                     "rate: how often the highest point lies inside. Both over right decisions on films with the mask.")
    return [*lines, ""]


def localised(found: dict | None) -> list[str]:
    if found is None:
        return ["-"] * 3
    return [as_text(found["energy_ratio"]), as_text(found["hit_rate"]), f"{found['area']:.3f}"]


def heading(columns: list[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]

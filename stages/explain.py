"""explain: Grad-CAM of test films, where its evidence lies and whether it depends on the model, to
models/<study>/<model>/explanation/."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from thorax import artefacts, packed, predictions
from thorax.backend import prepare
from thorax.explain import localisation, sanity
from thorax.explain.gradcam import explainer
from thorax.intervals import share_with_interval
from thorax.reader import load_run
from thorax.reporting import sheets
from thorax.running import run, writing
from thorax.tasks import part_of_task

COLUMNS = 4  # cases per row of the sheet
ROWS = 3  # films in the figure of the sanity check
TITLES = {"head": "head shuffled", "last_block": "and last block"}


def main(study: str, model: str) -> None:
    """Explain decisions of MODEL of STUDY."""
    params, recipe, _ = load_run(study, model)
    folder = Path("models") / study / model
    prepare(params.seed, params.threads, params.device)
    network, description = artefacts.load(folder)
    names = list(description["classes"])
    examples, _ = part_of_task(study, description["films"], description["split"], description["classes"], "test")
    masks = np.load(Path("data/enhanced") / study / packed.MASKS, mmap_mode="r")
    cases = decisions(predictions.read(folder / "evaluation" / "predictions.csv"), names)
    explain = explainer(network)

    def films_of(chosen: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        return (np.asarray(examples.inputs[examples.rows[chosen.index]]),
                chosen["predicted"].map(names.index).to_numpy())

    found = localisation.measure(explain, examples.inputs, examples.rows,
                                 cases["predicted"].map(names.index).to_numpy(), masks)
    cases = cases.join(found)
    settings = (recipe.evaluate.resamples, recipe.evaluate.level, params.seed)
    explanation = {"films": len(cases), "right": int((cases["label"] == cases["predicted"]).sum()),
                   "empty": share_with_interval(cases["empty"], cases["group"], *settings),
                   **localisation.summary(cases, names, *settings)}

    sample = cases.sample(min(len(cases), recipe.explain.sanity_films), random_state=params.seed).sort_index()
    sampled, classes = films_of(sample)
    trained = explain(sampled, classes)
    shuffled = sanity.randomised(network, explain, sampled, classes, recipe.explain.sanity_draws, params.seed)
    explanation["sanity"] = sanity.check(trained, shuffled, sample["group"].to_numpy(), *settings)

    shown = choose(cases, names, recipe.explain.right, recipe.explain.wrong)
    cases["shown"] = cases.index.isin(shown.index)
    films, classes = films_of(shown)
    outlines, drawn = outlined(masks[examples.rows[shown.index]], "lesion" in explanation)
    with writing(folder / "explanation") as out:
        cases.to_csv(out / "cases.csv", index=False, lineterminator="\n", float_format="%.4f")
        (out / "explanation.json").write_text(json.dumps(explanation, indent=2) + "\n")
        sheets.contact_sheet(films, captions(shown), COLUMNS, out / "gradcam.png",
                             f"study {study}, {model}: test films, evidence for the predicted class{drawn}",
                             explain(films, classes), "Grad-CAM", outlines)
        columns = {"trained": trained[:ROWS]} | {TITLES[name]: maps[0][:ROWS] for name, maps in shuffled.items()}
        sheets.randomisation(sampled[:ROWS], captions(sample[:ROWS]), columns, out / "sanity.png",
                             f"study {study}, {model}: test films, evidence for the class that the trained model "
                             "predicts; maps that stay explain the film and not the model")
    print(f"explain: {study}: {model}: {len(cases)} films, {len(cases) - explanation['right']} of them decided wrong; "
          f"sanity check: {explanation['sanity']['verdict']}")


def decisions(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The table of predictions as decisions: the class that each film was taken for, and its probability."""
    probabilities = table[names].to_numpy()
    return pd.DataFrame({"id": table["id"], "group": table["group"], "label": table["label"],
                         "predicted": np.array(names)[probabilities.argmax(axis=1)],
                         "probability": probabilities.max(axis=1)})


def choose(cases: pd.DataFrame, names: list[str], right: int, wrong: int) -> pd.DataFrame:
    """For every class the right decisions and the wrong ones that the model was surest of."""
    cases = cases.sort_values(["probability", "id"], ascending=[False, True])
    chosen = []
    for name in names:
        own = cases[cases["label"] == name]
        chosen += [own[own["predicted"] == name].head(right), own[own["predicted"] != name].head(wrong)]
    return pd.concat(chosen)


def captions(cases: pd.DataFrame) -> list[dict]:
    return [{"true": row.label, "predicted": row.predicted, "probability": row.probability}
            for row in cases.itertuples()]


def outlined(masks: np.ndarray, lesions: bool) -> tuple[np.ndarray | None, str]:
    """The masks to outline, bool (n, side, side), lesions where the study knows them, else lungs; and what to call them
    in a heading."""
    if not masks.shape[1]:
        return None, ""
    return masks & (packed.LESION if lesions else packed.LUNG) > 0, f"; outlined: {'lesion' if lesions else 'lungs'}"


if __name__ == "__main__":
    run(main)

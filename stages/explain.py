"""explain: Grad-CAM of right and wrong decisions on test films, to models/<study>/<model>/explanation/."""

from pathlib import Path

import numpy as np
import pandas as pd

from thorax import artefacts, predictions
from thorax.backend import prepare
from thorax.explain.gradcam import gradcam
from thorax.reader import load_run
from thorax.reporting import sheets
from thorax.running import run, writing
from thorax.tasks import part_of_task

COLUMNS = 4  # cases per row of the sheet


def main(study: str, model: str) -> None:
    """Explain decisions of MODEL of STUDY."""
    params, recipe, _ = load_run(study, model)
    folder = Path("models") / study / model
    prepare(params.seed, params.threads, params.device)
    network, description = artefacts.load(folder)
    names = list(description["classes"])
    examples, _ = part_of_task(study, description["films"], description["split"], description["classes"], "test")
    table = predictions.read(folder / "evaluation" / "predictions.csv")
    cases = choose(table, names, recipe.explain.right, recipe.explain.wrong)
    films = np.asarray(examples.inputs[examples.rows[cases.index]])
    heat = gradcam(network, films, cases["predicted"].map(names.index).to_numpy())
    with writing(folder / "explanation") as out:
        cases.to_csv(out / "cases.csv", index=False, lineterminator="\n", float_format="%.4f")
        captions = [{"true": row.label, "predicted": row.predicted, "probability": row.probability}
                    for row in cases.itertuples()]
        sheets.contact_sheet(films, captions, COLUMNS, out / "gradcam.png",
                              f"study {study}, {model}: test films, evidence for the predicted class", heat, "Grad-CAM")
    print(f"explain: {study}: {model}: {len(cases)} cases, {int((cases['label'] != cases['predicted']).sum())} of them "
          "wrong")


def choose(table: pd.DataFrame, names: list[str], right: int, wrong: int) -> pd.DataFrame:
    """For every class the right decisions and the wrong ones that the model was surest of; the index says in which
    rows of the predictions they stand."""
    probabilities = table[names].to_numpy()
    cases = pd.DataFrame({"id": table["id"], "label": table["label"],
                          "predicted": np.array(names)[probabilities.argmax(axis=1)],
                          "probability": probabilities.max(axis=1)})
    cases = cases.sort_values(["probability", "id"], ascending=[False, True])
    chosen = []
    for name in names:
        own = cases[cases["label"] == name]
        chosen += [own[own["predicted"] == name].head(right), own[own["predicted"] != name].head(wrong)]
    return pd.concat(chosen)


if __name__ == "__main__":
    run(main)

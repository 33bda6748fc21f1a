"""tune: search hyper-parameters on the validation part; trials and winner go to models/<study>/<search>/tuning/."""

import hashlib
import json
import logging
import sys
from pathlib import Path

import optuna
from ruamel.yaml import YAML

from thorax import artefacts, models, scoring, tuning
from thorax.backend import computing, describe, keras, prepare
from thorax.errors import ThoraxError
from thorax.reader import load_params, load_study, prefixed
from thorax.recipe import Model, Train, suggest
from thorax.reporting import tuning_charts
from thorax.running import run, writing
from thorax.tasks import part_of_task
from thorax.training import fit, predict


def main(study: str, search: str) -> None:
    """Run SEARCH of STUDY, or go on with it."""
    params, recipe = load_params(), load_study(study)
    if search not in recipe.tune:
        raise ThoraxError(f"studies/{study}.yaml: there is no search '{search}'; {suggest(search, recipe.tune)}")
    wanted = recipe.tune[search]
    base = recipe.models[wanted.base]
    classes = recipe.tasks[base.task]
    side = json.loads((Path("data/enhanced") / study / f"{base.films}.json").read_text())["image_size"]
    prepare(params.seed, params.threads, params.device)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of many models in one process: they are meant
    training, _ = part_of_task(study, base.films, base.split, classes, "train")
    validation, _ = part_of_task(study, base.films, base.split, classes, "validation")

    def score(model: Model, tell) -> float:
        keras.utils.clear_session()
        keras.utils.set_random_seed(params.seed)  # a trial does not depend on those before it in this process
        values = []

        def measure(epoch, logs):
            values.append(macro_f1(network, validation))
            tell(values[-1])

        with computing(model.train.precision):
            try:
                network = models.of_recipe(model, len(classes), side)
            except ThoraxError as error:
                raise tuning.DoesNotFit(str(error)) from None
            history = fit(network, training, validation, shortened(model.train, wanted.epochs), list(classes),
                          params.seed, model.weights != "none", [keras.callbacks.LambdaCallback(on_epoch_end=measure)])
        return values[int(history.loc[history["kept"] == 1, "epoch"].iloc[0]) - 1]

    # What fails here would fail in every trial, which would count as tried: weights that are not there, for one.
    with computing(base.train.precision), prefixed(f"studies/{study}.yaml: models.{wanted.base}"):
        models.of_recipe(base, len(classes), side)
    key = fingerprint(study, base, {
        "base": base.model_dump(), "search": wanted.model_dump(exclude={"trials"}), "classes": classes,
        "seed": params.seed, "computed_with": describe(params.threads), "optuna": optuna.__version__})
    with writing(Path("models") / study / search / "tuning") as out:
        trials = tuning.search(wanted, base, score, Path("logs/tuning") / f"{study}-{search}-{key}.journal",
                               params.seed, f"tune: {study}: {search}")
        table = tuning.table(trials)
        table.to_csv(out / "trials.csv", index=False, lineterminator="\n", float_format="%.6g")
        with open(out / "best.yaml", "w", encoding="utf-8") as file:
            file.write(f"# Written by `dvc repro` (stage tune): the best of {len(table)} trials. Do not edit.\n")
            best = tuning.recipe_of(tuning.winner(trials), wanted, base)
            YAML().dump({"models": {search: best.model_dump(exclude_none=True)}}, file)
        label = f"study {study}, search {search}: {wanted.sampler}, {len(table)} trials, {len(validation)} films of " \
                "the validation part"
        tuning_charts.history(table, out / "history.png", label)
        tuning_charts.importance(tuning.importances(trials, params.seed), out / "importance.png",
                                 f"{label}; {(table['state'] == 'finished').sum()} finished")
        tuning_charts.slices(table, wanted.space, out / "slices.png", label)
    chosen = table[table["best"] == 1].iloc[0]
    print(f"tune: {study}: {search}: best of {len(table)} trials is {chosen['trial']}, macro F1 "
          f"{chosen['macro_f1']:.3f} on the validation part")


def shortened(recipe: Train, epochs: int) -> Train:
    """With no phase longer than `epochs`; a decay falls to its end within them."""
    phases = [phase.model_copy(update={"epochs": min(phase.epochs, epochs)}) for phase in recipe.phases]
    return recipe.model_copy(update={"phases": phases})


def macro_f1(network, films) -> float:
    return float(scoring.scores(films.classes, predict(network, films, "validate"))["macro_f1"])


def fingerprint(study: str, base: Model, settings: dict) -> str:
    """Of all that decides on a trial, the code included: a journal of other trials is not gone on with. The budget is
    not in it, so that a search with more trials goes on from those that there are."""
    code = {Path(module.__file__) for name, module in sys.modules.items() if name.partition(".")[0] == "thorax"}
    code |= {Path(__file__), Path(models.__file__).parent / f"{base.architecture}.py"}
    data = [Path("data/enhanced") / study / f"{base.films}.npy", Path("data/split") / study / f"{base.split}.csv"]
    files = [artefacts.sha256(path) for path in (*sorted(code), *data)]
    return hashlib.sha256(json.dumps([settings, files], sort_keys=True).encode()).hexdigest()[:12]


if __name__ == "__main__":
    run(main)

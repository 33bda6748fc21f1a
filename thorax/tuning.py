"""The search itself: what is tried next, what is given up, and how a search that was cut off goes on.

Trials run one after the other, and each draws from a sampler seeded by (seed, number of the trial, sampler), so that
what it tries depends on the trials before it and on nothing else: not on the process, nor on how often it was started.
A trial that was cut off is forgotten and begun again. Where a training gives the same result twice, a search does.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from thorax.errors import ThoraxError
from thorax.recipe import Dimension, Model, Search
from thorax.space import text, with_values

STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
LEAST_FINISHED = 10  # trials of which importances are told: of fewer they are chance
DIGITS = 4  # of a drawn number that is not whole: enough to train by, and short enough to read

optuna.logging.set_verbosity(optuna.logging.WARNING)


class DoesNotFit(ThoraxError):
    """A trial's recipe is no model, for films of this size for example."""


def search(wanted: Search, base: Model, score: Callable[[Model, Callable[[float], None]], float], journal: Path,
           seed: int, title: str) -> list[FrozenTrial]:
    """Try `wanted.trials` recipes; returns them, finished or not.

    Args:
        score: trains a recipe, tells the macro F1 of every epoch (which may end the trial by an exception), and returns
            that of the weights kept. DoesNotFit counts as pruned, any other ThoraxError (a loss that is not finite)
            as failed; the search goes on.
        journal: the file that finished trials are kept in; those in it are not run again.

    Raises ThoraxError if no trial finished.
    """
    study = opened(journal, wanted, seed)
    done = len(study.trials)
    with tqdm(total=wanted.trials, initial=min(done, wanted.trials), desc=title, unit="trial", disable=None) as bar:
        if done:
            tqdm.write(f"{title}: {done} trials of an earlier start are kept ({journal})")
        for number in range(done, wanted.trials):
            study.sampler = sampler(wanted, seed, number)
            attempt(study, wanted, base, score)
            bar.update()
            tqdm.write(f"{title}: {told(study.trials[number], wanted.trials)}")
    trials = study.trials[:wanted.trials]
    if all(trial.state != TrialState.COMPLETE for trial in trials):
        raise ThoraxError(f"{title}: none of {len(trials)} trials finished; the last one {reason(trials[-1])}; mend "
                          "the space or the base's recipe")
    return trials


def opened(journal: Path, wanted: Search, seed: int) -> optuna.Study:
    """The study in the journal, without the trial that was cut off, if one was: its number is given again, which the
    draws and the brackets of Hyperband depend on."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    cut_last_line(journal)
    study = studied(journal, wanted)
    kept = [trial for trial in study.trials if trial.state in STATES]
    if len(kept) == len(study.trials):
        return study
    fresh = journal.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    studied(fresh, wanted).add_trials(kept)
    os.replace(fresh, journal)
    return studied(journal, wanted)


def studied(journal: Path, wanted: Search) -> optuna.Study:
    pruners = {"none": optuna.pruners.NopPruner,
               # Never at the first epoch, which says little.
               "median": lambda: optuna.pruners.MedianPruner(wanted.startup_trials, n_warmup_steps=2),
               "hyperband": lambda: optuna.pruners.HyperbandPruner(1, wanted.epochs, 3)}
    return optuna.create_study(storage=JournalStorage(JournalFileBackend(str(journal))), study_name="search",
                               load_if_exists=True, direction="maximize", pruner=pruners[wanted.pruner]())


def cut_last_line(journal: Path) -> None:
    """Drop a line that was cut off as it was written."""
    if journal.exists():
        lines = journal.read_bytes()
        whole = lines[:lines.rfind(b"\n") + 1]
        if whole != lines:
            os.truncate(journal, len(whole))


def sampler(wanted: Search, seed: int, number: int) -> optuna.samplers.BaseSampler:
    # Not one stream for both: a random control must not repeat the random trials that TPE starts with.
    own = int(np.random.SeedSequence([seed, number, *wanted.sampler.encode()]).generate_state(1)[0])
    if wanted.sampler == "random":
        return optuna.samplers.RandomSampler(own)
    return optuna.samplers.TPESampler(n_startup_trials=wanted.startup_trials, seed=own)


def attempt(study: optuna.Study, wanted: Search, base: Model, score: Callable) -> None:
    trial = study.ask()
    values = {key: drawn(trial, key, dimension) for key, dimension in wanted.space.items()}
    epochs: list[float] = []

    def tell(value: float) -> None:
        epochs.append(value)
        trial.report(value, len(epochs))
        worse = trial.should_prune()  # asked in any case: Hyperband compares with what it was asked about
        if worse and trial.number >= wanted.startup_trials:
            raise optuna.TrialPruned

    try:
        value = score(fitting(base, values), tell)
    except optuna.TrialPruned:
        end(study, trial, TrialState.PRUNED, f"worse than others at epoch {len(epochs)}")
    except DoesNotFit as error:
        end(study, trial, TrialState.PRUNED, str(error))
    except ThoraxError as error:
        end(study, trial, TrialState.FAIL, str(error))
    else:
        if np.isfinite(value):
            study.tell(trial, value)
        else:
            end(study, trial, TrialState.FAIL, f"its macro F1 is {value}")


def end(study: optuna.Study, trial: optuna.Trial, state: TrialState, why: str) -> None:
    trial.set_user_attr("reason", why)
    study.tell(trial, state=state)


def drawn(trial: optuna.Trial, key: str, dimension: Dimension):
    if dimension.choices is not None:
        named = {text(choice): choice for choice in dimension.choices}
        return named[trial.suggest_categorical(key, list(named))]
    if dimension.is_whole():
        return trial.suggest_int(key, dimension.low, dimension.high, log=dimension.log)
    return rounded(trial.suggest_float(key, dimension.low, dimension.high, log=dimension.log))


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def fitting(base: Model, values: dict) -> Model:
    try:
        return with_values(base, values)
    except ThoraxError as error:
        raise DoesNotFit(str(error)) from None


def winner(trials: list[FrozenTrial]) -> FrozenTrial:
    """The finished trial with the best value, the first of equals."""
    return max((trial for trial in trials if trial.state == TrialState.COMPLETE), key=lambda trial: trial.value)


def recipe_of(trial: FrozenTrial, wanted: Search, base: Model) -> Model:
    """The recipe that was tried, with the epochs of the base."""
    fixed = optuna.trial.FixedTrial(trial.params)
    return with_values(base, {key: drawn(fixed, key, dimension) for key, dimension in wanted.space.items()})


def table(trials: list[FrozenTrial]) -> pd.DataFrame:
    """One row per trial: trial (from 1), state (finished, pruned or failed), best (1 for the winner), epochs, macro_f1
    (of a trial that has not finished: of its last epoch, or empty), reason, and the value of every key."""
    best = winner(trials)
    return pd.DataFrame([{
        "trial": trial.number + 1, "state": STATES[trial.state], "best": int(trial is best),
        "epochs": len(trial.intermediate_values), "macro_f1": last_value(trial), "reason": reason_of(trial),
        **{key: rounded(value) if isinstance(value, float) else value for key, value in trial.params.items()},
    } for trial in trials])


def last_value(trial: FrozenTrial) -> float | None:
    if trial.value is not None and trial.state == TrialState.COMPLETE:
        return trial.value
    return trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else None


def reason_of(trial: FrozenTrial) -> str:
    return trial.user_attrs.get("reason", "")


def reason(trial: FrozenTrial) -> str:
    return f"{STATES[trial.state]}: {reason_of(trial)}" if reason_of(trial) else STATES[trial.state]


def told(trial: FrozenTrial, budget: int) -> str:
    value = last_value(trial)
    measured = "" if value is None else f"macro F1 {value:.3f}, "
    return f"trial {trial.number + 1} of {budget}: {measured}{reason(trial)}"


def importances(trials: list[FrozenTrial], seed: int) -> dict[str, float]:
    """Share of the variance of macro F1 that each key explains, over the finished trials; empty where those are too
    few or all alike.

    Source: fANOVA, Hutter, Hoos & Leyton-Brown, ICML 2014, as Optuna has it."""
    values = [trial.value for trial in trials if trial.state == TrialState.COMPLETE]
    if len(values) < LEAST_FINISHED or len(set(values)) < 2:
        return {}
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)

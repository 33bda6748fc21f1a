"""The search without a training: a formula stands for macro F1."""

import math

import numpy as np
import optuna
import pytest

from tests.conftest import ROOT
from thorax import tuning
from thorax.errors import ThoraxError
from thorax.reader import load_study
from thorax.recipe import Dimension, Search

SPACE = {"train.phases.0.learning_rate": Dimension(low=1e-5, high=1e-1, log=True),
         "train.batch_size": Dimension(choices=[8, 16, 32]), "blocks": Dimension(low=1, high=4)}


@pytest.fixture(scope="module")
def base():
    return load_study("search_small", ROOT).models["by_hand"]


def wanted(**changes) -> Search:
    return Search(**{"base": "by_hand", "trials": 16, "epochs": 3, "startup_trials": 5, "space": SPACE} | changes)


def score(model, tell) -> float:
    """Best at a learning rate of 1e-3 and two blocks; grows by epoch."""
    phase = model.train.phases[0]
    final = math.exp(-(math.log10(phase.learning_rate) + 3) ** 2 / 2 - (len(model.arguments["filters"]) - 2) ** 2 / 4)
    for epoch in range(1, 4):
        tell(final * epoch / 3)
    return final


class Killed(BaseException):
    pass


def killed_in(trial: int, epoch: int):
    """`score`, and a kill in this trial (counted from 1 within this start) after so many epochs."""
    calls = []

    def scored(model, tell):
        calls.append(model)
        epochs = []

        def counted(value):
            tell(value)
            epochs.append(value)
            if (len(calls), len(epochs)) == (trial, epoch):
                raise Killed
        return score(model, counted)
    return scored


def run(search, base, journal, score=score, seed=1):
    return tuning.search(search, base, score, journal, seed, "search")


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("pruner", ["none", "median", "hyperband"])
def test_a_search_killed_twice_ends_with_the_trials_of_an_undisturbed_one(sampler, pruner, base, tmp_path):
    search = wanted(sampler=sampler, pruner=pruner)
    undisturbed = tuning.table(run(search, base, tmp_path / "undisturbed"))
    journal = tmp_path / "killed"
    for trial, epoch in ((3, 2), (6, 1)):
        with pytest.raises(Killed):
            run(search, base, journal, killed_in(trial, epoch))
    with open(journal, "ab") as file:
        file.write(b'{"op_code":4,"worker')  # a line that was being written
    assert tuning.table(run(search, base, journal)).equals(undisturbed)
    if pruner != "none":
        assert (undisturbed["state"] == "pruned").any()


def test_a_random_control_repeats_no_trial_of_the_search(base, tmp_path):
    tables = [tuning.table(run(wanted(sampler=sampler), base, tmp_path / sampler)) for sampler in ("tpe", "random")]
    assert not set(tables[0]["train.phases.0.learning_rate"]) & set(tables[1]["train.phases.0.learning_rate"])


def test_finished_trials_are_not_run_again_and_more_go_on_from_them(base, tmp_path):
    def never(model, tell):
        raise AssertionError("a finished trial ran again")

    first = tuning.table(run(wanted(trials=8), base, tmp_path / "journal"))
    assert tuning.table(run(wanted(trials=8), base, tmp_path / "journal", never)).equals(first)
    more = tuning.table(run(wanted(trials=12), base, tmp_path / "journal"))
    assert more.equals(tuning.table(run(wanted(trials=12), base, tmp_path / "fresh")))
    assert more.drop(columns="best").head(8).equals(first.drop(columns="best"))
    assert tuning.table(run(wanted(trials=8), base, tmp_path / "journal", never)).equals(first)


def test_another_seed_tries_other_recipes(base, tmp_path):
    tables = [tuning.table(run(wanted(), base, tmp_path / str(seed), seed=seed)) for seed in (1, 2)]
    assert not set(tables[0]["train.phases.0.learning_rate"]) & set(tables[1]["train.phases.0.learning_rate"])


def test_tpe_finds_better_recipes_than_chance_on_a_smooth_problem(base, tmp_path):
    means = {}
    for sampler in ("tpe", "random"):
        tables = [tuning.table(run(wanted(sampler=sampler, trials=30), base, tmp_path / f"{sampler}{seed}", seed=seed))
                  for seed in range(3)]
        means[sampler] = np.mean([table["macro_f1"].tail(15).mean() for table in tables])
    assert means["tpe"] > means["random"] + 0.1


def test_failed_trials_and_those_that_do_not_fit_are_recorded_with_their_reason_and_the_search_goes_on(base, tmp_path):
    def scored(model, tell):
        if model.train.batch_size == 8:
            raise ThoraxError("training diverged: the loss is nan in epoch 1")
        if len(model.arguments["filters"]) == 4:
            raise tuning.DoesNotFit("films too small")
        return float("nan") if model.train.batch_size == 16 else score(model, tell)

    table = tuning.table(run(wanted(), base, tmp_path / "journal", scored))
    assert len(table) == 16
    for row in table.to_dict("records"):
        diverged, small = row["train.batch_size"] == "8", row["blocks"] == 4
        expected = ("failed" if diverged else "pruned" if small else
                    "failed" if row["train.batch_size"] == "16" else "finished")
        assert row["state"] == expected
        assert row["reason"] == ("training diverged: the loss is nan in epoch 1" if diverged else
                                 "films too small" if small else
                                 "its macro F1 is nan" if expected == "failed" else "")
    assert set(table["state"]) == {"finished", "pruned", "failed"}


def test_a_search_in_which_nothing_finishes_is_an_error_that_says_why(base, tmp_path):
    def diverging(model, tell):
        raise ThoraxError("training diverged: the loss is nan in epoch 1")

    with pytest.raises(ThoraxError) as refused:
        run(wanted(), base, tmp_path / "journal", diverging)
    assert str(refused.value) == ("search: none of 16 trials finished; the last one failed: training diverged: the "
                                  "loss is nan in epoch 1; mend the space or the base's recipe")


def test_the_startup_trials_are_never_pruned_nor_is_the_first_epoch(base, tmp_path):
    table = tuning.table(run(wanted(pruner="median", trials=30), base, tmp_path / "journal"))
    pruned = table[table["state"] == "pruned"]
    assert len(pruned) > 3
    assert pruned["trial"].min() > 5
    assert pruned["epochs"].min() == 2


def test_the_winner_is_the_best_finished_trial_and_its_recipe_is_what_was_tried(base, tmp_path):
    tried = {}

    def scored(model, tell):
        value = score(model, tell)
        tried[value] = model
        return value

    search = wanted()
    trials = run(search, base, tmp_path / "journal", scored)
    best = tuning.winner(trials)
    assert best.value == max(tried)
    recipe = tuning.recipe_of(best, search, base)
    assert recipe == tried[best.value]
    assert recipe.train.phases[0].epochs == base.train.phases[0].epochs
    rate = recipe.train.phases[0].learning_rate
    assert rate == float(f"{rate:.4g}")


def test_importance_names_the_keys_that_matter_and_says_nothing_of_few_trials(base, tmp_path):
    trials = run(wanted(sampler="random", trials=40), base, tmp_path / "journal")
    shares = tuning.importances(trials, 1)
    assert list(shares)[-1] == "train.batch_size"
    assert sum(shares.values()) == pytest.approx(1)
    assert tuning.importances(trials[:9], 1) == {}
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING

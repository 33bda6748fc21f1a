"""The model card has no gaps, and tells a search from a hand."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from thorax.errors import ThoraxError
from thorax.recipe import Train
from thorax.reporting import card

SOURCE = {"kind": "archive", "source": "kaggle", "version": 5, "sha256": "ab12", "title": "films of X",
          "origin": "Kaggle", "licence": "CC BY 4.0", "citation": "X 2020"}


def facts(**changes) -> SimpleNamespace:
    films = pd.DataFrame({"label": ["sick", "well", "well"], "source": ["a", "a", "b"],
                          "split": ["train", "test", "test"]})
    training = SimpleNamespace(early_stopping=SimpleNamespace(monitor="val_loss"))
    cell = SimpleNamespace(name="tpe", folder="models/s/tpe", training={"kept_epoch": 3, "epochs": 9},
                           recipe=SimpleNamespace(train=training))
    model = {"classes": {"ill": ["sick"], "healthy": ["well"]}, "films_sha256": "f1", "split_sha256": "5e"}
    known = {"cell": cell, "films": films, "model": model, "sources": {"x": SOURCE},
             "recipe": SimpleNamespace(tune={})}
    return SimpleNamespace(**known | changes)


@pytest.mark.parametrize("changes", [
    {"sources": {}}, {"sources": {"x": SOURCE | {"licence": ""}}},
    {"films": pd.DataFrame({"label": [], "source": [], "split": []})},
], ids=["no source", "no licence", "no films"])
def test_a_card_with_an_empty_field_is_refused_and_names_it(changes, monkeypatch):
    fields = {"Data": card.data, "Films by class, source and part": card.counts}
    monkeypatch.setattr(card, "FIELDS", fields)
    with pytest.raises(ThoraxError, match=r"models/s/tpe: the model card's field '(Data|Films by .*)' would be empty"):
        card.model_card(facts(study="s", **changes))
    assert "CC BY 4.0" in card.model_card(facts(study="s"))


def test_films_are_counted_by_class_source_and_part():
    assert "| healthy | a | 0 | 0 | 1 |" in card.counts(facts())
    assert "| ill | a | 1 | 0 | 0 |" in card.counts(facts())


def test_a_search_is_told_with_its_budget_and_no_search_as_none():
    searched = SimpleNamespace(tune={"tpe": SimpleNamespace(trials=40, sampler="tpe", base="cnn")})
    assert "no search" in card.selection(facts())
    told = card.selection(facts(recipe=searched))
    assert "the best of 40 trials (tpe, from `cnn`) by macro F1 on the validation part" in told
    assert "by hand" not in told


def test_training_is_told_phase_by_phase_without_what_is_not_set():
    phases = [{"trainable": "head", "epochs": 3, "learning_rate": 1e-3},
              {"trainable": "all", "epochs": 2, "learning_rate": 1e-4}]
    recipe = SimpleNamespace(train=Train.model_validate({"batch_size": 8, "phases": phases}))
    model = {"computed_with": {"keras": "3"}, "training_films": 40, "validation_films": 5}
    told = card.training(facts(cell=SimpleNamespace(recipe=recipe), params=SimpleNamespace(seed=1), model=model))
    assert "- phase 1: trainable head, epochs 3, learning_rate 0.001" in told
    assert "- phase 2: trainable all, epochs 2" in told
    assert "None" not in told
    assert "{" not in told


def test_a_card_names_the_probes_that_raised_the_alarm_and_those_that_decided_nothing():
    ok, alarm, undecided = ({"verdict": verdict} for verdict in ("ok", "alarm", "not decided"))
    assert "**Alarm** of 1 of the other probes: border only." in card.shortcuts(
        facts(probes={"no_lung": ok, "border": alarm}))
    assert "Not decided: source." in card.shortcuts(facts(probes={"source": undecided, "border": ok}))
    assert "No probe raised the alarm." in card.shortcuts(facts(probes={"border": ok}))
    assert card.shortcuts(facts(probes={})).startswith("Not looked for")


def test_a_model_that_was_not_tested_elsewhere_says_so():
    params = SimpleNamespace(externals={"x": SimpleNamespace(study="s", model="another")}, seed=1)
    cell = SimpleNamespace(name="tpe", folder=Path("models/s/tpe"))
    assert "Not tested on films of another study" in card.elsewhere(facts(params=params, cell=cell, study="s"))

"""What a search may change in a recipe, and what comes of it."""

import pytest

from tests.conftest import ROOT
from thorax.errors import ThoraxError
from thorax.reader import load_study
from thorax.recipe import Dimension
from thorax.space import check, text, with_values


@pytest.fixture(scope="module")
def base():
    return load_study("search_small", ROOT).models["by_hand"].model_copy(
        update={"head": ["flatten", {"dense": 32}, {"dropout": 0.3}, {"dense": 64}, {"dropout": 0.3}]})


def test_only_what_is_named_changes(base):
    changed = with_values(base, {"train.batch_size": 8, "arguments.padding": "valid", "head.0": "gap"})
    assert (changed.train.batch_size, changed.head[0]) == (8, "gap")
    assert changed.arguments == base.arguments | {"padding": "valid"}
    assert with_values(changed, {"train.batch_size": base.train.batch_size, "head.0": "flatten"}).model_copy(
        update={"arguments": base.arguments}) == base
    assert base.train.batch_size == 32  # untouched


def test_a_star_is_every_entry_that_has_the_key(base):
    changed = with_values(base, {"head.*.dropout": 0.1, "head.*.dense": 128, "train.phases.*.learning_rate": 0.1})
    assert changed.head == ["flatten", {"dense": 128}, {"dropout": 0.1}, {"dense": 128}, {"dropout": 0.1}]
    assert [phase.learning_rate for phase in changed.train.phases] == [0.1]


def test_blocks_and_base_filters_make_the_filters_and_what_is_missing_is_the_base_s(base):
    filters = [with_values(base, values).arguments["filters"]
               for values in ({"blocks": 5, "base_filters": 8}, {"blocks": 2}, {"base_filters": 64})]
    assert filters == [[8, 16, 32, 64, 128], [16, 32], [64, 128, 256]]


def test_keys_that_go_together_are_one_choice(base):
    sgd = {"name": "sgd", "momentum": 0.9}
    assert with_values(base, {"train.optimizer": sgd}).train.optimizer.momentum == 0.9
    assert text(sgd) == "sgd, momentum 0.9"
    assert text({"name": "adamw", "weight_decay": 1e-4}) == "adamw, weight_decay 0.0001"


MISTAKES = {
    "a key that the recipe lacks": ({"train.bach_size": [8, 16]}, "train.bach_size: with this value: train: unknown "
                                    "key 'bach_size'; did you mean 'batch_size'?"),
    "a way that the recipe lacks": ({"train.optimiser.name": ["sgd", "adam"]}, "no key 'optimiser' here; did you mean "
                                    "'optimizer'?"),
    "a section of the films": ({"films": ["plain", "enhanced"]}, "films: no key that a search may change"),
    "an entry that is not there": ({"head.9": ["gap", "flatten"]}, "head.9: '9' is no entry of a list of 5"),
    "a star that meets nothing": ({"head.*.drop": [0.1, 0.2]}, "no entry of this list of the base's recipe has the key "
                                  "'drop'"),
    "a value that is none there": ({"head.0": ["gap", "max"]}, "the first step must be one of gap, flatten"),
    "a value out of range": ({"train.batch_size": [0, 8]}, "train.batch_size: with this value: train.batch_size: 0 "),
    "an optimizer without what it needs": ({"train.optimizer.name": ["adam", "adamw"]}, "adamw needs weight_decay"),
    "an argument of no architecture": ({"arguments.filtres": [[4], [8]]}, "takes no argument 'filtres'"),
    "half a block": ({"blocks": [2, 2.5]}, "must be whole numbers from 1, not 2.5"),
    "filters twice": ({"blocks": [2, 3], "arguments.filters": [[4], [8]]}, "arguments.filters: set by blocks as well"),
    "a key and one below it": ({"train.optimizer": [{"name": "sgd"}, {"name": "adam"}],
                                "train.optimizer.momentum": [0.1, 0.9]}, "set by train.optimizer as well"),
    "the same choice twice": ({"train.batch_size": [8, 8]}, "the same choice twice: 8; 8"),
    "epochs of a phase": ({"train.phases.0.epochs": [1, 2]}, "the epochs of a trial are the search's `epochs`"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_space_that_makes_no_recipe_is_refused_with_its_key(mistake, base):
    space, expected = MISTAKES[mistake]
    with pytest.raises(ThoraxError) as refused:
        check({key: Dimension(choices=choices) for key, choices in space.items()}, base)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)

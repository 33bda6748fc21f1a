"""The space of a search: keys of a model's recipe with what they may become, and the recipe that some values make.

A key is the path to it in the recipe, with dots: `train.batch_size`, `arguments.padding`, `train.optimizer` (a whole
mapping, where its keys go together), `head.0` (the pooling). `*` is every entry of a list that has the key:
`head.*.dropout`, `train.phases.*.learning_rate`. Two keys make `arguments.filters`: `base_filters` of the first of
`blocks` blocks, twice as many in every next one.
"""

import copy
from typing import Any

from pydantic import ValidationError

from thorax.errors import ThoraxError
from thorax.reader import check_architecture, explain, prefixed
from thorax.recipe import Dimension, Model, suggest

# What a search may change; the rest decides which films are looked at, which must be the same for all trials.
SECTIONS = ("arguments", "head", "train")
PYRAMID = ("base_filters", "blocks")


def check(space: dict[str, Dimension], base: Model) -> None:
    """ThoraxError for a key that the base's recipe lacks, for keys that overlap, and for a value that it cannot have
    there, beside the base's other values."""
    for key in space:
        others = [other for other in space if key.startswith(f"{other}.")]
        if key.startswith("arguments.filters"):
            others += [other for other in PYRAMID if other in space]
        if others:
            raise ThoraxError(f"{key}: set by {' and '.join(others)} as well; leave one out")
    for key, dimension in space.items():
        values = dimension.choices or [dimension.low, dimension.high]
        if len({text(value) for value in values}) < len(values):
            raise ThoraxError(f"{key}: the same choice twice: {'; '.join(text(value) for value in values)}")
        for value in values:
            with prefixed(key):
                changed = with_values(base, {key: value})
                check_architecture(changed.architecture, changed.arguments)


def with_values(base: Model, values: dict[str, Any]) -> Model:
    """The recipe of `base` with these values at these keys; ThoraxError where they make none."""
    content = base.model_dump()
    for key, value in values.items():
        if key not in PYRAMID:
            if key.partition(".")[0] not in SECTIONS:
                raise ThoraxError(f"no key that a search may change; it starts with {', '.join(SECTIONS)}, or is one "
                                  f"of {', '.join(PYRAMID)}")
            if key.startswith("train.phases") and key.endswith(".epochs"):
                raise ThoraxError("the epochs of a trial are the search's `epochs`, those of its winner the base's")
            assign(content, key.split("."), copy.deepcopy(value))
    if set(PYRAMID) & set(values):
        content["arguments"]["filters"] = filters(base, values)
    try:
        return Model.model_validate(content)
    except ValidationError as error:
        raise ThoraxError("; ".join(explain(error, "with this value").splitlines())) from None


def filters(base: Model, values: dict[str, Any]) -> list[int]:
    """Filters per block: the first of `base_filters`, doubled from block to block; what is missing is the base's."""
    known = base.arguments.get("filters")
    if not known:
        raise ThoraxError("the base's recipe must say arguments.filters, which blocks and base_filters replace")
    first, blocks = values.get("base_filters", known[0]), values.get("blocks", len(known))
    if any(isinstance(number, bool) or not isinstance(number, int) or number < 1 for number in (first, blocks)):
        raise ThoraxError(f"blocks and base_filters must be whole numbers from 1, not {blocks!r} and {first!r}")
    return [first * 2**block for block in range(blocks)]


def assign(node, way: list[str], value) -> None:
    """Set what the keys lead to; it must be there, save for arguments, whose names the architecture knows."""
    key, rest = way[0], way[1:]
    if isinstance(node, list):
        if key == "*" and rest:
            entries = [entry for entry in node if isinstance(entry, dict) and rest[0] in entry]
            if not entries:
                raise ThoraxError(f"no entry of this list of the base's recipe has the key '{rest[0]}'")
            for entry in entries:
                assign(entry, rest, value)
            return
        if not key.isdecimal() or int(key) >= len(node):
            raise ThoraxError(f"'{key}' is no entry of a list of {len(node)}; say 0 to {len(node) - 1}, or *")
        key = int(key)
    elif not isinstance(node, dict):
        raise ThoraxError(f"'{key}' is a key below a value of the base's recipe, {node!r}")
    elif rest and key not in node:
        raise ThoraxError(f"the base's recipe has no key '{key}' here; {suggest(key, node)}")
    if rest:
        assign(node[key], rest, value)
    else:
        node[key] = value


def text(value) -> str:
    """A value for tables and figures: `adamw, weight_decay 0.01` for {name: adamw, weight_decay: 0.01}."""
    if isinstance(value, dict):
        return ", ".join(text(each) if key == "name" else f"{key} {text(each)}" for key, each in value.items())
    if isinstance(value, list):
        return " ".join(text(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)

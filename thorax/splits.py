"""Dealing films to training, validation and test part, by whole groups or, as published systems do, film by film."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from thorax.errors import ThoraxError

PARTS = ("train", "validation", "test")
TRIES = 20  # at reaching numbers of films where clusters have several labels


def clusters(*keys: Sequence[str], pairs: Iterable[tuple[int, int]] = ()) -> np.ndarray:
    """The films that must stay together: those that share any key (a group, the same pixels) or are one of the `pairs`
    of rows (near-duplicates), directly or through other films. Returns (films,) int numbers, counted in the order of
    the first film of each cluster."""
    parent = list(range(len(keys[0])))

    def root(film: int) -> int:
        while parent[film] != film:
            parent[film] = parent[parent[film]]
            film = parent[film]
        return film

    def join(one: int, other: int) -> None:
        a, b = root(one), root(other)
        parent[max(a, b)] = min(a, b)

    for values in keys:
        first: dict[str, int] = {}
        for film, value in enumerate(values):
            join(film, first.setdefault(value, film))
    for one, other in pairs:
        join(int(one), int(other))
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(root(film), len(numbers)) for film in range(len(parent))])


def split(ids: Sequence[str], labels: Sequence[str], cluster: Sequence[int], fractions: Mapping[str, float],
          seed: int, numbers: Mapping[str, Mapping[str, int]] | None = None) -> np.ndarray:
    """The part of every film: (films,) of the keys of `fractions`, which sum to 1 and of which the first is train.

    Whole clusters, in an order that depends on `seed` and on the names of their films alone (not on the order of the
    files), each go to the part that lacks most films of the cluster's labels. When all labels of a cluster are equal,
    every part ends within one cluster of its share of the label: a part takes a cluster of g films only while it lacks
    d >= any other part's lack, so it ends at most g - d over; and as the lacks sum to zero in the end, the one that
    lacks most, d, satisfies d <= 2 (g - d), hence d < g.

    `numbers`, by part and label, replaces fractions: validation and test get at least so many films of a label (if no
    cluster has other labels too), less than a cluster too many, and train the rest. Numbers of train change nothing
    here.
    """
    labels, cluster = np.asarray(labels), np.asarray(cluster)
    names, label = np.unique(labels, return_inverse=True)
    order: dict[int, str] = {}
    for film in sorted(range(len(ids)), key=ids.__getitem__):
        order.setdefault(int(cluster[film]), place(ids[film], seed))
    content = np.zeros((cluster.max() + 1, len(names)))
    np.add.at(content, (cluster, label), 1)
    lack = np.outer(list(fractions.values()), np.bincount(label)).astype(float)
    for row, part_name in enumerate(fractions):
        for column, name in enumerate(names):
            if row > 0 and name in (numbers or {}).get(part_name, {}):
                wanted = numbers[part_name][name]
                lack[row, column] = wanted + content[:, column].max() - 1 if wanted else 0
                lack[0, column] = (label == column).sum() - lack[1:, column].sum()
    part = np.zeros(cluster.max() + 1, int)
    for number in sorted(order, key=order.__getitem__):
        part[number] = np.argmax(lack @ content[number])
        lack[part[number]] -= content[number]
    return np.array(list(fractions))[part[cluster]]


def reach(ids: Sequence[str], strata: Sequence[str], cluster: Sequence[int], fractions: Mapping[str, float],
          numbers: Mapping[str, Mapping[str, int]], seed: int) -> np.ndarray:
    """`split` by `numbers`, where films of one stratum may be duplicates of another's: a part that took such a cluster
    for the sake of one can end short of the other, and is dealt as many more in another try. After the last one the
    part stays short."""
    asked = {name: dict(each) for name, each in numbers.items()}
    for _ in range(TRIES):
        part = split(ids, strata, cluster, fractions, seed, asked)
        short = {(name, stratum): count - ((part == name) & (strata == stratum)).sum()
                 for name, each in numbers.items() if name != "train" for stratum, count in each.items()}
        if max(short.values(), default=0) <= 0:
            break
        for (name, stratum), lacking in short.items():
            asked[name][stratum] += max(0, int(lacking))
    return part


def place(name: str, seed: int) -> str:
    """What films are put in order by: it depends on the film's name and the seed, not on the order of the files."""
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()


def drawn(rows: Sequence[int], ids: Sequence[str], count: int, seed: int) -> np.ndarray:
    """`count` of the rows: as many different ones as there are, then all of them again, and so on."""
    return np.resize(sorted(rows, key=lambda row: place(ids[row], seed)), count)


def unique_names(ids: Iterable[str]) -> list[str]:
    """The ids, of which the second `x` is called `x#2`, the third `x#3`."""
    times: Counter = Counter()
    names = []
    for name in ids:
        times[name] += 1
        names.append(name if times[name] == 1 else f"{name}#{times[name]}")
    return names


def deal(ids: Sequence[str], strata: Sequence[str], cluster: Sequence[int], whole_clusters: bool,
         fractions: Mapping[str, float], before: Mapping[str, int], after: Mapping[str, Mapping[str, int]],
         seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the films that are drawn, ascending, a copied one repeated, and the part of each.

    Args: ids, strata (data set and label) and cluster of every film; `whole_clusters`: whether clusters are dealt, or
    films; fractions of the parts; numbers of films by stratum that are drawn `before` the films are dealt, and by part
    and stratum `after` it (see thorax.recipe.Split). ThoraxError where films lack that may not be repeated.
    """
    ids, strata, cluster = np.asarray(ids, object), np.asarray(strata), np.asarray(cluster)
    rows = np.arange(len(ids))
    for stratum, count in before.items():
        own = rows[strata[rows] == stratum]
        if count > len(own) and (whole_clusters or not len(own)):
            raise ThoraxError(f"per_class: {stratum} has {len(own)} films, fewer than {count}; films are repeated "
                              "before the split only with `unit: film`; after it, in train, by `films: {train: ...}`")
        rows = np.concatenate([rows[strata[rows] != stratum], drawn(own, ids, count, seed)]).astype(int)
    rows = np.sort(rows)
    units = cluster[rows] if whole_clusters else np.arange(len(rows))
    part = reach(unique_names(ids[rows]), strata[rows], units, fractions, after, seed)
    for name, numbers in after.items():
        for stratum, count in numbers.items():
            own = (part == name) & (strata[rows] == stratum)
            if count > own.sum() and (name != "train" or not own.any()):
                raise ThoraxError(f"films.{name}: {own.sum()} films of {stratum} are left for this part, fewer than "
                                  f"{count}, and only films of train are repeated; lower the number, here or in the "
                                  "other parts")
            some = drawn(rows[own], ids, count, seed).astype(int)
            rows, part = np.concatenate([rows[~own], some]), np.concatenate([part[~own], np.full(count, name)])
    order = np.lexsort([part, rows])
    return rows[order], part[order]

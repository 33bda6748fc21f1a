"""Splitting films into training, validation and test part so that no group straddles two parts."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

PARTS = ("train", "validation", "test")


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
          seed: int) -> np.ndarray:
    """The part of every film: (films,) of the keys of `fractions`, which sum to 1.

    Whole clusters, in an order that depends on `seed` and on the names of their films alone (not on the order of the
    files), each go to the part that lacks most films of the cluster's labels. When all labels of a cluster are equal,
    every part ends within one cluster of its share of the label: a part takes a cluster of g films only while it lacks
    d >= any other part's lack, so it ends at most g - d over; and as the lacks sum to zero in the end, the one that
    lacks most, d, satisfies d <= 2 (g - d), hence d < g.
    """
    labels, cluster = np.asarray(labels), np.asarray(cluster)
    names, label = np.unique(labels, return_inverse=True)
    order: dict[int, str] = {}
    for film in sorted(range(len(ids)), key=ids.__getitem__):
        order.setdefault(int(cluster[film]), hashlib.sha256(f"{seed}/{ids[film]}".encode()).hexdigest())
    content = np.zeros((cluster.max() + 1, len(names)))
    np.add.at(content, (cluster, label), 1)
    lack = np.outer(list(fractions.values()), np.bincount(label))
    part = np.zeros(cluster.max() + 1, int)
    for number in sorted(order, key=order.__getitem__):
        part[number] = np.argmax(lack @ content[number])
        lack[part[number]] -= content[number]
    return np.array(list(fractions))[part[cluster]]

"""What a split keeps together and what lies in two parts: the audit of a split."""

from collections.abc import Hashable, Iterable

import numpy as np
import pandas as pd

from thorax.splits import PARTS


def straddling(keys: Iterable[Hashable], part: np.ndarray) -> list[str]:
    """The keys found in more than one part, sorted; keys and part of the same rows."""
    parts = pd.Series(part).groupby(np.asarray(keys)).nunique()
    return sorted(str(key) for key in parts[parts > 1].index)


def straddlers(films: pd.DataFrame, rows: np.ndarray, part: np.ndarray, pairs: np.ndarray) -> dict[str, list[str]]:
    """What lies in two parts, by kind: groups, exact duplicates, near-duplicates and copies, by name.

    Args: films (id, group, sha256, one row each); rows (n,) of the films that were drawn, repeated for copies, and the
    part (n,) of each; pairs (p, 2) of rows of near-duplicate films.
    """
    ids = films["id"].to_numpy()
    first_of = films.groupby("sha256")["id"].transform("first").to_numpy()
    parts_of = {row: set(each) for row, each in pd.Series(part).groupby(rows)}
    return {
        "groups": straddling(films["group"].to_numpy()[rows], part),
        # Copies of one film are a kind of their own.
        "exact_duplicates": straddling_films(first_of, rows, parts_of),
        "near_duplicate_pairs": [f"{ids[i]} and {ids[j]}" for i, j in pairs.tolist()
                                 if i in parts_of and j in parts_of and len(parts_of[i] | parts_of[j]) > 1],
        "copied_films": straddling(ids[rows], part),
    }


def straddling_films(keys: np.ndarray, rows: np.ndarray, parts_of: dict[int, set[str]]) -> list[str]:
    """Keys of which different films lie in different parts."""
    members: dict[str, list[set[str]]] = {}
    for row in dict.fromkeys(rows.tolist()):
        members.setdefault(keys[row], []).append(parts_of[row])
    return sorted(key for key, parts in members.items() if len(parts) > 1 and len(set().union(*parts)) > 1)


def audit(films: pd.DataFrame, rows: np.ndarray, part: np.ndarray, cluster: np.ndarray, pairs: np.ndarray) -> dict:
    """The audit of a split, JSON-ready; cluster (films,) as thorax.splits.clusters gives it, all else as `straddlers`.

    All counts are of the films that were drawn. `test_share_with_a_relative_in_train`: of the test films, those with a
    film of their group, an exact or near-duplicate, or a copy among the training films.
    """
    drawn = films.iloc[np.unique(rows)]
    inside = pairs[np.isin(pairs, rows).all(axis=1)]
    counts = pd.crosstab(films["label"].to_numpy()[rows], part).reindex(columns=PARTS, fill_value=0)
    return {
        "films": len(drawn),
        "copies": len(rows) - len(drawn),
        "groups": drawn["group"].nunique(),
        "group_quality": drawn["group_quality"].value_counts().sort_index().to_dict(),
        "clusters": len(np.unique(cluster[drawn.index])),
        "largest_cluster": int(np.bincount(cluster[drawn.index]).max()),
        "films_with_an_exact_duplicate": int(drawn["sha256"].duplicated(keep=False).sum()),
        "near_duplicate_pairs": len(inside),
        **{f"{kind}_in_two_parts": len(names) for kind, names in straddlers(films, rows, part, pairs).items()},
        "test_share_with_a_relative_in_train": round(share_with_relatives(films, rows, part, inside), 4),
        "counts": {str(label): {name: int(count) for name, count in row.items()} for label, row in counts.iterrows()},
    }


def share_with_relatives(films: pd.DataFrame, rows: np.ndarray, part: np.ndarray, pairs: np.ndarray) -> float:
    train, test = rows[part == "train"], rows[part == "test"]
    near = np.concatenate([pairs[np.isin(pairs[:, 0], train), 1], pairs[np.isin(pairs[:, 1], train), 0]])
    related = np.isin(test, train) | np.isin(test, near)
    for key in ("group", "sha256"):
        values = films[key].to_numpy()
        related |= np.isin(values[test], values[train])
    return float(related.mean()) if len(test) else 0.0

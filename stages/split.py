"""split: assign every film of a study to training, validation or test part; no group straddles two parts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from thorax import duplicates
from thorax.errors import ThoraxError
from thorax.recipe import load_params, load_study
from thorax.running import run, writing
from thorax.splits import PARTS, clusters, split


def main(study: str) -> None:
    """Split the films of STUDY."""
    params, recipe = load_params(), load_study(study)
    films = pd.read_csv(Path("data/enhanced") / study / "films.csv", dtype=str, keep_default_na=False)
    pairs, _ = duplicates.pairs(np.load(Path("data/enhanced") / study / "thumbnails.npy"))
    cluster = clusters(films["group"], films["sha256"], pairs=pairs)
    fractions = {part: getattr(recipe.split, part) for part in PARTS}
    part = split(films["id"], films["label"], cluster, fractions, params.seed)
    table = pd.DataFrame({"id": films["id"], "split": part, "cluster": cluster})
    counts = pd.crosstab(films["label"], part).reindex(columns=PARTS, fill_value=0)
    empty = [f"{label} has none in {name}" for label, row in counts.iterrows() for name in PARTS if not row[name]]
    if empty:
        raise ThoraxError(f"studies/{study}.yaml: split: too few groups for these fractions: {'; '.join(empty)}; "
                          "bring more films of it or leave the label out")
    with writing(Path("data/split") / study) as out:
        table.to_csv(out / "split.csv", index=False, lineterminator="\n")
        (out / "audit.json").write_text(json.dumps(audit(films, table, counts, pairs), indent=2) + "\n")
    print(f"split: {study}: films per label and part\n{counts.assign(all=counts.sum(axis=1)).to_string()}")


def audit(films: pd.DataFrame, table: pd.DataFrame, counts: pd.DataFrame, pairs: np.ndarray) -> dict:
    """What the split kept together and what, against its purpose, lies in two parts."""
    parts = table["split"].to_numpy()
    return {
        "films": len(films),
        "groups": films["group"].nunique(),
        "group_quality": films["group_quality"].value_counts().sort_index().to_dict(),
        "clusters": table["cluster"].nunique(),
        "largest_cluster": int(table["cluster"].value_counts().max()),
        "near_duplicate_pairs": len(pairs),
        "films_with_an_exact_duplicate": int(films["sha256"].duplicated(keep=False).sum()),
        "groups_in_two_parts": straddling(films["group"], parts),
        "exact_duplicates_in_two_parts": straddling(films["sha256"], parts),
        "counts": {label: row.to_dict() for label, row in counts.iterrows()},
    }


def straddling(keys: pd.Series, parts) -> int:
    return int((pd.Series(parts).groupby(keys.to_numpy()).nunique() > 1).sum())


if __name__ == "__main__":
    run(main)

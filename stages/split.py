"""split: deal every film of a study to training, validation or test part, once for each split of its recipe."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from thorax import duplicates, leakage
from thorax.errors import ThoraxError
from thorax.reader import load_params, load_study
from thorax.recipe import Split, Study
from thorax.running import run, writing, writing_into
from thorax.splits import PARTS, clusters, deal

SHOWN = 3  # offenders named in a message


def main(study: str) -> None:
    """Split the films of STUDY; what straddles two parts goes to data/audit/<study>.json."""
    params, recipe = load_params(), load_study(study)
    enhanced = Path("data/enhanced") / study
    films = pd.read_csv(enhanced / "films.csv", dtype=str, keep_default_na=False)
    pairs, _ = duplicates.pairs(np.load(enhanced / "thumbnails.npy"))
    cluster = clusters(films["group"], films["sha256"], pairs=pairs)
    audits = {}
    with writing(Path("data/split") / study) as out:
        for name, wanted in recipe.split.items():
            where = f"studies/{study}.yaml: split.{name}"
            rows, part = deal_films(films, cluster, wanted, recipe, params.seed, where)
            audits[name] = {"unit": wanted.unit, **leakage.audit(films, rows, part, cluster, pairs)}
            refuse_empty_parts(audits[name]["counts"], wanted, recipe, where)
            if wanted.unit == "group":
                refuse_straddlers(leakage.straddlers(films, rows, part, pairs), where)
            pd.DataFrame({"id": films["id"].to_numpy()[rows], "split": part, "cluster": cluster[rows]}).to_csv(
                out / f"{name}.csv", index=False, lineterminator="\n")
            print(summary(study, name, audits[name]))
    with writing_into(Path("data/audit"), study) as out:
        (out / f"{study}.json").write_text(json.dumps(audits, indent=2) + "\n")


def deal_films(films: pd.DataFrame, cluster: np.ndarray, wanted: Split, recipe: Study, seed: int,
               where: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the films, a copied one repeated, and the part of each."""
    fractions = {part: getattr(wanted, part) for part in PARTS}
    before = {recipe.stratum(label, where): count for label, count in wanted.per_class.items()}
    after = {part: {recipe.stratum(label, where): count for label, count in numbers.items()}
             for part, numbers in wanted.films.items()}
    try:
        return deal(films["id"], films["dataset"] + "/" + films["label"], cluster, wanted.unit == "group", fractions,
                    before, after, seed)
    except ThoraxError as error:
        raise ThoraxError(f"{where}.{error}") from None


def refuse_empty_parts(counts: dict, wanted: Split, recipe: Study, where: str) -> None:
    """A label without a film in a part is a mistake, unless the recipe sets its number there to 0."""
    zero = {(part, recipe.stratum(label, where).partition("/")[2]) for part, numbers in wanted.films.items()
            for label, count in numbers.items() if count == 0}
    empty = [f"{label} has none in {part}" for label, row in counts.items() for part in PARTS
             if not row[part] and (part, label) not in zero]
    if empty:
        raise ThoraxError(f"{where}: too few groups for these fractions: {'; '.join(empty)}; bring more films of it or "
                          "leave the label out")


def refuse_straddlers(straddlers: dict[str, list[str]], where: str) -> None:
    found = [f"{len(names)} {kind.replace('_', ' ')}, such as {', '.join(names[:SHOWN])}"
             for kind, names in straddlers.items() if names]
    if found:
        raise ThoraxError(f"{where}: `unit: group`, yet in two parts: {'; '.join(found)}; this split leaks and is not "
                          "written: please report it")


def summary(study: str, name: str, audit: dict) -> str:
    counts = pd.DataFrame(audit["counts"]).T
    kinds = ("groups", "exact_duplicates", "near_duplicate_pairs", "copied_films")
    found = ", ".join(f"{audit[f'{kind}_in_two_parts']} {kind.replace('_', ' ')}" for kind in kinds)
    share = audit["test_share_with_a_relative_in_train"]
    return (f"split: {study}: {name}, by {audit['unit']}: films per label and part\n"
            f"{counts.assign(all=counts.sum(axis=1)).to_string()}\n"
            f"split: {study}: {name}: in two parts: {found}; {share:.1%} of the test films have a relative in train")


if __name__ == "__main__":
    run(main)

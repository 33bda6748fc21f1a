"""NIH: 112,120 frontal films of 30,805 patients of one hospital (ChestX-ray14), labelled from the reports by a program.

A film may show several findings, a label here is one: a film counts for a finding if it is its only one. Films of
several findings are left out and counted, but for those with a pneumothorax, `pneumothorax_with_others`.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from thorax.datasets._files import NO_FILM, debris, listed
from thorax.errors import ThoraxError
from thorax.phantom import twin
from thorax.recipe import Phantom

TITLE = "ChestX-ray14 of the NIH Clinical Center, Wang 2017"
KAGGLE = "nih-chest-xrays/data"
ORIGIN = f"Kaggle {KAGGLE}"
LICENCE = "CC0 on Kaggle; the NIH asks to be named as the origin"
CITATION = "Wang et al., CVPR 2017, arXiv:1705.02315"
FINDINGS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
            "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax")
LABEL_OF = {"No Finding": "normal"} | {finding: finding.lower() for finding in FINDINGS}
WITH_OTHERS = "pneumothorax_with_others"
LABELS = (*LABEL_OF.values(), WITH_OTHERS)
LAYOUT = "Data_Entry_2017.csv and images_001/images/*.png to images_012/images/*.png"
DOWNLOAD = "42 to 45 GB"
EXPECTED = {"pneumothorax": 2194, WITH_OTHERS: 3108}
OVERLAPS = "the RSNA films are a part of it, and with them radiography's Lung_Opacity and 8,851 of its normals"
GROUPS_MIX_LABELS = True  # a patient's films of years

PATH = re.compile(r"(?:^|/)images_\d{3}/images/(\d{8}_\d{3}\.png)$")
TABLE = re.compile(r"(?:^|/)Data_Entry_2017[^/]*\.csv$")
LISTS = {"train_val_list.txt": "train_val", "test_list.txt": "test"}  # the publisher's own split
OLDEST = 120  # years; the table has ages to 414


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    tables = [name for name in names if TABLE.search(name) and not debris(name)]
    if not tables:
        return pd.DataFrame(), Counter()
    if len(tables) > 1:
        raise ThoraxError(f"data set 'nih': {len(tables)} tables, {listed(tables)}; give the folder of one of them")
    rows = read_table(tables[0], read)
    places = {place[1]: name for name in names if not debris(name) and (place := PATH.search(name))}
    here = rows["file"].isin(places)
    skipped = Counter()
    if not here.all():
        skipped[f"not here, only rows of {tables[0]}: {listed(rows.loc[~here, 'file'])}"] = int((~here).sum())
    rows = rows[here].assign(path=lambda kept: kept["file"].map(places))
    skipped["of several findings"] = int((rows["label"] == "").sum())
    films = rows[rows["label"] != ""]
    lists = {name: LISTS[file] for name in names if (file := name.rpartition("/")[2]) in LISTS}
    part_of = {film: part for name, part in lists.items() for film in read(name).decode().split()}
    known = set(rows["path"])
    for name in names:
        if name not in known:
            skipped[debris(name) or ("a table of the films" if name in tables or name in lists else
                                     "a film without a row in the table" if PATH.search(name) else NO_FILM)] += 1
    return pd.DataFrame({"path": films["path"], "label": films["label"], "group": films["Patient ID"],
                         "group_quality": "metadata", "source": "nih",
                         "part": [part_of.get(file, "") for file in films["file"]], "view": films["View Position"],
                         "sex": films["sex"], "age": films["age"]}), skipped


def read_table(table: str, read) -> pd.DataFrame:
    """The rows of Data_Entry_2017.csv with file, label (empty for one of several findings), sex and age."""
    rows = pd.read_csv(io.BytesIO(read(table)), dtype=str, keep_default_na=False)
    rows = rows.rename(columns={"Patient Gender": "sex", "Patient Sex": "sex", "Image Index": "file"})
    missing = {"file", "Finding Labels", "Patient ID", "Patient Age", "View Position", "sex"} - set(rows.columns)
    if missing:
        raise ThoraxError(f"{table}: no column {', '.join(sorted(missing))}; get it anew from {ORIGIN}")
    return rows.assign(label=rows["Finding Labels"].map(label_of), age=rows["Patient Age"].map(age_of))


def label_of(findings: str) -> str:
    """The label of a film by its findings, "Effusion|Pneumothorax"; empty for several."""
    if findings in LABEL_OF:
        return LABEL_OF[findings]
    return WITH_OTHERS if "Pneumothorax" in findings.split("|") else ""


def age_of(text: str) -> str:
    """Whole years from "58" or, as older tables have it, "058Y", "006M", "010D"; empty if no one gets that old."""
    found = re.fullmatch(r"(\d+)([YMD]?)", text)
    years = int(found[1]) if found and found[2] in ("", "Y") else 0
    return str(years) if found and years <= OLDEST else ""


# What the twin shows for a finding that the phantom does not know: the nearest that it does.
SIMULATED_AS = dict.fromkeys(LABELS, "viral") | {
    "normal": "normal", "pneumothorax": "pneumothorax", WITH_OTHERS: "pneumothorax", "nodule": "opacity",
    "mass": "opacity", "atelectasis": "bacterial", "consolidation": "bacterial", "effusion": "bacterial"}


def simulate(labels: Sequence[str], settings: Phantom, seed: int) -> Iterator[tuple[str, bytes]]:
    """Phantoms in twelve folders, some with an alpha channel, and beside the films of one finding: one of several, a
    patient who recovers, a row without film, a film without row and an age of 414 years."""
    findings_of = {label: finding for finding, label in LABEL_OF.items()} | {WITH_OTHERS: "Effusion|Pneumothorax"}
    planned = [(findings_of[label], plan) for label, plan in twin.plan(labels, settings, seed, SIMULATED_AS)]
    ill = next((plan for _, plan in reversed(planned) if plan.finding != "normal"), planned[-1][1])
    last = max(plan.film for _, plan in planned if plan.patient == ill.patient)
    planned += [("Effusion|Mass", replace(ill, film=last + 1)), ("No Finding", replace(ill, film=last + 2)),
                (None, replace(ill, film=last + 3))]
    formats = [(".png", "rgba" if number % 7 == 6 else "gray") for number in range(len(planned))]
    rows = []
    films = twin.render([plan for _, plan in planned], formats, settings)
    for number, ((findings, plan), (film, _)) in enumerate(zip(planned, films, strict=True)):
        file = f"{int(plan.patient[1:]):08d}_{plan.film:03d}.png"
        yield f"images_{number % 12 + 1:03d}/images/{file}", film
        if findings is not None:
            rows.append({"Image Index": file, "Finding Labels": findings, "Follow-up #": plan.film,
                         "Patient ID": int(plan.patient[1:]), "Patient Age": twin.age_of(plan) if number else 414,
                         "Patient Gender": twin.sex_of(plan), "View Position": plan.view})
    test = {row["Patient ID"] for row in rows[::5]}
    for name, wanted in (("train_val_list.txt", False), ("test_list.txt", True)):
        yield name, "\n".join(row["Image Index"] for row in rows if (row["Patient ID"] in test) == wanted).encode()
    rows.append(rows[0] | {"Image Index": "99999999_000.png"})
    yield "Data_Entry_2017.csv", pd.DataFrame(rows).to_csv(index=False, lineterminator="\n").encode()
    yield "BBox_List_2017.csv", b"Image Index,Finding Label\n"

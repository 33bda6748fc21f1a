"""Cohen: the first public COVID films, collected on GitHub from papers and case reports, with a table of patients.

The table changed much in 2020: `finding` was flat ("COVID-19") and became a path ("Pneumonia/Viral/COVID-19"). Both are
read. Frontal films alone are kept, and only those whose finding is known.
"""

import io
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from thorax.datasets._files import NO_FILM, debris, listed
from thorax.errors import ThoraxError
from thorax.phantom import twin
from thorax.recipe import Phantom

TITLE = "COVID-19 image data collection, Cohen 2020"
GITHUB = "ieee8023/covid-chestxray-dataset"
COMMIT = "6a4242344473ccb5ed0d2148d8c7bfb1691e4ed8"  # findings as paths, patients up to 481
ORIGIN = f"GitHub {GITHUB}"
LICENCE = "every film its own, in the column license; many forbid commercial use or changes (NC, ND), some have none"
CITATION = "Cohen et al., arXiv:2006.11988 and arXiv:2003.11597 (2020)"
LABELS = ("normal", "covid", "covid_ards", "virus", "bacteria", "fungus", "pneumonia", "ards", "tuberculosis")
LAYOUT = "metadata.csv and images/"
DOWNLOAD = "not known"
# Of the last version. That of 2020-06-27, often copied, has 415.
EXPECTED = {"covid": 451}
OVERLAPS = ("radiography's COVID class holds about 250 of its 646 films of mid-2020; curated and prashant took from it "
            "as well")
GROUPS_MIX_LABELS = True  # a patient's films before, during and after a disease

TABLE = "metadata.csv"
COLUMNS = {"patientid", "sex", "age", "finding", "view", "modality", "location", "folder", "filename"}
FRONTAL = ("PA", "AP", "AP Supine")
NO_FINDING = ("todo", "Unknown", "")

# By the last part of the finding that stands here. "pneumonia" is one of another cause, or of none stated.
LABEL_OF = {
    "No Finding": "normal", "COVID-19": "covid", "COVID-19, ARDS": "covid_ards", "ARDS": "ards",
    "Tuberculosis": "tuberculosis", "Pneumonia": "pneumonia", "Lipoid": "pneumonia", "Aspiration": "pneumonia",
    "Viral": "virus", "SARS": "virus", "MERS-CoV": "virus", "MERS": "virus", "Varicella": "virus", "Influenza": "virus",
    "Herpes": "virus", "Bacterial": "bacteria", "Streptococcus": "bacteria", "Klebsiella": "bacteria",
    "Legionella": "bacteria", "E.Coli": "bacteria", "Chlamydophila": "bacteria", "Mycoplasma": "bacteria",
    "Mycoplasma Bacterial Pneumonia": "bacteria", "Nocardia": "bacteria", "Staphylococcus": "bacteria",
    "Fungal": "fungus", "Pneumocystis": "fungus", "Aspergillosis": "fungus"}


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    table = find_table(names, read)
    if table is None:
        return pd.DataFrame(), Counter()
    rows = read_table(table, read)
    here = set(names)
    rows["path"] = table.removesuffix(TABLE) + rows["folder"] + "/" + rows["filename"]
    absent = ~rows["path"].isin(here)
    skipped = Counter({f"not here, only rows of {TABLE}, {modality}: {listed(missing)}": len(missing)
                       for modality, missing in rows[absent].groupby("modality")["filename"]})
    rows = one_patient_per_film(rows[~absent])
    rows["reason"] = rows.apply(why_left_out, axis="columns")
    films = rows[rows["reason"] == ""]
    skipped.update(rows.loc[rows["reason"] != "", "reason"])
    images = f"{table.removesuffix(TABLE)}images/"
    for name in here - set(rows["path"]):
        skipped[debris(name) or ("the table of the films" if name == table else
                                 f"a film without a row in {TABLE}" if name.startswith(images) else NO_FILM)] += 1
    return pd.DataFrame({"path": films["path"], "label": films["finding"].map(label_of), "group": films["patientid"],
                         "group_quality": "metadata", "source": films["location"].str.strip(), "view": films["view"],
                         "sex": films["sex"], "age": films["age"]}), skipped


def find_table(names: Sequence[str], read) -> str | None:
    """The path of the one metadata.csv that is this set's; None if there is none."""
    found = [name for name in names if name.rpartition("/")[2] == TABLE and not debris(name)
             and b"patientid" in read(name)[:2000].lower()]
    if len(found) > 1:
        raise ThoraxError(f"data set 'cohen': {len(found)} tables, {listed(found)}; give the folder of one of them")
    return found[0] if found else None


def read_table(table: str, read) -> pd.DataFrame:
    """All rows of metadata.csv, everything text and nothing missing."""
    rows = pd.read_csv(io.BytesIO(read(table)), dtype=str, keep_default_na=False, encoding_errors="replace")
    missing = COLUMNS - set(rows.columns)
    if missing:
        raise ThoraxError(f"{table}: no column {', '.join(sorted(missing))}: a version of data set 'cohen' from before "
                          f"June 2020; take a later one of {ORIGIN}")
    return rows


def one_patient_per_film(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per film. Some cases were entered twice, as two patients: they become the first of the two."""
    first = rows.groupby("path")["patientid"].transform("first")
    twice = rows["patientid"] != first
    return rows.drop_duplicates("path").replace({"patientid": dict(zip(rows["patientid"][twice], first[twice],
                                                                       strict=True))})


def why_left_out(row: pd.Series) -> str:
    """Why a row of the table is no film of the set; empty if it is one."""
    if row["modality"] != "X-ray":
        return f"of modality {row['modality']}, not X-ray"
    if row["view"] not in FRONTAL:
        return f"of view {row['view']}, not frontal"
    if row["finding"] in NO_FINDING:
        return "without a finding (todo, Unknown)"
    return "" if label_of(row["finding"]) else f"of a finding that is not known here: {row['finding']}"


def label_of(finding: str) -> str | None:
    return next((LABEL_OF[part] for part in reversed(finding.split("/")) if part in LABEL_OF), None)


# How the twin writes its labels: flat for one half of the patients and as a path for the other, where real tables have
# one of the two.
FINDINGS_OF = {
    "normal": ("No Finding", "No Finding"), "covid": ("COVID-19", "Pneumonia/Viral/COVID-19"),
    "covid_ards": ("COVID-19, ARDS", "COVID-19, ARDS"), "virus": ("SARS", "Pneumonia/Viral/Influenza/H1N1"),
    "bacteria": ("Streptococcus", "Pneumonia/Bacterial/Streptococcus"), "fungus": ("Pneumocystis", "Pneumonia/Fungal"),
    "pneumonia": ("Pneumonia", "Pneumonia/Lipoid"), "ards": ("ARDS", "ARDS"),
    "tuberculosis": ("Tuberculosis", "Tuberculosis")}
SIMULATED_AS = twin.FINDING_OF | {"covid_ards": "covid", "fungus": "viral", "ards": "viral", "tuberculosis": "opacity"}
FORMATS = ((".jpg", "gray"), (".png", "rgba"), (".png", "palette"), (".png", "16-bit"), (".PNG", "gray"),
           (".jpeg", "rgb"))


def simulate(labels: Sequence[str], settings: Phantom, seed: int) -> Iterator[tuple[str, bytes]]:
    """Phantoms under a table with what the real one has: CT, side views, rows without film, a film without row, cases
    entered twice, findings to do; and one patient whose last film shows nothing any more."""
    top = "covid-chestxray-dataset-master"
    planned = twin.plan(labels, settings, seed, SIMULATED_AS)
    formats = [FORMATS[number % len(FORMATS)] for number in range(len(planned))]
    rows = []
    films = twin.render([plan for _, plan in planned], formats, settings)
    for number, ((label, plan), (extension, _), (film, _)) in enumerate(zip(planned, formats, films, strict=True)):
        rows.append({"patientid": int(plan.patient[1:]), "offset": plan.film, "sex": twin.sex_of(plan),
                     "age": twin.age_of(plan), "finding": FINDINGS_OF[label][int(plan.patient[1:]) % 2],
                     "view": "AP Supine" if plan.view == "AP" and number % 2 else plan.view, "modality": "X-ray",
                     "location": f"Hospital {plan.scanner}", "folder": "images",
                     "filename": f"film-{number}{extension}", "license": "CC BY-NC-SA 4.0", "Unnamed: 28": ""})
        yield f"{top}/images/film-{number}{extension}", film
    extra = {"film-side.png": {"view": "L"}, "film-todo.png": {"finding": "todo"},
             "film-unknown.png": {"finding": "Unknown"}, "film-ct.png": {"modality": "CT", "view": "Axial"},
             "film-recovered.png": {"finding": "No Finding"}, "film-without-row.png": None}
    formats = [(".png", "gray")] * len(extra)
    for (name, change), (film, _) in zip(extra.items(), twin.render([planned[0][1]] * len(extra), formats, settings),
                                         strict=True):
        yield f"{top}/images/{name}", film
        if change is not None:
            rows.append(rows[0] | change | {"filename": name})
    rows += [rows[0] | {"patientid": "9999999"},
             rows[0] | {"filename": "film-lost.png"},
             rows[0] | {"modality": "CT", "view": "Axial", "folder": "volumes", "filename": "volume.nii.gz"}]
    yield f"{top}/{TABLE}", pd.DataFrame(rows).to_csv(index=False, lineterminator="\n").encode()
    yield f"{top}/annotations/covid-severity-scores.csv", b"filename,score\n"
    yield f"{top}/README.md", b"Phantoms.\n"

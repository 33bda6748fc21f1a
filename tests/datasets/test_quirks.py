"""What is odd about each data set, one test each."""

from collections import Counter

import pandas as pd
import pytest
from PIL import Image

from thorax import datasets
from thorax.datasets import cohen, covid_ieee, curated, kermany, nih, prashant, radiography, sachinkumar
from thorax.errors import ThoraxError
from thorax.recipe import Dataset, Phantom

SETTINGS = Phantom(patients=3, films_per_patient=[1, 2], image_size=64)


@pytest.fixture(scope="module")
def twins() -> dict[str, dict[str, bytes]]:
    """The files of the twins with a table."""
    return {module.__name__.rpartition(".")[2]: dict(module.simulate(module.LABELS, SETTINGS, seed=3))
            for module in (cohen, nih, radiography)}


def indexed(module, files: dict[str, bytes]) -> tuple[pd.DataFrame, Counter]:
    films, skipped = module.index(sorted(files), files.__getitem__)
    return films.set_index("path"), skipped


# Kermany --------------------------------------------------------------------------------------------------------------


def test_kermany_s_second_tree_counts_where_it_is_the_only_one():
    film = "train/NORMAL/IM-0001-0001.jpeg"
    both, skipped = kermany.index([f"chest_xray/chest_xray/{film}", f"chest_xray/{film}", "chest_xray/.DS_Store"], None)
    assert both["path"].tolist() == [f"chest_xray/{film}"]
    assert skipped == {"the second copy of the tree": 1, "the notes of a file browser, no film": 1}
    taken_out, _ = kermany.index([f"chest_xray/chest_xray/{film}", "chest_xray/train/NORMAL/IM-0002-0001.jpeg"], None)
    assert taken_out["path"].tolist() == ["chest_xray/train/NORMAL/IM-0002-0001.jpeg"]
    alone, _ = kermany.index([f"chest_xray/chest_xray/{film}"], None)
    assert alone["path"].tolist() == [f"chest_xray/chest_xray/{film}"]


# Radiography ----------------------------------------------------------------------------------------------------------


def test_a_radiography_film_knows_its_lung_mask(twins):
    films, skipped = indexed(radiography, twins["radiography"])
    assert (films["lung_mask"] == films.index.str.replace("/images/", "/masks/")).all()
    assert skipped["a lung mask"] == len(films)
    assert skipped["a table of origins, not read"] == 4


def test_a_radiography_film_without_mask_or_as_jpeg_is_a_film_too():
    films, _ = radiography.index(["Viral Pneumonia/images/Viral Pneumonia-1.jpg"], None)
    assert films[["label", "lung_mask"]].values.tolist() == [["virus", ""]]


@pytest.mark.parametrize("count, name", [(219, "COVID-19 Radiography Database/COVID-19/COVID-19 ({}).png"),
                                         (1200, "COVID-19_Radiography_Dataset/COVID/COVID ({}).png")])
def test_old_versions_of_radiography_are_refused_by_their_count(count, name):
    with pytest.raises(ThoraxError, match=f"an old version, {count:,} COVID films and no folder images/"):
        radiography.index([name.format(number) for number in range(1, count + 1)], None)


def test_radiography_without_lung_opacity_is_refused_unless_the_recipe_leaves_the_label_out(twins):
    files = {name: data for name, data in twins["radiography"].items() if "Lung_Opacity" not in name}
    with pytest.raises(ThoraxError, match=r"no film of label 'opacity'.*take the label out of download\.datasets"):
        datasets.films_of("radiography", Dataset(labels=list(radiography.LABELS)), list(files), None, "twin", False)
    films, _ = datasets.films_of("radiography", Dataset(labels=["covid", "normal"]), list(files), None, "twin", False)
    assert set(films["label"]) == {"covid", "normal"}


# Cohen ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("finding, label", [
    ("COVID-19", "covid"), ("Pneumonia/Viral/COVID-19", "covid"), ("COVID-19, ARDS", "covid_ards"),
    ("No Finding", "normal"), ("Pneumonia/Viral/Influenza/H1N1", "virus"), ("SARS", "virus"),
    ("Pneumonia", "pneumonia"), ("Pneumonia/Lipoid", "pneumonia"),
    ("Pneumonia/Bacterial/Staphylococcus/MRSA", "bacteria"),
    ("Mycoplasma Bacterial Pneumonia", "bacteria"), ("Pneumonia/Fungal/Pneumocystis", "fungus"), ("Sarcoidosis", None)])
def test_both_formats_of_cohen_s_findings_are_read(finding, label):
    assert cohen.label_of(finding) == label


def test_cohen_keeps_frontal_x_rays_with_a_finding_and_counts_the_rest(twins):
    films, skipped = indexed(cohen, twins["cohen"])
    assert set(films["view"]) <= {"PA", "AP", "AP Supine"}
    assert {"images/film-recovered.png", "images/film-0.jpg"} <= {name.partition("/")[2] for name in films.index}
    assert skipped == {"of view L, not frontal": 1, "of modality CT, not X-ray": 1,
                       "without a finding (todo, Unknown)": 2, "a film without a row in metadata.csv": 1,
                       "not here, only rows of metadata.csv, X-ray: film-lost.png": 1,
                       "not here, only rows of metadata.csv, CT: volume.nii.gz": 1,
                       "the table of the films": 1, "no film of this set by its name": 2}


def test_cohen_s_films_have_patient_sex_and_age(twins):
    films, _ = indexed(cohen, twins["cohen"])
    assert set(films["sex"]) == {"M", "F"}
    assert films["age"].astype(int).between(20, 89).all()
    assert (films["group_quality"] == "metadata").all()


def test_a_case_that_cohen_s_table_has_twice_is_one_film_of_one_patient():
    head = "patientid,sex,age,finding,view,modality,location,folder,filename"
    rows = ["1,M,50,COVID-19,PA,X-ray,,images,a.png", "2,M,50,COVID-19,PA,X-ray,,images,a.png",
            "2,M,50,COVID-19,PA,X-ray,,images,b.png"]
    table = "\n".join([head, *rows]).encode()
    films, _ = cohen.index(["images/a.png", "images/b.png", "metadata.csv"], lambda _: table)
    assert films[["path", "group"]].values.tolist() == [["images/a.png", "1"], ["images/b.png", "1"]]


def test_a_table_of_cohen_from_before_june_2020_is_refused():
    with pytest.raises(ThoraxError, match=r"metadata\.csv: no column .*modality.*from before June 2020"):
        cohen.index(["metadata.csv"], lambda _: b"Patientid,offset,sex,age,finding,view,filename\n")


def test_two_tables_of_cohen_are_refused():
    with pytest.raises(ThoraxError, match=r"2 tables, a/metadata\.csv, b/metadata\.csv"):
        cohen.index(["a/metadata.csv", "b/metadata.csv"], lambda _: b"patientid,finding\n")


def test_cohen_s_twin_has_every_kind_of_pixel(twins, tmp_path):
    modes = set()
    for name, data in twins["cohen"].items():
        if "/images/" in name:
            (tmp_path / "film").write_bytes(data)
            modes.add(Image.open(tmp_path / "film").mode)
    assert modes == {"L", "RGB", "RGBA", "P", "I;16"}


# NIH ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("findings, label", [
    ("No Finding", "normal"), ("Pneumothorax", "pneumothorax"), ("Effusion|Pneumothorax", "pneumothorax_with_others"),
    ("Pleural_Thickening", "pleural_thickening"), ("Effusion|Mass", "")])
def test_an_nih_film_counts_for_a_finding_if_it_is_the_only_one(findings, label):
    assert nih.label_of(findings) == label


@pytest.mark.parametrize("text, age", [("58", "58"), ("058Y", "58"), ("006M", "0"), ("414", ""), ("", "")])
def test_an_nih_age_is_whole_years_or_nothing(text, age):
    assert nih.age_of(text) == age


def test_nih_s_parts_are_the_publisher_s_and_its_odd_rows_and_files_are_counted(twins):
    films, skipped = indexed(nih, twins["nih"])
    assert set(films["part"]) == {"train_val", "test"}
    assert (films.groupby("group")["part"].nunique() == 1).all()
    assert set(films["view"]) == {"PA", "AP"}
    assert (films["age"] == "").sum() == 1
    assert skipped == {"of several findings": 1, "a film without a row in the table": 1, "a table of the films": 3,
                       "not here, only rows of Data_Entry_2017.csv: 99999999_000.png": 1,
                       "no film of this set by its name": 1}


def test_nih_without_its_lists_has_no_parts(twins):
    films, _ = indexed(nih, {name: data for name, data in twins["nih"].items() if not name.endswith("_list.txt")})
    assert set(films["part"]) == {""}


# The sets without groups ----------------------------------------------------------------------------------------------


def test_covid_ieee_s_classes_count_below_its_own_folder_alone():
    films, _ = covid_ieee.index(["a/COVID_IEEE/covid/1.JPG", "a/COVID_IEEE/virus/1.jfif", "b/normal/1.png"], None)
    assert films["label"].tolist() == ["covid", "virus"]
    assert covid_ieee.index(["normal/1.png"], None)[0]["label"].tolist() == ["normal"]


def test_curated_s_films_are_found_however_deep():
    top = "Curated X-Ray Dataset/Curated X-Ray Dataset"
    films, _ = curated.index([f"{top}/Pneumonia-Bacterial/Pneumonia-Bacterial (7).jpg", "Normal/Normal (1).jpg"], None)
    assert sorted(films["label"]) == ["bacteria", "normal"]


def test_sachinkumar_takes_no_film_of_kermany_or_prashant():
    films, _ = sachinkumar.index(["NORMAL/1.png", "train/NORMAL/IM-0001-0001.jpeg", "Data/test/NORMAL/NORMAL(3).jpg"],
                                 None)
    assert films["path"].tolist() == ["NORMAL/1.png"]


KERMANY = [f"chest_xray/{part}/{name}.jpeg" for part, name in [
    ("test", "NORMAL/IM-0001-0001"), ("train", "NORMAL/IM-0003-0001"), ("train", "NORMAL/IM-0003-0001-0002"),
    ("train", "NORMAL/NORMAL2-IM-0002-0001"), ("train", "PNEUMONIA/person1_bacteria_2"),
    ("test", "PNEUMONIA/person1_virus_1")]]
PRASHANT = ["Data/train/NORMAL/NORMAL(0).jpg", "Data/train/NORMAL/NORMAL(1).jpg", "Data/train/NORMAL/NORMAL(2).jpg",
            "Data/test/NORMAL/NORMAL(3).jpg", "Data/train/PNEUMONIA/PNEUMONIA(0).jpg",
            "Data/test/PNEUMONIA/PNEUMONIA(1).jpg", "Data/train/COVID19/COVID19(0).jpg"]


def test_prashant_s_groups_are_recovered_where_kermany_s_files_lie_beside():
    films = prashant.index(PRASHANT + KERMANY, None)[0].set_index("path").loc[PRASHANT]
    assert films["group"].tolist() == ["IM-0001", "IM-0003", "IM-0003", "NORMAL2-IM-0002", "bacteria-1", "virus-1", ""]
    assert films["group_quality"].tolist() == ["recovered"] * 6 + ["none"]


def test_prashant_s_groups_are_unknown_without_kermany_s_complete_files():
    for beside in ([], KERMANY[:3]):
        films, _ = prashant.index(PRASHANT + beside, None)
        assert set(films["group"]) == {""} and set(films["group_quality"]) == {"none"}


def test_prashant_s_groups_are_unknown_where_its_numbers_have_a_gap():
    gap = [name.replace("NORMAL(3)", "NORMAL(4)") for name in PRASHANT]
    films = prashant.index(gap + KERMANY, None)[0]
    assert set(films.loc[films["label"] == "normal", "group_quality"]) == {"none"}
    assert set(films.loc[films["label"] == "pneumonia", "group_quality"]) == {"recovered"}


# Together -------------------------------------------------------------------------------------------------------------


def test_sets_side_by_side_find_their_own_films_alone():
    names = {"kermany": KERMANY[0], "radiography": "r/Normal/images/Normal-1.png",
             "covid_ieee": "COVID_IEEE/covid/1.jpg", "curated": "Curated X-Ray Dataset/Normal/Normal (1).jpg",
             "sachinkumar": "s/NORMAL/NORMAL_1.png", "prashant": PRASHANT[0], "cohen": "c/images/a.png",
             "nih": "n/images_001/images/00000001_000.png"}
    tables = {"n/Data_Entry_2017.csv": b"Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,"
                                       b"View Position\n00000001_000.png,No Finding,1,50,M,PA\n",
              "c/metadata.csv": b"patientid,sex,age,finding,view,modality,location,folder,filename\n"
                                b"1,M,50,COVID-19,PA,X-ray,,images,a.png\n"}
    for name, film in names.items():
        films, _ = datasets.load(name).index(sorted([*names.values(), *tables]), tables.__getitem__)
        assert films["path"].tolist() == [film]

"""Radiography: 21,165 films put together in Doha and Dhaka from other collections, with lung masks.

Every class comes from sources of its own: COVID mostly from PadChest, opacity and most normals from RSNA (adults), the
viral films from Kermany (children). What tells the sources apart solves the task. No names of patients survived.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from thorax.datasets._files import by_name
from thorax.errors import ThoraxError
from thorax.phantom import twin
from thorax.recipe import Phantom

TITLE = "COVID-19 radiography database, Rahman 2021"
KAGGLE = "tawsifurrahman/covid19-radiography-database"
ORIGIN = f"Kaggle {KAGGLE}"
LICENCE = "that of the collections it was made from; the page names none for the whole"
CITATION = ("Chowdhury et al., IEEE Access 8:132665 (2020), doi 10.1109/ACCESS.2020.3010287; "
            "Rahman et al., Computers in Biology and Medicine 132:104319 (2021)")
LABELS = ("covid", "opacity", "normal", "virus")
LAYOUT = ("COVID-19_Radiography_Dataset/{COVID,Lung_Opacity,Normal,Viral Pneumonia}/{images,masks}/<class>-<number>.png"
          " (or .jpg)")
DOWNLOAD = "about 0.8 GB"
EXPECTED = {"covid": 3616, "opacity": 6012, "normal": 10192, "virus": 1345}
OVERLAPS = ("Normal holds all 1,341 films of Kermany's train/NORMAL, Viral Pneumonia is Kermany's train virus; the "
            "other 8,851 normals and all of Lung_Opacity are the RSNA classes, which are part of NIH; COVID holds "
            "about 250 films of Cohen and about 260 near-duplicates of itself")

LABEL_OF = {"COVID": "covid", "Lung_Opacity": "opacity", "Normal": "normal", "Viral Pneumonia": "virus"}
SOURCE_OF = {"covid": "collected", "opacity": "rsna", "normal": "rsna-or-guangzhou", "virus": "guangzhou"}

PATH = re.compile(r"(?:^|/)((COVID|Lung_Opacity|Normal|Viral Pneumonia)/(images|masks)/\2-\d+)\.(?:png|jpe?g)$")
# The first versions: 219 or 1,200 COVID films, directly in the folder of the class.
OLD_COVID = re.compile(r"(?:^|/)COVID(?:-19)?/COVID(?:-19)? ?[-(]\d+\)?\.(?:png|jpe?g)$")


def index(names: Sequence[str], read) -> tuple[pd.DataFrame, Counter]:
    films, skipped = by_name(names, describer(names))
    old = sum(bool(OLD_COVID.search(name)) for name in names)
    if films.empty and old:
        raise ThoraxError(f"data set 'radiography': an old version, {old:,} COVID films and no folder images/ (219 in "
                          f"the first, 1,200 in the second); get the current one, with {EXPECTED['covid']:,}, from "
                          f"{ORIGIN}")
    return films, skipped


def describer(names: Sequence[str]):
    masks = {place[1]: name for name in names if (place := PATH.search(name)) and place[3] == "masks"}

    def describe(name: str) -> dict | str | None:
        place = PATH.search(name)
        if not place:
            return "a table of origins, not read" if name.endswith(".metadata.xlsx") else None
        if place[3] == "masks":
            return "a lung mask"
        label = LABEL_OF[place[2]]
        return {"member": place[1], "label": label, "group_quality": "none", "source": SOURCE_OF[label],
                "lung_mask": masks.get(place[1].replace("/images/", "/masks/"), "")}
    return describe


def simulate(labels: Sequence[str], settings: Phantom, seed: int) -> Iterator[tuple[str, bytes]]:
    """Phantoms in the layout of the third version, the top folder nested twice, some films in colour."""
    top = "COVID-19_Radiography_Dataset/COVID-19_Radiography_Dataset"
    folder_of = {label: folder for folder, label in LABEL_OF.items()}
    planned = twin.plan(labels, settings, seed)
    formats = [(".png", "rgb" if number % 10 == 9 else "gray") for number in range(len(planned))]
    numbers = Counter()
    for (label, _), (film, mask) in zip(planned, twin.render([plan for _, plan in planned], formats, settings),
                                        strict=True):
        folder = folder_of[label]
        numbers[folder] += 1
        yield f"{top}/{folder}/images/{folder}-{numbers[folder]}.png", film
        yield f"{top}/{folder}/masks/{folder}-{numbers[folder]}.png", mask
    for label in labels:
        yield f"{top}/{folder_of[label]}.metadata.xlsx", twin.EMPTY_ZIP
    yield f"{top}/README.md.txt", b"Phantoms.\n"

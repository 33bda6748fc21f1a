"""How far the public data sets contain each other: the tables of docs/datasets.md; 21,000 films take a minute of
processor time.

Run `python -m benchmarks.overlaps FOLDER`, where FOLDER holds the downloads under the names below.
"""

import sys
from pathlib import Path

import numpy as np

from thorax.duplicates import pairs
from thorax.duplicates.reading import films_in, thumbnails_of
from thorax.splits import clusters

KERMANY = "chest-xray-pneumonia/chest_xray/train"
RADIOGRAPHY = "covid19-radiography-database/COVID-19_Radiography_Dataset"
# Title -> folder, and a word that the file names contain.
SETS = {
    "kermany train normal": (f"{KERMANY}/NORMAL", ""),
    "kermany train bacteria": (f"{KERMANY}/PNEUMONIA", "_bacteria_"),
    "kermany train virus": (f"{KERMANY}/PNEUMONIA", "_virus_"),
    "radiography COVID": (f"{RADIOGRAPHY}/COVID/images", ""),
    "radiography Normal": (f"{RADIOGRAPHY}/Normal/images", ""),
    "radiography Viral Pneumonia": (f"{RADIOGRAPHY}/Viral Pneumonia/images", ""),
    "cohen": ("covid-chestxray-dataset/images", ""),
}


def main(folder: str) -> None:
    """Print the table of the sets below `folder`."""
    films = {}
    for title, (place, word) in SETS.items():
        home = Path(folder) / place
        films[title] = thumbnails_of(home, [name for name in films_in(home) if word in name])[1]
    print(f"| films of | all | {' | '.join(films)} |\n|---|---|{'---|' * len(films)}")
    for title, own in films.items():
        shared = [len(np.unique(pairs(own)[0] if other is own else pairs(own, other)[0][:, 0]))
                  for other in films.values()]
        print(f"| {title} | {len(own):,} | {' | '.join(f'{count:,}' for count in shared)} |")
    print("\n| near-duplicates within | pairs | films that repeat another | largest cluster |\n|---|---|---|---|")
    joined = {
        "kermany train": [films[title] for title in films if title.startswith("kermany")],
        "radiography": [films[title] for title in films if title.startswith("radiography")],
    }
    for title, parts in ({title: [own] for title, own in films.items()} | joined).items():
        own = np.concatenate(parts)
        found, _ = pairs(own)
        sizes = np.bincount(clusters(range(len(own)), pairs=found))
        print(f"| {title} | {len(found):,} | {len(own) - len(sizes):,} | {sizes.max()} films |")


if __name__ == "__main__":
    main(sys.argv[1])

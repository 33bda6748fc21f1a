"""Does the phantom keep its promises? Speed, shortcut floor and near-duplicates, in about a minute on one core.

    python benchmarks/phantom.py

Expect: more than 40 films/s per core at 256 x 256; ten intensity statistics below .60 balanced accuracy without
confounding and clearly above that with it (six findings, chance .17, grouped 5-fold); no two patients at a cosine
above .99.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np
from sklearn.metrics import balanced_accuracy_score

sys.path.insert(0, str(Path(__file__).parents[1]))
from thorax.phantom import FINDINGS, plan_films, render_film
from thorax.probes import intensity


def main() -> None:
    cv2.setNumThreads(1)
    for confound in (0.0, 0.5, 1.0):
        plans = plan_films(dict.fromkeys(FINDINGS, 60), seed=1, confound=confound)
        start = time.process_time()
        images = [render_film(plan).image for plan in plans]
        speed = len(plans) / (time.process_time() - start)
        patients, findings = np.array([plan.patient for plan in plans]), np.array([plan.finding for plan in plans])
        features = np.array([intensity.ten_statistics(image) for image in images])
        classes = np.unique(findings, return_inverse=True)[1]
        print(f"confound {confound}: {len(plans)} films, {speed:.0f} films/s of processor time")
        for name, predicted in intensity.predicted(features, classes, patients, trees=300, seed=0).items():
            print(f"  ten statistics, {name}: balanced accuracy {balanced_accuracy_score(classes, predicted):.3f}")
        small = [cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA) for image in images]
        thumbs = np.array(small, float).reshape(len(small), -1)
        thumbs = (thumbs - thumbs.mean(1, keepdims=True)) / thumbs.std(1, keepdims=True)
        first, second = np.triu_indices(len(thumbs), 1)
        cosine = (thumbs @ thumbs.T / thumbs.shape[1])[first, second]
        same = patients[first] == patients[second]
        for name, values in (("different patients", cosine[~same]), ("one patient", cosine[same])):
            middle, high, top = np.percentile(values, [50, 99, 100])
            print(f"  cosine, {name}: median {middle:.3f}, 99 % {high:.3f}, largest {top:.4f}")


if __name__ == "__main__":
    main()

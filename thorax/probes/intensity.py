"""The shortcut floor: what ten figures of a film's intensities alone say of its class."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from thorax.probes.forest import most_probable

NAMES = ("mean", "std", "p10", "median", "p90", "border_mean", "border_std", "centre_mean", "centre_std", "entropy")
FOLDS = 5


def ten_statistics(film: np.ndarray) -> list[float]:
    """`NAMES` of one film, uint8 (side, side): border is its outer tenth, centre the middle half; entropy in nats."""
    side = film.shape[0]
    border = np.ones(film.shape, bool)
    border[side // 10 : -(side // 10), side // 10 : -(side // 10)] = False
    centre = film[side // 4 : -(side // 4), side // 4 : -(side // 4)]
    share = np.bincount(film.ravel(), minlength=256) / film.size
    share = share[share > 0]
    return [
        film.mean(), film.std(), *np.percentile(film, [10, 50, 90]), film[border].mean(), film[border].std(),
        centre.mean(), centre.std(), -(share * np.log(share)).sum(),
    ]  # fmt: skip


def models(trees: int, seed: int) -> dict:
    return {"random_forest": RandomForestClassifier(trees, random_state=seed),
            "logistic_regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))}


def predicted(features: np.ndarray, labels: np.ndarray, groups: np.ndarray, trees: int, seed: int
              ) -> dict[str, np.ndarray]:
    """The class of each film, int (n,), by model, each film predicted by a model that saw no film of its group.

    Args: features (n, 10); labels int (n,), each class in at least FOLDS groups; groups (n,) ids.
    """
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    shares = np.bincount(labels) / len(labels)
    return {name: most_probable(cross_val_predict(model, features, labels, groups=groups, cv=folds,
                                                  method="predict_proba"), shares)
            for name, model in models(trees, seed).items()}

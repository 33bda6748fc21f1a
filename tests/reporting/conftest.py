"""What the tests of the tables and pages share."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import edit
from thorax import predictions


@pytest.fixture
def two_protocols(finished_copy: Path) -> Path:
    """The finished project, where small_cnn_plain has become small_cnn on a leaking split with better predictions."""
    def change(recipe):
        recipe["split"]["as_published"] = recipe["split"]["grouped"] | {"unit": "film"}
        recipe["models"]["small_cnn_plain"] = dict(recipe["models"]["small_cnn"]) | {"split": "as_published"}

    edit(finished_copy / "studies" / "phantom.yaml", change)
    edit(finished_copy / "params.yaml", lambda params: params["runs"]["phantom_small_cnn_plain"].update(
        films="enhanced", split="as_published"))
    path = finished_copy / "data" / "audit" / "phantom.json"
    audit = json.loads(path.read_text())
    audit["as_published"] = audit["grouped"] | {"unit": "film", "groups_in_two_parts": 7,
                                                "test_share_with_a_relative_in_train": 0.4321}
    path.write_text(json.dumps(audit))
    path = finished_copy / "models" / "phantom" / "small_cnn_plain" / "evaluation" / "predictions.csv"
    table = predictions.read(path)
    classes = predictions.classes_of(table)
    right = pd.DataFrame(np.eye(len(classes))[[classes.index(label) for label in table["label"]]], columns=classes)
    predictions.write(pd.concat([table[predictions.COLUMNS], right], axis=1).iloc[1:], path)
    return finished_copy

"""Rows of an array with their classes: what a model is trained and tested on."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Examples:
    """`rows` of the array `inputs` (films, uint8 (n, side, side), or cached features), with the class of each row."""

    inputs: np.ndarray
    rows: np.ndarray
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

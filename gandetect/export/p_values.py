"""Reads the p-values of an opened model, puts others in their place, and makes them of weighted scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gandetect.calibration import Calibration
from gandetect.graph.score import calibration_constants
from gandetect.graph.surgery import OpenModel


def read_calibration(model: OpenModel, n_rows: int) -> Calibration:
    """Return a model's p-values, which were made from so many rows."""
    scores = model.constant("calibration/scores").ravel()
    return Calibration(scores[np.isfinite(scores)], model.constant("calibration/p_values"), n_rows)


def write_calibration(model: OpenModel, calibration: Calibration) -> None:
    """Give a model other p-values."""
    for label, value in calibration_constants(calibration).items():
        model.set_constant(label, value)


def weighted_calibration(scores: NDArray[np.float32], weights: NDArray[np.float64], n_rows: int) -> Calibration:
    """Make p-values from weighted scores; as coarse as if they came from `n_rows` rows.

    Parameters
    ----------
    scores, weights : array of shape (n,)
        Scores, and how many normal rows each stands for, up to a factor.
    n_rows : int
        The smallest p-value is ``1 / (n_rows + 1)``.
    """
    order = np.argsort(scores)
    ordered, share = scores[order], weights[order] / weights.sum()
    above = np.append(np.cumsum(share[::-1])[::-1][1:], 0.0)  # the share above each score
    # Nothing is above the last one: scores beyond it have the smallest p-value.
    levels = np.concatenate([np.linspace(1, 0.1, 128), np.geomspace(0.1, 0.2 / (n_rows + 1), 384), [0.0]])
    at = np.minimum(np.searchsorted(-above, -levels), len(above) - 1)
    kept, last = np.unique(ordered[np.unique(at)]), len(ordered) - 1
    index = np.minimum(np.searchsorted(ordered, kept, side="right") - 1, last)
    p_values = np.concatenate([[1.0], (1 + n_rows * above[index]) / (n_rows + 1)])
    return Calibration(kept, p_values.astype(np.float32), n_rows)

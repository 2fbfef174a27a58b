"""Reads the p-values of an opened model, and puts others in their place."""

from __future__ import annotations

import numpy as np

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

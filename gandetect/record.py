"""What model files of every modality record of themselves, and which golden samples they may hold."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gandetect.calibration import Calibration, default_alpha
from gandetect.model_file import FORMAT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PACKAGES = ("gandetect", "numpy", "onnx", "onnxruntime", "scikit-learn", "torch")
"""Packages whose versions a model file remembers."""


def manifest_of(
    modality: str,
    about: dict[str, Any],
    training: dict[str, Any],
    calibration: Calibration,
    settings: DataclassInstance,
    threshold: float | None,
    health: dict[str, Any],
) -> dict[str, Any]:
    """Return what a model file says of itself, as JSON values.

    Parameters
    ----------
    modality : str
        Of its samples.
    about : dict
        Further entries: what the samples are, golden ones, and whatever only this modality has.
    training : dict
        Further entries of ``training``: the arguments of `fit`, and what was found of the training samples.
    calibration : Calibration
        Of its p-values.
    settings : dataclass
        All hyper-parameters.
    threshold : float or None
        Scores above it are flagged; None: the p-value decides.
    health : dict
        How the training went.
    """
    alpha = default_alpha(calibration.n_rows)
    return {
        "format": FORMAT,
        "modality": modality,
        "gandetect_version": version("gandetect"),
        **about,
        "training": {
            "n_rows": calibration.n_rows,
            "settings": asdict(settings),
            "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
            **training,
        },
        "calibration": {
            "n": calibration.n_rows,
            "alpha": alpha,
            "threshold": threshold,
            "critical_score": calibration.critical_score(alpha),
            "percentiles": list(calibration.percentiles),
        },
        "health": health,
    }


def answers_as_json(answers: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return answers as JSON values: single precision in the fewest digits that tell a number from its neighbours.

    Parameters
    ----------
    answers : mapping of str to array
        By output.

    Returns
    -------
    dict of str to list
        Of the same shapes; numbers that single precision turns back into the same ones.
    """
    return {
        name: (values.astype(str).astype(np.float64) if values.dtype == np.float32 else values).tolist()
        for name, values in answers.items()
    }


def clear_of_steps(
    scores: NDArray[np.float32], steps: NDArray[np.float32], threshold: float | None, tolerance: float
) -> NDArray[np.bool_]:
    """Return which samples may be golden, (n,): those on no step of the p-value or flag, or all if there are none.

    Beside a step another machine's rounding could fall on its other side.

    Parameters
    ----------
    scores : array of shape (n,)
        Anomaly scores.
    steps : array of shape (n_steps,)
        Scores at which the p-value changes.
    threshold : float or None
        The step of the flag, if it is another one.
    tolerance : float
        How near to a step is too near, as a share of the score, or of 1 if that is more.
    """
    steps = np.append(steps, np.inf if threshold is None else threshold)
    each = scores[:, None]
    clear: NDArray[np.bool_] = (np.abs(each - steps) > tolerance * np.maximum(1, np.abs(each))).all(1)
    return clear | ~clear.any()

"""All hyper-parameters of a detector for images."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.arguments import require_one_of
from gandetect.training.course import Plan
from gandetect.training.losses import LOSSES

DETECTORS: dict[str, dict[str, Any]] = {
    "whole": {
        "n_members": 3,
        "n_steps": 600,
        "n_real": 32,
        "n_negatives": 12,
        "n_generated": 12,
        "n_features": 96,
        "n_codes": 32,
        "n_past": 256,
        "realness_weight": 2.0,
        "distance_weight": 1.0,
        "style_weight": 2.0,
        "map_weight": 0.2,
        "strong_distance_weight": 0.0,
    },
    "patch": {
        "n_members": 2,
        "n_steps": 400,
        "n_real": 12,
        "n_negatives": 6,
        "n_generated": 2,
        "n_features": 48,
        "n_codes": 8,
        "n_past": 0,
        "learning_rate": 3e-3,
        "optimizer": "muon",
        "realness_weight": 0.0,
        "distance_weight": 0.2,
        "style_weight": 0.0,
        "map_weight": 1.0,
        "strong_distance_weight": 1.0,
    },
}
"""What the settings of both detectors are unless they are given."""

DEFAULTS = DETECTORS | {"maps": DETECTORS["patch"] | {"n_steps": 500, "width": 32}}
"""The same with those of the detector for patches where it sees the maps of a backbone, which nobody has to choose."""

EFFORTS = {"low": 1 / 3, "default": 1.0, "high": 3.0}
"""What an effort multiplies the number of steps with."""


@dataclass(frozen=True)
class ImageSettings:
    """All hyper-parameters of a detector for images; stored in the model file.

    Parameters
    ----------
    detector : str
        "whole" judges an image at a time, "patch" every part of it, "maps" every position of a backbone's maps.
    effort : str
        The key of `EFFORTS` that the number of steps was taken from, if none was given.
    loss : str
        The game between the generator and its heads: a key of `gandetect.training.losses.LOSSES`.
    n_members : int
        Generator and discriminator pairs; also the number of folds, each unseen by one member.
    n_steps : int
        Moves of each network.
    n_real, n_negatives, n_generated : int
        Real images of a step, images of every kind of reference negative, and of every kind that the generator makes.
    width, n_features, n_codes, n_past : int
        Channels of the discriminator's first convolution, features that its heads look at, entries of a generator's
        code (at each of its positions), and images of earlier steps that are remembered.
    learning_rate, weight_decay, adversarial_weight, optimizer
        See `gandetect.training.course.Plan`.
    realness_weight, distance_weight, style_weight, map_weight : float
        Weights of the evidence in the score: realness, distance of the features and of the style (only of whole images)
        from normal ones, and how far the most conspicuous part of the image stands out from the rest.
    strong_distance_weight : float
        Further weight of a distance that few normal images have: nothing stands out of an image that is wrong
        everywhere.
    """

    detector: str
    effort: str
    loss: str
    n_members: int
    n_steps: int
    n_real: int
    n_negatives: int
    n_generated: int
    n_features: int
    n_codes: int
    n_past: int
    realness_weight: float
    distance_weight: float
    style_weight: float
    map_weight: float
    strong_distance_weight: float
    width: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    adversarial_weight: float = 0.1
    optimizer: str = "adamw"

    @classmethod
    def of_effort(cls, detector: str, effort: str = "default", loss: str = "logistic", **given: Any) -> ImageSettings:
        """Return the settings of a detector and an effort; what is given and not None overrules them.

        Raises
        ------
        InputError
            There is no such detector, effort or loss.
        """
        for name, value, known in (
            ("detector", detector, DEFAULTS),
            ("effort", effort, EFFORTS),
            ("loss", loss, LOSSES),
        ):
            require_one_of(name, value, known)
        defaults = dict(DEFAULTS[detector])
        defaults["n_steps"] = round(defaults["n_steps"] * EFFORTS[effort])
        settings = defaults | {name: value for name, value in given.items() if value is not None}
        return cls(detector=detector, effort=effort, loss=loss, **settings)

    def evidence_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights of all evidence and of its strong part, in the order of the score's components."""
        style = [self.style_weight] if self.detector == "whole" else []
        weights = np.array([self.realness_weight, self.distance_weight, *style, self.map_weight])
        return weights, np.array([0.0, self.strong_distance_weight, *[0.0] * (len(weights) - 2)])

    def plan(self) -> Plan:
        """Return what the training loop needs to know."""
        return Plan(**{field.name: getattr(self, field.name) for field in fields(Plan)})

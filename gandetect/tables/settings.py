"""All hyper-parameters of a detector for tables, and the rules by which they follow the training rows."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.arguments import checked_numbers, require_one_of
from gandetect.training.course import OPTIMIZERS, Plan
from gandetect.training.losses import LOSSES

WIDE = 256
"""Samples of more entries are trained on in smaller batches and fewer steps, and fewer codes are kept of them."""

EFFORTS = {
    "low": {"n_steps": 400, "n_members": 4},
    "default": {"n_steps": 1200, "n_members": 4},
    "high": {"n_steps": 2400, "n_members": 8},
}
"""What an effort stands for: the time of a fit grows with both figures, the arithmetic of a score with the members."""


FEW_ROWS = 500
"""Number of training rows from which on only the strong part of the distance to the typical row counts."""


LINEAR_WEIGHTS: dict[str, Any] = {
    "realness_weight": 0.05,
    "recall_weight": 0.0,
    "typical_weight": 0.5,
    "few_rows_typical_weight": 0.0,
    "reconstruction_weight": 3.5,
    "excess_weight": 0.05,
    "strong_realness_weight": 0.0,
    "strong_typical_weight": 0.0,
}
"""Weights of evidence with a linear path: networks with fewer rows to learn from than columns see less than it does.

Among rows that it learned from, only the distance to the typical row tells which are odd.
"""


@dataclass(frozen=True)
class TableSettings:
    """All hyper-parameters of a detector for tables; stored in the model file.

    Parameters
    ----------
    effort : str
        The key of `EFFORTS` that the number of steps and members was taken from, as far as none was given.
    loss : str
        The game between the generator and its heads: a key of `gandetect.training.losses.LOSSES`.
    n_members : int
        Generator and discriminator pairs; also the number of folds, each unseen by one member.
    n_steps : int
        Moves of each network; fewer where samples are wider than 256 entries, by the root of the proportion.
    batch_size : int
        Real rows per step, and rows of every kind of negative; fewer where samples are wider than 256 entries, in
        proportion, but at least 16: the time of a step stays the same.
    n_codes : int
        Size of a generator's memory; smaller in the same way, and at most the number of rows that a member sees.
    width, depth : int
        Of the discriminator's hidden layers.
    generator_width, generator_depth, noise_dim : int
        Of the generator's hidden layers, and of its noise.
    learning_rate, weight_decay, adversarial_weight : float
        See `gandetect.training.course.Plan`.
    optimizer : {"adamw", "muon"}
        See there, too.
    realness_weight, recall_weight, typical_weight, reconstruction_weight, excess_weight : float
        Weights of the evidence in the score: realness, distance to the generator's memory, distance to the row that it
        finds typical, reconstruction error, excess beyond the training range.
    few_rows_typical_weight : float
        Further weight of the distance to the typical row, all of it with no training rows and nothing of it with
        `FEW_ROWS`: the middle of a table is known from few rows already, what networks learn is not.
    known_weight : float
        Weight of the likeness to known anomalies, where there are any.
    n_planted : int
        Anomalies of each kind that are planted to certify what the detector finds; 0 for no certificate.
    strong_realness_weight, strong_typical_weight, strong_known_weight : float
        Further weights of the strong part of evidence. A row far from the typical one is an anomaly, though not every
        anomaly is far; and among contaminated training rows this distance is the evidence that holds best.
    """

    effort: str = "default"
    loss: str = "logistic"
    n_members: int = EFFORTS["default"]["n_members"]
    n_steps: int = EFFORTS["default"]["n_steps"]
    batch_size: int = 32
    width: int = 64
    depth: int = 3
    generator_width: int = 64
    generator_depth: int = 2
    noise_dim: int = 8
    n_codes: int = 256
    learning_rate: float = 6e-3
    weight_decay: float = 1e-3
    adversarial_weight: float = 0.1
    optimizer: str = "adamw"
    realness_weight: float = 1.5
    recall_weight: float = 1.5
    typical_weight: float = 0.0
    few_rows_typical_weight: float = 2.0
    reconstruction_weight: float = 0.4
    excess_weight: float = 0.5
    strong_realness_weight: float = 1.75
    strong_typical_weight: float = 4.2
    known_weight: float = 1.0
    strong_known_weight: float = 3.0
    n_planted: int = 200

    @classmethod
    def of_effort(cls, effort: str, **given: Any) -> TableSettings:
        """Return the settings of an effort.

        Parameters
        ----------
        effort : str
            A key of `EFFORTS`.
        **given
            Other settings; `n_steps` and `n_members` that are not None overrule the effort's.

        Returns
        -------
        TableSettings

        Raises
        ------
        InputError
            There is no such effort.
        """
        require_one_of("effort", effort, EFFORTS)
        own = EFFORTS[effort]
        return cls(effort=effort, **own | {n: v for n, v in given.items() if v is not None or n not in own})

    def checked(self) -> TableSettings:
        """Return the same settings, with numpy's numbers as Python's own.

        Returns
        -------
        TableSettings

        Raises
        ------
        InputError
            There is no such effort, loss or optimizer, or a value is not a number, too small or infinite.
        """
        for name, known in _NAMES.items():
            require_one_of(name, getattr(self, name), known)
        return checked_numbers(self, _SMALLEST)

    def evidence_weights(
        self, n_rows: int, *, knows_anomalies: bool, linear: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights of all evidence and of its strong part.

        Parameters
        ----------
        n_rows : int
            Number of training rows.
        knows_anomalies : bool
            Whether there are known anomalies.
        linear : bool
            Whether there is a linear path: the weights of `LINEAR_WEIGHTS` take the place of the settings' then.

        Returns
        -------
        tuple of two arrays of shape (n_components,)
            In the order of the score's components.
        """
        if linear:
            own = replace(self, **LINEAR_WEIGHTS)
            return own.evidence_weights(n_rows, knows_anomalies=knows_anomalies, linear=False)
        known = ["known"] if knows_anomalies else []
        names = ["realness", *known, "recall", "typical", "reconstruction", "excess"]
        weights, strong = (
            np.array([getattr(self, f"{prefix}{name}_weight", 0.0) for name in names]) for prefix in ("", "strong_")
        )
        weights[names.index("typical")] += self.few_rows_typical_weight * max(0.0, 1 - n_rows / FEW_ROWS)
        return weights, strong

    def plan(self, sample_dim: int) -> Plan:
        """Return what the training loop needs to know.

        Parameters
        ----------
        sample_dim : int
            Entries of a sample.

        Returns
        -------
        Plan
        """
        plan = Plan(**{field.name: getattr(self, field.name) for field in fields(Plan)})
        return replace(plan, n_steps=math.ceil(plan.n_steps * min(1.0, WIDE / sample_dim) ** 0.5))


_NAMES: dict[str, Collection[str]] = {"effort": EFFORTS, "loss": LOSSES, "optimizer": OPTIMIZERS}
"""What some settings choose among."""

_SMALLEST: dict[str, float] = {
    "n_members": 2,
    **dict.fromkeys(("n_steps", "batch_size", "width", "depth", "generator_width", "generator_depth", "n_codes"), 1),
    **dict.fromkeys(("noise_dim", "n_planted"), 0),
    **{field.name: 0.0 for field in fields(TableSettings) if isinstance(field.default, float)},
}
"""The smallest value of every number: a whole one for those that have to be whole."""

"""The course of a training: how long and how fast it goes, what it tells on its way, and what it goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]
"""Everything that a training goes on from: parameters, optimizers, the step, and the course so far; flat arrays."""

OPTIMIZERS = ("adamw", "muon")
"""What may move the weights of layers, see `gandetect.training.optimizers`."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    Parameters
    ----------
    n_steps : int
        Moves of each network.
    learning_rate : float
        Peak of the one-cycle schedule (Smith and Topin, 2018) of all optimizers.
    weight_decay : float
        Of the discriminator.
    adversarial_weight : float
        Weight of the game in the generator's loss, beside its reconstruction error.
    optimizer : str
        What moves the weights of layers: one of `OPTIMIZERS`.
    """

    n_steps: int
    learning_rate: float
    weight_decay: float
    adversarial_weight: float
    optimizer: str


@dataclass(frozen=True)
class Progress:
    """What the progress callback is told after a step.

    Parameters
    ----------
    step, n_steps : int
        Steps done and steps in all.
    discriminator_loss, generator_loss : float
        Both losses, mean over the members.
    realness_real, realness_generated : float
        Mean realness, 0 to 1, that the adversarial heads give to real samples and to the generator's.
    """

    step: int
    n_steps: int
    discriminator_loss: float
    generator_loss: float
    realness_real: float
    realness_generated: float


@dataclass(frozen=True)
class Course:
    """What a training told on its way, about a hundred times.

    Parameters
    ----------
    losses : array of shape (n_reports, 2)
        Of the discriminator and the generator, mean over the members.
    realness : array of shape (n_reports, 2, members)
        Mean realness, 0 to 1, that each member's adversarial heads give to real samples and to the generator's.
    """

    losses: NDArray[np.float64]
    realness: NDArray[np.float64]

    @property
    def late_realness(self) -> NDArray[np.float64]:
        """Mean of the realness over the last tenth of the reports, (2, members)."""
        late: NDArray[np.float64] = self.realness[-max(1, len(self.realness) // 10) :].mean(0)
        return late

    def told(self, losses: NDArray[np.float64], realness: NDArray[np.float64]) -> Course:
        """Return the course with one more report."""
        return Course(np.concatenate([self.losses, [losses]]), np.concatenate([self.realness, [realness]]))

    def progress(self, step: int, n_steps: int) -> Progress:
        """Return the last report as the progress callback is told it."""
        return Progress(step, n_steps, *self.losses[-1].tolist(), *self.realness[-1].mean(1).tolist())

"""The linear path of a generator: every number of a row from all others, in closed form.

A table with more numbers than rows fixes no network that tells which directions its rows never take. A normal
distribution with few free directions does: its covariance is that of the training rows plus a floor in every direction.
What it expects of a column given all others, and how far a row is from the mean in units of its deviations
(P. Mahalanobis, "On the generalised distance in statistics", 1936), follow from the principal axes of the training
rows. Both are as cheap to have *without* one of the training rows, so that each can be judged by a path that never saw
it and new rows by the one that saw all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Doubles = NDArray[np.float64]

EXPECTED_FLOOR, DISTANCE_FLOOR = 0.2, 0.03
"""Variance in every direction, as a share of the columns' mean variance: for what is expected, and for the distance."""

MAX_ROWS = 1024
"""Training rows that a path is learned from, evenly spread: the size of a model file grows with them."""


class Judged(NamedTuple):
    """What a linear path says of rows.

    Shape
    -----
    deviation (n, n_entries): what is there minus what is expected from all other entries;
    distance (n, 1): squared distance to the mean in units of the rows' deviations
    """

    deviation: Doubles
    distance: Doubles


@dataclass(frozen=True)
class LinearPath:
    """A normal distribution, as its mean and principal axes.

    Parameters
    ----------
    entries : array of shape (n_entries,)
        Which entries of a sample it knows: those of numbers.
    mean : array of shape (n_entries,)
        Mean of the training rows.
    axes : array of shape (rank, n_entries)
        Orthonormal principal axes.
    variances : array of shape (rank,)
        Variance of the training rows along each.
    unit : float
        Mean variance of the columns, which the floors are shares of.
    learned : array of shape (n_learned, n_entries)
        Deviations from the mean of the training rows that it was learned from.
    every : int
        One in so many training rows is among them, from the first on.
    """

    entries: NDArray[np.int64]
    mean: Doubles
    axes: Doubles
    variances: Doubles
    unit: float
    learned: Doubles
    every: int

    @classmethod
    def of(cls, samples: NDArray[np.float32], entries: NDArray[np.int64]) -> LinearPath:
        """Learn from some entries of samples of shape (n_rows, sample_dim)."""
        every = -(-len(samples) // MAX_ROWS)
        chosen = samples[::every, entries].astype(np.float64)
        mean = chosen.mean(0)
        centred = chosen - mean
        with threadpool_limits(1):  # the last bits depend on the number of threads
            _, scales, axes = np.linalg.svd(centred, full_matrices=False)
        variances = np.square(scales) / len(chosen)
        unit = max(float(variances.sum()) / len(mean), _SMALLEST)
        return cls(entries, mean, axes, variances, unit, centred, every)

    def gains(self, floor: float) -> Doubles:
        """Return the share of the variance along each axis that is above the floor, (rank,).

        With ``c`` the deviation of a row from the mean, ``c - axes.T @ (gains * (axes @ c))`` is the floor times the
        inverse of the covariance times ``c``.
        """
        return np.asarray(self.variances / (self.variances + floor * self.unit))

    def precision(self, floor: float) -> Doubles:
        """Return the floor times the inverse variance of each entry given all others, (n_entries,)."""
        return np.asarray(1 - self.gains(floor) @ np.square(self.axes))

    def judge_without(self, samples: NDArray[np.float32], rows: NDArray[np.int64]) -> Judged:
        """Judge samples, each as if one of the training rows had not been learned from.

        Parameters
        ----------
        samples : array of shape (n, sample_dim)
            What to judge.
        rows : array of shape (n,)
            The training row that does not count for each of them.

        Notes
        -----
        Without the row at ``u`` the mean moves by ``-u / (n - 1)`` and the covariance loses ``u u' / (n - 1)``; its
        inverse follows from the whole one (J. Sherman and W. Morrison, 1950). The floors stay.
        """
        others = len(self.learned) - 1
        own = self.learned[rows // self.every] * (rows % self.every == 0)[:, None]
        away = samples[:, self.entries] - self.mean + own / others
        rest, rest_of_own, left = self._without(away, own, others, EXPECTED_FLOOR)
        precision = self.precision(EXPECTED_FLOOR) + np.square(rest_of_own) / left
        deviation = rest / precision
        rest, _, _ = self._without(away, own, others, DISTANCE_FLOOR)
        return Judged(deviation, (away * rest).sum(1, keepdims=True) / (DISTANCE_FLOOR * self.unit))

    def _without(self, away: Doubles, own: Doubles, others: int, floor: float) -> tuple[Doubles, Doubles, Doubles]:
        """Multiply by the floor times the inverse covariance that rows leave when each takes its own away.

        Returns the products of `away` with it, those of `own` with the whole one, and what divides the correction.
        """
        gains = self.gains(floor)
        with threadpool_limits(1):
            rest, rest_of_own = (x - (x @ self.axes.T * gains) @ self.axes for x in (away, own))
        left = others * floor * self.unit - (own * rest_of_own).sum(1, keepdims=True)
        return rest + rest_of_own * ((own * rest).sum(1, keepdims=True) / left), rest_of_own, left


_SMALLEST = float(np.finfo(np.float32).tiny)

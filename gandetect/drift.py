"""Are these still the data that the model was trained on? Compares new rows with what a model file remembers.

A column's *shift* is the share of its rows that would have to move to another bin for training and new rows to be
spread alike (the total variation distance), 0 to 1. What chance may bring is its expectation without drift, from the
shares of both taken together, and what McDiarmid's inequality (1989) allows on top of it. A column has *drifted* when
its shift is larger than chance and larger than a tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gandetect.distribution import Distribution
from gandetect.errors import InputError
from gandetect.scorer import Scorer, table_scored_by
from gandetect.significance import PValueCounts, checked_p_values

TOLERANCE = 0.1
"""A shift counts only if it is larger than this share of the rows, however sure it is."""

CHANCE = 1e-3
"""Largest chance of calling anything drifted in a file without drift."""


@dataclass(frozen=True)
class ColumnDrift:
    """How a column has changed.

    Parameters
    ----------
    column : str
        Its name.
    shift : float
        Share of the rows that would have to move for both to be spread alike.
    by_chance : float
        The shift that chance alone may bring.
    drifted : bool
        Whether the shift is larger than that and than the tolerance.
    gained, lost : str
        The bin with the largest increase, and the one with the largest decrease, with both shares, in words.
    """

    column: str
    shift: float
    by_chance: float
    drifted: bool
    gained: str
    lost: str


@dataclass(frozen=True)
class Drift:
    """How new rows differ from the training rows.

    Parameters
    ----------
    n_rows : int
        New rows.
    columns : tuple of ColumnDrift
        By falling shift.
    alpha : float
        The false-alarm rate at which p-values were counted.
    flagged : float
        Share of the rows with a p-value of at most `alpha`.
    too_many_flagged : bool
        Whether that is more than twice `alpha`, beyond chance.
    """

    n_rows: int
    columns: tuple[ColumnDrift, ...]
    alpha: float
    flagged: float
    too_many_flagged: bool

    @property
    def drifted(self) -> bool:
        """Whether a column has drifted, or too many rows are flagged."""
        return self.too_many_flagged or any(column.drifted for column in self.columns)


class DriftMonitor:
    """Counts new rows, chunk by chunk, in constant memory.

    Parameters
    ----------
    scorer : Scorer
        The model, for tables.

    Attributes
    ----------
    counts : dict of str to array of shape (n_bins,)
        New rows in each bin of every feature and given column.
    distributions : dict of str to Distribution
        The bins.
    p_values : PValueCounts
        The p-values.

    Raises
    ------
    InputError
        The model is not for tables.
    ModelFileError
        The model file does not say how its training values are spread.

    Examples
    --------
    >>> from gandetect import DriftMonitor, Scorer
    >>> monitor = DriftMonitor(Scorer("models/machines.onnx"))
    >>> monitor.result().drifted
    False
    """

    def __init__(self, scorer: Scorer) -> None:
        self._schema = table_scored_by(scorer)
        self.distributions = {column.name: Distribution.of(column) for column in self._schema.used}
        self.counts = {name: np.zeros(len(bins.labels), dtype=np.int64) for name, bins in self.distributions.items()}
        self.p_values = PValueCounts()
        calibration = scorer.manifest["calibration"]
        self._n_training, self._alpha = int(calibration["n"]), float(calibration["alpha"])

    def add(self, columns: Mapping[str, NDArray[Any]], p_values: ArrayLike) -> None:
        """Count some rows.

        Parameters
        ----------
        columns : mapping of str to array of shape (n_rows,)
            Raw columns by name: float64 with NaN for missing, or str with '' for missing.
        p_values : array-like of shape (n_rows,)
            Their p-values.

        Raises
        ------
        InputError
            A column is missing or of another type, or there is not one p-value from 0 to 1 for each row; nothing is
            counted then.
        """
        checked, p_values = self._schema.checked(columns), checked_p_values(p_values)
        n_rows = len(next(iter(checked.values())))
        if n_rows != len(p_values):
            raise InputError(f"Expected a p-value for each of {n_rows} rows, found {len(p_values)}.")
        self.p_values.add(p_values)
        for name, bins in self.distributions.items():
            self.counts[name] += bins.count(checked[name])

    def result(self, tolerance: float = TOLERANCE) -> Drift:
        """Compare what was counted with the training rows.

        Parameters
        ----------
        tolerance : float from 0 to 1
            Share of the rows that a shift has to exceed to be called drift.

        Returns
        -------
        Drift

        Raises
        ------
        InputError
            The tolerance is no share.
        """
        if not (isinstance(tolerance, Real) and 0 <= tolerance <= 1):
            raise InputError(f"Expected a tolerance between 0 and 1, a share of the rows, found {tolerance!r}.")
        n_rows, n_tests = self.p_values.n_rows, len(self.distributions) + 1
        columns = [self._compared(name, tolerance, CHANCE / n_tests) for name in self.distributions]
        n_flagged = self.p_values.at_most(self._alpha)
        chance = self.p_values.chance_of_so_many(2 * self._alpha, self._n_training)
        return Drift(
            n_rows=n_rows,
            columns=tuple(sorted(columns, key=lambda column: -column.shift)),
            alpha=self._alpha,
            flagged=n_flagged / n_rows if n_rows else 0.0,
            too_many_flagged=chance < CHANCE / n_tests,
        )

    def _compared(self, name: str, tolerance: float, chance: float) -> ColumnDrift:
        bins, counts = self.distributions[name], self.counts[name]
        n_rows = int(counts.sum())
        if not n_rows:
            return ColumnDrift(name, shift=0.0, by_chance=1.0, drifted=False, gained="", lost="")
        training, new = np.array(bins.training), counts / n_rows
        change = new - training
        shift = float(np.abs(change).sum() / 2)
        pooled = (training * self._n_training + counts) / (self._n_training + n_rows)
        by_chance = _chance_shift(pooled, 1 / self._n_training + 1 / n_rows, chance)

        def words(i: np.intp) -> str:
            return f"{bins.labels[i]}: {100 * training[i]:.1f} % -> {100 * new[i]:.1f} %"

        return ColumnDrift(
            name,
            shift=round(shift, 4),  # model files hold shares that are rounded, too
            by_chance=round(min(1.0, by_chance), 4),
            drifted=shift > max(by_chance, tolerance),
            gained=words(change.argmax()),
            lost=words(change.argmin()),
        )


def _chance_shift(shares: NDArray[np.float64], variance: float, chance: float) -> float:
    """Return the distance between two samples that they exceed with at most this chance.

    `variance` is the sum of the reciprocals of their sizes.
    """
    expected = np.sqrt(np.maximum(shares * (1 - shares), 0) * variance).sum() / 2
    return float(expected) + math.sqrt(-math.log(chance) * variance / 2)

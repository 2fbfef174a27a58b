"""What the p-values of many rows say together: which are discoveries, and whether there are too many small ones.

A model file's p-values take at most as many different values as it keeps calibration scores, plus one. How often each
occurs is therefore all that is needed, whatever the number of rows.
"""

from __future__ import annotations

import math
from collections import Counter
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gandetect.arguments import require_count, require_type
from gandetect.errors import InputError

Doubles = NDArray[np.float64]


class PValueCounts:
    """How often each p-value occurs among rows that arrive in chunks.

    Attributes
    ----------
    n_rows : int
        Rows so far.
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self._counted: Counter[float] = Counter()
        self._waiting: list[Doubles] = []
        self._n_waiting = 0

    def add(self, p_values: ArrayLike) -> None:
        """Count the p-values of some rows.

        Parameters
        ----------
        p_values : array-like of shape (n_rows,)
            As a model file gives them.

        Raises
        ------
        InputError
            They are no numbers from 0 to 1, one for each row.
        """
        self._waiting.append(checked_p_values(p_values))
        self.n_rows += self._waiting[-1].size
        self._n_waiting += self._waiting[-1].size
        if self._n_waiting > MOST_WAITING:
            self._count()

    @property
    def _counts(self) -> Counter[float]:
        self._count()
        return self._counted

    def _count(self) -> None:
        """Count what was added since the last time: many rows at once, since each value is looked up only once."""
        if self._waiting:
            values, counts = np.unique(np.concatenate(self._waiting), return_counts=True)
            self._counted.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
            self._waiting, self._n_waiting = [], 0

    def at_most(self, alpha: float) -> int:
        """Count the rows with small p-values.

        Parameters
        ----------
        alpha : float
            The largest of them, compared in single precision as a model file does.

        Returns
        -------
        int
            Rows with a p-value of at most `alpha`.

        Raises
        ------
        InputError
            `alpha` is no number.
        """
        require_type("a number as alpha", alpha, Real, "pass one from 0 to 1")
        limit = float(np.float32(alpha))
        return sum(count for value, count in self._counts.items() if value <= limit)

    def discovery_limit(self, rate: float) -> float:
        """Return the largest p-value that is a discovery; 0 where no row is one.

        To call rows up to this limit anomalous is the step-up procedure of Benjamini and Hochberg (1995): of the rows
        called so, a share of at most `rate` is expected to be normal. It holds for conformal p-values that share their
        calibration rows (Bates et al., 2023, theorem 2).

        Parameters
        ----------
        rate : float in (0, 1)
            The false discovery rate.

        Returns
        -------
        float
            A p-value that occurs, or 0.

        Raises
        ------
        InputError
            The rate is not between 0 and 1.
        """
        _require_rate(rate)
        values: Doubles = np.array(sorted(self._counts))
        n_at_most = np.cumsum([self._counts[value] for value in values.tolist()])
        passed = values * self.n_rows <= rate * n_at_most
        return float(values[passed][-1]) if passed.any() else 0.0

    def fewest_discoveries(self, rate: float, n_calibration: int) -> int:
        """Return how many rows must share the smallest p-value, ``1 / (n_calibration + 1)``, for any discovery.

        Parameters
        ----------
        rate : float in (0, 1)
            The false discovery rate.
        n_calibration : int
            Number of calibration scores.

        Returns
        -------
        int
            Rows.

        Raises
        ------
        InputError
            The rate is not between 0 and 1, or there is no number of calibration scores.
        """
        _require_rate(rate)
        require_count("n_calibration", n_calibration, 1)
        return int(np.ceil(self.n_rows / (rate * (n_calibration + 1))))

    def chance_of_so_many(self, alpha: float, n_calibration: int) -> float:
        """Return the chance that normal rows have as many p-values of at most `alpha` as these rows.

        Their number then follows a beta-binomial distribution (Vovk, 2012): given the calibration rows, the share of
        normal rows with such a p-value is drawn from a Beta distribution.

        Parameters
        ----------
        alpha : float
            The level.
        n_calibration : int
            Number of calibration scores.

        Returns
        -------
        float
            At most 1.

        Raises
        ------
        InputError
            `alpha` is no number, or there is no number of calibration scores.
        """
        require_count("n_calibration", n_calibration, 1)
        n_small, rank = self.at_most(alpha), int(alpha * (n_calibration + 1) + 1e-9)
        if n_small <= alpha * self.n_rows or not 1 <= rank <= n_calibration:
            return 1.0
        # Beyond so many rows only the calibration rows' chance is left.
        n_rows = min(self.n_rows, MAX_ROWS)
        return _beta_binomial_tail(n_small * n_rows // self.n_rows, n_rows, rank, n_calibration + 1 - rank)


def checked_p_values(p_values: ArrayLike) -> Doubles:
    """Return p-values, one for each row, as float64.

    Raises
    ------
    InputError
        They are no numbers from 0 to 1, one for each row.
    """
    try:
        values = np.array(p_values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.array(np.nan)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise InputError("Expected p-values from 0 to 1, one for each row, found others; pass those of a scorer.")
    return values


def _require_rate(rate: float) -> None:
    if not (isinstance(rate, Real) and 0 < rate < 1):
        raise InputError(f"Expected a false discovery rate between 0 and 1, found {rate!r}.")


MOST_WAITING = 2**14
"""So many rows are counted at once."""

MAX_ROWS = 100_000
"""The share of small p-values among more rows is judged like that among so many, which bounds memory."""


def _beta_binomial_tail(at_least: int, n_draws: int, a: int, b: int) -> float:
    """Return the chance of `at_least` hits, one or more, in `n_draws` draws with a chance from ``Beta(a, b)``."""
    first = (
        _log_beta(at_least + a, n_draws - at_least + b)
        - _log_beta(a, b)
        - _log_beta(at_least + 1, n_draws - at_least + 1)
        - math.log(n_draws + 1)
    )
    hits = np.arange(at_least, n_draws, dtype=np.float64)
    ratios = (n_draws - hits) / (hits + 1) * (hits + a) / (n_draws - hits - 1 + b)  # of one chance to the one before
    logs = first + np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    return float(min(1.0, np.exp(logs).sum()))


def _log_beta(a: int, b: int) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

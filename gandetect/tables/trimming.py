"""Finds gross rows: rows with a number so far beyond all others of its column that it must be a mistake.

A glitch of a sensor or a slip of a finger, left among the training rows, would widen the range that counts as usual.
The rule asks for a gap that no tail explains, and leaves clean tables alone, heavy tails included. Anomalies that come
in crowds, or lie within the range of the others, it does not find.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.column import Kind
from gandetect.schema import Schema

SMALLEST_RATIO = 5.0
"""A gross value is at least so many times as far from the median as the farthest of the others."""

MEAN_EXCESSES = 7.0
"""Above a gap, the logarithm of the distance is larger by more than so many mean log excesses of the tail below it.

In a tail like ``x ** -a`` log excesses are exponential with the mean ``1 / a``, which is what Hill's estimator measures
(B. Hill, "A simple general approach to inference about the tail of a distribution", 1975); of the largest value of such
a column the rule is wrong with a probability of about ``exp(-7)``, more where the tail is short and the mean a rough
one, and in lighter tails hardly ever.
"""

TAIL = 20
"""The tail below a gap is one in so many values, or `FEWEST` if that is more."""

FEWEST = 10
"""Values that a tail consists of at least; a column with fewer that leave its median is not judged."""

MOST_VALUES, MOST_ROWS = 100, 20
"""What more than one row in so many does is no exception: values of a column, and gross rows in all; one always may."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Gross:
    """Gross rows of a table.

    Parameters
    ----------
    rows : array of bool, shape (n_rows,)
        Which rows are gross.
    columns : dict of str to int
        How many of them each column gave away; columns that gave none away are left out.
    """

    rows: NDArray[np.bool_]
    columns: dict[str, int]

    @property
    def share(self) -> float:
        """Share of all rows that are gross."""
        return float(self.rows.mean()) if len(self.rows) else 0.0


def find_gross(columns: Mapping[str, NDArray[Any]], schema: Schema) -> Gross:
    """Find the gross rows of a table by the numbers among its features.

    Parameters
    ----------
    columns : mapping of str to array of shape (n_rows,)
        Raw columns by name.
    schema : Schema
        Kinds and roles of the columns.

    Returns
    -------
    Gross
        None are gross where the rule would call more than a twentieth of the rows so.
    """
    by_column = {
        column.name: far_values(columns[column.name]) for column in schema.features if column.kind is Kind.NUMBER
    }
    n_rows = max((len(values) for values in columns.values()), default=0)
    rows = np.any([*by_column.values(), np.zeros(n_rows, dtype=bool)], axis=0)
    if rows.sum() > max(1, n_rows // MOST_ROWS):
        return Gross(np.zeros(n_rows, dtype=bool), {})
    return Gross(rows, {name: int(far.sum()) for name, far in by_column.items() if far.any()})


def far_values(values: Doubles) -> NDArray[np.bool_]:
    """Return which values lie beyond a gap that the tail below it does not explain; missing ones never do."""
    far = np.zeros(len(values), dtype=bool)
    known = np.isfinite(values)
    if known.any():
        middle = np.quantile(values[known], 0.5, method="nearest")
        distance = np.abs(values[known] / 2 - middle / 2)  # halves: the difference of two huge numbers may overflow
        far[known] = distance > _farthest(distance)
    return far


def _farthest(distance: Doubles) -> float:
    """Return the largest distance below the gap, or infinity where there is none."""
    descending = np.sort(distance[distance > 0])[::-1]
    logs = np.log(descending)
    most = min(max(1, len(distance) // MOST_VALUES), len(logs) - FEWEST - 1)
    n_tail = max(FEWEST, len(distance) // TAIL)
    steps = logs[:-1] - logs[1:]
    for last in reversed(np.flatnonzero(steps[: max(0, most)] > np.log(SMALLEST_RATIO))):
        tail = logs[last + 1 : last + 2 + n_tail]
        if steps[last] > MEAN_EXCESSES * (tail[:-1].mean() - tail[-1]):
            return float(descending[last + 1])
    return np.inf

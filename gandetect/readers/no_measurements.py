"""Numbers that measure nothing: clocks and counters, and numbers that stand for what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.readers.column_values import MIN_DIFFERENT

Values = NDArray[Any]

_FAR = 5
"""How many times as far as all other numbers one is that may stand for a missing value."""

_MOST_MARKS = 3
"""So many numbers of one column may stand for missing values: unknown, refused, does not apply."""


def runs_away(values: Values) -> bool:
    """Tell whether most numbers of every quarter are above all before, or below, as a clock's or a counter's are."""
    if values.dtype.kind != "f":
        return False
    known = values[np.isfinite(values)]
    return len(np.unique(known)) >= MIN_DIFFERENT and (_climbs(known) or _climbs(-known))


def _climbs(numbers: Values) -> bool:
    quarters = np.array_split(numbers, 4)
    highest = np.maximum.accumulate([quarter.max() for quarter in quarters])
    return all(np.median(quarter) > before for quarter, before in zip(quarters[1:], highest[:-1], strict=True))


def far_numbers(features: Mapping[str, Values]) -> dict[float, list[str]]:
    """Return the numbers that occur again and again, far beyond all others, with the names of their columns."""
    columns: dict[float, list[str]] = {}
    for name, values in features.items():
        for number in _far_numbers(values):
            columns.setdefault(number, []).append(name)
    return columns


def _far_numbers(values: Values) -> list[float]:
    """Return the few largest or smallest numbers of a column if they are far from all others and none is alone."""
    if values.dtype.kind != "f":
        return []
    numbers, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    for n_far in range(_MOST_MARKS, 0, -1):
        for far, others in ((slice(-n_far, None), slice(-n_far)), (slice(n_far), slice(n_far, None))):
            if (counts[far] > 1).all() and _may_be_marks(numbers[far], numbers[others]):
                return [float(number) for number in numbers[far]]
    return []


def measures(number: float, values: Values) -> bool:
    """Tell whether a column holds a number among, or not far from, its others: there it is one."""
    if values.dtype.kind != "f" or number not in values:
        return False
    others = np.unique(values[np.isfinite(values) & (values != number)])
    return len(others) > 0 and not _are_far(np.array([number]), others)


def _may_be_marks(numbers: Values, others: Values) -> bool:
    """Tell whether numbers that are far from two or more others may stand for missing values.

    Fewer than 20 others may be grades or counts, of which one may be far: beside them one of the numbers has to be
    all nines, as in surveys, where 99 is no answer and 97 and 98 are other reasons for none.
    """
    if len(others) <= MIN_DIFFERENT and (len(others) < 2 or not any(map(_is_all_nines, numbers))):
        return False
    return _are_far(numbers, others)


def _are_far(numbers: Values, others: Values) -> bool:
    # Halves, for the difference of two huge numbers would overflow.
    middle = np.median(others / 2)
    reach = np.abs(others / 2 - middle).max()
    return bool(np.abs(numbers / 2 - middle).min() / _FAR >= reach)


def _is_all_nines(number: float) -> bool:
    return set(f"{abs(number):.15g}") == {"9"}

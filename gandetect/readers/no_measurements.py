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
        if (number := _far_number(values)) is not None:
            columns.setdefault(number, []).append(name)
    return columns


def _far_number(values: Values) -> float | None:
    """Return a number that is not alone, and five times as far from the middle of 20 or more others as any of them."""
    if values.dtype.kind != "f":
        return None
    numbers, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    if len(numbers) <= MIN_DIFFERENT:
        return None
    distances = np.abs(numbers - np.median(numbers))
    *_, second, farthest = np.argsort(distances)
    is_far = counts[farthest] > 1 and distances[farthest] >= _FAR * distances[second]
    return float(numbers[farthest]) if is_far else None

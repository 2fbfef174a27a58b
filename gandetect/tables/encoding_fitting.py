"""Fits, in float64, how raw columns become samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.column import Column, Kind, Role
from gandetect.schema import Schema
from gandetect.tables.encoding import (
    CYCLES,
    CategoryEncoding,
    ColumnEncoding,
    Encoding,
    NumberEncoding,
    TimeEncoding,
)

MAX_LEVELS = 24
"""Levels of a category with an entry of their own."""

LEVEL_STEP = 0.25
"""What a level's entry rises by, in scales of a number. It is the same for rare and frequent levels: scaled by their
deviation, rare ones would count as much as the most extreme numbers, and tables are full of rare but harmless flags.
How rare a level is, the discriminator learns from `gandetect.tables.negatives`."""

LONE_ROWS = 500
"""With so many rows a level's entry rises by 1 where no number or time varies, with fewer in proportion, at least by
`LEVEL_STEP`. There is nothing there that levels could outweigh, and networks learn little of small inputs; but few rows
do not tell which levels go together, and the larger the entries, the more the networks make of chance."""

GIVEN_STEP = 4.0
"""A given level's entry rises so many times more: what is normal may change altogether from one level to another."""

Doubles = NDArray[np.float64]


def fit_encoding(columns: Mapping[str, NDArray[Any]], schema: Schema) -> Encoding:
    """Fit the encoding of every feature.

    Parameters
    ----------
    columns : mapping of str to array of shape (n_rows,)
        Raw training columns: float64 with NaN for missing, or str with '' for missing.
    schema : Schema
        Tells the kinds.

    Returns
    -------
    Encoding
    """
    fitted = {column.name: _fit_column(column, columns[column.name]) for column in schema.used}
    encoding = Encoding(fitted, given=tuple(column.name for column in schema.used if column.role is Role.GIVEN))
    if not (encoding.is_category | encoding.is_constant).all():
        return encoding
    n_rows = max((len(values) for values in columns.values()), default=0)
    return replace(encoding, columns={name: _enlarged(column, n_rows) for name, column in fitted.items()})


def _enlarged(column: ColumnEncoding, n_rows: int) -> ColumnEncoding:
    """Let the levels of a category rise by what they do where nothing else varies."""
    if not isinstance(column, CategoryEncoding):
        return column
    return replace(column, block=max(LEVEL_STEP, min(1.0, n_rows / LONE_ROWS)) / LEVEL_STEP * column.block)


def _fit_column(column: Column, values: NDArray[Any]) -> ColumnEncoding:
    if column.kind is Kind.NUMBER:
        return _fit_number(values[np.isfinite(values)])
    if column.kind is Kind.TIME:
        return _fit_time(values[np.isfinite(values)])
    category = _fit_category(values[values != ""])
    return replace(category, block=GIVEN_STEP * category.block) if column.role is Role.GIVEN else category


def _fit_number(values: Doubles) -> NumberEncoding:
    if not len(values):
        return NumberEncoding(0.0, 1.0, 0.0, 1.0)
    low, high = values.min(), values.max()
    # Halves first: the sum and the difference of two huge numbers may overflow.
    middle, half_range = low / 2 + high / 2, high / 2 - low / 2
    if half_range <= 1e-12 * abs(middle):
        # Copies of a constant in single precision are still the constant.
        change = max(1e-6 * abs(middle), _SMALLEST) if middle else 1e-9
        return NumberEncoding(middle, change, middle, max(abs(middle), 1.0), is_constant=True)
    centre, scale = _mean_and_deviation(_winsorized(values))
    is_whole = bool((values == np.rint(values)).all())
    return NumberEncoding(centre, max(scale, _SMALLEST), middle, max(half_range, _SMALLEST), is_whole=is_whole)


_SMALLEST = 1e-38
"""Smallest unit of a number: ONNX Runtime may take a constant below the range of single precision for zero."""


def _winsorized(values: Doubles) -> Doubles:
    """Pull outliers in: at most twice the central 95 % range beyond that range."""
    low = np.quantile(values, 0.025, method="higher")
    high = np.quantile(values, 0.975, method="lower")
    if not high > low:  # too few different values to tell outliers from rare ones
        return values
    with np.errstate(over="ignore"):  # a range too wide for a float reaches everything
        reach = 2 * (high - low)
        return np.clip(values, low - reach, high + reach)


def _mean_and_deviation(values: Doubles) -> tuple[float, float]:
    """Mean and standard deviation without overflow for values up to 1e308."""
    unit = np.abs(values).max() or 1.0
    return float((values / unit).mean() * unit), float(min((values / unit).std() * unit, np.finfo(float).max / 4))


def _fit_time(values: Doubles) -> TimeEncoding:
    if not len(values):
        return TimeEncoding((CYCLES["day"],), (0.0,) * 2, (1.0,) * 2)
    span = float(np.ptp(values))
    # A cycle that the training data does not cover twice would call every later date unusual.
    periods = tuple(period for name, period in CYCLES.items() if name == "day" or span >= 2 * period)
    angles = 2 * np.pi * (values[:, None] / periods % 1)
    parts = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(values), -1)
    return TimeEncoding(periods, tuple(parts.mean(0).tolist()), tuple(np.maximum(parts.std(0), 0.1).tolist()))


def _fit_category(values: NDArray[Any]) -> CategoryEncoding:
    names, counts = np.unique(values.astype(str), return_counts=True)
    order = np.lexsort((names, -counts))
    names, counts = names[order], counts[order]
    n_values = max(1, counts.sum())
    frequent = int(np.sum(counts[:MAX_LEVELS] >= max(2, n_values / 500)))
    # Levels beyond the frequent ones share one entry.
    own = np.minimum(np.arange(len(names)), frequent)
    entries = np.eye(frequent + 1)[own, : own.max(initial=0) + 1]
    # No training row has a level that none of them has: the networks could only guess what an unknown one means. Where
    # there are rare levels it is one of them; its excess alone tells that it is new, and is calibrated out of fold.
    unknown = entries[-1] if frequent < len(names) else np.zeros(entries.shape[1])
    one_hot = np.vstack([entries, unknown])
    if one_hot.shape[1] == 2:
        one_hot = one_hot[:, 1:]  # one entry tells two levels apart
    share = counts @ one_hot[:-1] / n_values if len(names) else np.zeros(one_hot.shape[1])
    unseen = (np.sum(counts == 1) + 1) / (n_values + 1)
    return CategoryEncoding(tuple(names.tolist()), (one_hot - share) * LEVEL_STEP, float(np.log1p(1 / unseen)))

"""Fits what turns raw columns into samples. The ONNX graph alone computes it (`gandetect.graph.encoding`).

Everything is fitted in float64. A sample is one float32 row: first one entry per number, then two per cycle of every
time, then one or more per category; the entries of one raw column are its *block*.

=========  =========================================================================================================
kind       what the graph computes
=========  =========================================================================================================
number     ``clip((x - centre) / scale, -8, 8)``; NaN and infinities are missing
time       sine and cosine per cycle (day, week, year) that the training data covers, each scaled like a number
category   one-hot over the frequent levels and one entry for all rare ones, centred, times 0.25, or up to 1 where
           nothing else varies; an unknown level is none of them
missing    0 in every entry of the block, and 0 in `present`: the networks complete it, they never judge it
given      as all others, but a level rises 4 times as much; never any excess: what is given is not judged
excess     how far outside the training range a number is, how surprising it is that a constant left its value or that
           a category has an unknown level
=========  =========================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.schema import Column, Kind, Role, Schema

CLIP = 8.0
"""Samples are cut off at this many scales on both sides; beyond it the excess tells rows apart."""

CYCLES = {"day": 86_400.0, "week": 604_800.0, "year": 31_556_952.0}
"""Cycles of a time and their length in seconds."""

MAX_LEVELS = 24
"""Levels of a category with an entry of their own."""

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Of the training values of a number or time; remembered in its summary."""

LEVEL_STEP = 0.25
"""What a level's entry rises by, in scales of a number. It is the same for rare and frequent levels: scaled by their
deviation, rare ones would count as much as the most extreme numbers, and tables are full of rare but harmless flags."""

LONE_ROWS = 500
"""With so many rows a level's entry rises by 1 where no number or time varies, with fewer in proportion, at least by
`LEVEL_STEP`. There is nothing there that levels could outweigh, and networks learn little of small inputs; but few rows
do not tell which levels go together, and the larger the entries, the more the networks make of chance."""

GIVEN_STEP = 4.0
"""A given level's entry rises so many times more: what is normal may change altogether from one level to another."""

EXCESS_FREE = 3.0
"""Numbers within this many half ranges of the middle of the training range have no excess."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NumberEncoding:
    """Parameters of one number.

    Parameters
    ----------
    centre, scale : float
        Mean and standard deviation of the winsorized training values.
    middle, half_range : float
        Of all training values; a number's growth is ``log(1 + max(0, abs(x - middle) / half_range - 3))``. Half the
        range of a constant is its absolute value, or 1 if that is more.
    is_constant : bool
        Whether there was one training value only; another one is more than `scale` away from it.
    is_whole : bool
        Whether all training values were whole numbers, so that others are not to be expected.
    """

    centre: float
    scale: float
    middle: float
    half_range: float
    is_constant: bool = False
    is_whole: bool = False


@dataclass(frozen=True)
class TimeEncoding:
    """Parameters of one time: the length of its cycles in seconds, centre and scale of each sine and cosine."""

    periods: tuple[float, ...]
    centres: tuple[float, ...]
    scales: tuple[float, ...]


@dataclass(frozen=True)
class CategoryEncoding:
    """Parameters of one category.

    Parameters
    ----------
    levels : tuple of str
        All levels of the training data, frequent ones first.
    block : array of shape (n_levels + 1, width)
        A sample's entries for every level; the last row is that of an unknown one.
    unknown_excess : float
        Excess of an unknown level: ``log(1 + 1 / q)``, q being the Good-Turing estimate of the share of unseen levels.
    """

    levels: tuple[str, ...]
    block: Floats
    unknown_excess: float

    @property
    def step(self) -> float:
        """What a level's entry rises by."""
        return float((self.block[:-1] - self.block[-1]).max(initial=0.0)) or LEVEL_STEP

    def likelihood(self) -> tuple[list[str], Floats, Floats]:
        """Return how to read a predicted block: ``entries @ weight + bias`` is the likelihood of each named level.

        A generator that predicts with the least squared error predicts every level's probability. Of rare levels, which
        share one entry, each is as likely as the other, and the most frequent one is named.

        Returns
        -------
        names : list of str
            The levels that differ in their entries.
        weight : array of shape (width, n_names)
        bias : array of shape (n_names,)
        """
        share = -self.block[-1] / self.step
        own = np.rint(self.block[:-1] / self.step + share)  # (n_levels, width) of zeros and ones
        one_hot, first, counts = np.unique(own, axis=0, return_index=True, return_counts=True)
        # A level without an entry of its own is what the others leave over.
        left_over = ~one_hot.any(1)
        weight = np.where(left_over, -1.0, one_hot.T) / counts
        return [self.levels[i] for i in first], weight / self.step, share @ weight + left_over / counts


ColumnEncoding = NumberEncoding | TimeEncoding | CategoryEncoding


@dataclass(frozen=True)
class Encoding:
    """Encodings of all used columns, by name in the order of the schema.

    Parameters
    ----------
    columns : dict of str to NumberEncoding, TimeEncoding or CategoryEncoding
        Fitted parameters.
    departure : float
        Excess of a number that was constant in training and leaves its value: ``log(1 + 1 / q)``, q being the share of
        rows in which that happened out of fold.
    given : tuple of str
        Columns that are never judged: all others are, given how these are.
    """

    columns: dict[str, ColumnEncoding]
    departure: float = 1.0
    given: tuple[str, ...] = ()

    def of_kind(self, kind: type[Any]) -> dict[str, Any]:
        """Return the columns that are encoded in one way."""
        return {name: column for name, column in self.columns.items() if isinstance(column, kind)}

    @property
    def column_of(self) -> NDArray[np.int64]:
        """Index of the feature that each entry of a sample belongs to, shape (sample_dim,)."""
        position = {name: i for i, name in enumerate(self.columns)}
        owners = [position[name] for name, width in self._widths() for _ in range(width)]
        return np.array(owners, dtype=np.int64)

    @property
    def is_level(self) -> NDArray[np.bool_]:
        """Whether each entry of a sample belongs to a category, shape (sample_dim,)."""
        return self.is_category[self.column_of]

    @property
    def is_given(self) -> NDArray[np.bool_]:
        """Whether each column is given, shape (n_columns,)."""
        return np.array([name in self.given for name in self.columns], dtype=bool)

    @property
    def is_category(self) -> NDArray[np.bool_]:
        """Whether each feature is a category, shape (n_columns,)."""
        return np.array([isinstance(column, CategoryEncoding) for column in self.columns.values()], dtype=bool)

    @property
    def is_constant(self) -> NDArray[np.bool_]:
        """Whether each feature is a number that was constant, shape (n_columns,)."""
        return np.array([_is_constant(column) for column in self.columns.values()], dtype=bool)

    def _widths(self) -> Iterator[tuple[str, int]]:
        for name in self.of_kind(NumberEncoding):
            yield name, 1
        for name, time in self.of_kind(TimeEncoding).items():
            yield name, len(time.centres)
        for name, category in self.of_kind(CategoryEncoding).items():
            yield name, category.block.shape[1]


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
    if all(isinstance(column, CategoryEncoding) or _is_constant(column) for column in fitted.values()):
        n_rows = max((len(values) for values in columns.values()), default=0)
        fitted = {name: _enlarged(column, n_rows) for name, column in fitted.items()}
    return Encoding(fitted, given=tuple(column.name for column in schema.used if column.role is Role.GIVEN))


def _is_constant(column: ColumnEncoding) -> bool:
    return isinstance(column, NumberEncoding) and column.is_constant


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


def _fit_number(values: Floats) -> NumberEncoding:
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


def _winsorized(values: Floats) -> Floats:
    """Pull outliers in: at most twice the central 95 % range beyond that range."""
    low = np.quantile(values, 0.025, method="higher")
    high = np.quantile(values, 0.975, method="lower")
    if not high > low:  # too few different values to tell outliers from rare ones
        return values
    with np.errstate(over="ignore"):  # a range too wide for a float reaches everything
        reach = 2 * (high - low)
        return np.clip(values, low - reach, high + reach)


def _mean_and_deviation(values: Floats) -> tuple[float, float]:
    """Mean and standard deviation without overflow for values up to 1e308."""
    unit = np.abs(values).max() or 1.0
    return float((values / unit).mean() * unit), float(min((values / unit).std() * unit, np.finfo(float).max / 4))


def _fit_time(values: Floats) -> TimeEncoding:
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
    # Levels beyond the frequent ones share one entry; the unknown level has a row of zeros.
    own = np.minimum(np.arange(len(names)), frequent)
    one_hot = np.vstack([np.eye(frequent + 1)[own], np.zeros(frequent + 1)])[:, : own.max(initial=0) + 1]
    if one_hot.shape[1] == 2:
        one_hot = one_hot[:, 1:]  # one entry tells two levels apart
    share = counts @ one_hot[:-1] / n_values if len(names) else np.zeros(one_hot.shape[1])
    unseen = (np.sum(counts == 1) + 1) / (n_values + 1)
    return CategoryEncoding(tuple(names.tolist()), (one_hot - share) * LEVEL_STEP, float(np.log1p(1 / unseen)))


def summaries(columns: Mapping[str, NDArray[Any]], encoding: Encoding) -> dict[str, dict[str, Any]]:
    """Return what the manifest remembers of each feature's training values: no rows, JSON values only."""
    return {name: _summary(columns[name], column) for name, column in encoding.columns.items()}


def _summary(values: NDArray[Any], encoding: ColumnEncoding) -> dict[str, Any]:
    if isinstance(encoding, CategoryEncoding):
        known = values[values != ""]
        levels, counts = np.unique(known.astype(str), return_counts=True)
        top = np.argsort(-counts, kind="stable")[:MAX_LEVELS]
        shares = {str(levels[i]): round(float(counts[i] / len(known)), 6) for i in top}
        return {"missing": _share(len(values) - len(known), len(values)), "levels": shares, "known": levels.tolist()}
    known = values[np.isfinite(values)]
    # A quantile between two huge values would overflow; the nearest value never does.
    quantiles = np.quantile(known, QUANTILES, method="nearest").tolist() if len(known) else []
    return {"missing": _share(len(values) - len(known), len(values)), "quantiles": quantiles}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def decode(encoding: Encoding, samples: Floats) -> dict[str, NDArray[Any]]:
    """Turn samples back into raw columns: numbers exactly, categories to the nearest level, times to a time of day.

    Parameters
    ----------
    encoding : Encoding
        Fitted parameters.
    samples : array of shape (n_samples, sample_dim)
        For instance made by a generator.

    Returns
    -------
    dict of str to array of shape (n_samples,)
        Raw columns by name.
    """
    owner = encoding.column_of
    return {
        name: _decode_column(column, samples[:, owner == position])
        for position, (name, column) in enumerate(encoding.columns.items())
    }


def _decode_column(column: ColumnEncoding, block: Floats) -> NDArray[Any]:
    if isinstance(column, NumberEncoding):
        with np.errstate(over="ignore"):
            values = column.centre + column.scale * block[:, 0]
        return np.clip(values, -np.finfo(float).max, np.finfo(float).max)
    if isinstance(column, TimeEncoding):
        sine, cosine = (block[:, i] * column.scales[i] + column.centres[i] for i in (0, 1))
        return np.rint(np.arctan2(sine, cosine) / (2 * np.pi) % 1 * CYCLES["day"])
    if not column.levels:
        return np.full(len(block), "", dtype=object)
    distance = ((block[:, None] - column.block[None, :-1]) ** 2).sum(2)
    return np.asarray(np.array(column.levels, dtype=object)[distance.argmin(1)])

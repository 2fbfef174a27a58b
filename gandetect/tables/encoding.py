"""What turns raw columns into samples: the parameters of every column.

`gandetect.tables.encoding_fitting` fits them, the ONNX graph alone computes with them (`gandetect.graph.encoding`), and
`gandetect.tables.decoding` reads samples back.

A sample is one float32 row: first one entry per number, then two per cycle of every
time, then one or more per category; the entries of one raw column are its *block*.

=========  =========================================================================================================
kind       what the graph computes
=========  =========================================================================================================
number     ``clip((x - centre) / scale, -8, 8)``; NaN and infinities are missing
time       sine and cosine per cycle (day, week, year) that the training data covers, each scaled like a number
category   one-hot over the frequent levels and one entry for all rare ones, centred, times 0.25, or up to 1 where
           nothing else varies; an unknown level counts as a rare one, and is none of them where no level is rare
missing    0 in every entry of the block, and 0 in `present`: the networks complete it, they never judge it
given      as all others, but a level rises 4 times as much; never any excess: what is given is not judged
excess     how far outside the training range a number is, how surprising it is that a constant left its value or that
           a category has an unknown level
=========  =========================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

CLIP = 8.0
"""Samples are cut off at this many scales on both sides; beyond it the excess tells rows apart."""

CYCLES = {"day": 86_400.0, "week": 604_800.0, "year": 31_556_952.0}
"""Cycles of a time and their length in seconds."""

EXCESS_FREE = 3.0
"""Numbers within this many half ranges of the middle of the training range have no excess."""

Doubles = NDArray[np.float64]


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
        A sample's entries for every level; the last row is that of an unknown one: of a rare level, if there is any.
    unknown_excess : float
        Excess of an unknown level: ``log(1 + 1 / q)``, q being the Good-Turing estimate of the share of unseen levels.
    """

    levels: tuple[str, ...]
    block: Doubles
    unknown_excess: float

    @property
    def step(self) -> float:
        """What a level's entry rises by; 1 where no level differs from another or from an unknown one."""
        return float(np.ptp(self.block, axis=0).max(initial=0.0)) or 1.0


class EncodedRows(NamedTuple):
    """All that raw rows become; float32.

    Shape
    -----
    samples (n, sample_dim); present (n, n_columns) with 0 = missing; growth (n, 1): the largest of numbers far outside
    the training range; excess (n, n_columns): growth and surprise together
    """

    samples: NDArray[np.float32]
    present: NDArray[np.float32]
    growth: NDArray[np.float32]
    excess: NDArray[np.float32]


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
    def level_entries(self) -> dict[int, Doubles]:
        """Entries of each category's levels, (n_levels, width) by the column's index; rare ones that share are one."""
        return {
            index: np.unique(np.clip(column.block[:-1], -CLIP, CLIP), axis=0)
            for index, column in enumerate(self.columns.values())
            if isinstance(column, CategoryEncoding)
        }

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


def _is_constant(column: ColumnEncoding) -> bool:
    return isinstance(column, NumberEncoding) and column.is_constant

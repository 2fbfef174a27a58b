"""Reads samples back into raw values: whole ones, and the likelihood of every level where one is predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.tables.encoding import CYCLES, CategoryEncoding, ColumnEncoding, Encoding, NumberEncoding, TimeEncoding

Doubles = NDArray[np.float64]


def decode(encoding: Encoding, samples: Doubles) -> dict[str, NDArray[Any]]:
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


def _decode_column(column: ColumnEncoding, block: Doubles) -> NDArray[Any]:
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


def level_likelihood(category: CategoryEncoding) -> tuple[list[str], Doubles, Doubles]:
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
    share = -category.block.min(0) / category.step
    own = np.rint(category.block[:-1] / category.step + share)  # (n_levels, width) of zeros and ones
    one_hot, first, counts = np.unique(own, axis=0, return_index=True, return_counts=True)
    # A level without an entry of its own is what the others leave over.
    left_over = ~one_hot.any(1)
    weight = np.where(left_over, -1.0, one_hot.T) / counts
    return [category.levels[i] for i in first], weight / category.step, share @ weight + left_over / counts

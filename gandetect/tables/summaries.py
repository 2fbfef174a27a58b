"""What a model file remembers of each column's training values: no rows, JSON values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.column import NUMERIC, QUANTILES
from gandetect.schema import Schema

MAX_LEVELS = 24
"""Levels of a category whose shares are remembered: the most frequent ones."""


def column_summaries(columns: Mapping[str, NDArray[Any]], schema: Schema) -> dict[str, dict[str, Any]]:
    """Summarise the training values of every used column.

    Parameters
    ----------
    columns : mapping of str to array of shape (n_rows,)
        Raw training columns: float64 with NaN for missing, or str with '' for missing.
    schema : Schema
        Tells the kinds.

    Returns
    -------
    dict of str to dict
        By column: ``missing``, the share of missing values; of a number or time ``quantiles``, those at
        `gandetect.column.QUANTILES`; of any other ``levels``, the shares of the most frequent ones, and ``known``, all
        of them.
    """
    return {
        column.name: (_of_numbers if column.kind in NUMERIC else _of_levels)(columns[column.name])
        for column in schema.used
    }


def _of_numbers(values: NDArray[Any]) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    # A quantile between two huge values would overflow; the nearest value never does.
    quantiles = np.quantile(known, QUANTILES, method="nearest").tolist() if len(known) else []
    return {"missing": _share_missing(values, known), "quantiles": quantiles}


def _of_levels(values: NDArray[Any]) -> dict[str, Any]:
    known = values[values != ""]
    levels, counts = np.unique(known.astype(str), return_counts=True)
    top = np.argsort(-counts, kind="stable")[:MAX_LEVELS]
    shares = {str(levels[i]): round(float(counts[i] / len(known)), 6) for i in top}
    return {"missing": _share_missing(values, known), "levels": shares, "known": levels.tolist()}


def _share_missing(values: NDArray[Any], known: NDArray[Any]) -> float:
    return round((len(values) - len(known)) / len(values), 6) if len(values) else 0.0

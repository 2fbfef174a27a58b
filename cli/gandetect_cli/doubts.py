"""What can be seen of a training table before anything is learned that makes a good model doubtful."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.readers.kinds import MIN_DIFFERENT
from gandetect_cli.terminal import counted

Values = NDArray[Any]


def doubts(features: Mapping[str, Values], n_rows: int) -> list[str]:
    """Return a sentence for every doubt.

    Parameters
    ----------
    features : mapping of str to array of shape (n_rows,)
        Raw columns to learn from: float64 with NaN for missing, or str objects with '' for missing.
    n_rows : int
        Number of rows.

    Returns
    -------
    list of str
        Empty for most tables.
    """
    found = []
    if not any(map(_varies, features.values())):
        found.append("no column varies: there is nothing to learn but these values, so add rows that differ")
    if unlike := [name for name, values in features.items() if _may_be_id(values)]:
        found.append(
            f"every value of {', '.join(map(repr, unlike))} is different, but {counted(n_rows, 'row')} are too few to "
            "tell ids and free text from categories: leave such columns out with --drop"
        )
    smallest = 1 / (n_rows + 1)
    if smallest > 0.05:
        found.append(f"with {counted(n_rows, 'row')} no p-value is below {smallest:.2g}: add rows if you can")
    return found


def _varies(values: Values) -> bool:
    """Tell whether a column holds two different values; a missing one is none."""
    known = values[np.isfinite(values) if values.dtype.kind == "f" else values != ""]
    return bool((known != known[:1]).any())


def _may_be_id(values: Values) -> bool:
    """Tell whether a short column may be an id or free text: words that are all different, or numbers that count."""
    if not 1 < len(values) < MIN_DIFFERENT:
        return False
    if values.dtype.kind == "f":
        return bool((np.diff(values) == 1).all())
    return len(set(values)) == len(values)

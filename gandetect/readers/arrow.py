"""Numbers of plain rows by pyarrow, where it is installed: what NumPy reads from them, but while other threads run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


def arrow_numbers(rows: Sequence[str], delimiter: str, positions: Sequence[int]) -> NDArray[np.float64] | None:
    """Read columns of numbers with a decimal point, in which empty fields are missing.

    Parameters
    ----------
    rows : sequence of str, of length n_rows
        Plain rows of ASCII characters, as `gandetect.readers.plain` describes them.
    delimiter : str
        What stands between fields.
    positions : sequence of int
        The columns, counted from 0.

    Returns
    -------
    ndarray of shape (n_positions, n_rows), or None
        None if a field is neither empty nor what pyarrow takes for a number, or if pyarrow is not installed.
    """
    arrow = _pyarrow()
    if arrow is None:
        return None
    csv = arrow.csv
    text = "\n".join(rows).encode()
    names = [str(position) for position in range(rows[0].count(delimiter) + 1)]
    used = [names[position] for position in positions]
    try:
        table = csv.read_csv(
            arrow.BufferReader(text),
            csv.ReadOptions(use_threads=False, column_names=names, block_size=2**30),
            csv.ParseOptions(delimiter=delimiter, quote_char=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(used, arrow.float64()), include_columns=used, null_values=[""]
            ),
            arrow.system_memory_pool(),  # its own one keeps more of what is freed
        )
    except arrow.ArrowInvalid:
        return None
    n_missing = sum(column.null_count for column in table.columns)
    (batch,) = table.combine_chunks().to_batches()
    # Unlike a column's own way to NumPy this one loads no pandas.
    values = np.asarray(batch.to_tensor(null_to_nan=True, row_major=False).to_numpy().T)
    # It takes more words for a missing value than the strict way does.
    return values if np.count_nonzero(np.isnan(values)) == n_missing else None


@cache
def _pyarrow() -> Any:
    """Return pyarrow with its CSV reader, or None where none, or one that is too old, is installed."""
    try:
        import pyarrow
        import pyarrow.csv
    except ImportError:
        return None
    return pyarrow if hasattr(pyarrow.RecordBatch, "to_tensor") else None

"""Thousands of plain rows at once, with pyarrow: numbers out of their text, and answers behind it.

What is read and written is the same to the last bit as it is otherwise, and other threads go on meanwhile. It pays for
large tables of nothing but numbers: to load pyarrow takes as long as to score a hundred thousand rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gandetect.readers.plain import PlainRows
from gandetect.readers.tables import Chunk
from gandetect.readers.values import MISSING, Parsed
from gandetect.schema import Schema

WORTH = 2**25
"""Bytes of a table for which it pays to load pyarrow."""

THREADS = 2
"""Threads that read numbers and score; another one cuts rows and writes them."""


def is_possible(schema: Schema) -> bool:
    """Tell whether the features of a schema can be read: pyarrow is there, and all of them are numbers with a point."""
    return all(c.is_plain_number and c.decimal == "." for c in schema.used) and find_spec("pyarrow") is not None


def parse(chunk: Chunk, schema: Schema) -> Parsed | None:
    """Read the features of a schema, as `gandetect.readers.values.parse_columns` does.

    Parameters
    ----------
    chunk : Chunk
        Rows of a table.
    schema : Schema
        One that `is_possible`.

    Returns
    -------
    Parsed, or None
        None if rows are not plain, a column is not there, or a field is neither plainly a number nor missing; or if
        pyarrow is there but cannot be loaded.
    """
    try:
        import pyarrow
        from pyarrow import csv
    except ImportError:
        return None
    rows, used = chunk.rows, [column.name for column in schema.used]
    if not isinstance(rows, PlainRows) or not rows.data.isascii() or not set(used) <= set(chunk.names):
        return None
    try:
        table = csv.read_csv(
            pyarrow.BufferReader(rows.data),
            csv.ReadOptions(use_threads=False, block_size=len(rows.data) + 1, column_names=list(chunk.names)),
            csv.ParseOptions(delimiter=chunk.form.delimiter, quote_char=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(used, pyarrow.float64()), include_columns=used, null_values=list(MISSING)
            ),
        )
    except pyarrow.ArrowException:
        return None
    columns = [_numbers(column.chunk(0)) for column in table.columns]  # all rows were one block
    # Whatever else is NaN was a word that stands for nothing here.
    if sum(np.count_nonzero(np.isnan(values)) for values in columns) > sum(
        column.null_count for column in table.columns
    ):
        return None
    raw = {column.name: column.without_marks(values) for column, values in zip(schema.used, columns, strict=True)}
    return Parsed(dict(raw), np.ones(len(rows), dtype=np.bool_), 0)


def _numbers(column: Any) -> NDArray[np.float64]:
    """Return a column with NaN for what is missing."""
    known, numbers = column.buffers()
    values = np.frombuffer(numbers, np.float64)[: len(column)]
    if not column.null_count:
        return values
    bits = np.unpackbits(np.frombuffer(known, np.uint8), count=len(column), bitorder="little")
    return np.where(bits, values, np.nan)


def with_columns(chunk: Chunk, columns: Sequence[NDArray[Any]]) -> bytes | None:
    """Write columns behind rows.

    Parameters
    ----------
    chunk : Chunk
        Rows of a table.
    columns : sequence of ndarray of float32 or bool, of shape (n_rows,)
        Of a number as many digits are written as tell it from others.

    Returns
    -------
    bytes, or None
        Lines; None if rows are not plain, or end otherwise than the table's first line.
    """
    from pyarrow import compute

    rows = chunk.rows
    if not isinstance(rows, PlainRows) or rows.line_end != chunk.form.line_end:
        return None
    # Every row but the first one takes the end of the line before it along.
    given = _strings(rows.data, np.append(0, rows.ends))
    between = _strings(chunk.form.delimiter.encode(), [0, 1])[0]
    lines = compute.binary_join_element_wise(given, *map(_texts, columns), between)
    return b"".join([lines.buffers()[2], rows.line_end.encode()])


def _texts(values: NDArray[Any]) -> Any:
    """Return the text of numbers as Python writes them, or of truth values as JSON does."""
    import pyarrow
    from pyarrow import compute

    if values.dtype == np.bool_:
        return _values(pyarrow.uint8(), values).cast(pyarrow.bool_()).cast(pyarrow.string())
    texts = _values(pyarrow.float32(), values).cast(pyarrow.string())
    # These have no point there, or no exponent.
    size = np.abs(values)
    others = (values == np.trunc(values)) | (size < 1e-4) | (size >= 1e6)
    if not others.any():
        return texts
    written = [repr(float(str(value))).encode() for value in values[others]]
    places = np.cumsum([0, *map(len, written)])
    return compute.replace_with_mask(
        texts, _values(pyarrow.uint8(), others).cast(pyarrow.bool_()), _strings(b"".join(written), places)
    )


# What pyarrow makes of lists, texts and arrays itself loads pandas, where it is installed.


def _values(kind: Any, values: NDArray[Any]) -> Any:
    """Return an array of pyarrow's."""
    import pyarrow

    return pyarrow.Array.from_buffers(kind, len(values), [None, pyarrow.py_buffer(np.ascontiguousarray(values))])


def _strings(data: bytes, places: ArrayLike) -> Any:
    """Return the texts between places in data."""
    import pyarrow

    offsets = pyarrow.py_buffer(np.asarray(places, dtype=np.int32))
    return pyarrow.Array.from_buffers(pyarrow.string(), np.size(places) - 1, [None, offsets, pyarrow.py_buffer(data)])

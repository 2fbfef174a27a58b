"""Read a Parquet file as the text that a CSV file with the same values would hold."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gandetect.errors import InputError, MissingExtraError
from gandetect.readers.files import open_file, source_name

SUFFIXES = (".parquet", ".pq")
"""Suffixes, in lower case, of the files that are read as Parquet."""


@contextmanager
def open_batches(path: str | os.PathLike[str], n_rows: int) -> Iterator[tuple[list[str], Iterator[list[list[str]]]]]:
    """Open a Parquet file and give its column names and an iterator over batches of text columns.

    Doubles are written as `repr` does, times as ISO 8601 (UTC, where the column knows its zone), durations in seconds,
    booleans as ``true`` and ``false``, lists, structures and maps as JSON, bytes as UTF-8 (escaped where they
    are none), and null as the empty text.

    Parameters
    ----------
    path : path
        The file.
    n_rows : int
        Most rows in one batch.

    Yields
    ------
    names : list of str
    batches : iterator of list of list of str
        For each batch the columns, each with one text per row.

    Raises
    ------
    FileAccessError
        If the file cannot be opened.
    InputError
        If it is no Parquet file, is damaged, or holds values that have no text.
    MissingExtraError
        If pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            "Expected the package pyarrow to read a Parquet file, found none; "
            "install it with: pip install 'gandetect[parquet]'"
        ) from error
    name = source_name(path)
    # pyarrow itself would take some paths for addresses to fetch.
    with open_file(path) as binary:
        try:
            file = pyarrow.parquet.ParquetFile(binary)
        except (pyarrow.ArrowException, OSError) as error:
            raise _damaged(name) from error
        with file:
            yield file.schema_arrow.names, _read_batches(file, n_rows, name)


def _read_batches(file: Any, n_rows: int, name: str) -> Iterator[list[list[str]]]:
    import pyarrow

    batches = file.iter_batches(batch_size=n_rows)
    while True:
        try:
            batch = next(batches, None)
        except (pyarrow.ArrowException, OSError) as error:
            raise _damaged(name) from error
        if batch is None:
            return
        yield [_texts(values, column, name) for column, values in zip(batch.schema.names, batch.columns, strict=True)]


def _texts(values: Any, column: str, name: str) -> list[str]:
    try:
        return _written(values)
    except (NotImplementedError, ValueError, OverflowError) as error:  # pyarrow's for types without text; no calendar
        found = "values that are not UTF-8" if isinstance(error, UnicodeError) else f"values of type {values.type}"
        raise InputError(
            f"{name}: expected numbers, text, booleans or times in column {column!r}, found {found}; turn them into "
            "text or remove the column."
        ) from error


def _written(values: Any) -> list[str]:
    import pyarrow

    types = pyarrow.types
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if types.is_floating(values.type):
        return ["" if value is None else repr(value) for value in values.cast(pyarrow.float64()).to_pylist()]
    if types.is_decimal(values.type):
        return ["" if value is None else format(value, "f") for value in values.to_pylist()]
    if types.is_timestamp(values.type):
        return [_time_text(value) for value in _cast_timestamps(values, pyarrow).to_pylist()]
    packed = (types.is_nested, types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    if any(is_so(values.type) for is_so in packed):
        return [_packed_text(value) for value in values.to_pylist()]
    if types.is_duration(values.type):
        nanoseconds = values.cast(pyarrow.duration("ns")).cast(pyarrow.int64()).to_pylist()
        return ["" if value is None else repr(value / 1e9) for value in nanoseconds]
    return [value or "" for value in values.cast(pyarrow.string()).to_pylist()]


def _packed_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _cast_timestamps(values: Any, pyarrow: Any) -> Any:
    if values.type.tz is not None:
        # Another zone's text would need a zone database, which not every system has.
        values = values.cast(pyarrow.timestamp(values.type.unit, "UTC"))
    return values.cast(pyarrow.string())


def _time_text(text: str | None) -> str:
    """Write Arrow's ``2026-01-31 12:00:00.000Z`` as ``2026-01-31T12:00:00Z``."""
    return re.sub(r"\.0+(?=Z?$)", "", (text or "").replace(" ", "T"))


def _damaged(name: str) -> InputError:
    return InputError(f"{name}: expected a Parquet file, found other or damaged content; get the file again.")

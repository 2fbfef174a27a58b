"""Read a table from a CSV or Parquet file in chunks of text, each field exactly as it was written; strict.

The rules for CSV, beyond those of `gandetect.readers.files` for text:

* The first line holds the column names: all different, none empty, not only numbers.
* The delimiter is the one of comma, semicolon and tab that stands outside quotes in that line. With none of them the
  table has one column; with several, the delimiter must be given.
* A field may stand in double quotes; inside, a double quote is written twice, and line ends and delimiters are text.
* Every line has as many fields as there are names.
* Blank lines are skipped. Only in a table of one column is a blank line between others a missing value.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError
from gandetect.readers import parquet
from gandetect.readers.files import open_lines, source_name
from gandetect.readers.values import BLANKS, MISSING, parse_number, shown
from gandetect.schema import quoted

DELIMITERS = (",", ";", "\t")
"""Delimiters that are found from the header line."""

FIELD_LIMIT = 2**20
"""Longest field that is read, in characters."""

# Lines and columns of some rows; names and batches of a table; line and fields of a record.
_Batch = tuple[Sequence[int], Iterable[Sequence[str]]]
_Table = tuple[tuple[str, ...], str, Iterator[_Batch]]
_Record = tuple[int, list[str]]

_QUOTED = re.compile(r'(?:^|(?<=[,;\t]))"(?:[^"]|"")*(?:"|$)')


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table.

    Parameters
    ----------
    names : tuple of str
        The column names, in the order of the file.
    columns : dict of str to ndarray of str objects, of shape (n_rows,)
        Every field as it was written.
    lines : sequence of int, of length n_rows
        The line of the file on which each row starts; for Parquet the number of the row, from 1.
    delimiter : str
        The character between the fields of the file; a comma where it has none.
    """

    names: tuple[str, ...]
    columns: dict[str, NDArray[np.object_]]
    lines: Sequence[int]
    delimiter: str = ","

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.lines)


def read_table(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    delimiter: str | None = None,
    chunk_rows: int = 1024,
    allow_empty: bool = False,
) -> Iterator[Chunk]:
    """Read a table in chunks.

    Parameters
    ----------
    source : path or binary stream
        A path ending in ``.parquet`` or ``.pq`` is read as Parquet, everything else as CSV; ``.gz`` and ``.zst`` are
        unpacked. A stream is CSV; it need not be seekable and stays open.
    delimiter : str, optional
        The character between fields; found from the header line if not given.
    chunk_rows : int
        Most rows in one chunk.
    allow_empty : bool
        Whether a table without rows gives one chunk without rows instead of an error.

    Yields
    ------
    Chunk
        At least one.

    Raises
    ------
    FileAccessError
        If the file cannot be opened or read.
    InputError
        If the content is not such a table; the message says file, line, what was found and what to do.
    MissingExtraError
        If the file needs pyarrow or zstandard and it is not installed.
    """
    name = source_name(source)
    if isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in parquet.SUFFIXES:
        table = _open_parquet(source, chunk_rows)
    else:
        table = _open_csv(source, delimiter, chunk_rows)
    with table as (names, mark, batches):
        empty = True
        for lines, columns in batches:
            empty = False
            yield _chunk(names, columns, lines, mark)
        if empty and not allow_empty:
            raise InputError(f"{name}: expected rows below the column names, found none; add rows.")
        if empty:
            yield _chunk(names, [()] * len(names), (), mark)


def _chunk(names: tuple[str, ...], columns: Iterable[Sequence[str]], lines: Sequence[int], delimiter: str) -> Chunk:
    texts = {key: np.array(column, dtype=object) for key, column in zip(names, columns, strict=True)}
    return Chunk(names, texts, lines, delimiter)


@contextmanager
def _open_parquet(path: str | os.PathLike[str], chunk_rows: int) -> Iterator[_Table]:
    with parquet.open_batches(path, chunk_rows) as (header, batches):
        yield _checked_names(header, source_name(path)), ",", _number_rows(batches)


def _number_rows(batches: Iterable[list[list[str]]]) -> Iterator[_Batch]:
    first = 1
    for columns in batches:
        n_rows = len(columns[0])
        if n_rows:
            yield range(first, first + n_rows), columns
        first += n_rows


@contextmanager
def _open_csv(source: str | os.PathLike[str] | BinaryIO, delimiter: str | None, chunk_rows: int) -> Iterator[_Table]:
    name = source_name(source)
    # The limit belongs to the whole process, so it is only ever raised.
    csv.field_size_limit(max(FIELD_LIMIT, csv.field_size_limit()))
    with open_lines(source) as lines:
        first = _first_line(lines, name)
        mark = _find_delimiter(first, name) if delimiter is None else _checked_delimiter(delimiter, name)
        records = _records(csv.reader(chain([first], lines), delimiter=mark, strict=True), mark, name)
        _, header = next(records)
        _refuse_data(header, name)
        names = _checked_names(header, f"{name}, line 1")
        yield names, mark, _batches(_rows(records, len(names), mark, name), chunk_rows)


def _first_line(lines: Iterator[str], name: str) -> str:
    first = next(lines, "")
    if not first:
        raise InputError(f"{name}: expected a table with column names, found an empty file; check the file.")
    if not first.strip("\r\n"):
        raise InputError(f"{name}, line 1: expected the column names, found a blank line; remove it.")
    return first


def _find_delimiter(header: str, name: str) -> str:
    unquoted = _QUOTED.sub("", header)
    found = [mark for mark in DELIMITERS if mark in unquoted]
    if len(found) > 1:
        raise InputError(
            f"{name}, line 1: expected one delimiter between the column names, found {quoted(found)}; "
            "quote names that contain one, or pass --delimiter."
        )
    if not found and "|" in unquoted:
        raise InputError(
            f"{name}, line 1: expected comma, semicolon or tab between the column names, found '|'; "
            "pass --delimiter '|'."
        )
    return found[0] if found else ","


def _checked_delimiter(delimiter: str, name: str) -> str:
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise InputError(
            f"{name}: expected a delimiter of one character, no quote and no line end, found {shown(delimiter)}; "
            "pass another one."
        )
    return delimiter


def _records(reader: Any, delimiter: str, name: str) -> Iterator[_Record]:
    """Yield the fields of each record, none for a blank line, with the line that it starts on."""
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _quoting_error(str(error), start, reader.line_num, delimiter, name) from error
        yield start, fields


def _quoting_error(cause: str, start: int, line: int, delimiter: str, name: str) -> InputError:
    if "limit" in cause:
        return InputError(
            f"{name}, line {start}: expected fields of at most {FIELD_LIMIT} characters, found a longer one; "
            "look for a quote that is never closed."
        )
    if "unexpected end" in cause:
        return InputError(
            f"{name}, line {start}: expected a closing quote, found the end of the file; close the quote."
        )
    return InputError(
        f"{name}, line {line}: expected {delimiter!r} or the line's end after a closing quote, found other text; "
        "write a quote inside a quoted field twice, or pass --delimiter if the delimiter is another."
    )


def _rows(records: Iterable[_Record], width: int, delimiter: str, name: str) -> Iterator[_Record]:
    """Yield the records of `width` fields; refuse others, skip blank lines."""
    blank = 0
    for line, fields in records:
        if not fields:
            blank += 1
            continue
        if width == 1:
            yield from ((number, [""]) for number in range(line - blank, line))
        blank = 0
        if len(fields) != width:
            raise _width_error(f"{name}, line {line}", width, len(fields), delimiter)
        yield line, fields


def _width_error(place: str, expected: int, found: int, delimiter: str) -> InputError:
    fields = "field" if expected == 1 else "fields"
    remedy = f"quote fields that contain {delimiter!r}" if found > expected else "add what is missing"
    return InputError(
        f"{place}: expected {expected} {fields} as in the header, found {found}; {remedy} or mend the line."
    )


def _batches(rows: Iterator[_Record], chunk_rows: int) -> Iterator[_Batch]:
    while batch := list(islice(rows, chunk_rows)):
        lines, fields = zip(*batch, strict=True)
        yield lines, zip(*fields, strict=True)


def _refuse_data(header: list[str], name: str) -> None:
    """Raise if the first line holds numbers, or numbers and missing values, where the names should be."""
    words = [field.strip(BLANKS) for field in header]
    numbers = [word for word in words if any(parse_number(word, mark) is not None for mark in ".,")]
    if numbers and all(word in MISSING or word in numbers for word in words):
        raise InputError(
            f"{name}, line 1: expected column names, found only numbers ({quoted(header, 3)}); "
            "put a line with the names first."
        )


def _checked_names(header: Sequence[str], place: str) -> tuple[str, ...]:
    if not header:
        raise InputError(f"{place}: expected columns, found none; check the file.")
    positions: dict[str, list[int]] = {}
    for position, column in enumerate(header, 1):
        positions.setdefault(column, []).append(position)
    for column, found in positions.items():
        where = " and ".join(str(position) for position in found)
        if not column.strip():
            raise InputError(
                f"{place}: expected a name for every column, found none for column {where}; name or remove it."
            )
        if len(found) > 1:
            raise InputError(
                f"{place}: expected different column names, found {shown(column)} for columns {where}; "
                "rename all but one."
            )
    return tuple(header)

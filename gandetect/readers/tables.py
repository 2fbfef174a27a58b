"""Read a table from a CSV or Parquet file in chunks of text, each field exactly as it was written; strict.

The rules for CSV, beyond those of `gandetect.readers.files` for text:

* The first line holds the column names: all different, none empty, not only numbers. Only the first of several may be
  empty, as that of a data frame's index is; it is called as pandas calls it, ``Unnamed: 0``.
* The delimiter is the one of comma, semicolon and tab that stands outside quotes in that line. With none of them the
  table has one column; with several, the delimiter must be given.
* A field may stand in double quotes; inside, a double quote is written twice, and line ends and delimiters are text.
* Every line has as many fields as there are names.
* A line that breaks these rules is an error, unless the caller takes note of it and goes on with the next one.
* Blank lines are skipped. Only in a table of one column is a blank line between others a missing value.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gandetect import modality
from gandetect.errors import InputError
from gandetect.readers import parquet
from gandetect.readers.files import Block, open_blocks, source_name
from gandetect.readers.header import checked_names, read_header, with_index_name
from gandetect.readers.plain import PlainColumns, PlainRows, plain_rows
from gandetect.readers.records import FIELD_LIMIT, Lines, OnBadLine, Record, read_records, read_rows

CHUNK_ROWS = 3 * modality.CHUNK_ROWS
"""Rows in a chunk: no fewer than pay, and whole runs of a model, so that none of them is a small one."""

BULK_BYTES = 2**20
"""Bytes of a chunk in bulk: less takes longer, more only takes memory."""


@dataclass(frozen=True)
class Form:
    """How a table is written.

    Parameters
    ----------
    delimiter : str
        The character between fields.
    line_end : str
        What ends the line of names, and is to end all others.
    mark : str
        The byte order mark that it starts with, if any.
    header : str
        The line of names as it was written, without mark and end; empty where it was not text.
    """

    delimiter: str = ","
    line_end: str = "\n"
    mark: str = ""
    header: str = ""


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table.

    Parameters
    ----------
    names : tuple of str
        The column names, in the order of the file.
    columns : mapping of str to ndarray of str objects, of shape (n_rows,)
        Every field as it was written.
    lines : sequence of int, of length n_rows
        The line of the file on which each row starts; for Parquet the number of the row, from 1.
    form : Form
        How the file is written.
    rows : sequence of str, of length n_rows, optional
        Every row as it was written, without its line's end; None where they were not text.
    in_bulk : bool
        Whether these are plain rows, which `gandetect.readers.bulk` may read.
    """

    names: tuple[str, ...]
    columns: Mapping[str, NDArray[np.object_]]
    lines: Sequence[int]
    form: Form = Form()
    rows: Sequence[str] | None = None
    in_bulk: bool = False

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.lines)

    def cut(self) -> Iterator[Chunk]:
        """Cut what came in bulk into chunks as they come otherwise."""
        if isinstance(self.rows, PlainRows):
            yield from _plain_chunks(self.rows, self.lines[0], self.names, self.form, CHUNK_ROWS)


def read_table(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    delimiter: str | None = None,
    chunk_rows: int = CHUNK_ROWS,
    allow_empty: bool = False,
    line_buffered: bool = False,
    on_bad_line: OnBadLine | None = None,
    bulk_from: float = math.inf,
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
    line_buffered : bool
        Whether every row of CSV is a chunk, given as soon as its line is there. The line of names is no row when it
        comes again, as it does where a log is rotated.
    on_bad_line : callable, optional
        Is told of every line of CSV below the names that is no row, with the error that would be raised without it.
    bulk_from : float
        Bytes behind which chunks of plain rows have a multiple of `chunk_rows` rows, about `BULK_BYTES`.

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
    if isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in parquet.SUFFIXES:
        table = _open_parquet(source, chunk_rows)
    else:
        table = _open_csv(source, delimiter, 1 if line_buffered else chunk_rows, line_buffered, on_bad_line, bulk_from)
    with table as (nothing, chunks):
        chunk = nothing
        for chunk in _without_names(chunks) if line_buffered else chunks:
            yield chunk
        if chunk is nothing and not allow_empty:
            remedy = "add rows" + (", or pass --on-error fail to see why lines are left out" if on_bad_line else "")
            raise InputError(f"{source_name(source)}: expected rows below the column names, found none; {remedy}.")
        if chunk is nothing:
            yield nothing


def _without_names(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Leave out rows, a chunk each, that are the line of names once more."""
    return (
        chunk
        for chunk in chunks
        if not (chunk.rows and chunk.rows[0].removeprefix(chunk.form.mark) == chunk.form.header)
    )


# A chunk without rows, and all others.
_Table = tuple[Chunk, Iterator[Chunk]]


@contextmanager
def _open_parquet(path: str | os.PathLike[str], chunk_rows: int) -> Iterator[_Table]:
    with parquet.open_batches(path, chunk_rows) as (header, batches):
        names = checked_names(header, source_name(path))
        yield Chunk(names, _columns(names, [()] * len(names)), ()), _parquet_chunks(names, batches)


def _parquet_chunks(names: tuple[str, ...], batches: Iterable[list[list[str]]]) -> Iterator[Chunk]:
    first = 1
    for columns in batches:
        n_rows = len(columns[0])
        if n_rows:
            yield Chunk(names, _columns(names, columns), range(first, first + n_rows))
        first += n_rows


@contextmanager
def _open_csv(
    source: str | os.PathLike[str] | BinaryIO,
    delimiter: str | None,
    chunk_rows: int,
    line_buffered: bool,
    on_bad_line: OnBadLine | None,
    bulk_from: float,
) -> Iterator[_Table]:
    with open_blocks(source, line_buffered=line_buffered) as blocks:
        lines = Lines(blocks, source_name(source))
        found, header = read_header(lines, delimiter)
        names = checked_names(with_index_name(header.fields), f"{lines.name}, line 1")
        form = Form(found, header.end or "\n", "\ufeff" if lines.has_mark else "", header.text)
        nothing = Chunk(names, _columns(names, [()] * len(names)), (), form, ())
        yield nothing, _csv_chunks(lines, names, form, chunk_rows, on_bad_line, bulk_from)


def _csv_chunks(
    lines: Lines, names: tuple[str, ...], form: Form, chunk_rows: int, on_bad_line: OnBadLine | None, bulk_from: float
) -> Iterator[Chunk]:
    """Read plain blocks as they are, all else record by record; every chunk but the last has `chunk_rows` rows.

    In bulk those of plain rows have a multiple of it.
    """
    every = read_records(lines, form.delimiter, on_bad_line)
    records = read_rows(every, len(names), form.delimiter, lines.name, on_bad_line)
    waiting: list[PlainRows] = []  # not given yet
    first = n_read = 0
    while block := lines.take_block():
        n_read += len(block.data)
        in_bulk = n_read > bulk_from
        first = first if waiting else block.number  # the line of the first row that waits
        more = _plain_rows(block, len(names), form.delimiter, waiting)
        waiting += more
        n_bytes = sum(len(part.data) for part in waiting)
        if more and (sum(map(len, waiting)) < chunk_rows or (in_bulk and n_bytes < BULK_BYTES)):
            continue
        rows = PlainRows.joined(waiting)
        whole = len(rows) - len(rows) % chunk_rows
        step = whole if in_bulk else chunk_rows
        yield from _plain_chunks(rows.between(0, whole), first, names, form, step, in_bulk=in_bulk)
        waiting = [rows.between(whole, len(rows))] if whole < len(rows) else []
        first += whole
        if not more:
            lines.put_back(Block(first, b"".join(part.data for part in waiting) + block.data))
            waiting = []
            if batch := list(islice(records, chunk_rows)):
                yield _strict_chunk(batch, names, form)
    yield from _plain_chunks(PlainRows.joined(waiting), first, names, form, chunk_rows)


def _plain_rows(block: Block, width: int, delimiter: str, before: Sequence[PlainRows]) -> list[PlainRows]:
    """Return a block's rows, or nothing where one is not plain or its line ends otherwise than those before."""
    if len(block.data) > FIELD_LIMIT:
        return []
    rows = plain_rows(block.data, width, delimiter)
    return [] if rows is None or any(rows.line_end != part.line_end for part in before) else [rows]


def _plain_chunks(
    rows: PlainRows, first: int, names: tuple[str, ...], form: Form, chunk_rows: int, *, in_bulk: bool = False
) -> Iterator[Chunk]:
    """Cut rows, the first of which stands on line `first`, into chunks."""
    for start in range(0, len(rows), max(chunk_rows, 1)):
        some = rows.between(start, start + chunk_rows)
        lines = range(first + start, first + start + len(some))
        yield Chunk(names, PlainColumns(some, names, form.delimiter), lines, form, some, in_bulk)


def _strict_chunk(records: Sequence[Record], names: tuple[str, ...], form: Form) -> Chunk:
    numbers, fields, texts, _ = zip(*records, strict=True)
    return Chunk(names, _columns(names, zip(*fields, strict=True)), numbers, form, texts)


def _columns(names: Sequence[str], columns: Iterable[Sequence[str]]) -> dict[str, NDArray[np.object_]]:
    return {name: np.array(texts, dtype=object) for name, texts in zip(names, columns, strict=True)}

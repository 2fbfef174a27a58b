"""The table that a command reads: a file, or standard input for ``-``."""

from __future__ import annotations

import io
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from gandetect import InputError
from gandetect.files import access_error
from gandetect.readers.bulk import WORTH
from gandetect.readers.files import open_file
from gandetect.readers.parquet import SUFFIXES
from gandetect.readers.records import OnBadLine
from gandetect.readers.tables import Chunk, read_table

_PACKED = (".gz", ".zst")

MAX_SPOOLED = 2**32
"""Bytes of a pipe that are kept in a temporary file to be read once more; what is longer counts as endless."""

DISK_SHARE = 2
"""Of the free space for temporary files at most one part in so many is taken."""


class Table:
    r"""A table that is read in chunks.

    Parameters
    ----------
    data : str
        A path, or ``-`` for standard input.
    delimiter : str, optional
        The character between fields, ``\t`` being a tab; found from the header line if not given.
    allow_empty : bool
        Whether a table without rows is one chunk without rows, and no error.
    twice : bool
        Whether it can be read again from its start. What comes through a pipe is then kept in a temporary file, and
        what may never end is refused.
    line_buffered : bool
        Whether every row of CSV is a chunk, given as soon as its line is there.

    Attributes
    ----------
    name : str
        What messages call the data.
    line_buffered : bool
        As given.
    """

    def __init__(
        self,
        data: str,
        delimiter: str | None = None,
        *,
        allow_empty: bool = False,
        twice: bool = False,
        line_buffered: bool = False,
    ) -> None:
        self.name = "<stdin>" if data == "-" else data
        self.line_buffered = line_buffered
        self._data = data
        self._delimiter = "\t" if delimiter == r"\t" else delimiter
        self._allow_empty = allow_empty
        self._twice = twice
        self._open = ExitStack()
        self._tapped: _Tapped | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._tapped = self._opened(opening)
            self._open = opening.pop_all()
        return self

    def _opened(self, opening: ExitStack) -> _Tapped | None:
        """Open what is read as a stream; all else is opened by its reader."""
        suffix = Path(self._data).suffix.lower()
        if os.path.isdir(self._data):
            raise InputError(
                f"{self.name}: expected a table, found a folder; name a file in it, or score pictures with a model for "
                "pictures."
            )
        if self._data == "-":
            if sys.stdin is None:
                raise access_error(self.name, "read", OSError("it is closed"))
            if self._twice and sys.stdin.isatty():
                raise self._endless("a terminal")
            return self._kept(opening, sys.stdin.buffer) if self._twice else _Tapped(sys.stdin.buffer, self.name, None)
        if suffix in (*SUFFIXES, *_PACKED):
            if self._twice and os.path.exists(self._data) and not os.path.isfile(self._data):
                raise self._endless("a pipe of packed data")
            return None
        file = opening.enter_context(open_file(self._data))
        if self._twice and Path(self._data).is_char_device():
            raise self._endless("a device")
        # A pipe has no size, either.
        n_bytes = os.fstat(file.fileno()).st_size or None
        return self._kept(opening, file) if self._twice and not n_bytes else _Tapped(file, self.name, n_bytes)

    def _kept(self, opening: ExitStack, stream: BinaryIO) -> _Tapped:
        """Copy a stream to a temporary file, from which it can be read again."""
        copy = opening.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        limit = min(MAX_SPOOLED, shutil.disk_usage(tempfile.gettempdir()).free // DISK_SHARE)
        try:
            while data := stream.read(2**20):
                copy.write(data)
                if copy.tell() > limit:
                    raise self._endless(f"more than {limit:,} bytes")
            copy.flush()
        except OSError as error:
            raise access_error(self.name, "keep a copy of", error) from error
        return _Tapped(copy, self.name, copy.tell() or None)

    def _endless(self, found: str) -> InputError:
        return InputError(
            f"{self.name}: expected rows that end, since --fdr reads them twice, found {found}; "
            "put them into a file, or pass --false-alarm-rate instead."
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    def chunks(self, on_bad_line: OnBadLine | None = None, *, in_bulk: bool = False) -> Iterator[Chunk]:
        """Read the table from its start; at least one chunk. Bad lines are as in `read_table`.

        In bulk chunks of a large table have many rows.
        """
        if self._twice and self._tapped is not None:
            self._tapped.rewind()
        source = self._data if self._tapped is None else cast(BinaryIO, self._tapped)
        return read_table(
            source,
            delimiter=self._delimiter,
            allow_empty=self._allow_empty,
            line_buffered=self.line_buffered,
            on_bad_line=on_bad_line,
            bulk_from=self._bulk_from if in_bulk else math.inf,
        )

    @property
    def _bulk_from(self) -> int:
        """Bytes behind which reading in bulk pays: none of a file of which it is known."""
        _, n_bytes = self.progress
        return 0 if n_bytes and n_bytes >= WORTH else WORTH

    @property
    def progress(self) -> tuple[int, int | None]:
        """Bytes read so far, and in all where that is known."""
        return (0, None) if self._tapped is None else (self._tapped.n_read, self._tapped.n_bytes)


class _Tapped(io.BufferedIOBase):
    """Passes a binary stream on; counts how much was read."""

    def __init__(self, stream: BinaryIO, name: str, n_bytes: int | None) -> None:
        self._stream = stream
        self.name = name
        self.n_bytes = n_bytes
        self.n_read = 0

    def rewind(self) -> None:
        self._stream.seek(0)
        self.n_read = 0

    def read1(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read1(size)  # type: ignore[attr-defined]
        self.n_read += len(data)
        return data

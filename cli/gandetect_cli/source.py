"""The table that a command reads: a file, or standard input for ``-``."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from gandetect.files import access_error
from gandetect.readers.files import open_file
from gandetect.readers.parquet import SUFFIXES
from gandetect.readers.tables import Chunk, read_table

_PACKED = (".gz", ".zst")


class Table:
    r"""A table that is read once, in chunks.

    Parameters
    ----------
    data : str
        A path, or ``-`` for standard input.
    delimiter : str, optional
        The character between fields, ``\t`` being a tab; found from the header line if not given.
    allow_empty : bool
        Whether a table without rows is one chunk without rows, and no error.

    Attributes
    ----------
    name : str
        What messages call the data.
    """

    def __init__(self, data: str, delimiter: str | None = None, *, allow_empty: bool = False) -> None:
        self.name = "<stdin>" if data == "-" else data
        self._data = data
        self._delimiter = "\t" if delimiter == r"\t" else delimiter
        self._allow_empty = allow_empty
        self._open = ExitStack()
        self._tapped: _Tapped | None = None

    def __enter__(self) -> Self:
        suffix = Path(self._data).suffix.lower()
        if self._data == "-":
            if sys.stdin is None:
                raise access_error(self.name, "read", OSError("it is closed"))
            self._tapped = _Tapped(sys.stdin.buffer, self.name, None)
        elif suffix not in (*SUFFIXES, *_PACKED):
            file = self._open.enter_context(open_file(self._data))
            self._tapped = _Tapped(file, self.name, os.fstat(file.fileno()).st_size or None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    def chunks(self) -> Iterator[Chunk]:
        """Read the table; at least one chunk."""
        source = self._data if self._tapped is None else cast(BinaryIO, self._tapped)
        return read_table(source, delimiter=self._delimiter, allow_empty=self._allow_empty)

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

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read1(size)  # type: ignore[attr-defined]
        self.n_read += len(data)
        return data

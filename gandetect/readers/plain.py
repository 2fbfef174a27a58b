"""Rows in which nothing is unusual, many at once: what the strict way reads from them, in a fraction of its time.

Plain are rows without quotes, control characters, blank lines and lone carriage returns, all of one width. Whatever is
not plain, and every number that is not plainly one, is left to the strict way, which has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

DELIMITERS = ",;\t|"
"""Delimiters of plain rows: none can be part of a number or of a name for a missing one."""


class PlainRows(Sequence[str]):
    """Plain rows, kept as they were read until their text is asked for.

    Parameters
    ----------
    data : bytes
        Whole lines.
    ends : ndarray of int64, of length n_rows
        Where the end of each row's line begins.
    line_end : str
        What ends every line, but perhaps the last one.
    """

    def __init__(self, data: bytes, ends: NDArray[np.int64], line_end: str) -> None:
        self.data, self.ends, self.line_end = data, ends, line_end

    @classmethod
    def joined(cls, parts: Sequence[PlainRows]) -> PlainRows:
        """Join rows whose lines all end alike."""
        starts = np.cumsum([0, *(len(part.data) for part in parts)])
        ends = [part.ends + start for part, start in zip(parts, starts[:-1], strict=True)]
        line_end = parts[0].line_end if parts else "\n"
        return cls(b"".join(part.data for part in parts), np.concatenate([np.empty(0, np.int64), *ends]), line_end)

    def between(self, start: int, stop: int) -> PlainRows:
        """Return the rows from `start` up to `stop`, without it."""
        first, last = (self._start(row) for row in (start, min(stop, len(self))))
        return PlainRows(self.data[first:last], self.ends[start:stop] - first, self.line_end)

    def _start(self, row: int) -> int:
        return min(int(self.ends[row - 1]) + len(self.line_end), len(self.data)) if row else 0

    @cached_property
    def texts(self) -> list[str]:
        """The rows without their lines' ends."""
        rows = self.data.decode().split(self.line_end)
        return rows if rows[-1] else rows[:-1]

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self.texts[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)


def plain_rows(data: bytes, width: int, delimiter: str) -> PlainRows | None:
    """Cut lines into rows.

    Parameters
    ----------
    data : bytes
        Whole lines.
    width : int
        Fields of a row; one alone is never plain, because its blank lines have a meaning.
    delimiter : str
        What stands between fields.

    Returns
    -------
    PlainRows, or None
        None if one of the rows is not plain.
    """
    if width < 2 or delimiter not in DELIMITERS or b'"' in data:
        return None
    line_end = "\r\n" if b"\r" in data else "\n"
    places, skeleton = _skeleton(data, delimiter)
    if not data.endswith(line_end.encode()):
        places, skeleton = np.append(places, len(data)), skeleton + line_end.encode()
    row = delimiter * (width - 1) + line_end
    if skeleton != (row * (len(skeleton) // len(row))).encode() or not _is_utf8(data):
        return None
    return PlainRows(data, places[width - 1 :: len(row)].copy(), line_end)


def _skeleton(data: bytes, delimiter: str) -> tuple[NDArray[np.int64], bytes]:
    """Return delimiters and control characters, a tab being none: of plain rows what separates fields and rows.

    Where they stand comes first.
    """
    every = np.frombuffer(data, np.uint8)
    kept = (every < ord(" ")) | (every == ord(delimiter))
    if delimiter != "\t" and b"\t" in data:
        kept &= every != ord("\t")
    places = np.flatnonzero(kept)
    return places, every.take(places).tobytes()


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


class PlainColumns(Mapping[str, NDArray[np.object_]]):
    """Text of plain rows by column name, cut into fields where it is asked for.

    Parameters
    ----------
    rows : PlainRows
        The rows.
    names : tuple of str
        The column names.
    delimiter : str
        What stands between fields.
    """

    def __init__(self, rows: PlainRows, names: tuple[str, ...], delimiter: str) -> None:
        self._rows = rows
        self._positions = {name: position for position, name in enumerate(names)}
        self._delimiter = delimiter

    def __getitem__(self, name: str) -> NDArray[np.object_]:
        return np.array(self._fields[self._positions[name] :: len(self)], dtype=object)

    def __contains__(self, name: object) -> bool:
        return name in self._positions

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)

    @cached_property
    def _fields(self) -> list[str]:
        return self._delimiter.join(self._rows.texts).split(self._delimiter)

    def numbers(self, names: Sequence[str], decimal: str) -> dict[str, NDArray[np.float64]]:
        """Read columns of numbers, in which empty fields are missing.

        Parameters
        ----------
        names : sequence of str
            The columns.
        decimal : str
            Their decimal mark.

        Returns
        -------
        dict of str to ndarray of shape (n_rows,)
            Empty if a field is anything else than a number, or empty.
        """
        # NumPy takes the blanks of all scripts for blanks.
        if not names or decimal == self._delimiter or not self._rows.data.isascii():
            return {}
        positions = [self._positions[name] for name in names]
        rows = self._rows.texts
        if decimal != ".":
            rows = [row.replace(".", "_").replace(decimal, ".") for row in rows]
        values = _loaded(rows, self._delimiter, positions)
        if values is None or np.isnan(values).any():
            text = "\n".join(rows)
            if "nan" in text.lower():  # NumPy takes any such word for a missing value
                return {}
            values = _loaded(_with_nan(text, self._delimiter).split("\n"), self._delimiter, positions)
        return {} if values is None else dict(zip(names, np.ascontiguousarray(values.T), strict=True))


def _loaded(rows: Sequence[str], delimiter: str, positions: Sequence[int]) -> NDArray[np.float64] | None:
    """Return numbers of shape (n_rows, n_positions), or None if a field is none."""
    try:
        return np.loadtxt(rows, delimiter=delimiter, usecols=positions, comments=None, ndmin=2)
    except ValueError:
        return None


def _with_nan(text: str, delimiter: str) -> str:
    """Write empty fields as missing numbers."""
    text = f"\n{text}\n"
    # Twice between delimiters: each takes part in one replacement only.
    for before, after in ((delimiter, delimiter), (delimiter, delimiter), ("\n", delimiter), (delimiter, "\n")):
        text = text.replace(before + after, f"{before}nan{after}")
    return text[1:-1]

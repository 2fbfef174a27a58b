"""Rows in which nothing is unusual, many at once: what the strict way reads from them, in a fraction of its time.

Plain are rows without quotes, control characters, blank lines and lone carriage returns, all of one width. Whatever is
not plain, and every number that is not plainly one, is left to the strict way, which has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

DELIMITERS = ",;\t|"
"""Delimiters of plain rows: none can be part of a number or of a name for a missing one."""


def plain_rows(data: bytes, width: int, delimiter: str) -> list[str] | None:
    """Cut lines into rows without their ends.

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
    list of str, or None
        None if one of the rows is not plain.
    """
    if width < 2 or delimiter not in DELIMITERS or b'"' in data:
        return None
    end = "\r\n" if b"\r" in data else "\n"
    skeleton = _skeleton(data, delimiter)
    skeleton += b"" if data.endswith(end.encode()) else end.encode()
    row = delimiter * (width - 1) + end
    if skeleton != (row * (len(skeleton) // len(row))).encode():
        return None
    try:
        rows = data.decode().split(end)
    except UnicodeDecodeError:
        return None
    return rows if rows[-1] else rows[:-1]


def _skeleton(data: bytes, delimiter: str) -> bytes:
    """Return delimiters and control characters, a tab being none: of plain rows what separates fields and rows."""
    every = np.frombuffer(data, np.uint8)
    kept = (every < ord(" ")) | (every == ord(delimiter))
    if delimiter != "\t" and b"\t" in data:
        kept &= every != ord("\t")
    return np.compress(kept, every).tobytes()


class PlainColumns(Mapping[str, NDArray[np.object_]]):
    """Text of plain rows by column name, cut into fields where it is asked for.

    Parameters
    ----------
    rows : sequence of str, of length n_rows
        From `plain_rows`.
    names : tuple of str
        The column names.
    delimiter : str
        What stands between fields.
    """

    def __init__(self, rows: Sequence[str], names: tuple[str, ...], delimiter: str) -> None:
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
        return self._delimiter.join(self._rows).split(self._delimiter)

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
        if not names or decimal == self._delimiter or not all(map(str.isascii, self._rows)):
            return {}
        positions = [self._positions[name] for name in names]
        rows = self._rows if decimal == "." else [row.replace(".", "_").replace(decimal, ".") for row in self._rows]
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

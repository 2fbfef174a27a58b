"""A fair sample of a table that may be larger than memory."""

from __future__ import annotations

import numpy as np

from gandetect.readers.tables import Chunk


class Reservoir:
    """Keeps at most `size` rows of a table, each with the same chance, in the order of the file.

    Every row gets a random key and the smallest keys stay, so that the choice depends only on the seed and on the
    row's place in the file.

    Parameters
    ----------
    size : int
        Most rows to keep.
    seed : int
        Key of the choice.

    Attributes
    ----------
    n_seen : int
        Rows offered so far.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.n_seen = 0
        self._size = size
        self._random = np.random.default_rng(seed)
        self._parts: list[Chunk] = []
        self._keys: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
        self._numbers: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
        self._limit = np.inf

    def add(self, chunk: Chunk) -> None:
        """Offer the next rows."""
        keys = self._random.random(chunk.n_rows)
        chosen = np.flatnonzero(keys <= self._limit)
        if len(chosen) or not self._parts:  # the first chunk names the columns
            self._parts.append(_taken(chunk, chosen))
            self._keys.append(keys[chosen])
            self._numbers.append(self.n_seen + chosen)
        self.n_seen += chunk.n_rows
        # Sorting out a quarter at a time keeps the cost per row constant.
        if sum(map(len, self._keys)) > 1.25 * self._size:
            self._sort_out()

    def rows(self) -> tuple[Chunk, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """Return the rows that were kept, and the number of each in the table, from 0."""
        self._sort_out()
        return self._parts[0], self._numbers[0]

    def _sort_out(self) -> None:
        keys, numbers, whole = np.concatenate(self._keys), np.concatenate(self._numbers), _joined(self._parts)
        if len(keys) > self._size:
            self._limit = np.partition(keys, self._size - 1)[self._size - 1]
        chosen = np.flatnonzero(keys <= self._limit)
        self._parts, self._keys, self._numbers = [_taken(whole, chosen)], [keys[chosen]], [numbers[chosen]]


def _taken(chunk: Chunk, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Chunk:
    if len(rows) == chunk.n_rows:
        return chunk
    columns = {name: values[rows] for name, values in chunk.columns.items()}
    return Chunk(chunk.names, columns, np.asarray(chunk.lines)[rows].tolist(), chunk.form)


def _joined(parts: list[Chunk]) -> Chunk:
    names = parts[0].names
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in names}
    return Chunk(names, columns, [line for part in parts for line in part.lines], parts[0].form)

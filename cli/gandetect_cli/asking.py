"""Asks a model about the rows of a table, chunk by chunk: the next ones are read while it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandetect.modality import VERDICT
from gandetect.readers import bulk
from gandetect.readers.records import OnBadLine
from gandetect.readers.tables import Chunk
from gandetect.readers.values import Parsed, parse_columns
from gandetect.schema import Schema
from gandetect_cli.ahead import ahead, map_in_turn
from gandetect_cli.source import Table

Arrays = Mapping[str, NDArray[Any]]


class Answered(NamedTuple):
    """A chunk, its raw columns, what the model says of the rows that were kept, and in bulk their lines with that."""

    chunk: Chunk
    parsed: Parsed
    answers: Arrays
    lines: bytes | None = None


@dataclass(frozen=True)
class Asking:
    """How a table is read, and what a model is asked.

    Parameters
    ----------
    table : Table
        The rows.
    schema : Schema
        The columns that the model knows.
    on_error : {"fail", "skip", "missing"}
        What a field that cannot be read does.
    ask : callable
        Turns raw columns into answers; several threads may call it.
    """

    table: Table
    schema: Schema
    on_error: str
    ask: Callable[[Arrays], Arrays]

    def answered(self, on_bad_line: OnBadLine) -> Iterator[Answered]:
        """Go through the table once; `on_bad_line` is told of lines that are skipped."""
        _keep_freed_memory()
        in_bulk = not self.table.line_buffered and bulk.is_possible(self.schema)
        chunks = self.table.chunks(on_bad_line if self.on_error == "skip" else None, in_bulk=in_bulk)
        could_be_read: Counter[bool] = Counter()  # of chunks in bulk
        for came_in_bulk, some in groupby(_cut_where_odd(chunks, could_be_read), lambda chunk: chunk.in_bulk):
            # Either way a group is used up before the next one comes, which the linter cannot see.
            yield from self._in_bulk(some, could_be_read) if came_in_bulk else self._in_turn(some)  # noqa: B031

    def _in_turn(self, chunks: Iterable[Chunk]) -> Iterator[Answered]:
        """Ask while the next chunk is read, unless it may have to be waited for."""
        together = map_in_turn if self.table.line_buffered else ahead
        read = ((chunk, self._parsed(chunk)) for chunk in chunks)
        for (chunk, parsed), answers in together(read, lambda read: self.ask(read[1].columns)):
            yield Answered(chunk, parsed, answers)

    def _parsed(self, chunk: Chunk) -> Parsed:
        return parse_columns(chunk.columns, chunk.lines, self.schema, on_error=self.on_error, name=self.table.name)

    def _in_bulk(self, chunks: Iterable[Chunk], could_be_read: Counter[bool]) -> Iterator[Answered]:
        """Read numbers and ask in several threads; what is odd is read as usual when its turn comes."""
        for chunk, answered in ahead(chunks, self._answered_in_bulk, bulk.THREADS, n_fetched=2 * bulk.THREADS):
            could_be_read[answered is not None] += 1
            yield from [answered] if answered else self._in_turn(chunk.cut())

    def _answered_in_bulk(self, chunk: Chunk) -> Answered | None:
        parsed = bulk.parse(chunk, self.schema)
        if parsed is None:
            return None
        answers = self.ask(parsed.columns)
        is_verdict = tuple(answers) == VERDICT
        lines = bulk.with_columns(chunk, [answers[name] for name in VERDICT]) if is_verdict else None
        return Answered(chunk, parsed, answers, lines)


def _cut_where_odd(chunks: Iterable[Chunk], could_be_read: Counter[bool]) -> Iterator[Chunk]:
    """Give no more chunks in bulk where most could not be read."""
    for chunk in chunks:
        is_odd = could_be_read[False] > could_be_read[True] + 1
        yield from chunk.cut() if chunk.in_bulk and is_odd else [chunk]


def _keep_freed_memory() -> None:
    """Keep what one chunk frees for the next one.

    The C library of Linux gives large blocks back to the system, to be handed them anew page by page, until a larger
    one was freed. So one is freed that nothing was written to.
    """
    np.empty(2**24, dtype=np.uint8)

"""Answers as text: the input's columns as they were, and the answers after them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gandetect.explanation import most_to_blame, reason_of
from gandetect.readers.tables import Chunk
from gandetect.readers.values import parse_number
from gandetect.schema import Kind, Schema

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Scored:
    """Rows of a table with their raw columns and answers.

    Parameters
    ----------
    chunk : Chunk
        The rows as they were written.
    rows : ndarray of int of shape (n_scored,)
        Which of the chunk's rows were scored.
    columns : mapping of str to ndarray of shape (n_scored,)
        The raw columns.
    answers : mapping of str to ndarray of shape (n_scored, ...)
        The model's outputs.
    """

    chunk: Chunk
    rows: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    answers: Mapping[str, NDArray[Any]]

    def only(self, chosen: NDArray[np.bool_]) -> Scored:
        """Return the chosen ones among the scored rows."""
        columns, answers = (
            {name: values[chosen] for name, values in group.items()} for group in (self.columns, self.answers)
        )
        return Scored(self.chunk, self.rows[chosen], columns, answers)


class Format(Protocol):
    """How answers are written."""

    def header(self, names: Iterable[str]) -> bytes:
        """Return what comes before the first row."""

    def rows(self, scored: Scored, answers: Mapping[str, Sequence[Any]]) -> bytes:
        """Return the lines of some rows and their answers."""


@dataclass(frozen=True)
class Csv:
    """CSV as it came in.

    Parameters
    ----------
    delimiter : str
        The character between fields.
    safe : bool
        Put an apostrophe before text that a spreadsheet would take for a formula.
    """

    delimiter: str
    safe: bool = False

    def header(self, names: Iterable[str]) -> bytes:
        """Return the line of names."""
        return self._lines([[self._text(name) for name in names]])

    def rows(self, scored: Scored, answers: Mapping[str, Sequence[Any]]) -> bytes:
        """Return one line for each row."""
        given = [self._texts(values[scored.rows].tolist()) for values in scored.chunk.columns.values()]
        columns = [*given, *(self._cells(values) for values in answers.values())]
        if any(character in text for text in map("".join, columns) for character in f'{self.delimiter}"\r\n'):
            return self._lines(zip(*columns, strict=True))
        # Nothing has to be quoted, which is joined in a third of the time.
        return "".join(f"{self.delimiter.join(row)}\n" for row in zip(*columns, strict=True)).encode()

    def _texts(self, texts: list[str]) -> list[str]:
        return [self._text(text) for text in texts] if self.safe else texts

    def _text(self, text: str) -> str:
        risky = (
            self.safe and text.startswith(_FORMULA_STARTS) and all(parse_number(text, mark) is None for mark in ".,")
        )
        return f"'{text}" if risky else text

    def _cells(self, values: Sequence[Any]) -> list[str]:
        if values and isinstance(values[0], bool):
            return ["true" if value else "false" for value in values]
        return self._texts(list(values)) if values and isinstance(values[0], str) else list(map(repr, values))

    def _lines(self, rows: Iterable[Sequence[Any]]) -> bytes:
        lines: list[str] = []
        # Only a line's end that holds a carriage return makes the writer quote fields that hold one.
        csv.writer(SimpleNamespace(write=lines.append), delimiter=self.delimiter, lineterminator="\r\n").writerows(rows)
        return "".join(f"{line[:-2]}\n" for line in lines).encode()


@dataclass(frozen=True)
class JsonLines:
    """One JSON object for each row: numbers as numbers, missing values as null, all else as it was written.

    Parameters
    ----------
    schema : Schema
        Says which columns hold numbers.
    """

    schema: Schema

    def header(self, names: Iterable[str]) -> bytes:
        """Return nothing: every row names its columns."""
        return b""

    def rows(self, scored: Scored, answers: Mapping[str, Sequence[Any]]) -> bytes:
        """Return one line for each row."""
        numbers = {column.name for column in self.schema.used if column.kind is Kind.NUMBER}
        columns: dict[str, Sequence[Any]] = {
            name: [_json_number(value) for value in scored.columns[name].tolist()]
            if name in numbers
            else [text or None for text in values[scored.rows]]
            for name, values in scored.chunk.columns.items()
        }
        columns |= answers
        lines = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        return "".join(f"{json.dumps(line, ensure_ascii=False, allow_nan=False)}\n" for line in lines).encode()


def answer_columns(scored: Scored, schema: Schema, explain: int, prefix: str) -> dict[str, list[Any]]:
    """Turn a model's outputs into columns of plain values.

    Parameters
    ----------
    scored : Scored
        Rows and the model's outputs.
    schema : Schema
        Names the features.
    explain : int
        How many of the columns most to blame to name.
    prefix : str
        Put before every answer's name.

    Returns
    -------
    dict of str to list
        Answers by column name, in order: `answer_names` of the same arguments.
    """
    answers = scored.answers
    columns = {name: _shortest(answers[name]) for name in ("anomaly_score", "p_value")}
    columns["is_anomaly"] = answers["is_anomaly"].tolist()
    if explain:
        columns |= _blame(scored, schema, explain)
    return {f"{prefix}{name}": values for name, values in columns.items()}


def answer_names(schema: Schema, explain: int, prefix: str) -> list[str]:
    """Return the names of the columns that `answer_columns` gives."""
    numbers = range(1, min(explain, len(schema.features)) + 1)
    blame = [name for number in numbers for name in _blame_names(number)]
    return [f"{prefix}{name}" for name in ("anomaly_score", "p_value", "is_anomaly", *blame)]


def _blame_names(rank: int) -> tuple[str, str, str]:
    return f"blame_{rank}", f"blame_{rank}_share", f"blame_{rank}_reason"


def _blame(scored: Scored, schema: Schema, explain: int) -> dict[str, list[Any]]:
    """Name the columns with the largest shares of the blame, and say why."""
    answers = scored.answers
    order = most_to_blame(answers["contributions"], explain)  # (n_rows, ranks)
    shares = np.take_along_axis(answers["contributions"], order, axis=1)
    names = np.array([column.name for column in schema.features], dtype=object)
    columns: dict[str, list[Any]] = {}
    for rank, features in enumerate(order.T.tolist()):
        reasons = [reason_of(schema, scored.columns, answers, row, feature) for row, feature in enumerate(features)]
        values = names[features].tolist(), [round(share, 4) for share in shares[:, rank].tolist()], reasons
        columns |= dict(zip(_blame_names(rank + 1), values, strict=True))
    return columns


def _shortest(values: NDArray[np.float32]) -> list[float]:
    """Return doubles that show the fewest digits that tell 32-bit numbers apart."""
    return [float(text) for text in values.astype("U")]


def _json_number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value

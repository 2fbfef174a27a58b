"""Answers as text: the input's columns as they were, and the answers after them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gandetect.column import Kind
from gandetect.explanation import most_to_blame, reason_of
from gandetect.modality import VERDICT
from gandetect.readers.tables import Chunk, Form
from gandetect.readers.values import parse_number
from gandetect.schema import Schema

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
    lines : bytes, optional
        What `Csv` without options makes of the chunk and its verdict, where that is known already.
    """

    chunk: Chunk
    rows: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    answers: Mapping[str, NDArray[Any]]
    lines: bytes | None = None

    def only(self, chosen: NDArray[np.bool_]) -> Scored:
        """Return the chosen ones among the scored rows."""
        columns, answers = (
            {name: values[chosen] for name, values in group.items()} for group in (self.columns, self.answers)
        )
        return Scored(self.chunk, self.rows[chosen], columns, answers)


class Shared(list[float]):
    """Numbers of which there are few, so that many rows have the same: the text of each is made once."""

    text = staticmethod(lru_cache(2**13)(repr))


class Format(Protocol):
    """How answers are written."""

    def header(self, chunk: Chunk, added: Sequence[str]) -> bytes:
        """Return what comes before the first row; `added` are the names of the answers."""

    def rows(self, scored: Scored, answers: Mapping[str, Sequence[Any]]) -> bytes:
        """Return the lines of some rows and their answers."""


@dataclass(frozen=True)
class Csv:
    """CSV: every row as it came in, and its answers after it.

    Parameters
    ----------
    decimal : str
        The decimal mark of the answers.
    safe : bool
        Put an apostrophe before text that a spreadsheet would take for a formula.
    """

    decimal: str = "."
    safe: bool = False

    def header(self, chunk: Chunk, added: Sequence[str]) -> bytes:
        """Return the line of names."""
        names: Sequence[str] = chunk.names
        if chunk.form.header.startswith((chunk.form.delimiter, f'""{chunk.form.delimiter}')):
            names = ["", *names[1:]]  # the index of a data frame, which has no name in the file
        as_written = chunk.form.header and not self.safe
        given = [[chunk.form.header]] if as_written else self._columns([[name] for name in names], chunk.form)
        line = _lines([*given, *self._columns([[name] for name in added], chunk.form)], chunk.form)
        return chunk.form.mark.encode() + line

    def rows(self, scored: Scored, answers: Mapping[str, Sequence[Any]]) -> bytes:
        """Return one line for each row."""
        chunk = scored.chunk
        if chunk.rows is None or self.safe:
            given = self._columns((texts[scored.rows].tolist() for texts in chunk.columns.values()), chunk.form)
        elif len(scored.rows) == chunk.n_rows:
            given = [chunk.rows]
        else:
            given = [[chunk.rows[row] for row in scored.rows.tolist()]]
        return _lines([*given, *self._columns(answers.values(), chunk.form)], chunk.form)

    def _columns(self, columns: Iterable[Sequence[Any]], form: Form) -> list[Sequence[str]]:
        return [_quoted(self._cells(values), form.delimiter) for values in columns]

    def _cells(self, values: Sequence[Any]) -> Sequence[str]:
        if not values or isinstance(values[0], str):
            return [self._text(text) for text in values] if self.safe else values
        if isinstance(values[0], bool):
            return ["true" if value else "false" for value in values]
        texts = list(map(values.text if isinstance(values, Shared) else repr, values))
        return texts if self.decimal == "." else [text.replace(".", self.decimal) for text in texts]

    def _text(self, text: str) -> str:
        risky = text.startswith(_FORMULA_STARTS) and all(parse_number(text, mark) is None for mark in ".,")
        return f"'{text}" if risky else text


def _quoted(texts: Sequence[str], delimiter: str) -> Sequence[str]:
    """Put quotes around the fields that need them."""
    special = f'{delimiter}"\r\n'
    together = "".join(texts)
    if not any(character in together for character in special):
        return texts
    return ['"' + text.replace('"', '""') + '"' if not set(special).isdisjoint(text) else text for text in texts]


def _lines(columns: Iterable[Sequence[str]], form: Form) -> bytes:
    """Join fields, and what is some already, to lines."""
    return form.line_end.join([*map(form.delimiter.join, zip(*columns, strict=True)), ""]).encode()


@dataclass(frozen=True)
class JsonLines:
    """One JSON object for each row: numbers as numbers, missing values as null, all else as it was written.

    Parameters
    ----------
    schema : Schema
        Says which columns hold numbers.
    """

    schema: Schema

    def header(self, chunk: Chunk, added: Sequence[str]) -> bytes:
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


def answer_columns(scored: Scored, schema: Schema, explain: int, prefix: str) -> dict[str, Sequence[Any]]:
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
    dict of str to sequence
        Answers by column name, in order: `answer_names` of the same arguments.
    """
    answers = scored.answers
    columns: dict[str, Sequence[Any]] = {
        "anomaly_score": _shortest(answers["anomaly_score"]).tolist(),
        "p_value": Shared(_shortest(answers["p_value"]).tolist()),
        "is_anomaly": answers["is_anomaly"].tolist(),
    }
    if explain:
        columns |= _blame(scored, schema, explain)
    return {f"{prefix}{name}": values for name, values in columns.items()}


def answer_names(schema: Schema, explain: int, prefix: str) -> list[str]:
    """Return the names of the columns that `answer_columns` gives."""
    numbers = range(1, min(explain, len(schema.features)) + 1)
    blame = [name for number in numbers for name in _blame_names(number)]
    return [f"{prefix}{name}" for name in (*VERDICT, *blame)]


def decimal_mark(schema: Schema) -> str:
    """Return the decimal mark of a table's numbers: a point unless all of them have a comma."""
    marks = {column.decimal for column in schema.used if column.kind is Kind.NUMBER}
    return "," if marks == {","} else "."


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


def _shortest(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return doubles that show the fewest digits that tell 32-bit numbers apart."""
    exact = values.astype(np.float64)
    size = np.abs(exact)
    if not np.all((size >= 1e-13) & (size < 1e6) | (size == 0)):
        return values.astype("U").astype(np.float64)
    n_whole = np.searchsorted(_POWERS, size, side="right") - 13  # digits before the point
    shown = exact
    # Nine digits tell all of them apart; what has fewer than six is found with six. The quotient of two integers that
    # doubles hold is the double next to the decimal number.
    for n_digits in (9, 8, 7, 6):
        scale = _POWERS[n_digits - n_whole + 13]
        rounded = np.rint(exact * scale) / scale
        shown = np.where(rounded.astype(np.float32) == values, rounded, shown)
    return shown


_POWERS = np.array([float(f"1e{exponent}") for exponent in range(-13, 23)])


def _json_number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value

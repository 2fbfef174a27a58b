"""The first line of a table: its delimiter, and the names of its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gandetect.errors import InputError, quoted
from gandetect.readers.records import Lines, Record, read_records
from gandetect.readers.values import BLANKS, MISSING, parse_number, shown

DELIMITERS = (",", ";", "\t")
"""Delimiters that are found from the header line."""

_QUOTED = re.compile(r'(?:^|(?<=[,;\t]))"(?:[^"]|"")*(?:"|$)')


def read_header(lines: Lines, delimiter: str | None) -> tuple[str, Record]:
    """Return the delimiter and the record of names."""
    first, name = lines.peek(), lines.name
    if not first:
        raise InputError(f"{name}: expected a table with column names, found an empty file; check the file.")
    if not first.strip("\r\n"):
        raise InputError(f"{name}, line 1: expected the column names, found a blank line; remove it.")
    mark = _find_delimiter(first, name) if delimiter is None else _checked_delimiter(delimiter, name)
    header = next(read_records(lines, mark))
    _refuse_data(header.fields, name)
    return mark, header


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
    if len(delimiter) != 1 or delimiter in '"\r\n\0' or "\ud800" <= delimiter <= "\udfff":  # no UTF-8 has the latter
        raise InputError(
            f"{name}: expected a delimiter of one character, no quote and no line end, found {shown(delimiter)}; "
            "pass another one."
        )
    return delimiter


def _refuse_data(header: list[str], name: str) -> None:
    """Raise if the first line holds numbers, or numbers and missing values, where the names should be."""
    words = [field.strip(BLANKS) for field in header]
    numbers = [word for word in words if any(parse_number(word, mark) is not None for mark in ".,")]
    if numbers and all(word in MISSING or word in numbers for word in words):
        raise InputError(
            f"{name}, line 1: expected column names, found only numbers ({quoted(header, 3)}); "
            "put a line with the names first."
        )


def with_index_name(header: list[str]) -> list[str]:
    """Name a data frame's index, the first column, as pandas does where it has no name."""
    first, *others = header
    if first or not others:
        return header
    candidates = ("Unnamed: 0", *(f"Unnamed: 0.{number}" for number in range(1, len(header))))
    return [next(name for name in candidates if name not in others), *others]


def checked_names(header: Sequence[str], place: str) -> tuple[str, ...]:
    """Return the names of the columns; `place` says where they stand."""
    if not header:
        raise InputError(f"{place}: expected columns, found none; check the file.")
    if header[0].lower() == "sep=":
        raise InputError(f"{place}: expected column names, found 'sep=', which spreadsheets read; remove the line.")
    positions: dict[str, list[int]] = {}
    for position, column in enumerate(header, 1):
        positions.setdefault(column, []).append(position)
    for column, found in positions.items():
        where = " and ".join(str(position) for position in found)
        if not column.strip():
            remedy = "name or remove it"
            if len(found) > 1:
                remedy = "name or remove them, or remove the lines above the column names if there are any"
            raise InputError(f"{place}: expected a name for every column, found none for column {where}; {remedy}.")
        if len(found) > 1:
            raise InputError(
                f"{place}: expected different column names, found {shown(column)} for columns {where}; "
                "rename all but one."
            )
    return tuple(header)

"""Turn text into raw columns by a schema: what counts as missing, as a number, as yes or no, and as a time.

=============  ==================================================================================================
kind           what is read
=============  ==================================================================================================
number         decimal digits, optional sign, decimal mark and exponent; ``inf`` and ``infinity``; blanks around it; and
               the column's unit and thousands separators, where it has any, and in ``1,234.50``, which can be
               nothing else, where it has none; as bookkeepers write what is negative, ``1.50-``, ``(1.50)`` or
               ``$(150)``, but not without decimals or a unit before it: ``1-`` may be a grade, ``(1)`` a note, and
               ``5.-`` is a price of 5; the limit of
               what is beyond one, as laboratories write it: ``<0.5`` is 0.5
yes/no         true/false, t/f, yes/no, y/n, on/off, 1/0 in any case become ``yes`` and ``no``; other text stays
category       the text as it is; only the empty text is missing
time           ISO 8601 dates and times, or one ``strptime`` format; without an offset from UTC it is UTC
=============  ==================================================================================================

In number, yes/no and time columns the texts of `MISSING` are missing values, with or without blanks around them; so are
the numbers that a column's schema says are.
Everything else is a problem: the caller chooses whether it fails, drops the row, or makes the value missing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from gandetect.column import YES_NO, Column, Kind
from gandetect.errors import InputError, quoted
from gandetect.readers.plain import PlainColumns
from gandetect.schema import Schema

MISSING = frozenset({"", "?", "-", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NaT", "null", "NULL", "None"})
"""Texts that stand for a missing value in number, yes/no and time columns."""

BLANKS = " \t"
"""Characters that may stand around numbers, yes/no words, times and missing values."""

_HARD_BLANKS = str.maketrans("\u00a0\u202f", "  ")
"""Blanks that do not break a line, as spreadsheets put them between a number and its unit."""

ON_ERROR = ("fail", "skip", "missing")
"""What can be done about a field that cannot be read."""

# The number with a point; no two parts can match the same digits, so that a long field cannot take quadratic time.
_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?)", re.IGNORECASE | re.ASCII
)
_MARK = re.compile(r"[.,][0-9]")
_IN_BRACKETS = re.compile(r"([^()0-9]*)\(([^()]+)\)")  # whatever is before them has to be the column's unit
_LIMIT = re.compile(r"\A(?:[<>]=?|[≤≥]) ?")
# Over these characters alone, Python's float() reads exactly the numbers above.
_PLAIN = re.compile(r"[0-9.eE+\- \t]*")

_ISO_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<minute>(?:[01][0-9]|2[0-3]):[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r" ?(?P<zone>Z|UTC|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Parsed:
    """Raw columns of the rows that were kept.

    Parameters
    ----------
    columns : dict of str to ndarray of shape (n_kept,)
        The schema's features: float64 for numbers and times (seconds since 1970 UTC; NaN = missing), str objects
        for yes/no and categories ('' = missing).
    keep : ndarray of bool of shape (n_rows,)
        False for rows that were dropped.
    problems : int
        How many fields could not be read.
    """

    columns: dict[str, NDArray[np.generic]]
    keep: NDArray[np.bool_]
    problems: int


def parse_columns(
    columns: Mapping[str, NDArray[np.object_]],
    lines: Sequence[int],
    schema: Schema,
    *,
    on_error: str = "fail",
    name: str = "data",
) -> Parsed:
    """Read the features of a schema from text.

    Parameters
    ----------
    columns : mapping of str to ndarray of str objects, of shape (n_rows,)
        Text by column name; columns that are no features are ignored.
    lines : sequence of int, of length n_rows
        The line of each row, for messages.
    schema : Schema
        Says which columns are features and how each is written.
    on_error : {"fail", "skip", "missing"}
        Whether a field that cannot be read raises, drops its row, or becomes a missing value.
    name : str
        What messages call the data.

    Returns
    -------
    Parsed
        The raw columns, which rows were kept, and how many fields could not be read.

    Raises
    ------
    InputError
        If a used column is not there, if a field cannot be read and `on_error` is "fail", or if `on_error` is
        unknown.
    """
    if on_error not in ON_ERROR:
        raise InputError(f"Expected on_error to be one of {quoted(ON_ERROR)}, found {on_error!r}.")
    _require_columns(columns, schema, name)
    raw: dict[str, NDArray[np.generic]] = dict(_quick_numbers(columns, schema))
    unreadable = np.zeros((len(schema.used), len(lines)), dtype=np.bool_)
    for index, column in enumerate(schema.used):
        if column.name not in raw:
            raw[column.name], unreadable[index] = parse_column(columns[column.name], column)
        if column.kind is Kind.NUMBER:
            raw[column.name] = column.without_marks(raw[column.name].astype(np.float64, copy=False))
    if on_error == "fail" and unreadable.any():
        raise InputError(_first_problem(columns, lines, schema, unreadable, name))
    keep = np.ones(len(lines), dtype=np.bool_)
    if on_error == "skip":
        keep &= ~unreadable.any(axis=0)
    return Parsed({key: values[keep] for key, values in raw.items()}, keep, int(unreadable.sum()))


def _quick_numbers(columns: Mapping[str, NDArray[np.object_]], schema: Schema) -> dict[str, NDArray[np.float64]]:
    """Read the columns of numbers that can be read at once."""
    read: dict[str, NDArray[np.float64]] = {}
    if isinstance(columns, PlainColumns):
        for decimal in ".,":
            names = [c.name for c in schema.used if c.is_plain_number and c.decimal == decimal]
            read |= columns.numbers(names, decimal)
    return read


def parse_column(texts: NDArray[np.object_], column: Column) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Read one column.

    Returns
    -------
    values : ndarray of shape (n_rows,)
        float64 or str objects, as in `Parsed`.
    unreadable : ndarray of bool of shape (n_rows,)
        True where the text is not of the column's kind; the value there is missing.
    """
    if column.kind is Kind.NUMBER:
        return _parse_written_numbers(texts, column)
    if column.kind is Kind.TIME:
        return parse_times(texts, column.time_format)
    if column.kind is Kind.YES_NO:
        texts = np.array([_yes_no(text) for text in texts], dtype=object)
    return texts, np.zeros(len(texts), dtype=np.bool_)


def _parse_written_numbers(texts: NDArray[np.object_], column: Column) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if not column.is_plain_number:
        return parse_numbers(bare_numbers(texts, column), column.decimal)
    values, unreadable = parse_numbers(texts, column.decimal)
    if unreadable.any():
        values[unreadable], unreadable[unreadable] = parse_numbers(
            bare_numbers(texts[unreadable], column), column.decimal
        )
    return values, unreadable


def is_missing(texts: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell which texts stand for a missing value in number, yes/no and time columns."""
    return np.fromiter((text.strip(BLANKS) in MISSING for text in texts), np.bool_, len(texts))


def bare_numbers(texts: NDArray[np.object_], column: Column) -> NDArray[np.object_]:
    """Take a column's unit and thousands separators out of numbers; what is not written so becomes no number."""
    grouping = column.grouping or ("," if column.decimal == "." else ".")
    written = _written(
        column.prefix.strip(), column.suffix.strip(), grouping, column.decimal, must_show=not column.grouping
    )

    def bare(text: str) -> str:
        word = with_blanks(text).strip(BLANKS)
        match = written.fullmatch(bare_sign(word))
        if match is None:
            return word if word in MISSING else _NO_NUMBER
        return match["sign"] + match["number"].replace(grouping, "")

    return np.array([bare(text) for text in texts], dtype=object)


def with_blanks(text: str) -> str:
    """Write plain blanks for those that do not break a line, as spreadsheets put them before units and thousands."""
    return text.translate(_HARD_BLANKS)


def bare_sign(text: str) -> str:
    """Write a minus sign, ``1.50-``, ``(1.50)`` and ``$(150)`` as a minus in front, and ``<0.5`` as the limit."""
    text = _LIMIT.sub("", text.replace("\u2212", "-"))
    if text[-1:] == ")" and (match := _IN_BRACKETS.fullmatch(text)):
        unit, inner = match.groups()
    else:
        unit, inner = "", text[:-1] if text[-1:] == "-" else ""
    return f"-{unit}{inner.strip(BLANKS)}" if unit or _MARK.search(inner) else text


def is_limit(text: str) -> bool:
    """Tell whether a text starts as a value beyond a limit does, such as ``<0.5`` or ``>= 1000``."""
    return _LIMIT.match(text) is not None


@lru_cache
def _written(prefix: str, suffix: str, grouping: str, decimal: str, *, must_show: bool) -> re.Pattern[str]:
    """Return how numbers are written; where decimals must show what separates thousands, ``1,234`` is none."""
    blanks = " +" if suffix[:1].isdigit() else " *"  # 101/min is not 10 1/min
    blank = " *" if prefix or suffix else ""
    prefix, suffix, grouping, decimal = map(re.escape, (prefix, suffix, grouping, decimal))
    shown = f"(?={decimal}[0-9])" if must_show else ""
    whole = f"(?:{grouped_digits(grouping)}{shown}|[0-9]+)"
    number = f"(?:{whole}(?:{decimal}[0-9]*)?|{decimal}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    return re.compile(f"(?P<sign>[+-]?){prefix}{blank}(?P<number>[+-]?{number}){blanks}{suffix}")


def grouped_digits(mark: str) -> str:
    """Return a pattern of whole numbers with a mark between thousands; a comma may stand as in India: 12,34,567."""
    thousands = f"[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+"
    return f"(?:{thousands}|[0-9]{{1,2}}(?:,[0-9]{{2}})+,[0-9]{{3}})" if mark == "," else thousands


_NO_NUMBER = "no number"


def parse_number(text: str, decimal: str = ".") -> float | None:
    """Read one number, or return None; `text` has no blanks around it and is not missing."""
    text = bare_sign(text)
    if decimal != ".":
        text = _with_point(text, decimal)
    return float(text) if _NUMBER.fullmatch(text) else None


def parse_numbers(texts: NDArray[np.object_], decimal: str = ".") -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read numbers, as `parse_column` does."""
    plain = texts if decimal == "." else np.array([_with_point(text, decimal) for text in texts], dtype=object)
    unreadable = np.zeros(len(texts), dtype=np.bool_)
    values = _plain_numbers(plain)
    if values is not None:  # nothing is missing: so are most columns
        return values, unreadable
    missing = is_missing(texts)
    values = np.full(len(texts), np.nan)
    known = _plain_numbers(plain[~missing])
    if known is None:
        numbers = [parse_number(text.strip(BLANKS), decimal) for text in texts[~missing]]
        known = np.array(numbers, dtype=np.float64)  # None becomes NaN
        unreadable[~missing] = [number is None for number in numbers]
    values[~missing] = known
    return values, unreadable


def _plain_numbers(texts: NDArray[np.object_]) -> NDArray[np.float64] | None:
    """Read numbers that have a point and no exotic characters, or return None; no missing value is one of them."""
    if _PLAIN.fullmatch("".join(texts)):
        with contextlib.suppress(ValueError):
            return texts.astype(np.float64)
    return None


def parse_times(texts: NDArray[np.object_], time_format: str = "") -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read times as seconds since 1970 UTC, as `parse_column` does; an empty format means ISO 8601."""
    missing = is_missing(texts)
    values = np.full(len(texts), np.nan)
    unreadable = np.zeros(len(texts), dtype=np.bool_)
    read = _iso_seconds if not time_format else partial(_format_seconds, time_format=time_format)
    times = [read(text.strip(BLANKS)) for text in texts[~missing]]
    values[~missing] = np.array(times, dtype=np.float64)  # None becomes NaN
    unreadable[~missing] = [time is None for time in times]
    return values, unreadable


def shown(text: str) -> str:
    """Return a field for a message: quoted, control characters escaped, long text cut."""
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}..."


def _with_point(text: str, decimal: str) -> str:
    """Write a number with a point; a text that already has one is no number and stays none."""
    return text.replace(".", "_").replace(decimal, ".")


def _yes_no(text: str) -> str:
    word = text.strip(BLANKS)
    return "" if word in MISSING else YES_NO.get(word.lower(), text)


def _iso_seconds(text: str) -> float | None:
    match = _ISO_TIME.fullmatch(text)
    if match is None:
        return None
    date, minute, second, fraction, zone = match.groups()
    offset = zone if zone and zone != "UTC" else "Z"
    whole = _moment(datetime.fromisoformat, f"{date}T{minute or '00:00'}:{second or '00'}{offset}")
    return None if whole is None else whole + float(f"0.{fraction or 0}")


def _format_seconds(text: str, time_format: str) -> float | None:
    # strptime reads the digits of every script as digits.
    return _moment(lambda text: datetime.strptime(text, time_format), text) if text.isascii() else None


def _moment(read: Callable[[str], datetime], text: str) -> float | None:
    try:
        moment = read(text)
    except (ValueError, re.error):  # the latter of a format that names a part twice
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH).total_seconds()


def _require_columns(columns: Mapping[str, NDArray[np.object_]], schema: Schema, name: str) -> None:
    absent = [column.name for column in schema.used if column.name not in columns]
    if absent:
        wanted = {_folded(key) for key in absent}
        alike = [key for key in columns if _folded(key) in wanted]
        example = f", such as {quoted(alike)}" if alike else ""
        raise InputError(
            f"{name}: expected the columns of the training data, found none named {quoted(absent)} among "
            f"{quoted(columns)}; add what is missing or mend the names{example}."
        )


def _folded(name: str) -> str:
    """Return a column's name without what may differ by mistake: case, blanks, underscores and hyphens."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def _first_problem(
    columns: Mapping[str, NDArray[np.object_]],
    lines: Sequence[int],
    schema: Schema,
    unreadable: NDArray[np.bool_],
    name: str,
) -> str:
    row = int(unreadable.any(axis=0).argmax())
    column = schema.used[int(unreadable[:, row].argmax())]
    return (
        f"{name}, line {lines[row]}: expected {_expected(column)} in column {column.name!r}, "
        f"found {shown(columns[column.name][row])}; mend the field, or pass --on-error skip or --on-error missing."
    )


def _expected(column: Column) -> str:
    if column.kind is Kind.NUMBER:
        if not column.is_plain_number:
            return f"a number such as {column.written('1234.5').replace('1', f'1{column.grouping}', 1)!r}"
        return "a number" if column.decimal == "." else f"a number with the decimal mark {column.decimal!r}"
    return f"a time written as {column.time_format or 'ISO 8601 (2026-01-31T12:00:00Z)'}"

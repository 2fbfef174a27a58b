"""Find how numbers are written: their decimal mark, a column's unit and thousands separators.

A unit is the sign or code of a currency before the number, or a sign or word after it, the same in the whole column;
a blank stands between the number and a unit with digits, such as ``m3/h`` or ``1/min``. Thousands separators are
taken for what they are where nothing else is possible: ``1,234`` alone might have a decimal comma, unless the caller
named the decimal mark; ``1,234.50``, ``1,234,567`` and ``12,34,567``, as India writes it, cannot. So is a comma for the
decimal mark: where some column cannot be read as numbers in another way, and none speaks for a point.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandetect.column import Column, Kind
from gandetect.readers.values import BLANKS, MISSING, bare_sign, grouped_digits, parse_column, with_blanks

_MIN_NUMBERS = 20
"""From how many different numbers on a word that all of them share is a unit, and not a part of a category's name.

Where the caller says that a column holds numbers, one is enough. Whole numbers with leading zeros are codes.
"""

_FEWEST_SMALL = 3
"""So many different numbers below a thousand, at least, stand beside those that may have it separated."""

# Powers such as m3, min-1 and s^-2, one after the other or with a mark between them, as in 1/min and l/100km.
_POWER = r"°?[^\W\d_]{1,8}(?:\^?-?[0-9])?"
_UNIT_WITH_DIGITS = rf"(?:1/)?{_POWER}(?:(?:/[0-9]{{0,3}}|[*·]|(?<=[0-9])){_POWER}){{0,3}}"

_WRITTEN = re.compile(
    r"[+-]?(?P<prefix>(?:[A-Z]{1,2})?\$ ?|[€£¥₹] ?|Rs\.? ?|[A-Z]{3} )?"
    r"[+-]?(?P<digits>[0-9](?:[0-9.,'\u2019 ]*[0-9])?)"
    r"(?P<suffix> ?(?:[$€£¥₹%‰°]|°?[^\W\d_]{1,8}(?:/[^\W\d_]{1,8})?)| UNIT)?".replace("UNIT", _UNIT_WITH_DIGITS)
)


class NumberForm(NamedTuple):
    """What stands between the thousands of numbers, before them and after them, as `gandetect.column.Column` has it."""

    grouping: str = ""
    prefix: str = ""
    suffix: str = ""


PLAIN = NumberForm()
"""Numbers with nothing but a decimal mark."""


def find_decimal(columns: Mapping[str, NDArray[np.object_]]) -> str:
    """Find the decimal mark of a table, ``"."`` or ``","``, from the text of its columns by name.

    It is a comma where some column is one of numbers with a comma only, and none is one with a point only. A column of
    lists, such as ``1,3``, looks the same; in a table with commas between its fields a comma says nothing.
    """
    needed = {mark: any(_need(texts, mark) for texts in columns.values()) for mark in ".,"}
    return "," if needed[","] and not needed["."] else "."


def _need(texts: NDArray[np.object_], mark: str) -> bool:
    """Tell whether texts can be read as numbers with this decimal mark only."""
    words = np.array(list({text.strip(BLANKS) for text in texts} - MISSING), dtype=object)
    other = "," if mark == "." else "."
    speaks = any(mark in word for word in words) and not are_pairs(words)
    return speaks and _are_numbers(words, mark) and not _are_numbers(words, other)


def may_group(texts: Iterable[str], decimal: str) -> bool:
    """Tell whether the decimal mark of numbers may separate thousands instead, as in 1.234 beside 987.

    Of decimals some would have fewer or more than three digits, or a zero before them.
    """
    words = {text.strip(BLANKS) for text in texts} - MISSING
    n_grouped = sum(decimal in word for word in words)
    form = re.compile(rf"[^0-9.,]*(?:0|[1-9][0-9]{{0,2}}(?:{re.escape(decimal)}[0-9]{{3}})?)[^0-9.,]*")
    return n_grouped >= _MIN_NUMBERS and len(words) - n_grouped >= _FEWEST_SMALL and all(map(form.fullmatch, words))


def are_pairs(words: Iterable[str]) -> bool:
    """Tell whether all words are in brackets with no mark but commas, as pairs such as ``(640,480)`` are."""
    return all(word.startswith("(") and "," in word and "." not in word for word in words)


def _are_numbers(words: NDArray[np.object_], decimal: str) -> bool:
    column = replace(Column("", Kind.NUMBER, decimal=decimal), **find_form(words, decimal)._asdict())
    return not parse_column(words, column)[1].any()


def find_form(
    words: Iterable[str],
    decimal: str,
    *,
    is_certain: bool = False,
    are_numbers: bool = False,
    fewest: int = _MIN_NUMBERS,
) -> NumberForm:
    """Find the form that most words share.

    Parameters
    ----------
    words : iterable of str
        The different values of a column, without blanks around them.
    decimal : {".", ","}
        The decimal mark of numbers.
    is_certain : bool
        Whether the caller named that mark, so that the other one can only separate thousands.
    are_numbers : bool
        Whether the caller said that these are numbers, so that a few different ones with a unit are enough.
    fewest : int
        So many different ones with the same unit are numbers otherwise.

    Returns
    -------
    NumberForm
        `PLAIN` where the words have no other form in common.
    """
    written = [match for word in words if (match := _WRITTEN.fullmatch(bare_sign(with_blanks(word))))]
    units = Counter(_unit(match) for match in written)
    if not units:
        return PLAIN
    unit, n_words = units.most_common(1)[0]
    alike = [match for match in written if _unit(match) == unit]
    digits = [match["digits"] for match in alike]
    if any(unit) and not are_numbers and (n_words < fewest or _are_codes(digits)):
        return PLAIN
    prefix, suffix = (alike[0][part] or "" for part in ("prefix", "suffix"))
    return NumberForm(_grouping(digits, decimal, is_certain), prefix, suffix)


def _are_codes(numbers: list[str]) -> bool:
    """Tell whether all numbers are whole, and some have leading zeros."""
    return all(map(str.isdigit, numbers)) and any(number[0] == "0" and len(number) > 1 for number in numbers)


def _unit(written: re.Match[str]) -> tuple[str, str]:
    prefix, suffix = ((written[part] or "").strip() for part in ("prefix", "suffix"))
    return prefix, suffix


def _grouping(numbers: list[str], decimal: str, is_certain: bool) -> str:
    """Return what stands between thousands; empty where nothing does, or where it may be something else."""
    marks = {mark for number in numbers for mark in number if not mark.isdigit()} - {decimal}
    if len(marks) != 1:
        return ""
    mark = marks.pop()
    grouped = [number for number in numbers if mark in number]
    form = re.compile(rf"{grouped_digits(re.escape(mark))}(?:{re.escape(decimal)}[0-9]+)?")
    if not all(map(form.fullmatch, grouped)):
        return ""
    has_decimals = any(decimal in number for number in grouped)
    # Codes are grouped by threes, too, but from the first digit on.
    grows = any(len(number.split(mark)[0]) < 3 for number in grouped)
    may_be_decimal = not is_certain and mark in ".," and all(number.count(mark) == 1 for number in grouped)
    return mark if has_decimals or (grows and not may_be_decimal) else ""

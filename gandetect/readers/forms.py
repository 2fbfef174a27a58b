"""Find how the numbers of a column are written beside their decimal mark: with a unit, with thousands separators.

A unit is the sign or code of a currency before the number, or a sign or word after it, the same in the whole column.
Thousands separators are taken for what they are where nothing else is possible: ``1,234`` alone might have a decimal
comma, ``1,234.50`` and ``1,234,567`` cannot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from gandetect.readers.values import with_blanks

_MIN_NUMBERS = 20
"""From how many different numbers on a word that all of them share is a unit, and not a part of a category's name."""

_WRITTEN = re.compile(
    r"[+-]?(?P<prefix>[$€£¥₹] ?|[A-Z]{3} )?"
    r"[+-]?(?P<digits>[0-9](?:[0-9.,'\u2019 ]*[0-9])?)"
    r"(?P<suffix> ?(?:[$€£¥₹%‰°]|°?[^\W\d_]{1,8}(?:/[^\W\d_]{1,8})?))?"
)


class Form(NamedTuple):
    """What stands between the thousands of numbers, before them and after them, as `gandetect.schema.Column` has it."""

    grouping: str = ""
    prefix: str = ""
    suffix: str = ""


PLAIN = Form()
"""Numbers with nothing but a decimal mark."""


def find_form(words: Iterable[str], decimal: str) -> Form:
    """Find the form that most words share.

    Parameters
    ----------
    words : iterable of str
        The different values of a column, without blanks around them.
    decimal : {".", ","}
        The decimal mark of numbers.

    Returns
    -------
    Form
        `PLAIN` where the words have no other form in common.
    """
    written = [match for word in words if (match := _WRITTEN.fullmatch(with_blanks(word)))]
    units = Counter(_unit(match) for match in written)
    if not units:
        return PLAIN
    unit, n_words = units.most_common(1)[0]
    if any(unit) and n_words < _MIN_NUMBERS:
        return PLAIN
    alike = [match for match in written if _unit(match) == unit]
    prefix, suffix = (alike[0][part] or "" for part in ("prefix", "suffix"))
    return Form(_grouping([match["digits"] for match in alike], decimal), prefix, suffix)


def _unit(written: re.Match[str]) -> tuple[str, str]:
    prefix, suffix = ((written[part] or "").strip() for part in ("prefix", "suffix"))
    return prefix, suffix


def _grouping(numbers: list[str], decimal: str) -> str:
    """Return what stands between thousands; empty where nothing does, or where it may be something else."""
    marks = {mark for number in numbers for mark in number if not mark.isdigit()} - {decimal}
    if len(marks) != 1:
        return ""
    mark = marks.pop()
    grouped = [number for number in numbers if mark in number]
    form = re.compile(rf"(?P<first>[0-9]{{1,3}})(?:{re.escape(mark)}[0-9]{{3}})+(?:{re.escape(decimal)}[0-9]+)?")
    matches = [form.fullmatch(number) for number in grouped]
    if not all(matches):
        return ""
    has_decimals = any(decimal in number for number in grouped)
    # Codes are grouped by threes, too, but from the first digit on.
    grows = any(len(match["first"]) < 3 for match in matches if match)
    may_be_decimal = mark in ".," and all(number.count(mark) == 1 for number in grouped)
    return mark if has_decimals or (grows and not may_be_decimal) else ""

"""Columns of text with several numbers in every field, or numbers in several units: none can be read as a number."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from gandetect.readers.column_values import MIN_DIFFERENT, ColumnValues


class Compound(NamedTuple):
    """What the fields of a column may be, and what to do about it, in words."""

    what: str
    remedy: str


_NUMBER = "[+-]?[0-9]+(?:[.,][0-9]+)?"
_TIME_UNIT = "(?:d|days?|h|hrs?|hours?|std|m|mins?|minutes?|s|secs?|seconds?|sek|ms)"
_MINUTE_MARK, _SECOND_MARK = "['\u2032\u2019]", "(?:\"|\u2033|\u201d|'')"
_FORMS = {
    Compound("durations", "write them as numbers in one unit, such as minutes"): re.compile(
        rf"(?:{_NUMBER} ?{_TIME_UNIT}\.?[ ,]*)+|P(?:{_NUMBER}[YMWD])*(?:T(?:{_NUMBER}[HMS])+)?", re.IGNORECASE
    ),
    Compound("degrees, minutes and seconds", "write them as numbers of degrees"): re.compile(
        rf"[NSEWO]? ?{_NUMBER} ?° ?(?:{_NUMBER} ?{_MINUTE_MARK} ?(?:{_NUMBER} ?{_SECOND_MARK})? ?)?[NSEWO]?"
    ),
    Compound("several numbers in one field", "put each into a column of its own"): re.compile(
        rf"(?!0[0-9]){_NUMBER}(?:(?: ?[/x\u00d7;|] ?|, ){_NUMBER})+(?: ?[^\W\d_]{{1,8}})?"  # 030/1234 is a telephone's
    ),
}
_MEASURE = re.compile(rf"(?P<prefix>[$€£¥₹] ?|[A-Z]{{3}} )?{_NUMBER} ?(?P<suffix>[^\W\d_]{{1,4}})?")
_UNITS = Compound("numbers in several units or currencies", "write them in one")

_FEWEST_OF_A_UNIT = 3
"""So many different numbers, at least, are in each unit; fewer may be codes, such as house numbers."""


def find_compound(values: ColumnValues) -> Compound | None:
    """Return what the values of a column may be; None for fewer than 20 different ones, which may be levels."""
    if len(values.counts) < MIN_DIFFERENT:
        return None
    for compound, form in _FORMS.items():
        if all(map(form.fullmatch, values.counts)):
            return compound
    return _UNITS if _have_several_units(values) else None


def _have_several_units(values: ColumnValues) -> bool:
    if not all(map(_MEASURE.fullmatch, values.counts)):
        return False
    units = Counter(match.group("prefix", "suffix") for word in values.counts if (match := _MEASURE.fullmatch(word)))
    has_decimals = any("." in word or "," in word for word in values.counts)
    return has_decimals and len(units) > 1 and min(units.values()) >= _FEWEST_OF_A_UNIT

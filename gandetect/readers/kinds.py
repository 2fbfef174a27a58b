"""Find what a column of a training table is, from its text; `gandetect.readers.schemas` asks for every column.

The first rule that holds decides. "Values" are the fields that do not stand for a missing value
(`gandetect.readers.values.MISSING`), without blanks around them.

===========  ========================================================================================================
kind         rule
===========  ========================================================================================================
(forced)     the caller named the kind
empty        there is no value
yes/no       all values are from one pair of words: true/false, t/f, yes/no, y/n, on/off, in any case
time         all values are whole numbers that are dates, or dates and times, of 1900 to 2099: 20261127, 20261127072400
id           whole numbers, all different, no leading zeros, perhaps with the same letters around them, and one of:
             20 or more that grow by one from row to row; 20 or more and the name has a word such as id, key or index,
             or is one that data frames give to their index; 20 or more and some beyond 2**53; such a name of an index
             and they grow by one
number       all values are numbers, none a whole number with leading zeros (such a column holds codes, unless others
             of its numbers have decimals), and of the different ones fewer than half are limits (``<18`` and ``>65``
             alone are groups); or 20 or more different numbers with the same unit ($, %, kg, ...), or numbers with
             thousands separators (`gandetect.readers.number_forms`)
time         all values are ISO 8601 dates or times, or all are written in one of the formats of
             `gandetect.readers.time_forms`, or each in some of these
id           20 or more values, all different, each a single word
text         20 or more values, more than half of them different
category     all others
===========  ========================================================================================================

Refused, because a silent choice would be a wrong one: a column of which at least 90 % (and at least 10) of the values
are numbers or ISO 8601 times while the others are not; numbers with another decimal mark, or with what may be one or
a thousands separator where the caller did not name the mark. Left out, because only a person can tell: dates whose
day and month may be swapped or that are written in several formats, 20 or more different ones with a year of two
digits, which may be codes, 20 or more different ones like ``13:45``, which may be times of day or durations, and 20 or
more times that lack more than an hour of a day. A category all the same, but told of: a column of which more than half
of the values are numbers, at least 10 different ones (`texts_among_numbers`); 10 or more different numbers with the
same unit (`few_numbers`); 20 or more different values with several numbers or units (`gandetect.readers.compounds`).
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gandetect.column import YES_NO_PAIRS, Column, Kind
from gandetect.readers.column_values import MIN_DIFFERENT, ColumnValues, Finding
from gandetect.readers.compounds import find_compound
from gandetect.readers.number_forms import PLAIN, NumberForm, are_pairs, find_form
from gandetect.readers.time_forms import (
    clock_hint,
    find_mixed_times,
    find_short_dates,
    format_without_marks,
    mostly_times_hint,
    time_formats,
    time_in,
    without_short_log,
)
from gandetect.readers.values import (
    is_limit,
    parse_column,
    parse_number,
    parse_numbers,
    parse_times,
    shown,
)

_MIN_NUMBERS, _MIN_SHARE = 10, 0.9
_LARGEST_EXACT = 2.0**53

_N_TOLD_FROM = 100
"""Values that tell apart what is written in a form from what is not, before all are read."""

_ID_WORDS = frozenset({"id", "nr", "no", "number", "key", "index", "uuid", "guid", "serial", "row", "record"})
_INDEX_NAME = re.compile(r"Unnamed: [0-9]+(\.[0-9]+)?|__index_level_[0-9]+__")
_WORD_BORDER = re.compile(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]+")


def find_kind(values: ColumnValues, on_error: str) -> Finding:
    """Go through the rules of the module's table.

    With `on_error` "fail" a column of numbers, or of times, with a few other texts is refused; else it is one.
    """
    if not values.words:
        return Finding(Kind.EMPTY, "every value is missing")
    if any({word.lower() for word in values.counts}.issubset(pair) for pair in YES_NO_PAIRS):
        return Finding(Kind.YES_NO)
    if _are_codes(values) or _are_limits(values):
        return _find_words(values)
    if form := format_without_marks(values):
        return without_short_log(values, time_in(values, (form,)))
    numbers, not_numbers = parse_numbers(values.different, values.decimal)
    if not not_numbers.any():
        return _find_numbers(values, numbers)
    formats = time_formats(values)
    finding = (
        (time_in(values, formats) if formats else None)
        or _find_written_numbers(values, on_error)
        or _nearly_all(values, Kind.TIME, parse_times(values.different)[1], on_error)
        or find_mixed_times(values)
        or find_short_dates(values)
        or _find_words(values)
    )
    return without_short_log(values, finding) if finding.kind is Kind.TIME else finding


def _are_codes(values: ColumnValues) -> bool:
    """Tell whether some value is a whole number with leading zeros, and no number has decimals."""
    return any(_LEADING_ZERO.fullmatch(word) for word in values.counts) and all(
        _WHOLE_NUMBER.fullmatch(word) or parse_number(word, values.decimal) is None for word in values.counts
    )


def _are_limits(values: ColumnValues) -> bool:
    """Tell whether half of the different values or more are limits, such as those of groups: <18 and >65."""
    return 2 * sum(map(is_limit, values.counts)) >= len(values.counts)


def _find_numbers(values: ColumnValues, numbers: NDArray[np.float64]) -> Finding:
    if not all(_WHOLE_NUMBER.fullmatch(word) for word in values.words):
        return Finding(Kind.NUMBER)
    return _find_id(values, numbers) or Finding(Kind.NUMBER)


def _find_id(values: ColumnValues, numbers: NDArray[np.float64]) -> Finding | None:
    """Find whole numbers, all different, that are no measurements."""
    if not values.all_different:
        return None
    with np.errstate(invalid="ignore"):  # the difference of two infinities, from numbers of more than 308 digits
        consecutive = len(numbers) > 1 and bool(np.all(np.diff(numbers) == np.diff(values.rows)))
    enough = len(numbers) >= MIN_DIFFERENT
    is_index = _INDEX_NAME.fullmatch(values.name) is not None
    if consecutive and (enough or is_index):
        return Finding(Kind.ID, "it counts the rows: an id")
    named = is_index or not _ID_WORDS.isdisjoint(_WORD_BORDER.sub(" ", values.name).lower().split())
    if enough and (named or np.abs(numbers).max() > _LARGEST_EXACT):
        return Finding(Kind.ID, "every value is different: an id")
    return None


def _find_written_numbers(values: ColumnValues, on_error: str) -> Finding | None:
    """Find numbers with a unit, thousands separators or another decimal mark, perhaps with a few other texts."""
    odd = values.no_numbers
    if not odd.any():
        numbers = np.asarray(parse_column(values.different, values.as_numbers)[0], dtype=np.float64)
        are_whole = (numbers == np.floor(numbers)).all()
        return (_find_id(values, numbers) if are_whole else None) or Finding(Kind.NUMBER, form=values.form)
    return _other_marks(values, values.as_numbers, odd) or _nearly_all(values, Kind.NUMBER, odd, on_error, values.form)


def _other_marks(values: ColumnValues, column: Column, odd: NDArray[np.bool_]) -> Finding | None:
    """Refuse numbers with another decimal mark, or with what may be that or a thousands separator."""
    other = "," if column.decimal == "." else "."
    words = values.different[odd]
    if are_pairs(words):
        return None
    # Groups beside decimals are another decimal mark; alone they may be anything, such as addresses.
    grouping = column.decimal if any(other in word for word in words) else ""
    for some in (words[:_N_TOLD_FROM], words):  # a million texts are told soon
        grouped = ~parse_column(some, replace(column, grouping=other))[1]
        decimals = ~parse_column(some, replace(column, grouping=grouping, decimal=other))[1]
        if not (grouped | decimals).all():
            return None
    culprit = words[0] if grouped.all() else words[~grouped][0]
    found = f"{shown(culprit)}, perhaps with thousands separators" if grouped.all() else shown(culprit)
    if not grouped.all():
        remedy = f"pass --decimal {other!r} or"
    elif find_form(values.different, column.decimal, is_certain=True) != values.form:
        remedy = f"pass --decimal {column.decimal!r} if so, else --decimal {other!r} or"
    else:
        remedy = "write numbers without separators, or pass"
    problem = (
        f"expected numbers with the decimal mark {column.decimal!r} in column {column.name!r}, found {found}; "
        f"{remedy} --kind '{column.name}=category'."
    )
    return Finding(Kind.NUMBER, problem=problem, culprit=culprit)


def _nearly_all(
    values: ColumnValues, kind: Kind, odd: NDArray[np.bool_], on_error: str, form: NumberForm = PLAIN
) -> Finding | None:
    """Refuse a few other texts among numbers or times, unless the caller said what to do about them."""
    n_values, n_good = len(values.words), values.count(~odd)
    if n_good < max(_MIN_NUMBERS, _MIN_SHARE * n_values):
        return None
    if on_error != "fail":
        return Finding(kind, form=form)
    culprit = values.different[odd][0]
    problem = (
        f"expected a {kind} in column {values.name!r}, as {n_good} of its {n_values} values are, found "
        f"{shown(culprit)}; mend the field, or pass --on-error skip, --on-error missing or "
        f"--kind '{values.name}=category'."
    )
    return Finding(kind, problem=problem, culprit=culprit)


def _find_words(values: ColumnValues) -> Finding:
    n_values, n_different = len(values.words), len(values.counts)
    if n_values >= MIN_DIFFERENT and values.all_different and all(len(word.split()) == 1 for word in values.words):
        return Finding(Kind.ID, f"every value is different: an id{_hint(values)}")
    if n_values >= MIN_DIFFERENT and n_different > n_values / 2:
        return Finding(Kind.TEXT, f"more than half of its values are different: free text{_hint(values)}")
    if n_different >= MIN_DIFFERENT and (hint := clock_hint(values)):
        return Finding(Kind.TIME, f"they may be times of day or durations{hint}")
    return Finding(Kind.CATEGORY)


def _hint(values: ColumnValues) -> str:
    """Say how a column that looks like an id or free text may be read after all."""
    if compound := find_compound(values):
        return f"; to learn from what may be {compound.what} {compound.remedy}"
    if _are_mostly_numbers(values):
        n_values, n_numbers = len(values.words), values.count(~values.no_numbers)
        kind = f"--kind '{values.name}=number' and --on-error missing"
        return f"; {n_numbers} of its {n_values} values are numbers: to learn from them pass {kind}"
    return mostly_times_hint(values) or clock_hint(values)


def few_numbers(values: ColumnValues) -> bool:
    """Tell whether the values are numbers with a unit, of which there are too few different ones to take them so."""
    if len(values.counts) >= MIN_DIFFERENT:
        return False
    form = find_form(values.different, values.decimal, is_certain=values.is_certain, fewest=_MIN_NUMBERS)
    column = replace(Column(values.name, Kind.NUMBER, decimal=values.decimal), **form._asdict())
    return form != values.form and not parse_column(values.different, column)[1].any()


def texts_among_numbers(values: ColumnValues) -> NDArray[np.object_]:
    """Return the different texts that are no numbers, in a column of numbers for the most part; of others nothing.

    Fewer than 10 different numbers may as well be levels, such as the marks of a school.
    """
    odd = values.no_numbers
    is_mixed = _are_mostly_numbers(values) and int((~odd).sum()) >= _MIN_NUMBERS
    return values.different[odd] if is_mixed else values.different[:0]


def _are_mostly_numbers(values: ColumnValues) -> bool:
    return 2 * values.count(values.no_numbers) < len(values.words) and not _are_codes(values)

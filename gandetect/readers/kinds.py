"""Find what the columns of a training table are, from their text.

The first rule that holds decides. "Values" are the fields that do not stand for a missing value
(`gandetect.readers.values.MISSING`), without blanks around them.

===========  ========================================================================================================
kind         rule
===========  ========================================================================================================
(forced)     the caller named the kind
empty        there is no value
yes/no       all values are from one pair of words: true/false, t/f, yes/no, y/n, on/off, in any case
id           whole numbers, all different, no leading zeros, and one of: 20 or more that grow by one from line to line;
             20 or more and the name has a word such as id, key or index; 20 or more and some beyond 2**53; the
             name is one that data frames give to their index and they grow by one
number       all values are numbers, none a whole number with leading zeros (such a column holds codes, unless others
             of its numbers have decimals); or 20 or more different numbers with the same unit ($, %, kg, ...), or
             numbers with thousands separators (`gandetect.readers.number_forms`)
time         all values are ISO 8601 dates or times, or all are written in one of `TIME_FORMATS`
id           20 or more values, all different, each a single word
text         20 or more values, more than half of them different
category     all others
===========  ========================================================================================================

Refused, because a silent choice would be a wrong one: a column of which at least 90 % (and at least 10) of the values
are numbers or ISO 8601 times while the others are not; numbers with another decimal mark, or with what may be one or
a thousands separator. Left out, because only a person can tell: dates whose day and month may be swapped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError, quoted
from gandetect.readers.number_forms import PLAIN, NumberForm, find_form
from gandetect.readers.values import (
    BLANKS,
    ON_ERROR,
    YES_NO_PAIRS,
    is_missing,
    parse_column,
    parse_number,
    parse_numbers,
    parse_times,
    shown,
)
from gandetect.schema import LEARNABLE, Column, Kind, Role, Schema

_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d")
_DATES_IN_WORDS = ("%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
TIME_FORMATS = (
    *(
        f"{date}{clock}"
        for date in (*_DATES, *_DATES_IN_WORDS)
        for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
    ),
    "%d/%b/%Y:%H:%M:%S %z",  # of web servers
)
"""``datetime.strptime`` formats that are tried after ISO 8601."""

MIN_DIFFERENT = 20
"""From how many values on a column of (mostly) different ones is an id or free text."""

_FORCED_KINDS = ("number", "yes/no", "category", "time", "time:FORMAT", "id", "text")
_MIN_NUMBERS, _MIN_SHARE = 10, 0.9
_LARGEST_EXACT = 2.0**53

_ID_WORDS = frozenset({"id", "nr", "no", "number", "key", "index", "uuid", "guid", "serial", "row", "record"})
_INDEX_NAME = re.compile(r"Unnamed: [0-9]+(\.[0-9]+)?|__index_level_[0-9]+__")
_WORD_BORDER = re.compile(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]+")


@dataclass(frozen=True)
class _Finding:
    """What a column is.

    `reason` says why it cannot be learned from, `problem` why it cannot be used, `culprit` which value shows that;
    `form` holds what `find_form` found.
    """

    kind: Kind
    reason: str = ""
    time_format: str = ""
    problem: str = ""
    culprit: str = ""
    form: NumberForm = PLAIN


class _Values:
    """The values of a column: all in file order, and the different ones with how often each occurs."""

    def __init__(self, name: str, texts: NDArray[np.object_], decimal: str) -> None:
        self.name = name
        self.decimal = decimal
        self.words = [text.strip(BLANKS) for text in texts[~is_missing(texts)]]
        self.counts = Counter(self.words)
        self.different = np.array(list(self.counts), dtype=object)

    @property
    def all_different(self) -> bool:
        return len(self.counts) == len(self.words)

    def count(self, chosen: NDArray[np.bool_]) -> int:
        """Count the values whose different one is chosen."""
        return sum(self.counts[word] for word in self.different[chosen])


def find_schema(
    columns: Mapping[str, NDArray[np.object_]],
    lines: Sequence[int],
    *,
    kinds: Mapping[str, str] | None = None,
    drop: Collection[str] = (),
    only: Collection[str] | None = None,
    label: str | None = None,
    given: Collection[str] = (),
    decimal: str = ".",
    on_error: str = "fail",
    name: str = "data",
) -> Schema:
    """Find the kind and role of every column.

    Parameters
    ----------
    columns : mapping of str to ndarray of str objects, of shape (n_rows,)
        The training table's text.
    lines : sequence of int, of length n_rows
        The line of each row, for messages.
    kinds : mapping of str to str, optional
        Kinds by column name that overrule what is found: "number", "yes/no", "category", "time", "time:FORMAT" with
        a ``strptime`` format, "id" or "text".
    drop : collection of str
        Columns to leave out.
    only : collection of str, optional
        The columns to learn from; all others are left out.
    label : str, optional
        The column that says which rows are anomalies; never a feature.
    given : collection of str
        The columns that are not judged, but given: rows are judged among those that are alike there.
    decimal : {".", ","}
        The decimal mark of numbers.
    on_error : {"fail", "skip", "missing"}
        With "fail" a column of numbers, or of times, with a few other texts is refused; else it is taken as numbers
        or times.
    name : str
        What messages call the data.

    Returns
    -------
    Schema
        All columns in their order, those that cannot be learned from with the reason.

    Raises
    ------
    InputError
        If an argument names an unknown column or kind, a column is one of those that the table above refuses, or no
        column to learn from is left.
    """
    kinds = kinds or {}
    if decimal not in (".", ","):
        raise InputError(f"{name}: expected the decimal mark '.' or ',', found {decimal!r}; pass one of them.")
    if on_error not in ON_ERROR:
        raise InputError(f"Expected on_error to be one of {quoted(ON_ERROR)}, found {on_error!r}.")
    _require_known([*kinds, *drop, *(only or ()), *given, *([] if label is None else [label])], columns, name)
    unwanted = _unwanted(columns, drop, only if only is None else [*only, *given])
    found = []
    for key, texts in columns.items():
        values = _Values(key, texts, decimal)
        finding = _find(values, on_error) if key not in kinds else _forced(values, kinds[key], name)
        role, reason = _role(key, finding, label, unwanted)
        if finding.problem and role is Role.FEATURE:
            line = next(line for line, text in zip(lines, texts, strict=True) if text.strip(BLANKS) == finding.culprit)
            raise InputError(f"{name}, line {line}: {finding.problem}")
        mark = decimal if finding.kind is Kind.NUMBER else "."
        found.append(Column(key, finding.kind, role, reason, finding.time_format, mark, *finding.form))
    schema = Schema(tuple(found)).with_given(given)
    _require_feature(schema, name)
    return schema


def _require_known(asked: Iterable[str], columns: Collection[str], name: str) -> None:
    unknown = [column for column in dict.fromkeys(asked) if column not in columns]
    if unknown:
        raise InputError(
            f"{name}: expected names of its columns {quoted(columns)}, found {quoted(unknown)}; mend the name."
        )


def _require_feature(schema: Schema, name: str) -> None:
    if not schema.features:
        reasons = ", ".join(f"{c.name!r}: {c.reason or c.role}" for c in schema.columns[:8])
        raise InputError(
            f"{name}: expected at least one column to learn from, found none ({reasons}); "
            "choose a column's kind with --kind COLUMN=category, or keep more columns."
        )


def _unwanted(columns: Collection[str], drop: Collection[str], only: Collection[str] | None) -> dict[str, str]:
    """Return the columns that the caller does not want, with the reason."""
    others = {} if only is None else {key: "not among the columns asked for" for key in columns if key not in only}
    return others | dict.fromkeys(drop, "dropped on request")


def _role(key: str, finding: _Finding, label: str | None, unwanted: Mapping[str, str]) -> tuple[Role, str]:
    if key == label:
        return Role.LABEL, ""
    reason = unwanted.get(key, finding.reason)
    return (Role.LEFT_OUT, reason) if reason else (Role.FEATURE, "")


def _find(values: _Values, on_error: str) -> _Finding:
    """Go through the rules of the module's table."""
    if not values.words:
        return _Finding(Kind.EMPTY, "every value is missing")
    if any({word.lower() for word in values.counts}.issubset(pair) for pair in YES_NO_PAIRS):
        return _Finding(Kind.YES_NO)
    if _are_codes(values):
        return _find_words(values)
    numbers, not_numbers = parse_numbers(values.different, values.decimal)
    if not not_numbers.any():
        return _find_numbers(values, numbers)
    return (
        _find_times(values)
        or _find_written_numbers(values, on_error)
        or _nearly_all(values, Kind.TIME, parse_times(values.different)[1], on_error)
        or _find_words(values)
    )


def _are_codes(values: _Values) -> bool:
    """Tell whether some value is a whole number with leading zeros, and no number has decimals."""
    return any(_LEADING_ZERO.fullmatch(word) for word in values.counts) and all(
        _WHOLE_NUMBER.fullmatch(word) or parse_number(word, values.decimal) is None for word in values.counts
    )


def _find_numbers(values: _Values, numbers: NDArray[np.float64]) -> _Finding:
    if not values.all_different or not all(_WHOLE_NUMBER.fullmatch(word) for word in values.words):
        return _Finding(Kind.NUMBER)
    with np.errstate(invalid="ignore"):  # the difference of two infinities, from numbers of more than 308 digits
        consecutive = len(numbers) > 1 and bool(np.all(np.diff(numbers) == 1))
    enough = len(numbers) >= MIN_DIFFERENT
    if consecutive and (enough or _INDEX_NAME.fullmatch(values.name)):
        return _Finding(Kind.ID, "it counts the rows: an id")
    named = not _ID_WORDS.isdisjoint(_WORD_BORDER.sub(" ", values.name).lower().split())
    if enough and (named or np.abs(numbers).max() > _LARGEST_EXACT):
        return _Finding(Kind.ID, "every value is different: an id")
    return _Finding(Kind.NUMBER)


def _find_times(values: _Values) -> _Finding | None:
    formats = ("", *TIME_FORMATS)
    for sample in (values.different[:1], values.different):
        formats = tuple(form for form in formats if not parse_times(sample, form)[1].any())
    return _time(values, formats) if formats else None


def _time(values: _Values, formats: Sequence[str]) -> _Finding:
    """Return the time kind for the formats that read the values equally well."""
    if len(formats) == 1:
        return _Finding(Kind.TIME, time_format=formats[0])
    choice = " or ".join(f"--kind '{values.name}=time:{form}'" for form in formats)
    return _Finding(Kind.TIME, f"day and month cannot be told apart: pass {choice}")


def _find_written_numbers(values: _Values, on_error: str) -> _Finding | None:
    """Find numbers with a unit, thousands separators or another decimal mark, perhaps with a few other texts."""
    form = find_form(values.different, values.decimal)
    column = replace(Column(values.name, Kind.NUMBER, decimal=values.decimal), **form._asdict())
    odd = parse_column(values.different, column)[1]
    if not odd.any():
        return _Finding(Kind.NUMBER, form=form)
    return _other_marks(values, column, odd) or _nearly_all(values, Kind.NUMBER, odd, on_error, form)


def _other_marks(values: _Values, column: Column, odd: NDArray[np.bool_]) -> _Finding | None:
    """Refuse numbers with another decimal mark, or with what may be that or a thousands separator."""
    other = "," if column.decimal == "." else "."
    words = values.different[odd]
    grouped = ~parse_column(words, replace(column, grouping=other))[1]
    # Groups beside decimals are another decimal mark; alone they may be anything, such as addresses.
    grouping = column.decimal if any(other in word for word in words) else ""
    decimals = ~parse_column(words, replace(column, grouping=grouping, decimal=other))[1]
    if not (grouped | decimals).all():
        return None
    culprit = words[0] if grouped.all() else words[~grouped][0]
    found = f"{shown(culprit)}, perhaps with thousands separators" if grouped.all() else shown(culprit)
    remedy = "write numbers without separators, or pass" if grouped.all() else f"pass --decimal {other!r} or"
    problem = (
        f"expected numbers with the decimal mark {column.decimal!r} in column {column.name!r}, found {found}; "
        f"{remedy} --kind '{column.name}=category'."
    )
    return _Finding(Kind.NUMBER, problem=problem, culprit=culprit)


def _nearly_all(
    values: _Values, kind: Kind, odd: NDArray[np.bool_], on_error: str, form: NumberForm = PLAIN
) -> _Finding | None:
    """Refuse a few other texts among numbers or times, unless the caller said what to do about them."""
    n_values, n_good = len(values.words), values.count(~odd)
    if n_good < max(_MIN_NUMBERS, _MIN_SHARE * n_values):
        return None
    if on_error != "fail":
        return _Finding(kind, form=form)
    culprit = values.different[odd][0]
    problem = (
        f"expected a {kind} in column {values.name!r}, as {n_good} of its {n_values} values are, found "
        f"{shown(culprit)}; mend the field, or pass --on-error skip, --on-error missing or "
        f"--kind '{values.name}=category'."
    )
    return _Finding(kind, problem=problem, culprit=culprit)


def _find_words(values: _Values) -> _Finding:
    n_values, n_different = len(values.words), len(values.counts)
    if n_values >= MIN_DIFFERENT and values.all_different and all(len(word.split()) == 1 for word in values.words):
        return _Finding(Kind.ID, f"every value is different: an id{_hint(values)}")
    if n_values >= MIN_DIFFERENT and n_different > n_values / 2:
        return _Finding(Kind.TEXT, f"more than half of its values are different: free text{_hint(values)}")
    return _Finding(Kind.CATEGORY)


def _hint(values: _Values) -> str:
    """Say how a column that looks like an id or free text may be read after all."""
    form = find_form(values.different, values.decimal)
    column = replace(Column(values.name, Kind.NUMBER, decimal=values.decimal), **form._asdict())
    n_values, n_numbers = len(values.words), values.count(~parse_column(values.different, column)[1])
    if n_numbers > n_values / 2:
        kind = f"--kind '{values.name}=number' and --on-error missing"
        return f"; {n_numbers} of its {n_values} values are numbers: to learn from them pass {kind}"
    for clock in ("%H:%M", "%H:%M:%S"):
        if not parse_times(values.different, clock)[1].any():
            kind = f"--kind '{values.name}=time:{clock}'"
            return f"; if these are times of day pass {kind}, durations have to be written as numbers"
    return ""


def _forced(values: _Values, kind: str, name: str) -> _Finding:
    """Return the kind that the caller named."""
    if kind.startswith("time:"):
        return _Finding(Kind.TIME, time_format=_checked_format(kind.removeprefix("time:"), values.name, name))
    if kind not in _FORCED_KINDS:
        raise InputError(
            f"{name}: expected one of the kinds {quoted(_FORCED_KINDS)} for column {values.name!r}, found {kind!r}; "
            "pass one of them."
        )
    if kind == Kind.TIME:
        return _forced_time(values)
    if kind == Kind.NUMBER:
        return _Finding(Kind.NUMBER, form=find_form(values.different, values.decimal))
    return _Finding(Kind(kind), "" if kind in LEARNABLE else f"chosen as {kind}")


def _forced_time(values: _Values) -> _Finding:
    """Take the format that reads most values; the others are problems of their rows."""
    odd = {form: values.count(parse_times(values.different, form)[1]) for form in ("", *TIME_FORMATS)}
    if odd[""] == min(odd.values()):
        return _Finding(Kind.TIME)
    finding = _time(values, [form for form, n_odd in odd.items() if n_odd == min(odd.values())])
    problem = f"expected times in column {values.name!r}, found {values.words[0]!r}; {finding.reason}."
    return replace(finding, reason="", problem=problem, culprit=values.words[0]) if finding.reason else finding


def _checked_format(time_format: str, column: str, name: str) -> str:
    moment = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        read = datetime.strptime(moment.strftime(time_format), time_format) if "%" in time_format else None
    except (ValueError, re.error):
        read = None
    if read is None:
        raise InputError(
            f"{name}: expected a time format such as %d/%m/%Y %H:%M for column {column!r}, found {time_format!r}; "
            "pass one that datetime.strptime knows."
        )
    return time_format

"""In words: what a column holds, what was expected, what is usual, and what speaks against a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gandetect.column import NUMERIC, QUANTILES, YES_NO, Column, Kind

_USUAL = (QUANTILES.index(0.05), QUANTILES.index(0.95))
"""Positions, among the quantiles of a column's summary, of the ends of what is usual."""

ISO = "%Y-%m-%dT%H:%M:%SZ"
"""How a time is written for machines."""

_DAY, _TIME_OF_DAY = "%Y-%m-%d", "%H:%M"
_DATE = f"{_DAY} (%A)"
_MINUTE = f"{_DAY} {_TIME_OF_DAY}"


def reason(column: Column, value: Any, expected: Any) -> str:
    """Say what a value is, what was expected in its place, and what is usual in the column.

    Parameters
    ----------
    column : Column
        Its summary says what is usual.
    value : float or str
        Raw: NaN or '' for missing, a time as seconds since 1970.
    expected : float or array of str of shape (2,)
        An expected number or time; or the likeliest level and, where it is not '', another likely one.
    """
    if column.kind not in NUMERIC:
        if value and value == expected[0]:
            return f"{column.name} {_level(value)}, as expected"
        levels = [_level(level) for level in expected if level]
        found = _level(value) or "missing"
        return f"{column.name} {found}{_unheard_of(column, value)}, expected {' or '.join(levels) or '-'}"
    if column.kind is Kind.TIME:
        return f"{column.name} {_time_reason(column, value, expected)}"
    usual = usual_range(column)
    found, wanted = _number(column, value), _rounded(column, expected)
    said = f"{column.name} {found}, {'as expected' if found == wanted else f'expected about {wanted}'}"
    if usual is None:
        return said
    low, high = (_rounded(column, end) for end in usual)
    if low != high:
        return f"{said}, usual range {low} to {high}"
    return f"{said}, {'always' if _is_constant(column) else 'usually'} {low} before"


def _time_reason(column: Column, value: float, expected: float) -> str:
    """Say what is odd about a time; a time of day is all that is expected, so of a mere date nothing is."""
    if not _holds_dates(column):
        return f"{time_in_words(value, _MINUTE)}, expected about {time_in_words(expected, _TIME_OF_DAY)}"
    if math.isfinite(value) and value % _SECONDS_PER_DAY:
        return f"{time_in_words(value, _MINUTE)}, usually a date without a time of day before"
    return time_in_words(value, _DATE)


def _holds_dates(column: Column) -> bool:
    """Return whether all training times that the summary tells of are at midnight."""
    quantiles = column.summary.get("quantiles") or []
    return bool(quantiles) and not any(quantile % _SECONDS_PER_DAY for quantile in quantiles)


_SECONDS_PER_DAY = 86_400


def is_expected(column: Column, value: Any, expected: Any) -> bool:
    """Return whether a value is a level that is among the likely ones; what numbers and times are is never quite so."""
    return column.kind not in NUMERIC and bool(value) and value in list(expected)


def value_in_words(column: Column, value: Any) -> str:
    """Say what a generator makes or expects in a column.

    Of a time that is the time of day, of a date the day, unless it is 1970-01-01, which stands for any; a number
    has three digits, or what its usual range asks for.
    """
    if column.kind not in NUMERIC:
        return str(value) or "missing"
    if column.kind is not Kind.TIME:
        return _rounded(column, value)
    if not _holds_dates(column):
        return time_in_words(value, _TIME_OF_DAY)
    return "a date" if 0 <= value < _SECONDS_PER_DAY else time_in_words(value, _DATE)


def missing_in_words(column: Column) -> str:
    """Return the share of missing values among a column's training values, as ``4.5 %``; empty where none is known."""
    missing = column.summary.get("missing")
    return f"{100 * missing:.1f} %" if isinstance(missing, int | float) else ""


def training_in_words(column: Column) -> str:
    """Return a column's training values in a few words: the range and the median, or the most frequent levels."""
    quantiles, levels = column.summary.get("quantiles"), column.summary.get("levels")
    if isinstance(quantiles, list) and quantiles:
        low, median, high = (_shown(column, quantiles[i]) for i in (0, len(quantiles) // 2, -1))
        return f"{low} to {high}, median {median}"
    if isinstance(levels, dict):
        frequent = sorted(levels.items(), key=lambda level: -level[1])[:_N_LEVELS]
        named = ", ".join(f"{level} {100 * share:.0f} %" for level, share in frequent)
        known = column.summary.get("known", levels)
        return f"{named}, ... ({len(known)} in all)" if len(known) > _N_LEVELS else named
    return ""


_N_LEVELS = 4
"""Levels that are named of a column."""


def plain(text: str) -> str:
    """Return text that is safe to show: on one line, without control characters or marks that reverse the writing."""
    return "".join(c if c.isprintable() else " " for c in text if c.isprintable() or c.isspace())


def usual_range(column: Column) -> tuple[float, float] | None:
    """Return the central 90 % of a number's training values; None where none were seen."""
    quantiles = column.summary.get("quantiles")
    return (quantiles[_USUAL[0]], quantiles[_USUAL[1]]) if quantiles else None


def _is_constant(column: Column) -> bool:
    """Return whether all of a number's training values were the same."""
    quantiles = column.summary["quantiles"]
    return bool(quantiles[0] == quantiles[-1])


def verdicts(certificate: Mapping[str, Any]) -> list[str]:
    """Say of a model file's certificate what a plain detector finds more of, by more than two points."""
    return [
        f"on this table a plain {name} finds more of kind {kind}: {100 * share:.0f} %, "
        f"this model {100 * found['gandetect']:.0f} %"
        for kind, found in certificate.get("power", {}).items()
        for name, share in found.items()
        if share > found["gandetect"] + _WORTH_SAYING
    ]


_WORTH_SAYING = 0.02
"""Smaller differences between shares are passed over; among 200 anomalies larger ones may be chance, too."""


def overlap_in_words(training: Mapping[str, Any]) -> str | None:
    """Say, if it is so, that many of a model file's training images show in part what others show."""
    share = training.get("overlapping_share", 0.0)
    if share < _OVERLAP_WORTH_SAYING:
        return None
    return (
        f"{100 * share:.0f} % of the pictures show, at least in part, what another one shows, so normal pictures of "
        "other pieces may raise more alarms than announced; learn from pictures of as many different pieces as you can"
    )


def contrast_in_words(training: Mapping[str, Any]) -> str | None:
    """Say, if it is so, that a model file's training images have few levels of brightness."""
    low, high = (training.get(f"usual_{end}") for end in ("lowest", "highest"))
    if low is None or high is None:
        return None
    return (
        f"nearly all pixels of the pictures have values from {low} to {high}, of 0 to 255, so little can be learned; "
        "spread the brightness first, in the same way for all pictures (of 16 bits the high byte counts)"
    )


_OVERLAP_WORTH_SAYING = 0.25
"""Fewer are passed over: p-values rest on the others, and parts of one design overlap now and then by chance."""


def _unheard_of(column: Column, value: str) -> str:
    known = column.summary.get("known", [value])
    word = YES_NO.get(value.lower()) if column.kind is Kind.YES_NO else None
    return " (never seen before)" if value and value not in known and word not in known else ""


def _level(value: str) -> str:
    """Put quotes around a level that has blanks around it, which nobody would see."""
    return value if value == value.strip() else f"'{value}'"


def _number(column: Column, value: float) -> str:
    return column.written(f"{value:.10g}") if math.isfinite(value) else "missing"


def _shown(column: Column, value: float) -> str:
    return time_in_words(value, _DAY) if column.kind is Kind.TIME else _rounded(column, value, 6)


def _rounded(column: Column, value: float, n_digits: int = 3) -> str:
    """Round to three digits, or so many others, and to more by as many as a value has before the usual spread's."""
    low, high = usual_range(column) or (0.0, 0.0)
    spread = high - low
    if value and 0 < spread < math.inf:
        n_digits += max(0, math.ceil(math.log10(abs(value)) - math.log10(spread)))
    return column.written(f"{float(f'{value:.{min(n_digits, 12)}g}'):.12g}")


def time_in_words(seconds: float, form: str = ISO) -> str:
    """Return a time in UTC as text; ``missing`` for NaN, and seconds where no calendar reaches."""
    if not math.isfinite(seconds):
        return "missing"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.10g} s"

"""Find how times are written, and leave out those that only a person can read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gandetect.column import Kind
from gandetect.readers.column_values import MIN_DIFFERENT, ColumnValues, Finding
from gandetect.readers.values import parse_times

_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d")
_DATES_IN_WORDS = ("%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
TIME_FORMATS = (
    *(
        f"{date}{clock}"
        for date in (*_DATES, *_DATES_IN_WORDS)
        for clock in ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
    ),
    "%d-%b-%y",  # of spreadsheets; the month in words tells it from codes, and day from year
    "%d/%b/%Y:%H:%M:%S %z",  # of web servers
    "%a, %d %b %Y %H:%M:%S %z",  # of mails
    "%a %b %d %H:%M:%S %Y",  # of C programs
)
"""``datetime.strptime`` formats that are tried after ISO 8601."""

_WITHOUT_MARKS = {
    "%Y%m%d": re.compile("(19|20)[0-9]{6}"),
    "%Y%m%d%H%M%S": re.compile("(19|20)[0-9]{12}"),
}
"""Formats of dates and times that are whole numbers; `datetime.strptime` alone would read shorter ones, too."""

_SHORT_DATES = ("%d.%m.%y", "%y.%m.%d", "%d/%m/%y", "%m/%d/%y", "%y/%m/%d")
_SHORT_TIMES = tuple(f"{date}{clock}" for date in _SHORT_DATES for clock in ("", " %H:%M", " %H:%M:%S"))
_SHORT_DATE = re.compile(r"([0-9]{2}\.[0-9]{2}\.[0-9]{2}|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2})( .*)?")  # 1.2.10 is a version

_CLOCK = re.compile(r"-?[0-9]+:[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?")

_SHORTEST_LOG = 23 * 3600.0
"""Seconds that a column's times cover at least: those of new rows will be of the other hours, too."""


def format_without_marks(values: ColumnValues) -> str | None:
    """Return the format of dates and times such as 20261127, which are numbers too; None where a value is none."""
    for form, written in _WITHOUT_MARKS.items():
        if all(map(written.fullmatch, values.counts)) and not parse_times(values.different, form)[1].any():
            return form
    return None


def time_formats(values: ColumnValues) -> tuple[str, ...]:
    """Return the formats that read all values; "" is ISO 8601."""
    if form := format_without_marks(values):
        return (form,)
    formats = ("", *TIME_FORMATS)
    for sample in (values.different[:1], values.different):
        formats = tuple(form for form in formats if not parse_times(sample, form)[1].any())
    return formats


def time_in(values: ColumnValues, formats: Sequence[str]) -> Finding:
    """Return the time kind for the formats that read the values equally well."""
    if len(formats) == 1:
        return Finding(Kind.TIME, time_format=formats[0])
    choice = " or ".join(f"--kind '{values.name}=time:{form}'" for form in formats)
    return Finding(Kind.TIME, f"day and month cannot be told apart: pass {choice}")


def find_mixed_times(values: ColumnValues) -> Finding | None:
    """Leave times out that are written in several formats: some may have day and month swapped."""
    formats = ["", *TIME_FORMATS]
    for sample in (values.different[:1], values.different[:100], values.different):  # words are told soon
        n_read: dict[str, int] = {}
        for form in formats:
            odd = parse_times(sample, form)[1]
            n_read[form] = len(odd) - int(odd.sum())
            sample = sample[odd]
        if len(sample):
            return None
        formats.sort(key=n_read.__getitem__, reverse=True)  # few values are left for those that hardly read any
    category = f"--kind '{values.name}=category'"
    reason = f"times in several formats: write all of them in one, such as 2026-01-31, or pass {category}"
    return Finding(Kind.TIME, reason)


def find_short_dates(values: ColumnValues) -> Finding | None:
    """Leave out what may be dates with a year of two digits."""
    if len(values.counts) < MIN_DIFFERENT or not all(map(_SHORT_DATE.fullmatch, values.counts)):
        return None
    formats = [form for form in _SHORT_TIMES if not parse_times(values.different, form)[1].any()]
    if not formats:
        return None
    choice = " or ".join(f"--kind '{values.name}={kind}'" for kind in (*(f"time:{f}" for f in formats), "category"))
    return Finding(Kind.TIME, f"they may be dates with a year of two digits: pass {choice}")


def without_short_log(values: ColumnValues, finding: Finding) -> Finding:
    """Leave times out that are of a part of a day, as those of new rows will not be."""
    times, _ = parse_times(values.different, finding.time_format)
    if finding.reason or len(values.words) < MIN_DIFFERENT or np.nanmax(times) - np.nanmin(times) >= _SHORTEST_LOG:
        return finding
    kind = f"--kind '{values.name}=time'"
    reason = f"its times are of less than a day, and other hours would be unusual: to learn from them pass {kind}"
    return replace(finding, reason=reason)


def mostly_times_hint(values: ColumnValues) -> str:
    """Say how a column may be read of which more than half of the values are times in one format."""
    for form in ("", *TIME_FORMATS):
        sample = values.different[: 2 * MIN_DIFFERENT]
        if 2 * parse_times(sample, form)[1].sum() < len(sample):
            n_values, n_times = len(values.words), values.count(~parse_times(values.different, form)[1])
            kind = f"--kind '{values.name}=time' and --on-error missing"
            return f"; {n_times} of its {n_values} values are times: to learn from them pass {kind}"
    return ""


def clock_hint(values: ColumnValues) -> str:
    """Say how a column of what may be times of day or durations may be read."""
    if not all(map(_CLOCK.fullmatch, values.counts)):
        return ""
    for clock in ("%H:%M", "%H:%M:%S"):
        if not parse_times(values.different, clock)[1].any():
            kind = f"--kind '{values.name}=time:{clock}'"
            return f"; if these are times of day pass {kind}, durations have to be written as numbers"
    return "; if these are times of day or durations write them as numbers, in seconds"

"""Find the schema of a training table: the kind of every column, named or found from its text, and its role."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from gandetect.column import LEARNABLE, Column, Kind, Role
from gandetect.errors import InputError, quoted
from gandetect.readers.column_values import ColumnValues, Finding
from gandetect.readers.kinds import find_kind
from gandetect.readers.number_forms import find_form
from gandetect.readers.time_forms import TIME_FORMATS, time_formats, time_in
from gandetect.readers.values import BLANKS, ON_ERROR, parse_times
from gandetect.schema import Schema

_FORCED_KINDS = ("number", "yes/no", "category", "time", "time:FORMAT", "id", "text")


def find_schema(
    columns: Mapping[str, NDArray[np.object_]],
    lines: Sequence[int],
    *,
    rows: Sequence[int] | NDArray[np.int64] | None = None,
    kinds: Mapping[str, str] | None = None,
    drop: Collection[str] = (),
    only: Collection[str] | None = None,
    label: str | None = None,
    given: Collection[str] = (),
    decimal: str = ".",
    is_decimal_certain: bool = False,
    missing: Mapping[str, Sequence[float]] | None = None,
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
    rows : sequence of int, of length n_rows, optional
        The number of each row in the table, of which `columns` may be a sample; in turn without it.
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
    is_decimal_certain : bool
        Whether a person named it: then ``1,234`` has a thousands separator where the mark is a point.
    missing : mapping of str to sequence of float, optional
        Numbers that stand for a missing value, such as -9999, by the column's name; those of "" in all columns.
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
        If an argument names an unknown column or kind, a column is one of those that `gandetect.readers.kinds`
        refuses, or no column to learn from is left.
    """
    kinds, missing = kinds or {}, missing or {}
    if decimal not in (".", ","):
        raise InputError(f"{name}: expected the decimal mark '.' or ',', found {decimal!r}; pass one of them.")
    if on_error not in ON_ERROR:
        raise InputError(f"Expected on_error to be one of {quoted(ON_ERROR)}, found {on_error!r}.")
    named = [*kinds, *drop, *(only or ()), *given, *filter(None, missing), *([] if label is None else [label])]
    _require_known(named, columns, name)
    unwanted = _unwanted(columns, drop, only if only is None else [*only, *given])
    numbers = np.arange(len(lines)) if rows is None else np.asarray(rows, dtype=np.int64)
    found = []
    for key, texts in columns.items():
        values = ColumnValues(key, texts, decimal, numbers, is_certain=is_decimal_certain)
        finding = find_kind(values, on_error) if key not in kinds else _forced(values, kinds[key], name)
        if key in missing and finding.kind is not Kind.NUMBER:
            raise InputError(
                f"{name}: expected numbers in column {key!r}, of which some stand for missing values, found the kind "
                f"{finding.kind}; drop that --missing, or pass --kind '{key}=number'."
            )
        unknown = (*missing.get("", ()), *missing.get(key, ())) if finding.kind is Kind.NUMBER else ()
        if unknown and values.are_all(unknown):
            finding = Finding(Kind.EMPTY, "every value is missing")
        role, reason = _role(key, finding, label, unwanted)
        if finding.problem and role is Role.FEATURE:
            line = next(line for line, text in zip(lines, texts, strict=True) if text.strip(BLANKS) == finding.culprit)
            raise InputError(f"{name}, line {line}: {finding.problem}")
        mark = decimal if finding.kind is Kind.NUMBER else "."
        found.append(Column(key, finding.kind, role, reason, finding.time_format, mark, *finding.form, unknown))
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
        remedy = "choose a column's kind with --kind COLUMN=category, or keep more columns"
        if len(schema.columns) == 1 and re.search(r"\W", schema.columns[0].name):
            remedy = f"pass --delimiter if something else stands between its fields, {remedy}"
        raise InputError(f"{name}: expected at least one column to learn from, found none ({reasons}); {remedy}.")


def _unwanted(columns: Collection[str], drop: Collection[str], only: Collection[str] | None) -> dict[str, str]:
    """Return the columns that the caller does not want, with the reason."""
    others = {} if only is None else {key: "not among the columns asked for" for key in columns if key not in only}
    return others | dict.fromkeys(drop, "dropped on request")


def _role(key: str, finding: Finding, label: str | None, unwanted: Mapping[str, str]) -> tuple[Role, str]:
    if key == label:
        return Role.LABEL, ""
    reason = unwanted.get(key, finding.reason)
    return (Role.LEFT_OUT, reason) if reason else (Role.FEATURE, "")


# --- kinds that the caller named --------------------------------------------------------------------------------------


def _forced(values: ColumnValues, kind: str, name: str) -> Finding:
    """Return the kind that the caller named."""
    if kind.startswith("time:"):
        return Finding(Kind.TIME, time_format=_checked_format(kind.removeprefix("time:"), values.name, name))
    if kind not in _FORCED_KINDS:
        raise InputError(
            f"{name}: expected one of the kinds {quoted(_FORCED_KINDS)} for column {values.name!r}, found {kind!r}; "
            "pass one of them."
        )
    if kind == Kind.TIME:
        return _forced_time(values)
    if kind == Kind.NUMBER:
        form = find_form(values.different, values.decimal, is_certain=values.is_certain, are_numbers=True)
        return Finding(Kind.NUMBER, form=form)
    return Finding(Kind(kind), "" if kind in LEARNABLE else f"chosen as {kind}")


def _forced_time(values: ColumnValues) -> Finding:
    """Take the format that reads most values; the others are problems of their rows."""
    formats = time_formats(values) or _best_formats(values)
    if "" in formats:
        return Finding(Kind.TIME)
    finding = time_in(values, formats)
    problem = f"expected times in column {values.name!r}, found {values.words[0]!r}; {finding.reason}."
    return replace(finding, reason="", problem=problem, culprit=values.words[0]) if finding.reason else finding


def _best_formats(values: ColumnValues) -> list[str]:
    formats = ["", *TIME_FORMATS]
    for sample in (values.different[:: len(values.different) // _N_TOLD_FROM + 1], values.different):
        n_odd = {form: sum(values.counts[word] for word in sample[parse_times(sample, form)[1]]) for form in formats}
        formats = [form for form in formats if n_odd[form] == min(n_odd.values())]
    return formats


_N_TOLD_FROM = 1000
"""Values that tell apart what reads many from what reads few; all formats on a million values take ten minutes."""


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

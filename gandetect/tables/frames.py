"""Arrays and data frames to raw columns: what the estimator reads instead of files."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gandetect.column import NUMERIC, Column, Kind
from gandetect.errors import InputError, MissingExtraError, quoted
from gandetect.readers.column_values import ColumnValues
from gandetect.readers.compounds import find_compound
from gandetect.readers.kinds import few_numbers, find_kind, texts_among_numbers
from gandetect.readers.no_measurements import far_numbers, runs_away
from gandetect.readers.values import parse_column
from gandetect.schema import Schema


def as_frame(X: Any) -> Any:
    """Return a pandas frame for any data frame (polars, pyarrow, ...) or record array, and anything else as it is.

    Raises
    ------
    InputError
        It is a frame that has not been read yet, or a single column.
    MissingExtraError
        The frame speaks Arrow and pyarrow is not installed.
    """
    if isinstance(X, np.ndarray) and X.dtype.names:
        return _records(X)
    if type(X).__name__ == "LazyFrame":
        raise InputError("Expected a data frame, found a LazyFrame, which holds no rows yet; pass its collect().")
    if isinstance(X, pd.DataFrame | pd.Series) or not hasattr(X, "__arrow_c_stream__"):
        return X
    try:
        pyarrow = importlib.import_module("pyarrow")
    except ImportError as error:
        raise MissingExtraError(
            f"Expected pyarrow to read a {type(X).__module__} frame, found none; pip install 'gandetect[parquet]'."
        ) from error
    try:
        table = pyarrow.table(X)
    except pyarrow.ArrowInvalid:
        found = type(X).__name__
        raise InputError(f"Expected a data frame, found one column ({found}); pass a frame that holds it.") from None
    return table.to_pandas()


def _records(X: NDArray[Any]) -> pd.DataFrame:
    """Return a frame of a record array, whose fields are its columns; what is masked is missing."""
    names = X.dtype.names or ()
    if X.ndim != 1 or any(X.dtype[name].shape for name in names):
        raise InputError("Expected a record array of one row per record, found more dimensions; pass a data frame.")
    return pd.DataFrame({name: pd.Series(X[name]) for name in names})


def frame_schema(frame: pd.DataFrame) -> Schema:
    """Let the dtypes decide: numbers, booleans, times and periods; everything else is a category.

    Where a dtype is object, or one of Arrow, the values decide: decimals, whole numbers and floats are numbers, dates
    are times.

    Raises
    ------
    InputError
        Two columns have the same name.
    """
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Expected columns of different names, found {quoted(twice)} more than once; rename them.")
    return Schema(tuple(Column(name, _kind(frame.iloc[:, i])) for i, name in enumerate(names)))


def array_schema(n_columns: int) -> Schema:
    """Return the schema of an array: all numbers, named x0, x1, ..."""
    return Schema(tuple(Column(f"x{i}", Kind.NUMBER) for i in range(n_columns)))


_DURATIONS = frozenset({"timedelta64", "timedelta"})
_NUMBERS = frozenset({"integer", "floating", "mixed-integer-float", "decimal", "complex"})
_TIMES = frozenset({"datetime64", "datetime", "date", "period"})
_KINDS = dict.fromkeys(_NUMBERS | _DURATIONS, Kind.NUMBER) | dict.fromkeys(_TIMES, Kind.TIME) | {"boolean": Kind.YES_NO}
"""Kinds by what pandas infers of a column."""
_TEXT = frozenset({"string", "mixed", "mixed-integer"})


def _kind(column: pd.Series[Any]) -> Kind:
    return _KINDS.get(_inferred(column), Kind.CATEGORY)


def _inferred(values: pd.Series[Any]) -> str:
    """Name what a column holds; a dtype of object, as decimals and dates of other libraries have, says nothing."""
    return str(pd.api.types.infer_dtype(values, skipna=True))


def frame_columns(frame: pd.DataFrame, schema: Schema) -> dict[str, NDArray[Any]]:
    """Return the raw columns of a frame whose columns stand in the schema's order.

    Text in columns of numbers, times and yes/no, which only a model of a file has, is read as in that file.

    Raises
    ------
    InputError
        A column's values do not fit its kind.
    """
    return {column.name: _raw(frame.iloc[:, i], column) for i, column in enumerate(schema.columns)}


_ADVICE = {
    Kind.ID: ("ids", "drop them"),
    Kind.TEXT: ("free text", "drop it"),
    Kind.TIME: ("times", "convert them with pandas.to_datetime and their format"),
    Kind.NUMBER: ("numbers", "take units and separators off and convert them with pandas.to_numeric"),
}
"""What text may be that is no category, and what to do about it."""

_MIXED = ("numbers among other texts", "convert them with pandas.to_numeric, errors='coerce'")


def find_no_categories(frame: pd.DataFrame, columns: Mapping[str, NDArray[Any]], schema: Schema) -> str:
    """Return a sentence on columns of text that hold no categories, by the rules for files; empty if all do.

    Whoever gives a column the dtype category means it.
    """
    found: dict[tuple[str, str], list[str]] = {advice: [] for advice in (*_ADVICE.values(), _MIXED)}
    for i, column in enumerate(schema.columns):
        if column.kind is Kind.CATEGORY and _inferred(frame.iloc[:, i]) in _TEXT:
            values = ColumnValues(column.name, columns[column.name], ".", np.arange(len(frame)))
            if advice := _advice(values):
                found.setdefault(advice, []).append(column.name)
    parts = [f"{what} in {quoted(names)} ({remedy})" for (what, remedy), names in found.items() if names]
    if not parts:
        return ""
    return (
        f"Expected categories in columns of text, found what looks like {', '.join(parts)}; they are learned as "
        "categories, which makes new values anomalous: where that is meant, give the columns the dtype category."
    )


def _advice(values: ColumnValues) -> tuple[str, str] | None:
    """Return what a column of text may hold, and what to do about it; None where it holds categories."""
    kind = Kind.NUMBER if few_numbers(values) else find_kind(values, "missing").kind
    if kind in NUMERIC:
        return _ADVICE[kind]
    return find_compound(values) or (_MIXED if len(texts_among_numbers(values)) else _ADVICE.get(kind))


def find_no_measurements(columns: Mapping[str, NDArray[Any]], schema: Schema) -> list[str]:
    """Return a sentence on empty features, on those that may be clocks or counters, and on each number for missing."""
    numbers = {column.name: columns[column.name] for column in schema.features if column.kind is Kind.NUMBER}
    found = []
    if names := [column.name for column in schema.features if _is_empty(columns[column.name])]:
        found.append(
            f"Expected values to learn from, found none in {quoted(names)}; leave out what stays empty, since new rows "
            "would be flagged for any value there."
        )
    if names := [name for name, values in numbers.items() if runs_away(values)]:
        found.append(
            f"Expected numbers that new rows have, too, found {quoted(names)}, in every quarter of the rows mostly "
            "beyond all before; if that is a clock or a counter leave it out, since new rows would be flagged for it."
        )
    for number, names in far_numbers(numbers).items():
        found.append(
            f"Expected no numbers that stand for what is missing, found {number:.15g} again and again in "
            f"{quoted(names)}, far beyond all other numbers there; put NaN in its place if it is one."
        )
    return found


def _is_empty(values: NDArray[Any]) -> bool:
    return not (np.isfinite(values) if values.dtype.kind == "f" else values != "").any()


def array_columns(X: NDArray[Any], schema: Schema) -> dict[str, NDArray[Any]]:
    """Return the raw columns of an array (n_samples, n_columns), by position."""
    if all(column.kind is Kind.NUMBER for column in schema.columns):
        return {column.name: np.ascontiguousarray(X[:, i]) for i, column in enumerate(schema.columns)}
    return frame_columns(pd.DataFrame(X).infer_objects(), schema)


def _raw(values: pd.Series[Any], column: Column) -> NDArray[Any]:
    if column.kind in NUMERIC and values.isna().all():
        return np.full(len(values), np.nan)  # whatever its dtype says
    try:
        if column.kind is not Kind.CATEGORY and _inferred(values) in ("string", "mixed"):
            return _read(_texts(values), column)
        if column.kind is Kind.TIME:
            return _seconds(values)
        if column.kind is Kind.NUMBER:
            return _numbers(values)
        if _inferred(values) == "bytes":
            raise TypeError("only who knows their encoding can decode them, with .str.decode('utf-8') for instance")
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"Expected values of kind {column.kind.value} in column {column.name!r}, found {values.dtype}: {error}."
        ) from error
    texts = _texts(values)
    return _read(texts, column) if column.kind is Kind.YES_NO else texts


def _read(texts: NDArray[Any], column: Column) -> NDArray[Any]:
    """Read texts as the reader of files does."""
    values, unreadable = parse_column(texts, column)
    if unreadable.any():
        raise ValueError(f"it holds {texts[unreadable][0]!r}")
    return values


def _numbers(values: pd.Series[Any]) -> NDArray[np.float64]:
    """Numbers, durations in seconds."""
    found = _inferred(values)
    if found in _DURATIONS:
        return np.asarray(pd.to_timedelta(values).dt.total_seconds(), dtype=np.float64)
    if found in _TIMES or found == "complex":
        raise TypeError("it would lose its meaning as a number")
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _seconds(values: pd.Series[Any]) -> NDArray[np.float64]:
    """Seconds since 1970 UTC; naive times are taken as UTC, a period as its beginning."""
    if _kind(values) in (Kind.NUMBER, Kind.YES_NO):
        raise TypeError("a number has no unit of time")
    if _inferred(values) == "date":  # pandas refuses the year 9999, which often stands for never
        moments = values.astype(object).where(values.notna(), None).to_numpy().astype("datetime64[us]")
    else:
        if _inferred(values) == "period":
            values = pd.Series(pd.PeriodIndex(values).to_timestamp())
        moments = pd.to_datetime(values, utc=True).dt.tz_localize(None).to_numpy()
    # numpy's difference has no nanoseconds where there are none, in which that year would not fit.
    return np.asarray((moments - np.datetime64(0, "s")) / np.timedelta64(1, "s"), dtype=np.float64)


def _texts(values: pd.Series[Any]) -> NDArray[Any]:
    missing = values.isna().to_numpy()
    objects = values.astype(object).to_numpy()
    return np.array([_text(value) for value in np.where(missing, "", objects)], dtype=object)


def _text(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))  # pandas makes floats of whole numbers where one is missing
    return str(value)

"""Arrays and data frames to raw columns: what the estimator reads instead of files."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gandetect.errors import InputError, MissingExtraError, quoted
from gandetect.readers.values import parse_column
from gandetect.schema import NUMERIC, Column, Kind, Schema


def as_frame(X: Any) -> Any:
    """Return a pandas frame for any data frame (polars, pyarrow, ...), and anything else as it is.

    Raises
    ------
    MissingExtraError
        The frame speaks Arrow and pyarrow is not installed.
    """
    if isinstance(X, pd.DataFrame | pd.Series) or not hasattr(X, "__arrow_c_stream__"):
        return X
    try:
        pyarrow = importlib.import_module("pyarrow")
    except ImportError as error:
        raise MissingExtraError(
            f"Expected pyarrow to read a {type(X).__module__} frame, found none; pip install 'gandetect[parquet]'."
        ) from error
    return pyarrow.table(X).to_pandas()


def frame_schema(frame: pd.DataFrame) -> Schema:
    """Let the dtypes decide: numbers, booleans, times; everything else is a category.

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


def _kind(column: pd.Series[Any]) -> Kind:
    if pd.api.types.is_bool_dtype(column.dtype):
        return Kind.YES_NO
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(column.dtype):
        return Kind.NUMBER
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return Kind.TIME
    return Kind.CATEGORY


def frame_columns(frame: pd.DataFrame, schema: Schema) -> dict[str, NDArray[Any]]:
    """Return the raw columns of a frame whose columns stand in the schema's order.

    Text in columns of numbers, times and yes/no, which only a model of a file has, is read as in that file.

    Raises
    ------
    InputError
        A column's values do not fit its kind.
    """
    return {column.name: _raw(frame.iloc[:, i], column) for i, column in enumerate(schema.columns)}


def array_columns(X: NDArray[Any], schema: Schema) -> dict[str, NDArray[Any]]:
    """Return the raw columns of an array (n_samples, n_columns), by position."""
    if all(column.kind is Kind.NUMBER for column in schema.columns):
        return {column.name: np.ascontiguousarray(X[:, i]) for i, column in enumerate(schema.columns)}
    return frame_columns(pd.DataFrame(X).infer_objects(), schema)


def _raw(values: pd.Series[Any], column: Column) -> NDArray[Any]:
    if column.kind in NUMERIC and values.isna().all():
        return np.full(len(values), np.nan)  # whatever its dtype says
    try:
        if column.kind is not Kind.CATEGORY and _is_text(values):
            return _read(_texts(values), column)
        if column.kind is Kind.TIME:
            return _seconds(values)
        if column.kind is Kind.NUMBER:
            if pd.api.types.is_timedelta64_dtype(values.dtype):
                return np.asarray(values.dt.total_seconds(), dtype=np.float64)
            if pd.api.types.is_datetime64_any_dtype(values.dtype) or pd.api.types.is_complex_dtype(values.dtype):
                raise TypeError("it would lose its meaning as a number")
            return values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Expected values of kind {column.kind.value} in column {column.name!r}, found {values.dtype}: {error}."
        ) from error
    texts = _texts(values)
    return _read(texts, column) if column.kind is Kind.YES_NO else texts


def _is_text(values: pd.Series[Any]) -> bool:
    return bool(pd.api.types.infer_dtype(values, skipna=True) in ("string", "mixed"))


def _read(texts: NDArray[Any], column: Column) -> NDArray[Any]:
    """Read texts as the reader of files does."""
    values, unreadable = parse_column(texts, column)
    if unreadable.any():
        raise ValueError(f"it holds {texts[unreadable][0]!r}")
    return values


def _seconds(values: pd.Series[Any]) -> NDArray[np.float64]:
    """Seconds since 1970 UTC; naive times are taken as UTC."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        raise TypeError("a number has no unit of time")
    times = pd.to_datetime(values, utc=True)
    seconds = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return np.asarray(seconds, dtype=np.float64)


def _texts(values: pd.Series[Any]) -> NDArray[Any]:
    missing = values.isna().to_numpy()
    objects = values.astype(object).to_numpy()
    return np.array([_text(value) for value in np.where(missing, "", objects)], dtype=object)


def _text(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))  # pandas makes floats of whole numbers where one is missing
    return str(value)

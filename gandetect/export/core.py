"""The core variant: how a device computes the features that it takes instead of raw columns, as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from gandetect.export.source import Source
from gandetect.tables.encoding import CLIP, EXCESS_FREE, CategoryEncoding, ColumnEncoding, NumberEncoding, TimeEncoding


def encoding_spec(source: Source, core: str) -> bytes:
    """Return what a device must know to compute the features, as JSON.

    Parameters
    ----------
    source : Source
        Encodes its columns in the same way.
    core : str
        SHA-256 of the core model.
    """
    surprise, width = _surprise(source), source.sample_dim
    first = np.unique(source.column_of, return_index=True)[1].tolist()
    columns = [
        {"name": name, "at": at, **_parameters(column, surprise[name], is_given=name in source.encoding.given)}
        for at, (name, column) in zip(first, source.encoding.columns.items(), strict=True)
    ]
    places = np.cumsum([width, source.n_columns, source.n_columns, 1]).tolist()
    spec = {
        "format": 1,
        "model_sha256": core,
        **dict(zip(("present_at", "excess_at", "growth_at", "n_features"), places, strict=True)),
        "clip": CLIP,
        "free": EXCESS_FREE,
        "columns": columns,
    }
    return (json.dumps(spec, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _surprise(source: Source) -> dict[str, float]:
    """Return the excess of a number that leaves its constant value, and zero for others, as the graph gives it."""
    rows: dict[str, Any] = {column.name: np.array([""], dtype=object) for column in source.schema.used}
    for name, column in source.encoding.columns.items():
        if isinstance(column, NumberEncoding):
            rows[name] = np.array([column.middle + 2 * column.scale])
        elif isinstance(column, TimeEncoding):
            rows[name] = np.array([np.nan])
    return dict(zip(rows, source.encode(rows).excess[0].tolist(), strict=True))


def _parameters(column: ColumnEncoding, surprise: float, *, is_given: bool) -> dict[str, Any]:
    """Return a column's kind and parameters as JSON values."""
    if isinstance(column, NumberEncoding):
        # What is given is never far from what it was: nothing is many times the largest double away.
        half_range = np.finfo(np.float64).max if is_given else column.half_range
        return {
            "kind": "number",
            "centre": column.centre,
            "scale": column.scale,
            "middle": column.middle,
            "half_range": half_range,
            "surprise": surprise,
        }
    if isinstance(column, TimeEncoding):
        return {"kind": "time", "periods": column.periods, "centres": column.centres, "scales": column.scales}
    return _category(column)


def _category(column: CategoryEncoding) -> dict[str, Any]:
    """Return every level's entries; the last ones are those of an unknown level."""
    return {
        "kind": "category",
        "levels": column.levels,
        "entries": column.block.tolist(),
        "unknown_excess": column.unknown_excess,
    }

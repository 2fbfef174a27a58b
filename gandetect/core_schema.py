"""Encoded rows: what a core model takes, whose device encodes the columns of a table itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError
from gandetect.modality import CHUNK_ROWS, GraphInput, Modality
from gandetect.schema import Schema, table_of
from gandetect.tensor_names import DEFAULT_OUTPUTS

FEATURES = "features"
"""Name of the input of a core model."""


def encoding_beside(path: str) -> str:
    """Return the path of the file that says how to encode for the core model at `path`."""
    return f"{os.path.splitext(path)[0]}.encoding.json"  # noqa: PTH122  (a Path refuses a name that is empty)


def columns_of(schema: Modality) -> Schema:
    """Return the columns that a model for tables learned from, also where they are encoded before it.

    Raises
    ------
    InputError
        The model is for something else.
    """
    return schema.table if isinstance(schema, CoreSchema) else table_of(schema)


def require_columns(schema: Modality) -> None:
    """Refuse to make of another model what only one for tables can become: a student, or a core model.

    Raises
    ------
    InputError
        The model is for something else.
    """
    if not isinstance(schema, Schema | CoreSchema):
        raise InputError(
            "Expected a model for tables to distill, to teach or to make a core model of, found one for "
            f"{schema.takes}; use storage='fp16' alone (--storage fp16), which makes a variant of it."
        )


@dataclass(frozen=True)
class CoreSchema:
    """The encoded rows that a core model takes.

    Parameters
    ----------
    n_features : int
        Numbers in an encoded row.
    table : Schema
        The columns that rows are encoded from.
    """

    n_features: int
    table: Schema

    # What `gandetect.modality.Modality` asks of it.
    takes = "encoded rows"
    noun = "row"
    outputs = default_outputs = DEFAULT_OUTPUTS
    tolerance = 1e-5

    @property
    def inputs(self) -> tuple[GraphInput, ...]:
        """One batch of encoded rows."""
        return (GraphInput(FEATURES, np.float32, (None, self.n_features)),)

    def feeds(self, raw: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Check encoded rows of shape (n, n_features) and return the graph's input.

        Raises
        ------
        InputError
            They have another type or shape.
        """
        rows = np.asarray(raw)
        if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise InputError(
                f"Expected encoded rows, float32 of shape (n, {self.n_features}), found {rows.dtype} of shape "
                f"{rows.shape}; encode raw rows as the file beside the model says."
            )
        return {FEATURES: rows}

    def chunk_size(self, feeds: Mapping[str, NDArray[Any]]) -> int:
        """Return how many rows go into one run, whatever they are."""
        return CHUNK_ROWS

    def golden_view(self, output: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return all of an output."""
        return values

    def raw_from_json(self, inputs: Mapping[str, list[Any]]) -> NDArray[np.float32]:
        """Return encoded rows from JSON values."""
        return np.array(inputs[FEATURES], dtype=np.float32)

"""What the inputs and outputs of a model for tables are called."""

from __future__ import annotations

from gandetect.modality import ALPHA, ANSWERS, INTERNAL_PREFIX

DEFAULT_OUTPUTS = (*ANSWERS, "contributions")
"""Names of the outputs that come without being asked for."""

EXPECTATIONS = ("expected_numbers", "expected_levels")
"""Names of the outputs with the values that the generator expects: of numbers and times, and of all other columns."""

OUTPUTS = (*DEFAULT_OUTPUTS, *EXPECTATIONS)
"""Names of all outputs, in order."""

INPUT_PREFIX = "column/"
"""Put before a column's name where the name itself cannot be an input's name."""


def input_of(column: str) -> str:
    """Return the name of the input that takes a column: the column's own, unless that is reserved."""
    reserved = column in (*OUTPUTS, ALPHA, "") or column.startswith((INTERNAL_PREFIX, INPUT_PREFIX))
    return f"{INPUT_PREFIX}{column}" if reserved else column

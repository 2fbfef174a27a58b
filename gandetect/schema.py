"""Columns, their kinds and roles: what a table must look like, as stored in every model file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from gandetect.errors import InputError

OUTPUTS = (
    "anomaly_score",
    "p_value",
    "is_anomaly",
    "realness",
    "reconstruction_error",
    "contributions",
)
"""Names of the model file's outputs, in order."""

ALPHA = "alpha"
"""Name of the model file's optional input: the false-alarm rate at which rows are flagged."""

INTERNAL_PREFIX = "gandetect/"
"""Every tensor inside the graph that is neither an input nor an output starts with this."""

INPUT_PREFIX = "column/"
"""Put before a column's name where the name itself cannot be an input's name."""


MIN_ROWS = 8
"""Fewest rows that a detector can be fitted on."""


class Kind(StrEnum):
    """What the values of a column are."""

    NUMBER = "number"
    YES_NO = "yes/no"
    CATEGORY = "category"
    TIME = "time"
    ID = "id"
    TEXT = "text"
    EMPTY = "empty"


LEARNABLE = frozenset({Kind.NUMBER, Kind.YES_NO, Kind.CATEGORY, Kind.TIME})
"""Kinds that a detector can learn from."""

NUMERIC = frozenset({Kind.NUMBER, Kind.TIME})
"""Kinds whose raw values are doubles (NaN = missing); all others are strings ('' = missing)."""


class Role(StrEnum):
    """What a column is used for."""

    FEATURE = "feature"
    LABEL = "label"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        The column's name in the user's data.
    kind : Kind
        What its values are.
    role : Role
        Only features reach the networks; every other column is passed through.
    reason : str
        Why a column was left out, in words; empty for features.
    time_format : str
        How a time is written: empty for ISO 8601, else a ``datetime.strptime`` format.
    decimal : str
        The decimal mark of numbers: ``"."`` or ``","``.
    summary : dict
        What is remembered of the training values (no rows), as JSON values.
    """

    name: str
    kind: Kind
    role: Role = Role.FEATURE
    reason: str = ""
    time_format: str = ""
    decimal: str = "."
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def input_name(self) -> str:
        """Name of the graph input that takes this column; differs from `name` only where that is reserved."""
        reserved = self.name in (*OUTPUTS, ALPHA, "") or self.name.startswith((INTERNAL_PREFIX, INPUT_PREFIX))
        return f"{INPUT_PREFIX}{self.name}" if reserved else self.name


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in the order of the training data."""

    columns: tuple[Column, ...]

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that the detector learns from."""
        return tuple(column for column in self.columns if column.role is Role.FEATURE)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise InputError(f"Expected one of the columns {quoted(c.name for c in self.columns)}, found {name!r}.")

    def to_json(self) -> list[dict[str, Any]]:
        """Return JSON values that `from_json` turns back into the same schema."""
        return [asdict(column) | {"input": column.input_name} for column in self.columns]

    @classmethod
    def from_json(cls, columns: Iterable[Mapping[str, Any]]) -> Schema:
        """Rebuild a schema from what `to_json` returned."""
        return cls(
            tuple(
                Column(
                    **{k: v for k, v in column.items() if k != "input"}
                    | {"kind": Kind(column["kind"]), "role": Role(column["role"])}
                )
                for column in columns
            )
        )


def quoted(names: Iterable[str], at_most: int = 8) -> str:
    """Join names for a message: ``'a', 'b', ... (12 in all)``."""
    names = list(names)
    text = ", ".join(repr(name) for name in names[:at_most])
    return text if len(names) <= at_most else f"{text}, ... ({len(names)} in all)"

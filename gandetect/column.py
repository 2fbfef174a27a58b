"""A column of a table: its kind, its role, how its numbers are written, and which raw values it takes."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.arguments import require_one_of, require_text, require_type
from gandetect.errors import InputError
from gandetect.tensor_names import input_of

KNOWN_ANOMALIES = "known_anomalies"
"""Where the summary of a column of labels keeps those that mean a known anomaly."""

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Those of the training values that the summary of a column of numbers or times keeps."""

YES_NO_PAIRS = (("true", "false"), ("t", "f"), ("yes", "no"), ("y", "n"), ("on", "off"))
"""Pairs of words, in lower case, that make a yes/no column."""

YES_NO = {word: level for pair in (*YES_NO_PAIRS, ("1", "0")) for word, level in zip(pair, ("yes", "no"), strict=True)}
"""What each word, in lower case, is in a yes/no column."""


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
    GIVEN = "given"
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
        Features are judged conditionally on the given columns; every other column is passed through.
    reason : str
        Why a column was left out, in words; empty for features.
    time_format : str
        How a time is written: empty for ISO 8601, else a ``datetime.strptime`` format.
    decimal : str
        The decimal mark of numbers: ``"."`` or ``","``.
    grouping, prefix, suffix : str
        What stands between the thousands of numbers, before them and after them, such as ``" kg"``; mostly nothing.
    missing : tuple of float
        Numbers that stand for a missing value, such as -9999.
    summary : dict
        What is remembered of the training values (no rows), as JSON values.

    Raises
    ------
    InputError
        The kind or the role is unknown, a property that has to be text is not, or what stands for a missing value is
        not a finite number.
    """

    name: str
    kind: Kind
    role: Role = Role.FEATURE
    reason: str = ""
    time_format: str = ""
    decimal: str = "."
    grouping: str = ""
    prefix: str = ""
    suffix: str = ""
    missing: tuple[float, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("name", "reason", "time_format", "decimal", "grouping", "prefix", "suffix"):
            require_text(f"the {name} of a column as text", getattr(self, name))
        for name, known in {"kind": Kind, "role": Role}.items():
            require_one_of(f"the {name} of a column", getattr(self, name), known)
            object.__setattr__(self, name, known(getattr(self, name)))  # also from its value as text
        require_type("missing of a column to be a tuple of numbers", self.missing, (tuple, list), "pass (-9999,)")
        for number in self.missing:
            require_type("missing of a column to be numbers", number, Real, "pass (-9999,)")
            if not -math.inf < number < math.inf:  # JSON has no other numbers
                raise InputError(
                    f"Expected finite numbers that stand for missing values, found {number}; leave it out: it stands "
                    "for one in any case."
                )
        require_type("the summary of a column to be a dict", self.summary, dict, "leave it out")
        object.__setattr__(self, "missing", tuple(self.missing))  # also from JSON

    def to_json(self) -> dict[str, Any]:
        """Return the column as JSON values.

        Returns
        -------
        dict
            ``name``, ``kind``, ``role``, ``input`` (the graph's input that takes it), and of the other properties those
            that are not as in most columns.
        """
        own, usual = asdict(self), asdict(Column(self.name, self.kind))
        own["missing"] = list(self.missing)
        said = {"name": self.name, "kind": self.kind, "role": self.role, "input": self.input_name}
        return said | {key: value for key, value in own.items() if value and value != usual[key]}

    @cached_property
    def input_name(self) -> str:
        """Name of the graph input that takes this column; differs from `name` only where that is reserved."""
        return input_of(self.name)

    @property
    def is_plain_number(self) -> bool:
        """Whether its values are numbers with nothing but a decimal mark."""
        return self.kind is Kind.NUMBER and not (self.grouping or self.prefix or self.suffix)

    def written(self, number: str) -> str:
        """Write a number as those of the column are written.

        Parameters
        ----------
        number : str
            With a point.

        Returns
        -------
        str
        """
        sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
        return f"{sign}{self.prefix}{digits.replace('.', self.decimal)}{self.suffix}"

    def without_marks(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return numbers with NaN for those that stand for a missing value.

        Parameters
        ----------
        values : array of float64 of shape (n_rows,)
            Numbers with NaN for missing.

        Returns
        -------
        array of float64 of shape (n_rows,)
        """
        return np.where(np.isin(values, self.missing), np.nan, values) if self.missing else values

    def converted(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return raw values as the graph takes them, in a yes/no column what files write for it as ``yes`` or ``no``.

        Parameters
        ----------
        values : array-like of shape (n_rows,)
            Numbers with NaN for missing, or str with '' for missing; what a masked array masks is missing, too.

        Returns
        -------
        array of float64 or object of shape (n_rows,)

        Raises
        ------
        InputError
            They are of another kind.
        """
        try:
            values = np.asarray(_unmasked(values))
        except ValueError:
            raise InputError(f"Expected column {self.name!r} to have one dimension, found lists in it.") from None
        if values.ndim != 1:
            raise InputError(f"Expected column {self.name!r} to have one dimension, found shape {values.shape}.")
        if self.kind in NUMERIC:
            if values.dtype.kind not in "fiub":
                raise InputError(
                    f"Expected numbers in column {self.name!r}, found {values.dtype}; convert them to float64."
                )
            return self.without_marks(values.astype(np.float64, copy=False))
        if values.dtype.kind == "U":
            values = values.astype(object)
        # ONNX Runtime would turn anything else into text without a word: None into 'None', 5 into '5'.
        if values.dtype != object or not all(type(value) is str for value in values):
            raise InputError(f"Expected text in column {self.name!r}, found other values; use '' for a missing one.")
        if self.kind is not Kind.YES_NO:
            return values
        return np.array([YES_NO.get(value.lower(), value) for value in values], dtype=object)

    def values_from_json(self, values: list[Any]) -> NDArray[Any]:
        """Return raw values from JSON values.

        Parameters
        ----------
        values : list
            Numbers with None for missing, or str with '' for missing.

        Returns
        -------
        array of float64 or object of shape (n_rows,)
        """
        if self.kind in NUMERIC:
            return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        return np.array(values, dtype=object)


def _unmasked(values: Any) -> Any:
    """Return a masked array with what stands for missing in place of what it masks, and anything else as it is."""
    masked = sys.modules.get("numpy.ma")  # there are no masked arrays before it is loaded, which takes memory
    if masked is None or not isinstance(values, masked.MaskedArray):
        return values
    if values.dtype.kind in "fiub":
        return masked.filled(values.astype(np.float64), np.nan)
    return masked.filled(values.astype(object), "")

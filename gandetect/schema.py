"""Columns, their kinds and roles: what a table must look like, as stored in every model file for tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError, quoted
from gandetect.modality import ALPHA, ANSWERS, CHUNK_ROWS, INTERNAL_PREFIX, GraphInput, Modality

DEFAULT_OUTPUTS = (*ANSWERS, "contributions")
"""Names of the outputs of a model for tables that come without being asked for."""

EXPECTATIONS = ("expected_numbers", "expected_levels")
"""Names of the outputs with the values that the generator expects: of numbers and times, and of all other columns."""

OUTPUTS = (*DEFAULT_OUTPUTS, *EXPECTATIONS)
"""Names of all outputs of a model for tables, in order."""

INPUT_PREFIX = "column/"
"""Put before a column's name where the name itself cannot be an input's name."""

KNOWN_ANOMALIES = "known_anomalies"
"""Where the summary of a column of labels keeps those that mean a known anomaly."""

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Those of the training values that the summary of a column of numbers or times keeps."""


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
        The kind or the role is none.
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
        for name, known in {"kind": Kind, "role": Role}.items():
            found, words = getattr(self, name), quoted(map(str, known))
            if found not in list(known):
                raise InputError(f"Expected the {name} of a column to be one of {words}, found {found!r}.")
            object.__setattr__(self, name, known(found))  # also from its value as text
        object.__setattr__(self, "missing", tuple(self.missing))  # also from JSON

    @cached_property
    def input_name(self) -> str:
        """Name of the graph input that takes this column; differs from `name` only where that is reserved."""
        reserved = self.name in (*OUTPUTS, ALPHA, "") or self.name.startswith((INTERNAL_PREFIX, INPUT_PREFIX))
        return f"{INPUT_PREFIX}{self.name}" if reserved else self.name

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
        """Return raw values as the graph takes them.

        Parameters
        ----------
        values : array-like of shape (n_rows,)
            Numbers with NaN for missing, or str with '' for missing.

        Returns
        -------
        array of float64 or object of shape (n_rows,)

        Raises
        ------
        InputError
            They are of another kind.
        """
        try:
            values = np.asarray(values)
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
            return values.astype(object)
        # ONNX Runtime would turn anything else into text without a word: None into 'None', 5 into '5'.
        if values.dtype != object or not all(type(value) is str for value in values):
            raise InputError(f"Expected text in column {self.name!r}, found other values; use '' for a missing one.")
        return values

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


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in the order of the training data.

    Parameters
    ----------
    columns : tuple of Column
        Each with a name of its own.

    Raises
    ------
    InputError
        Two have the same name.
    """

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise InputError(f"Expected columns with names of their own, found more than one of {quoted(twice)}.")

    @cached_property
    def features(self) -> tuple[Column, ...]:
        """The columns that are judged."""
        return tuple(column for column in self.columns if column.role is Role.FEATURE)

    @cached_property
    def used(self) -> tuple[Column, ...]:
        """The columns that the networks see: features and given ones."""
        return tuple(column for column in self.columns if column.role in (Role.FEATURE, Role.GIVEN))

    @cached_property
    def expectations(self) -> dict[str, tuple[str, int]]:
        """Which of the outputs `EXPECTATIONS` holds each feature's expected values, and at which position, by name."""
        names: dict[str, list[str]] = {output: [] for output in EXPECTATIONS}
        for column in self.features:
            names["expected_numbers" if column.kind in NUMERIC else "expected_levels"].append(column.name)
        return {name: (output, i) for output, group in names.items() for i, name in enumerate(group)}

    def with_given(self, names: Collection[str]) -> Schema:
        """Return the schema with other features in the role of given columns.

        Parameters
        ----------
        names : collection of str
            Of features.

        Returns
        -------
        Schema

        Raises
        ------
        InputError
            A name is not that of a feature.
        """
        features = [column.name for column in self.features]
        unfit = [name for name in names if name not in features]
        if unfit:
            raise InputError(
                f"Expected given columns out of those to learn from, {quoted(features)}, found {quoted(unfit)}; "
                "name others, or choose a kind for them."
            )
        return Schema(tuple(replace(c, role=Role.GIVEN) if c.name in names else c for c in self.columns))

    @property
    def takes(self) -> str:
        """What it is called in messages."""
        return "tables"

    @property
    def inputs(self) -> tuple[GraphInput, ...]:
        """One input for each column that is used."""
        return tuple(
            GraphInput(column.input_name, np.float64 if column.kind in NUMERIC else str, (None,))
            for column in self.used
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs of a model for tables."""
        return OUTPUTS

    @property
    def default_outputs(self) -> tuple[str, ...]:
        """All outputs but what was expected: that is for explanations."""
        return DEFAULT_OUTPUTS

    def feeds(self, raw: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Check and convert the columns that a model needs.

        Parameters
        ----------
        raw : mapping of str to array-like of shape (n_rows,)
            As for `checked`.

        Returns
        -------
        dict of str to array of shape (n_rows,)
            By input name.

        Raises
        ------
        InputError
            As for `checked`.
        """
        columns = self.checked(raw)
        return {column.input_name: columns[column.name] for column in self.used}

    def checked(self, raw: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Check and convert the columns that a model needs.

        Parameters
        ----------
        raw : mapping of str to array-like of shape (n_rows,)
            Raw columns by name; more than are needed are ignored.

        Returns
        -------
        dict of str to array of shape (n_rows,)
            By name.

        Raises
        ------
        InputError
            There are no columns by name, one is missing or of another type, or they differ in length.
        """
        if not hasattr(raw, "keys"):  # a data frame is no mapping, but has keys
            raise InputError(f"Expected raw columns by name, found {type(raw).__name__}; pass a mapping to arrays.")
        absent = [column.name for column in self.used if column.name not in raw]
        if absent:
            raise InputError(
                f"Expected the columns that the model learns from, found no {quoted(absent)} "
                f"among {quoted(raw)}; add what is missing or rename a column."
            )
        columns = {column.name: column.converted(raw[column.name]) for column in self.used}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise InputError(f"Expected columns of one length, found lengths {sorted(lengths)}.")
        return columns

    def chunk_size(self, feeds: Mapping[str, NDArray[Any]]) -> int:
        """Return how many rows go into one run.

        Parameters
        ----------
        feeds : mapping of str to array of shape (n_rows,)
            The graph's inputs, whatever they are.

        Returns
        -------
        int
        """
        return CHUNK_ROWS

    @property
    def tolerance(self) -> float:
        """How far hosts may differ."""
        return 1e-5

    def golden_view(self, output: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return what of an output is compared with the golden rows' stored one.

        Parameters
        ----------
        output : str
            Its name.
        values : array of shape (n_rows, ...)
            The output.

        Returns
        -------
        array of shape (n_rows, ...)
            All of it.
        """
        return values

    def raw_from_json(self, inputs: Mapping[str, list[Any]]) -> dict[str, NDArray[Any]]:
        """Return raw columns from JSON values.

        Parameters
        ----------
        inputs : mapping of str to list
            Values by column; None is a missing number.

        Returns
        -------
        dict of str to array of shape (n_rows,)
        """
        return {column.name: column.values_from_json(inputs[column.name]) for column in self.used}

    def with_known_anomalies(self, labels: Iterable[str]) -> Schema:
        """Return the same schema that remembers which labels mean a known anomaly.

        Parameters
        ----------
        labels : iterable of str
            Values of the column of labels.

        Returns
        -------
        Schema
        """
        held = {KNOWN_ANOMALIES: sorted(labels)}
        return self.with_summaries({column.name: held for column in self.columns if column.role is Role.LABEL})

    def with_summaries(self, summaries: Mapping[str, Mapping[str, Any]]) -> Schema:
        """Return the same schema with more in the summaries of some columns.

        Parameters
        ----------
        summaries : mapping of str to mapping
            JSON values by column.

        Returns
        -------
        Schema
        """
        return Schema(
            tuple(
                replace(column, summary={**column.summary, **summaries.get(column.name, {})}) for column in self.columns
            )
        )

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise InputError(f"Expected one of the columns {quoted(c.name for c in self.columns)}, found {name!r}.")

    def to_json(self) -> list[dict[str, Any]]:
        """Return JSON values that `from_json` turns back into the same schema.

        Returns
        -------
        list of dict
            One for each column.
        """
        return [
            asdict(column) | {"missing": list(column.missing), "input": column.input_name} for column in self.columns
        ]

    @classmethod
    def from_json(cls, columns: Iterable[Mapping[str, Any]]) -> Schema:
        """Rebuild a schema.

        Parameters
        ----------
        columns : iterable of mapping
            What `to_json` returned.

        Returns
        -------
        Schema
        """
        return cls(
            tuple(Column(**{name: value for name, value in column.items() if name != "input"}) for column in columns)
        )


def table_of(schema: Modality) -> Schema:
    """Return the schema of a model for tables.

    Raises
    ------
    InputError
        The model is for something else.
    """
    if not isinstance(schema, Schema):
        raise InputError(f"Expected a model for tables, found one for {schema.takes}; name another model file.")
    return schema

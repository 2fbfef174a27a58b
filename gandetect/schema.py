"""The columns of a table together: which of them are judged, what a model takes and answers, and its form in JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.arguments import require_type
from gandetect.column import KNOWN_ANOMALIES, NUMERIC, Column, Role
from gandetect.errors import InputError, quoted
from gandetect.modality import CHUNK_ROWS, GraphInput, Modality
from gandetect.tensor_names import DEFAULT_OUTPUTS, EXPECTATIONS, OUTPUTS


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
        Something else is among them, or two have the same name.
    """

    columns: tuple[Column, ...]

    # What `gandetect.modality.Modality` asks of it.
    takes = "tables"
    noun = "row"
    outputs = OUTPUTS
    default_outputs = DEFAULT_OUTPUTS  # what was expected is for explanations
    tolerance = 1e-5

    def __post_init__(self) -> None:
        require_type("a schema of a tuple of columns", self.columns, (tuple, list), "pass (Column(...), ...)")
        for column in self.columns:
            require_type("a schema of columns only", column, Column, "pass (Column(...), ...)")
        object.__setattr__(self, "columns", tuple(self.columns))
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

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise InputError(f"Expected one of the columns {quoted(c.name for c in self.columns)}, found {name!r}.")

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
            They are no names, or one is not that of a feature.
        """
        names = list(names) if isinstance(names, Collection) and not isinstance(names, str | bytes) else [names]
        features = [column.name for column in self.features]
        unfit = [name for name in names if not (isinstance(name, str) and name in features)]
        if unfit:
            raise InputError(
                f"Expected given columns out of those to learn from, {quoted(features)}, found {quoted(unfit)}; "
                "name others, or choose a kind for them."
            )
        return Schema(tuple(replace(c, role=Role.GIVEN) if c.name in names else c for c in self.columns))

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

    @property
    def inputs(self) -> tuple[GraphInput, ...]:
        """One input for each column that is used."""
        return tuple(
            GraphInput(column.input_name, np.float64 if column.kind in NUMERIC else str, (None,))
            for column in self.used
        )

    @cached_property
    def expectations(self) -> dict[str, tuple[str, int]]:
        """Which of the outputs `EXPECTATIONS` holds each feature's expected values, and at which position, by name."""
        names: dict[str, list[str]] = {output: [] for output in EXPECTATIONS}
        for column in self.features:
            names["expected_numbers" if column.kind in NUMERIC else "expected_levels"].append(column.name)
        return {name: (output, i) for output, group in names.items() for i, name in enumerate(group)}

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
                f"among {quoted(raw) or 'none'}; add what is missing or rename a column."
            )
        columns = {column.name: column.converted(raw[column.name]) for column in self.used}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise InputError(f"Expected columns of one length, found lengths {sorted(lengths)}.")
        return columns

    def holding_values(self, raw: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Tell which rows hold a value of some feature: of all others there is nothing to learn, nor to judge.

        Parameters
        ----------
        raw : mapping of str to array of shape (n_rows,)
            Raw columns by name; NaN, infinities and '' are missing.

        Returns
        -------
        ndarray of bool of shape (n_rows,)
        """
        present = [
            np.isfinite(values) if column.kind in NUMERIC else values != ""
            for column, values in ((column, raw[column.name]) for column in self.features)
        ]
        return np.asarray(np.any(present, axis=0))

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

    def to_json(self) -> list[dict[str, Any]]:
        """Return JSON values that `from_json` turns back into the same schema.

        Returns
        -------
        list of dict
            One for each column, see `Column.to_json`.
        """
        return [column.to_json() for column in self.columns]

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

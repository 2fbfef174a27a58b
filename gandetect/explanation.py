"""What is said of a row beside its scores: which columns are to blame, what was expected there, and what repairs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.arguments import require_count, require_position
from gandetect.modality import VERDICT
from gandetect.schema import Schema
from gandetect.tensor_names import EXPECTATIONS
from gandetect.wording import is_expected, reason

EXPLAINED = (*VERDICT, "contributions", *EXPECTATIONS)
"""The outputs of a model file that an explanation is made of."""

MAX_REPAIRS = 5
"""Largest number of columns in a repair."""

SHOWN_ROWS = 10
"""Rows of an explanation that are shown when it is printed."""

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, repr=False)
class Explanation:
    """What can be said of rows beside their scores.

    Parameters
    ----------
    schema : Schema
        The model's columns; its features are explained, in their order.
    values : mapping of str to array of shape (n_rows,)
        The raw columns.
    answers : mapping of str to array of shape (n_rows, ...)
        The model's outputs named in `EXPLAINED`.
    blame : array of shape (n_rows, n_features)
        Each feature's share of the blame: non-negative, every row sums to 1.
    repaired : array of bool of shape (n_rows, n_features)
        The smallest set of columns found whose repair makes a flagged row normal. None for a row that is not flagged,
        or that no repair of up to `MAX_REPAIRS` columns makes normal.
    repaired_values : mapping of str to array of shape (n_rows,)
        The raw columns after the repair.
    """

    schema: Schema
    values: Columns
    answers: Mapping[str, NDArray[Any]]
    blame: NDArray[np.float64]
    repaired: NDArray[np.bool_]
    repaired_values: Columns

    def __repr__(self) -> str:
        n_rows = len(self.blame)
        lines = [f"row {row}: {'; '.join(self.reasons(row))}" for row in range(min(n_rows, SHOWN_ROWS))]
        return "\n".join(lines if n_rows <= SHOWN_ROWS else [*lines, f"... {n_rows} rows in all"])

    @property
    def expected(self) -> dict[str, NDArray[Any]]:
        """What the generator expects of each feature given all other columns, by name: arrays of shape (n_rows,)."""
        return expected_values(self.schema, self.answers)

    def most_to_blame(self, row: int, at_most: int) -> list[int]:
        """Return which features have the largest shares of the blame for a row.

        Parameters
        ----------
        row : int
            Its position.
        at_most : int
            So many features.

        Returns
        -------
        list of int
            Positions among the features, by falling blame.

        Raises
        ------
        InputError
            There is no such row, or `at_most` is not a whole number of at least 0.
        """
        self._require(row)
        require_count("at_most", at_most, 0)
        positions: list[int] = most_to_blame(self.blame[row], at_most).tolist()
        return positions

    def reasons(self, row: int, at_most: int = 3) -> list[str]:
        """Say in words what is odd about a row.

        Parameters
        ----------
        row : int
            Its position.
        at_most : int, default=3
            So many features.

        Returns
        -------
        list of str
            One sentence for each of the features `to_name`.

        Raises
        ------
        InputError
            There is no such row, or `at_most` is not a whole number of at least 0.
        """
        return [self.reason(row, feature) for feature in self.to_name(row, at_most)]

    def reason(self, row: int, feature: int) -> str:
        """Say in words what a feature's value is in a row, what was expected, and what is usual.

        Parameters
        ----------
        row, feature : int
            Their positions.

        Returns
        -------
        str
            One sentence.

        Raises
        ------
        InputError
            There is no such row or feature.
        """
        self._require(row, feature)
        return reason_of(self.schema, self.values, self.answers, row, feature)

    def to_name(self, row: int, at_most: int) -> list[int]:
        """Return which features to name as reasons for a row.

        Parameters
        ----------
        row : int
            Its position.
        at_most : int
            So many features.

        Returns
        -------
        list of int
            Positions of those most to blame, by falling blame, without those whose level is among the expected ones
            unless there are no others.

        Raises
        ------
        InputError
            There is no such row, or `at_most` is not a whole number of at least 0.
        """
        require_count("at_most", at_most, 0)
        features = self.most_to_blame(row, len(self.schema.features))
        odd = [feature for feature in features if not self._is_expected(row, feature)]
        return (odd or features)[:at_most]

    def _require(self, row: int, feature: int = 0) -> None:
        """Refuse positions of rows and features that are not there."""
        require_position("row", row, len(self.blame))
        require_position("feature", feature, len(self.schema.features))

    def _is_expected(self, row: int, feature: int) -> bool:
        column = self.schema.features[feature]
        output, position = self.schema.expectations[column.name]
        return is_expected(column, self.values[column.name][row], self.answers[output][row, position])

    def expected_of(self, row: int, feature: int) -> float | list[str]:
        """Return what the generator expects of a feature in a row.

        Parameters
        ----------
        row : int
            Its position.
        feature : int
            Its position among the features.

        Returns
        -------
        float or list of str
            A number, or a time in seconds since 1970 UTC; of other kinds the one or two likeliest levels.

        Raises
        ------
        InputError
            There is no such row or feature.
        """
        self._require(row, feature)
        output, position = self.schema.expectations[self.schema.features[feature].name]
        expected = self.answers[output][row, position]
        return [level for level in expected.tolist() if level] if output == "expected_levels" else float(expected)

    def repair(self, row: int) -> dict[str, float | str]:
        """Return what would make a flagged row normal.

        Parameters
        ----------
        row : int
            Its position.

        Returns
        -------
        dict of str to float or str
            New values by column; empty where none were found or needed.

        Raises
        ------
        InputError
            There is no such row.
        """
        self._require(row)
        names = [self.schema.features[feature].name for feature in np.flatnonzero(self.repaired[row])]
        return {name: self.repaired_values[name].tolist()[row] for name in names}


def most_to_blame(blame: NDArray[np.floating[Any]], at_most: int) -> NDArray[np.int64]:
    """Return the positions of the largest shares along the last axis; of equal ones the first."""
    positions: NDArray[np.int64] = np.argsort(-blame, axis=-1, kind="stable")[..., :at_most]
    return positions


def expected_values(schema: Schema, answers: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the likeliest value of each feature by name, arrays of shape (n_rows,)."""
    expected: dict[str, NDArray[Any]] = {}
    for column in schema.features:
        output, position = schema.expectations[column.name]
        values = answers[output][:, position]
        expected[column.name] = values if values.ndim == 1 else values[:, 0]
    return expected


def reason_of(schema: Schema, values: Columns, answers: Mapping[str, NDArray[Any]], row: int, feature: int) -> str:
    """Say in words what a feature's value is in a row, what was expected, and what is usual."""
    column = schema.features[feature]
    output, position = schema.expectations[column.name]
    return reason(column, values[column.name][row], answers[output][row, position])

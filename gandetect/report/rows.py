"""What a report needs to know of new rows, gathered chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.arguments import require_count
from gandetect.drift import DriftMonitor
from gandetect.errors import InputError, quoted
from gandetect.modality import VERDICT
from gandetect.scorer import Scorer, table_scored_by

Columns = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]


class ReportRows:
    """New rows as far as a report tells of them; of all but the most anomalous ones only scores and counts are kept.

    Parameters
    ----------
    scorer : Scorer
        The model, for tables.
    n_top : int
        So many of the most anomalous rows are kept whole.

    Attributes
    ----------
    monitor : DriftMonitor
        Counts of the columns' values and p-values.
    n_flagged : int
        Flagged rows so far.
    n_top : int
        As given.

    Raises
    ------
    InputError
        The model is not for tables, or `n_top` is no number of rows.
    ModelFileError
        It does not say how its training values are spread.
    """

    outputs = VERDICT
    """What `add` needs of the model's answers."""

    def __init__(self, scorer: Scorer, n_top: int = 20) -> None:
        require_count("n_top", n_top, 0)
        self.monitor = DriftMonitor(scorer)
        self.n_flagged, self.n_top = 0, n_top
        self._schema = table_scored_by(scorer)
        self._scores: list[Floats] = []
        self._p_values: list[Floats] = []
        self._top: dict[str, NDArray[Any]] = {}
        self._top_scores: Floats = np.empty(0, dtype=np.float32)
        self._top_lines: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def add(self, columns: Columns, answers: Mapping[str, NDArray[Any]], lines: Sequence[int]) -> None:
        """Take in some rows.

        Parameters
        ----------
        columns : mapping of str to array of shape (n_rows,)
            Raw columns by name.
        answers : mapping of str to array of shape (n_rows,)
            The model's outputs named in `outputs`.
        lines : sequence of int of length n_rows
            The line that each row stands on.

        Raises
        ------
        InputError
            A column is missing or of another type, or there is not one answer of each kind and one line for each row;
            nothing is taken in then.
        """
        kept = self._schema.checked(columns)
        scores, p_values, flags = self._checked_answers(answers, len(next(iter(kept.values()))))
        own_lines = _checked_lines(lines, len(scores))
        self.monitor.add(columns, p_values)
        self.n_flagged += int(flags.sum())
        self._scores.append(scores)
        self._p_values.append(p_values)
        if self._top:
            kept = {name: np.concatenate([self._top[name], values]) for name, values in kept.items()}
        all_scores = np.concatenate([self._top_scores, scores])
        all_lines = np.concatenate([self._top_lines, own_lines])
        best = np.argsort(-all_scores, kind="stable")[: self.n_top]
        self._top = {name: values[best] for name, values in kept.items()}
        self._top_scores, self._top_lines = all_scores[best], all_lines[best]

    def _checked_answers(self, answers: Mapping[str, NDArray[Any]], n_rows: int) -> list[NDArray[Any]]:
        """Return the answers named in `outputs`, in that order, one number for each row."""
        names = self.outputs if isinstance(answers, Mapping) and answers.keys() >= set(self.outputs) else ()
        known = [np.asarray(answers[name]) for name in names]
        if [values.shape for values in known] != [(n_rows,)] * len(self.outputs):
            raise InputError(
                f"Expected the answers {quoted(self.outputs)} for each of {n_rows} rows, found others; pass what "
                "scorer(columns, ReportRows.outputs) returns."
            )
        return known

    @property
    def n_rows(self) -> int:
        """How many rows there were."""
        return self.monitor.p_values.n_rows

    @property
    def scores(self) -> Floats:
        """All anomaly scores, shape (n_rows,)."""
        return np.concatenate([np.empty(0, dtype=np.float32), *self._scores])

    @property
    def p_values(self) -> Floats:
        """All p-values, shape (n_rows,)."""
        return np.concatenate([np.empty(0, dtype=np.float32), *self._p_values])

    @property
    def top(self) -> tuple[dict[str, NDArray[Any]], list[int]]:
        """The raw columns of the most anomalous rows, and their lines."""
        return self._top, self._top_lines.tolist()


def _checked_lines(lines: Sequence[int], n_rows: int) -> NDArray[np.int64]:
    try:
        numbers = np.asarray(lines)
    except ValueError:
        numbers = np.array(None)
    if numbers.shape != (n_rows,) or (n_rows and numbers.dtype.kind not in "iu"):
        raise InputError(f"Expected the number of the line of each of {n_rows} rows, found others; pass whole numbers.")
    return numbers.astype(np.int64)

"""What a report needs to know of new rows, gathered chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.drift import DriftMonitor
from gandetect.modality import VERDICT
from gandetect.schema import table_of
from gandetect.scorer import Scorer

Columns = Mapping[str, NDArray[Any]]
Floats32 = NDArray[np.float32]


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
        The model is not for tables.
    ModelFileError
        It does not say how its training values are spread.
    """

    outputs = VERDICT
    """What `add` needs of the model's answers."""

    def __init__(self, scorer: Scorer, n_top: int = 20) -> None:
        self.monitor = DriftMonitor(scorer)
        self.n_flagged, self.n_top = 0, n_top
        self._names = [column.name for column in table_of(scorer.schema).used]
        self._scores: list[Floats32] = []
        self._p_values: list[Floats32] = []
        self._top: dict[str, NDArray[Any]] = {}
        self._top_scores: Floats32 = np.empty(0, dtype=np.float32)
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
        """
        scores = answers["anomaly_score"]
        self.monitor.add(columns, answers["p_value"])
        self.n_flagged += int(answers["is_anomaly"].sum())
        self._scores.append(scores)
        self._p_values.append(answers["p_value"])
        kept = {name: columns[name] for name in self._names}
        if self._top:
            kept = {name: np.concatenate([self._top[name], values]) for name, values in kept.items()}
        all_scores = np.concatenate([self._top_scores, scores])
        all_lines = np.concatenate([self._top_lines, np.asarray(lines, dtype=np.int64)])
        best = np.argsort(-all_scores, kind="stable")[: self.n_top]
        self._top = {name: values[best] for name, values in kept.items()}
        self._top_scores, self._top_lines = all_scores[best], all_lines[best]

    @property
    def n_rows(self) -> int:
        """How many rows there were."""
        return self.monitor.p_values.n_rows

    @property
    def scores(self) -> Floats32:
        """All anomaly scores, shape (n_rows,)."""
        return np.concatenate([np.empty(0, dtype=np.float32), *self._scores])

    @property
    def p_values(self) -> Floats32:
        """All p-values, shape (n_rows,)."""
        return np.concatenate([np.empty(0, dtype=np.float32), *self._p_values])

    @property
    def top(self) -> tuple[dict[str, NDArray[Any]], list[int]]:
        """The raw columns of the most anomalous rows, and their lines."""
        return self._top, self._top_lines.tolist()

"""Finds which columns are to blame for a row, and which repair makes it normal.

Everything comes from the model file. A repair replaces values by what the generator expects there; how far that lowers
the score, and whether it makes the row normal, is for the file to say as well. A column's blame is the mean of two
shares: that of the file's own contributions, and that of the fall of the score when this column alone is repaired. The
first sees every column that contradicts others; the second tells who is wrong from who is only contradicted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.explanation import EXPLAINED, MAX_REPAIRS, Columns, Explanation, expected_values, most_to_blame
from gandetect.schema import Schema
from gandetect.scorer import Scorer, table_scored_by
from gandetect.tensor_names import EXPECTATIONS

MAX_CANDIDATES = 24
"""So many columns, those most to blame, are tried when the next one to repair is looked for."""

_BLOCK_ROWS = 64
"""Rows that are repaired at a time: each of them becomes as many rows as there are candidates."""


def explain(scorer: Scorer, columns: Columns, alpha: float | None = None) -> Explanation:
    """Explain rows.

    Parameters
    ----------
    scorer : Scorer
        The model.
    columns : mapping of str to array of shape (n_rows,)
        Raw columns by name.
    alpha : float, optional
        False-alarm rate at which rows are flagged; the model file's own rule without it.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        `scorer` is not a `Scorer`, or its model is not for tables; otherwise as from calling the scorer.
    """
    schema = table_scored_by(scorer)
    answers = scorer(columns, EXPLAINED, alpha)
    values = schema.checked(columns)
    blame = answers["contributions"].astype(np.float64)
    repaired = np.zeros(blame.shape, dtype=bool)
    repaired_values = {name: column.copy() for name, column in values.items()}
    for start in range(0, len(blame), _BLOCK_ROWS):
        block = np.arange(start, min(start + _BLOCK_ROWS, len(blame)))
        own, own_answers = _taken(values, block), _taken(answers, block)
        trial = _tried(scorer, schema, own, own_answers, np.zeros((len(block), blame.shape[1]), dtype=bool), alpha)
        blame[block] = _shared_blame(own_answers, trial)
        flagged = np.flatnonzero(own_answers["is_anomaly"])
        if len(flagged):
            repair = _Repair(scorer, schema, _taken(own, flagged), trial.of_rows(flagged), alpha)
            repaired[block[flagged]] = repair.chosen
            for name, column in repair.values.items():
                repaired_values[name][block[flagged]] = column
    return Explanation(schema, values, answers, blame, repaired, repaired_values)


@dataclass(frozen=True)
class _Trial:
    """What becomes of rows when one more of their features is repaired.

    Shape
    -----
    candidates (n_rows, n_candidates): the features, one at a time; scores, flagged (n_rows, n_candidates): with that
    one repaired; values, by column: (n_rows, n_candidates)
    """

    candidates: NDArray[np.int64]
    scores: NDArray[np.float32]
    flagged: NDArray[np.bool_]
    values: Columns

    def of_rows(self, rows: NDArray[np.int64]) -> _Trial:
        return _Trial(self.candidates[rows], self.scores[rows], self.flagged[rows], _taken(self.values, rows))


def _tried(
    scorer: Scorer, schema: Schema, values: Columns, answers: Columns, done: NDArray[np.bool_], alpha: float | None
) -> _Trial:
    """Repair each of the features most to blame, one at a time; `done`, (n_rows, n_features), are repaired already."""
    blame = np.where(done, -1, answers["contributions"])
    candidates = most_to_blame(blame, MAX_CANDIDATES)
    trials = _trials(values, candidates, expected_values(schema, answers))
    tried = scorer(trials, ["anomaly_score", "is_anomaly"], alpha)
    scores, flagged = (tried[name].reshape(candidates.shape) for name in ("anomaly_score", "is_anomaly"))
    # What is repaired already is a candidate where there are few columns.
    scores = np.where(np.take_along_axis(done, candidates, axis=1), np.float32(np.inf), scores)
    return _Trial(candidates, scores, flagged, {name: trials[name].reshape(candidates.shape) for name in values})


def _shared_blame(answers: Columns, trial: _Trial) -> NDArray[np.float64]:
    """Return the mean of the contributions and of each repair's share of the score's fall, (n_rows, n_features)."""
    contributions = answers["contributions"].astype(np.float64)
    relief = np.zeros_like(contributions)
    fall = np.maximum(0, answers["anomaly_score"][:, None] - trial.scores)
    np.put_along_axis(relief, trial.candidates, fall, axis=1)
    total = relief.sum(1, keepdims=True)
    return np.where(total > 0, (contributions + relief / np.where(total > 0, total, 1)) / 2, contributions)


def _trials(values: Columns, candidates: NDArray[np.int64], expected: Columns) -> dict[str, NDArray[Any]]:
    """Return rows with one feature repaired in each: ``candidates``, (n_rows, n_candidates), says which."""
    n_rows, n_candidates = candidates.shape
    trials = _taken(values, np.repeat(np.arange(n_rows), n_candidates))
    names = list(expected)
    for feature in np.unique(candidates):
        row, candidate = np.nonzero(candidates == feature)
        trials[names[feature]][row * n_candidates + candidate] = expected[names[feature]][row]
    return trials


def _taken(columns: Columns, rows: Any) -> dict[str, NDArray[Any]]:
    return {name: values[rows] for name, values in columns.items()}


class _Repair:
    """Looks for the smallest repair of flagged rows, greedily: by the column that lowers the score most, one by one.

    Attributes
    ----------
    chosen : array of bool of shape (n_rows, n_features)
        Repaired columns; none where the row stays flagged.
    values : dict of str to array of shape (n_rows,)
        The rows after the repair.
    """

    def __init__(self, scorer: Scorer, schema: Schema, given: Columns, first: _Trial, alpha: float | None) -> None:
        self._scorer, self._schema, self._given, self._alpha = scorer, schema, given, alpha
        self._names = [column.name for column in schema.features]
        n_rows = len(first.candidates)
        self.values = {name: values.copy() for name, values in given.items()}
        self.chosen = np.zeros((n_rows, len(self._names)), dtype=bool)
        open_rows = self._take_best(np.arange(n_rows), first)
        for _ in range(min(MAX_REPAIRS, len(self._names)) - 1):
            if len(open_rows):
                open_rows = self._take_best(open_rows, self._tried(open_rows))
        self._undo(open_rows, self.chosen[open_rows])
        self._leave_out()

    def _tried(self, rows: NDArray[np.int64]) -> _Trial:
        values = _taken(self.values, rows)
        answers = self._scorer(values, ["contributions", *EXPECTATIONS])
        return _tried(self._scorer, self._schema, values, answers, self.chosen[rows], self._alpha)

    def _take_best(self, rows: NDArray[np.int64], trial: _Trial) -> NDArray[np.int64]:
        """Repair the feature that lowers each row's score most; return the rows that are still flagged."""
        best = np.arange(len(rows)), trial.scores.argmin(1)
        for name in self._names:
            self.values[name][rows] = trial.values[name][best]
        self.chosen[rows, trial.candidates[best]] = True
        still_flagged: NDArray[np.int64] = rows[trial.flagged[best]]
        return still_flagged

    def _leave_out(self) -> None:
        """Give back what a repair can do without: what was chosen early may no longer be needed."""
        for _ in range(MAX_REPAIRS - 1):
            rows, features = np.nonzero(self.chosen & (self.chosen.sum(1, keepdims=True) > 1))
            if not len(rows):
                return
            trials = _taken(self.values, rows)
            for feature in np.unique(features):
                name, here = self._names[feature], features == feature
                trials[name][here] = self._given[name][rows[here]]
            normal = ~self._scorer(trials, ["is_anomaly"], self._alpha)["is_anomaly"]
            # One column of a row at a time: two may be needless only each on its own.
            given_back = np.zeros_like(self.chosen)
            rows, first = np.unique(rows[normal], return_index=True)
            given_back[rows, features[normal][first]] = True
            self._undo(np.arange(len(given_back)), given_back)

    def _undo(self, rows: NDArray[np.int64], which: NDArray[np.bool_]) -> None:
        for feature in np.flatnonzero(which.any(0)):
            name, undone = self._names[feature], rows[which[:, feature]]
            self.values[name][undone] = self._given[name][undone]
            self.chosen[undone, feature] = False

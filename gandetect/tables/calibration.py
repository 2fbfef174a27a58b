"""What members say of rows that they never saw: the calibration of a detector for tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gandetect.calibration import Disagreement, Evidence, calibrate, fit_evidence
from gandetect.graph.layers import NEAR
from gandetect.graph.tables import TableWeights
from gandetect.schema import Schema
from gandetect.tables.assembly import Learned
from gandetect.tables.encoding import CategoryEncoding, Encoding
from gandetect.tables.ensemble import TableRows
from gandetect.tables.partial_graphs import run_measures, run_networks, run_score
from gandetect.tables.settings import TableSettings

SMALLEST_ERROR, SMALLEST_LEVEL_ERROR = 1e-3, 0.25
"""Units of a column's reconstruction error where the mean over the training rows is smaller; a category's in steps.

The mean error of a category is small where one level is rare, and would let every rare level count as a contradiction.
"""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Judges:
    """The members of an ensemble, and how what they answer becomes a score."""

    encoding: Encoding
    weights: TableWeights
    error_scale: Floats
    evidence: Evidence

    def answers(self, encoded: dict[str, Floats], sources: NDArray[np.int64], blind: TableWeights) -> dict[str, Floats]:
        """Ask members about samples from training rows that they never saw, `sources`, (n,)."""
        answers = run_networks(encoded, self.encoding, blind, ["values", "column_errors"])
        return _unseen(answers, encoded["samples"], sources, self.encoding, self.weights)

    def scores(self, feeds: dict[str, Floats], growth: Floats | None = None) -> Floats:
        """Return anomaly scores from what members answer and the rest that a score is made of."""
        return run_score(run_measures(feeds, self.error_scale), self.evidence, growth)


def calibrated(
    rows: TableRows, schema: Schema, encoding: Encoding, weights: TableWeights, settings: TableSettings
) -> tuple[Learned, Floats]:
    """Score every training row by the member that never saw it, and calibrate on these scores.

    Returns what was learned, and the scores of the members by themselves.
    """
    answers = _out_of_fold(rows, encoding, weights)
    answers = _unseen(answers, rows.samples, np.arange(len(rows.samples)), encoding, weights)
    column_errors = answers["column_errors"]
    present = rows.present * ~encoding.is_given  # what is given is not judged
    counts = np.maximum(present.sum(0), 1)
    smallest_error = [
        SMALLEST_LEVEL_ERROR * column.step**2 if isinstance(column, CategoryEncoding) else SMALLEST_ERROR
        for column in encoding.columns.values()
    ]
    error_scale = np.maximum((column_errors * present).sum(0) / counts, smallest_error).astype(np.float32)
    if weights.linear is not None:  # numbers all have the same unit already
        numbers = encoding.column_of[weights.linear.entries]
        error_scale[numbers] = error_scale[numbers].mean()
    feeds = answers | other_measures(present, rows.excess)
    components = run_measures(feeds, error_scale)
    # Logits and logarithms that vary less are rounding. Where no training row has any excess, one unit is its step.
    smallest = np.append(np.full(components.shape[1] - 1, 0.1), 1.0)
    evidence_weights = settings.evidence_weights(
        len(components), knows_anomalies=bool(len(rows.known)), linear=weights.linear is not None
    )
    evidence = fit_evidence(components.astype(np.float64), *evidence_weights, smallest)
    scores = run_score(components, evidence)
    judges = Judges(encoding, weights, error_scale, evidence)
    cautious = _with_caution(scores, rows, feeds, judges)
    kinds = kinds_of_rows(rows)
    if kinds is None:
        calibration = calibrate(cautious, _disagreement(cautious, rows, feeds, judges))
    else:
        calibration = calibrate(_largest_of_each(kinds, cautious))
    return Learned(schema, encoding, weights, error_scale, evidence, calibration), scores


def _out_of_fold(rows: TableRows, encoding: Encoding, weights: TableWeights) -> dict[str, Floats]:
    """Run each member, as an ensemble of its own, on the rows that it never saw."""
    unseen = [rows.unseen_by(member) for member in range(weights.n_members)]
    names = ["values", "column_errors"]
    parts = [run_networks(rows.encoded(own), encoding, weights.member(m), names) for m, own in enumerate(unseen)]
    order = np.argsort(np.concatenate(unseen), kind="stable")
    return {name: np.concatenate([part[name] for part in parts])[order] for name in names}


def _unseen(
    answers: dict[str, Floats],
    samples: Floats,
    rows: NDArray[np.int64],
    encoding: Encoding,
    weights: TableWeights,
) -> dict[str, Floats]:
    """Replace what a linear path answers of samples by what one says that never saw the rows they come from."""
    if weights.linear is None:
        return answers
    deviation, distance = weights.linear.judge_without(samples, rows)
    values, column_errors = answers["values"].copy(), answers["column_errors"].copy()
    column_errors[:, encoding.column_of[weights.linear.entries]] = np.square(deviation)
    values[:, -1:] = np.log(distance + NEAR * deviation.shape[1])
    return {"values": values, "column_errors": column_errors}


def _with_caution(scores: Floats, rows: TableRows, feeds: dict[str, Floats], judges: Judges) -> Floats:
    """Score the rows of islands by all members that never saw them: that of their fold, and the cautious ones.

    These have most of the votes on new rows, and would judge but a fold of the training rows: new rows like those of an
    island would look odder than most of the island's own.
    """
    if rows.votes is None:
        return scores
    votes, scores = rows.votes.copy(), scores.copy()
    votes[~rows.cautious] = votes[~rows.cautious].sum()  # the one that never saw a row stands for all the others
    for member in range(judges.weights.n_members):
        own = np.flatnonzero(rows.islands & (rows.folds == member))
        if not len(own):
            continue
        blind = np.flatnonzero(rows.cautious | (np.arange(judges.weights.n_members) == member))
        ensemble = judges.weights.members(blind, votes[blind] / votes[blind].sum())
        answers = judges.answers(rows.encoded(own), own, ensemble)
        scores[own] = judges.scores({name: values[own] for name, values in feeds.items()} | answers)
    return scores


MOST_KINDS, FEWEST_COPIES = 200, 10
"""Rows are of few kinds where there are so many different ones at most, and so many of each on average."""


def kinds_of_rows(rows: TableRows) -> NDArray[np.int64] | None:
    """Return which rows are the same, as the number of their kind, (n_rows,); None unless there are few kinds.

    New rows of a kind all have the same score, and are flagged together or not at all. Out of fold they have as many
    scores as there are folds, of which some may lie below that one, and their p-value would pass over some of them.
    """
    most = min(MOST_KINDS, len(rows.samples) // FEWEST_COPIES)
    numbers: dict[bytes, int] = {}
    kinds = np.empty(len(rows.samples), dtype=np.int64)
    for row, parts in enumerate(zip(rows.samples, rows.present, rows.excess, strict=True)):
        kinds[row] = numbers.setdefault(b"".join(part.tobytes() for part in parts), len(numbers))
        if len(numbers) > most:
            return None
    return kinds


def _largest_of_each(kinds: NDArray[np.int64], scores: Floats) -> Floats:
    """Give all rows of a kind the largest of their scores: the mean of the members, as new rows have it, is no larger.

    Nothing is taken away for what averaging lowers: it would be more than a whole kind.
    """
    largest = np.full(kinds.max() + 1, -np.inf, dtype=np.float32)
    np.maximum.at(largest, kinds, scores)
    return largest[kinds]


MAX_COMPARED = 20_000
"""Training rows on which the members are compared."""


def _disagreement(unseen_scores: Floats, rows: TableRows, feeds: dict[str, Floats], judges: Judges) -> Disagreement:
    """Score rows by every member that saw them, and compare; `unseen_scores` are those of members that never did."""
    chosen = np.arange(len(rows.samples))[:: -(-len(rows.samples) // MAX_COMPARED)]
    some = {name: values[chosen] for name, values in feeds.items()}
    members = map(judges.weights.member, range(judges.weights.n_members))
    by_member = np.stack(
        [
            judges.scores(some | run_networks(rows.encoded(chosen), judges.encoding, member, ["values"]))
            for member in members
        ]
    )
    return Disagreement.between(by_member, unseen_scores[chosen], rows.folds[chosen])


def other_measures(present: Floats, excess: Floats) -> dict[str, Floats]:
    """Return what a row's components are made of beside the networks' answers."""
    return {"present": present, "excess": excess, "largest_excess": excess.max(1, keepdims=True)}

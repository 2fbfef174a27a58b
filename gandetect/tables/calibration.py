"""What members say of rows that they never saw: the calibration of a detector for tables, and its certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.calibration import Disagreement, Evidence, calibrate, fit_evidence
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.encoding import EncodedTensors, add_encoding, add_inputs
from gandetect.graph.layers import NEAR
from gandetect.graph.score import add_measures, add_score
from gandetect.graph.tables import TableWeights, add_networks
from gandetect.schema import Schema
from gandetect.scorer import open_session, run_in_chunks
from gandetect.tables.assembly import Learned
from gandetect.tables.certificate import FEWEST, MAX_ROWS, PLAIN, Scores, certificate, plant, scores_of
from gandetect.tables.encoding import CategoryEncoding, EncodedRows, Encoding
from gandetect.tables.ensemble import TableRows
from gandetect.tables.settings import TableSettings

SMALLEST_ERROR, SMALLEST_LEVEL_ERROR = 1e-3, 0.25
"""Units of a column's reconstruction error where the mean over the training rows is smaller; a category's in steps.

The mean error of a category is small where one level is rare, and would let every rare level count as a contradiction.
"""

Columns = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]


def run_encoding(columns: Columns, schema: Schema, encoding: Encoding) -> EncodedRows:
    """Encode raw columns as the model file does."""
    builder = GraphBuilder()
    encoded = add_encoding(builder, encoding, schema, add_inputs(builder, schema))
    for name in EncodedRows._fields:
        builder.output(name, getattr(encoded, name), np.float32, ["n", None])
    feeds = {column.input_name: columns[column.name] for column in schema.used}
    return EncodedRows(**run_in_chunks(open_session(builder.build()), EncodedRows._fields, feeds))


@dataclass(frozen=True)
class _Judges:
    """The members of an ensemble, and how what they answer becomes a score."""

    encoding: Encoding
    weights: TableWeights
    error_scale: Floats
    evidence: Evidence

    def answers(self, encoded: dict[str, Floats], sources: NDArray[np.int64], blind: TableWeights) -> dict[str, Floats]:
        """Ask members about samples from training rows that they never saw, `sources`, (n,)."""
        answers = _run_member(encoded, self.encoding, blind, ["values", "column_errors"])
        return _unseen(answers, encoded["samples"], sources, self.encoding, self.weights)

    def scores(self, feeds: dict[str, Floats], growth: Floats | None = None) -> Floats:
        """Return anomaly scores from what members answer and the rest that a score is made of."""
        return _scores(_components(feeds, self.error_scale), self.evidence, growth)


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
    feeds = answers | _others(present, rows.excess)
    components = _components(feeds, error_scale)
    # Logits and logarithms that vary less are rounding. Where no training row has any excess, one unit is its step.
    smallest = np.append(np.full(components.shape[1] - 1, 0.1), 1.0)
    evidence_weights = settings.evidence_weights(
        len(components), knows_anomalies=bool(len(rows.known)), linear=weights.linear is not None
    )
    evidence = fit_evidence(components.astype(np.float64), *evidence_weights, smallest)
    scores = _scores(components, evidence)
    judges = _Judges(encoding, weights, error_scale, evidence)
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
    parts = [_run_member(rows.encoded(own), encoding, weights.member(m), names) for m, own in enumerate(unseen)]
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


def _with_caution(scores: Floats, rows: TableRows, feeds: dict[str, Floats], judges: _Judges) -> Floats:
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


def _disagreement(unseen_scores: Floats, rows: TableRows, feeds: dict[str, Floats], judges: _Judges) -> Disagreement:
    """Score rows by every member that saw them, and compare; `unseen_scores` are those of members that never did."""
    chosen = np.arange(len(rows.samples))[:: -(-len(rows.samples) // MAX_COMPARED)]
    some = {name: values[chosen] for name, values in feeds.items()}
    members = map(judges.weights.member, range(judges.weights.n_members))
    by_member = np.stack(
        [
            judges.scores(some | _run_member(rows.encoded(chosen), judges.encoding, member, ["values"]))
            for member in members
        ]
    )
    return Disagreement.between(by_member, unseen_scores[chosen], rows.folds[chosen])


def certified(
    columns: Columns, rows: TableRows, learned: Learned, scores: Floats, alpha: float, n_planted: int, seed: int
) -> dict[str, Any]:
    """Plant anomalies, and say which share is found out of fold, also by plain detectors.

    Empty where there are too few rows, or nothing to plant.

    `alpha` is the false-alarm rate at which they are to be found.
    """
    n_rows = len(rows.samples)
    if not n_planted or n_rows < FEWEST:
        return {}
    chosen, compared = (np.random.default_rng([seed, n]).permutation(n_rows)[:n] for n in (n_planted, MAX_ROWS))
    planted = plant(columns, learned.encoding, chosen, seed)
    if not planted:
        return {}
    together = {name: np.concatenate([kind[name] for kind in planted.values()]) for name in learned.encoding.columns}
    encoded = run_encoding(together, learned.schema, learned.encoding)
    folds, planted_folds = rows.folds[compared], np.tile(rows.folds[chosen], len(planted))
    own = _scores_of_folds(encoded, np.tile(chosen, len(planted)), planted_folds, learned)
    by_detector = {"gandetect": Scores(scores.astype(np.float64), rows.folds, own)}
    for name, fit in PLAIN.items():
        normal, found = scores_of(fit, rows.samples[compared], folds, encoded.samples, planted_folds)
        by_detector[name] = Scores(normal, folds, found)
    return certificate(alpha, list(planted), by_detector)


def _scores_of_folds(
    encoded: EncodedRows, sources: NDArray[np.int64], folds: NDArray[np.int64], learned: Learned
) -> NDArray[np.float64]:
    """Score rows that were made from training rows by the members that never saw their folds."""
    judges = _Judges(learned.encoding, learned.weights, learned.error_scale, learned.evidence)
    scores = np.empty(len(folds))
    for member in np.unique(folds):
        own = folds == member
        parts = {name: values[own] for name, values in encoded._asdict().items()}
        answers = judges.answers(parts, sources[own], judges.weights.member(int(member)))
        present = parts["present"] * ~judges.encoding.is_given
        feeds = answers | _others(present, parts["excess"])
        scores[own] = judges.scores(feeds, parts["growth"])
    return scores


def _run_member(
    encoded: dict[str, Floats], encoding: Encoding, member: TableWeights, names: list[str]
) -> dict[str, Floats]:
    """Run one member, as an ensemble of its own, on samples with their presence."""
    builder = GraphBuilder()
    samples, present = (builder.input(name, np.float32, ["n", None]) for name in ("samples", "present"))
    components = add_networks(
        builder, EncodedTensors(samples, present, growth="", excess="", largest_excess=""), member, encoding.column_of
    )
    for name in names:
        builder.output(name, getattr(components, name), np.float32, ["n", None])
    feeds = {name: encoded[name] for name in ("samples", "present")}
    return run_in_chunks(open_session(builder.build()), names, feeds)


def _others(present: Floats, excess: Floats) -> dict[str, Floats]:
    """Return what a row's components are made of beside the networks' answers."""
    return {"present": present, "excess": excess, "largest_excess": excess.max(1, keepdims=True)}


def _components(feeds: dict[str, Floats], error_scale: Floats) -> Floats:
    builder = GraphBuilder()
    inputs = {name: builder.input(name, np.float32, ["n", values.shape[1]]) for name, values in feeds.items()}
    measured = add_measures(builder, **inputs, error_scale=error_scale)
    builder.output("components", measured.components, np.float32, ["n", None])
    return run_in_chunks(open_session(builder.build()), ["components"], feeds)["components"]


def _scores(components: Floats, evidence: Evidence, growth: Floats | None = None) -> Floats:
    """Return anomaly scores; without `growth`, (n, 1), it is 0, as that of every training row."""
    feeds = {
        "components": components,
        "growth": np.zeros((len(components), 1), np.float32) if growth is None else growth,
        "largest_excess": components[:, -1:],
    }
    builder = GraphBuilder()
    inputs = {name: builder.input(name, np.float32, ["n", values.shape[1]]) for name, values in feeds.items()}
    builder.output("score", add_score(builder, **inputs, evidence=evidence), np.float32, ["n", 1])
    return run_in_chunks(open_session(builder.build()), ["score"], feeds)["score"][:, 0]

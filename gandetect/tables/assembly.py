"""Puts a trained table detector into its model file: the whole graph and golden rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gandetect.calibration import Calibration, Evidence, threshold_exceeded_by
from gandetect.column import NUMERIC
from gandetect.distribution import remembered
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.encoding import add_encoding, add_inputs
from gandetect.graph.expectation import add_expectation
from gandetect.graph.score import add_answers, add_measures, add_score
from gandetect.graph.tables import TableWeights, add_networks
from gandetect.model_file import unsealed_metadata
from gandetect.networks.tables import TablePair
from gandetect.record import answers_as_json, clear_of_steps
from gandetect.schema import Schema
from gandetect.scorer import open_session, run_in_chunks
from gandetect.tables.decoding import decode
from gandetect.tables.encoding import Encoding
from gandetect.tensor_names import DEFAULT_OUTPUTS

Columns = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Learned:
    """Everything that the final graph is built from."""

    schema: Schema
    encoding: Encoding
    weights: TableWeights
    error_scale: Floats
    evidence: Evidence
    calibration: Calibration


def share_threshold(
    learned: Learned, columns: Columns, contamination: float, learned_from: NDArray[np.bool_], unseen: Floats
) -> float:
    """Return the score that is exceeded by the given share of the training rows, as the model file scores them.

    A linear path knows by heart what it learned from; with one, `unseen`, the scores out of fold, count for these rows.
    """
    scores = _answers(learned, None, columns, ["anomaly_score"])["anomaly_score"].astype(np.float64)
    if learned.weights.linear is not None:
        scores[learned_from] = unseen
    return threshold_exceeded_by(contamination, scores)


def build_model(learned: Learned, threshold: float | None, manifest: dict[str, Any]) -> bytes:
    """Build the whole graph: raw columns in, all answers out."""
    builder = GraphBuilder()
    inputs = add_inputs(builder, learned.schema)
    encoded = add_encoding(builder, learned.encoding, learned.schema, inputs)
    components = add_networks(builder, encoded, learned.weights, learned.encoding.column_of)
    judged = encoded.present
    if learned.encoding.given:
        judged = builder.node("Mul", judged, builder.floats(~learned.encoding.is_given))
    measured = add_measures(
        builder,
        components.values,
        components.column_errors,
        judged,
        encoded.excess,
        encoded.largest_excess,
        learned.error_scale,
    )
    score = add_score(builder, measured.components, encoded.growth, encoded.largest_excess, learned.evidence)
    features = np.flatnonzero(~learned.encoding.is_given)
    add_answers(builder, measured, score, learned.calibration, features, threshold)
    add_expectation(builder, components.expected, learned.encoding, inputs)
    return builder.build(unsealed_metadata(manifest))


def _answers(
    learned: Learned, threshold: float | None, columns: Columns, outputs: list[str]
) -> dict[str, NDArray[Any]]:
    feeds = {column.input_name: columns[column.name] for column in learned.schema.used}
    return run_in_chunks(open_session(build_model(learned, threshold, {})), outputs, feeds)


N_GENERATED = 6
"""Golden rows that a generator draws."""


def generated_rows(pair: TablePair, encoding: Encoding, seed: int) -> dict[str, NDArray[Any]]:
    """Draw rows from the generator, and add two hard ones: everything missing, everything unheard of."""
    with torch.no_grad():
        rows = pair.imagine(N_GENERATED, torch.Generator().manual_seed(seed))[0]
    columns = decode(encoding, rows.cpu().numpy().astype(np.float64))
    return {name: np.append(values, _HARD[values.dtype.kind]) for name, values in columns.items()}


N_SPREAD = 1000
"""Generated rows from which it is seen how their values are spread."""


def with_distributions(schema: Schema, columns: Columns, pair: TablePair, encoding: Encoding, seed: int) -> Schema:
    """Add to the columns' summaries how their training values, and generated ones, are spread."""
    with torch.no_grad():
        rows = pair.imagine(-(-N_SPREAD // pair.generator.n_members), torch.Generator().manual_seed(seed))
    generated = decode(encoding, rows.flatten(0, 1).cpu().numpy().astype(np.float64))
    return schema.with_summaries(
        {
            column.name: {"distribution": remembered(column, columns[column.name], generated[column.name])}
            for column in schema.used
        }
    )


_HARD: dict[str, list[Any]] = {"f": [np.nan, 1e30], "O": ["", "\u2400 unheard of"]}


def golden_rows(learned: Learned, threshold: float | None, columns: Columns) -> dict[str, Any]:
    """Return rows and what the file answers to them, as JSON values, so that any machine can check itself."""
    answers = _answers(learned, threshold, columns, list(DEFAULT_OUTPUTS))
    clear = clear_of_steps(answers["anomaly_score"], learned.calibration.scores, threshold, 1e-4)
    columns, answers = ({name: values[clear] for name, values in group.items()} for group in (columns, answers))
    numeric = {column.name for column in learned.schema.used if column.kind in NUMERIC}
    inputs = {
        name: [None if value != value else value for value in values.tolist()] if name in numeric else values.tolist()
        for name, values in columns.items()
    }
    return {"inputs": inputs, "outputs": answers_as_json(answers)}

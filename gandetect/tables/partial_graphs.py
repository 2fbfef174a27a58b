"""Runs parts of a model file's graph for tables by themselves, while there is no whole one yet.

Training, calibration and certificate see by the very nodes that score new rows later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.calibration import Evidence
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.encoding import EncodedTensors, add_encoding, add_inputs
from gandetect.graph.score import add_measures, add_score
from gandetect.graph.tables import TableWeights, add_networks
from gandetect.schema import Schema
from gandetect.scorer import open_session, run_in_chunks
from gandetect.tables.encoding import EncodedRows, Encoding

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


def run_networks(
    encoded: dict[str, Floats], encoding: Encoding, weights: TableWeights, names: list[str]
) -> dict[str, Floats]:
    """Run the networks of an ensemble, or of a part of one, on samples with their presence."""
    builder = GraphBuilder()
    samples, present = (builder.input(name, np.float32, ["n", None]) for name in ("samples", "present"))
    components = add_networks(
        builder, EncodedTensors(samples, present, growth="", excess="", largest_excess=""), weights, encoding.column_of
    )
    for name in names:
        builder.output(name, getattr(components, name), np.float32, ["n", None])
    feeds = {name: encoded[name] for name in ("samples", "present")}
    return run_in_chunks(open_session(builder.build()), names, feeds)


def run_measures(feeds: dict[str, Floats], error_scale: Floats) -> Floats:
    """Return the components of the score, (n, n_components), from what `add_measures` takes, by its names."""
    builder = GraphBuilder()
    inputs = {name: builder.input(name, np.float32, ["n", values.shape[1]]) for name, values in feeds.items()}
    measured = add_measures(builder, **inputs, error_scale=error_scale)
    builder.output("components", measured.components, np.float32, ["n", None])
    return run_in_chunks(open_session(builder.build()), ["components"], feeds)["components"]


def run_score(components: Floats, evidence: Evidence, growth: Floats | None = None) -> Floats:
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

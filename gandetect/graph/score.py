"""Nodes from the networks' components to the answers: evidence, score, p-value, flag, blame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.calibration import STRONG, TAIL_WEIGHT, UNSEEN_SLOPE, Calibration, Evidence, default_alpha
from gandetect.graph.builder import GraphBuilder
from gandetect.modality import ALPHA

MAX_ERROR = 20.0
"""A column's reconstruction error counts at most this many times its mean on training rows."""

BEYOND_CAP = 0.01
"""Weight of the logarithm of a column's uncapped error in its blame."""


@dataclass(frozen=True)
class Measured:
    """Names of the tensors that a score is made of, all float32.

    Shape
    -----
    components (n, n_components): the networks' values, the reconstruction error, the largest excess;
    reconstruction_error (n, 1); blame (n, n_columns): non-negative, not yet shares
    """

    components: str
    reconstruction_error: str
    blame: str


def add_measures(
    builder: GraphBuilder,
    values: str,
    column_errors: str,
    present: str,
    excess: str,
    largest_excess: str,
    error_scale: NDArray[np.float32],
) -> Measured:
    """Scale the columns' errors, average them over the columns that are present, and join all components.

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    values, column_errors, present, excess, largest_excess : str
        Tensors of shape (n, 3 or 4), three times (n, n_columns), and (n, 1).
    error_scale : array of shape (n_columns,)
        Mean out-of-fold error of each column.
    """
    relative = builder.node("Div", column_errors, builder.floats(error_scale, "error_scale"))
    relative = builder.node("Mul", relative, present)
    capped = builder.node("Min", relative, builder.floats(MAX_ERROR))
    total, count = (builder.node("ReduceSum", x, builder.ints([1]), keepdims=1) for x in (capped, present))
    error = builder.node("Div", total, builder.node("Max", count, builder.floats(1.0)))
    components = builder.node("Concat", values, error, largest_excess, axis=1)
    # Of several errors beyond the cap the largest is blamed first, but after whatever no network ever saw.
    size = builder.node("Log", builder.node("Add", relative, builder.floats(1.0)))
    order = builder.node("Mul", size, builder.floats(BEYOND_CAP))
    blame = builder.node("Add", builder.node("Add", capped, order), excess)
    return Measured(components, error, blame)


def add_score(builder: GraphBuilder, components: str, growth: str, largest_excess: str, evidence: Evidence) -> str:
    """Add up all that speaks against a row of a table; returns the anomaly score's tensor, (n, 1).

    What goes beyond everything that training rows show out of fold has a slope of its own, so that no other evidence
    can outweigh it: the growth of a number, and an excess above the largest one of a training row.
    """
    summed = add_evidence(builder, components, evidence)
    outside = builder.node("Sub", largest_excess, builder.floats(evidence.excess_limit))
    # The growth is never negative.
    grown = builder.node("Mul", builder.node("Max", outside, growth), builder.floats(UNSEEN_SLOPE))
    return builder.node("Add", summed, grown)


def add_evidence(builder: GraphBuilder, components: str, evidence: Evidence) -> str:
    """Add up the weighted evidence of all components, (n, n_components); returns its tensor, (n, 1)."""
    n_components, n_intervals = evidence.knots.shape
    each_interval = np.repeat(np.eye(n_components), n_intervals, axis=0)  # (n_components * n_intervals, n_components)
    copies = np.concatenate([each_interval, np.eye(n_components)]).T
    start = np.concatenate([evidence.knots.ravel(), evidence.mean])
    width = builder.floats(np.concatenate([evidence.widths.ravel(), evidence.deviation]), "evidence/width")
    # (component - start) / width in one product; the runtime divides once, at load.
    slopes = builder.node("Div", builder.floats(copies), width)
    offsets = builder.node("Neg", builder.node("Div", builder.floats(start, "evidence/start"), width))
    share = builder.node("Add", builder.node("MatMul", components, slopes), offsets)
    sizes = builder.ints([n_components * n_intervals, n_components])
    inside, standardised = builder.node_of("Split", [share, sizes], 2, axis=1)
    clipped = builder.node("Clip", inside, builder.floats(0.0), builder.floats(1.0))
    # All evidence is counted in units of the tail's weight, which saves its multiplication.
    heights = evidence.step / TAIL_WEIGHT * each_interval
    below = builder.node("MatMul", clipped, builder.floats(heights, "evidence/heights"))
    all_of_it = builder.node("Add", below, builder.node("Asinh", builder.node("Relu", standardised)))
    strong = builder.node("Relu", builder.node("Sub", all_of_it, builder.floats(STRONG / TAIL_WEIGHT)))
    weights = TAIL_WEIGHT * np.concatenate([evidence.weights, evidence.strong_weights])
    both = builder.node("Concat", all_of_it, strong, axis=1)
    return builder.node("MatMul", both, builder.floats(weights[:, None], "evidence/weights"))


def add_answers(
    builder: GraphBuilder,
    measured: Measured,
    score: str,
    calibration: Calibration,
    features: NDArray[np.int64],
    threshold: float | None,
) -> None:
    """Declare all outputs of a model for tables.

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    measured, score : Measured, str
        What the score was made of, and the score, (n, 1).
    calibration : Calibration
        Scores to p-values.
    features : array of int
        Positions of the features among the columns, the others being given.
    threshold : float or None
        Flag rows whose score is above it as long as no `alpha` is given; None: the default `alpha` decides.
    """
    add_verdict(builder, score, calibration, threshold)
    flat = builder.ints([-1])
    unreal = builder.node("Reshape", builder.node("Gather", measured.components, builder.ints([0]), axis=1), flat)
    # Without given columns there is nothing to leave out.
    own = builder.node("Gather", measured.blame, builder.ints(features), axis=1)
    blame = builder.node("Add", own, builder.floats(1e-6))
    total = builder.node("ReduceSum", blame, builder.ints([1]), keepdims=1)
    builder.output("realness", builder.node("Sigmoid", builder.node("Neg", unreal)), np.float32, ["n"])
    error = builder.node("Reshape", measured.reconstruction_error, flat)
    builder.output("reconstruction_error", error, np.float32, ["n"])
    builder.output("contributions", builder.node("Div", blame, total), np.float32, ["n", len(features)])


def add_verdict(builder: GraphBuilder, score: str, calibration: Calibration, threshold: float | None) -> None:
    """Declare the anomaly score, its p-value and the flag as outputs, from a score of shape (n, 1)."""
    p_value = _p_value(builder, builder.labelled(score, "score"), calibration)
    score = builder.node("Reshape", score, builder.ints([-1]))
    flag = _flag(builder, score, p_value, calibration, threshold)
    builder.output("anomaly_score", score, np.float32, ["n"])
    builder.output("p_value", p_value, np.float32, ["n"])
    builder.output("is_anomaly", flag, np.bool_, ["n"])


def _flag(builder: GraphBuilder, score: str, p_value: str, calibration: Calibration, threshold: float | None) -> str:
    """``p_value <= alpha``; with a threshold, the default `alpha` is NaN and leaves the decision to it."""
    default = default_alpha(calibration.n_rows) if threshold is None else np.nan
    alpha = builder.optional_input(ALPHA, np.array(default, dtype=np.float32))
    flagged = builder.node("LessOrEqual", p_value, alpha)
    if threshold is None:
        return flagged
    above = builder.node("Greater", score, builder.floats(threshold, "threshold"))
    # Nothing is at most NaN, so without an `alpha` the first part is false.
    return builder.node("Or", flagged, builder.node("And", builder.node("IsNaN", alpha), above))


def _p_value(builder: GraphBuilder, score: str, calibration: Calibration) -> str:
    """Look the p-value up in two rounds of counting: which bucket of scores, then where in the bucket."""
    edges, table, p_values, width = (
        builder.constant(value, value.dtype.type, label) for label, value in calibration_constants(calibration).items()
    )
    bucket = _count_below(builder, edges, score)
    within = _count_below(builder, builder.node("Gather", table, bucket, axis=0), score)
    index = builder.node("Add", builder.node("Mul", bucket, width), within)
    return builder.node("Gather", p_values, index, axis=0)


def calibration_constants(calibration: Calibration) -> dict[str, NDArray[Any]]:
    """Return the constants that p-values are looked up in, by label."""
    width = int(np.ceil(np.sqrt(len(calibration.scores))))
    padded = np.full((width, width), np.inf, dtype=np.float32)
    padded.ravel()[: len(calibration.scores)] = calibration.scores
    return {
        "calibration/edges": padded[:-1, -1],  # the last bucket needs no comparison
        "calibration/scores": padded,
        "calibration/p_values": calibration.p_values,
        "calibration/width": np.array(width, dtype=np.int32),
    }


def _count_below(builder: GraphBuilder, scores: str, column: str) -> str:
    """Count the scores below each row's score, (n, 1): (n,) int32."""
    below = builder.node("Cast", builder.node("Less", scores, column), to=6)
    return builder.node("ReduceSum", below, builder.ints([1]), keepdims=0)

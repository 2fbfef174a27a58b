"""Nodes of a generator's linear path: numbers in, what it expects of each and how far the row is from the mean out."""

from __future__ import annotations

import numpy as np

from gandetect.graph.builder import GraphBuilder
from gandetect.tables.linear_path import DISTANCE_FLOOR, EXPECTED_FLOOR, LinearPath

AXES, ENTRIES = "linear/axes", "linear/entries"
"""Labels of constants that tell a model with a linear path."""

EXPECTED, FAR = "linear/expected", "linear/far"
"""Labels of what a path expects of each number, (n, n_entries), and of the logarithm of its distance, (n, 1)."""


def add_linear_path(builder: GraphBuilder, samples: str, path: LinearPath) -> tuple[str, str]:
    """Add a linear path.

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    samples : str
        Tensor of shape (n, sample_dim).
    path : LinearPath
        What was learned.

    Returns
    -------
    expected, distance : str
        Tensors of shape (n, n_entries) and (n, 1): each entry from all others, and the squared distance.
    """
    numbers = builder.node("Gather", samples, builder.constant(path.entries, np.int64, ENTRIES), axis=1)
    axes = builder.floats(path.axes, AXES)
    away = builder.node("Sub", numbers, builder.floats(path.mean))
    # The runtime turns the axes once, when it loads the model.
    along = builder.node("MatMul", away, builder.node("Transpose", axes, perm=[1, 0]))
    usual = builder.node("MatMul", builder.node("Mul", along, builder.floats(path.gains(EXPECTED_FLOOR))), axes)
    rest = builder.node("Sub", away, usual)
    expected = builder.node("Sub", numbers, builder.node("Div", rest, builder.floats(path.precision(EXPECTED_FLOOR))))
    # What is left of the length is summed up as it is: the difference of two long lengths would show rounding.
    kept, kept_of_rest = 1 - path.gains(DISTANCE_FLOOR), np.square(1 - path.gains(EXPECTED_FLOOR))
    parts = builder.node("Mul", builder.node("Mul", along, along), builder.floats(kept - kept_of_rest))
    off, beside = (
        builder.node("ReduceSum", part, builder.ints([1]), keepdims=1)
        for part in (builder.node("Mul", rest, rest), parts)
    )
    left = builder.node("Relu", builder.node("Add", off, beside))
    return expected, builder.node("Div", left, builder.floats(DISTANCE_FLOOR * path.unit))

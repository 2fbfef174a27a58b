"""Nodes of a student: the one small network that took the place of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.layers import AffineLayer, Floats, affine, filled_in, hidden_layers, in_order, logarithm, with_one
from gandetect.graph.linear import EXPECTED, FAR
from gandetect.graph.tables import GIVEN_WEIGHT
from gandetect.modality import INTERNAL_PREFIX

OF_SQUARES = 1 / 8
"""A student sees squares so many times smaller, none of them larger than the largest sample."""


@dataclass(frozen=True)
class StudentWeights:
    """Everything that a student learned, and what it was given.

    Parameters
    ----------
    layers : tuple of (weight, bias)
        Layers, (in_dim, out_dim) and (out_dim,); the last one gives minus the logits, then the entries of the expected
        sample that no linear path expects.
    memory : array of shape (n_codes, sample_dim)
        Samples that stand for those that the generators recalled; not used beside a linear path.
    typical : array of shape (members, sample_dim)
        What each generator expected of a row of which it saw nothing; not used beside a linear path.
    numbers : array of shape (n_entries,)
        Entries that the model's linear path expects; none where it has no such path.
    given : array of bool of shape (n_columns,)
        Columns that are never judged. Where there are any, the student itself says what is typical given these.
    """

    layers: tuple[AffineLayer, ...]
    memory: Floats
    typical: Floats
    numbers: NDArray[np.int64]
    given: NDArray[np.bool_]


def add_student(
    builder: GraphBuilder, samples: str, present: str, weights: StudentWeights, column_of: NDArray[np.int64]
) -> None:
    """Add a student; declares the outputs "values" and "expected".

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    samples, present : str
        Tensors of shape (n, sample_dim) and (n, n_columns).
    weights : StudentWeights
        The student.
    column_of : array of shape (sample_dim,)
        Raw column of each entry of a sample.
    """
    masked = builder.node("Sub", builder.floats(1.0), present)
    others = np.setdiff1d(np.arange(len(column_of)), weights.numbers)
    sizes = builder.ints([len(weights.layers[-1][1]) - len(others), len(others)])
    said = _network(builder, samples, masked, weights.layers)
    unreal, expected = builder.node_of("Split", [said, sizes], 2, axis=1)
    if len(weights.numbers):
        path = builder.input(f"{INTERNAL_PREFIX}{EXPECTED}", np.float32, ["n", len(weights.numbers)])
        far = builder.input(f"{INTERNAL_PREFIX}{FAR}", np.float32, ["n", 1])
        expected = in_order(builder, [expected, path], [others, weights.numbers])
        # What is recalled has no weight beside a path.
        distances = builder.node("Mul", far, builder.floats([0.0, 1.0]))
    elif weights.given.any():
        fillable = builder.node("Mul", masked, builder.floats(~weights.given))
        completed = filled_in(builder, samples, fillable, expected, column_of)
        known = builder.node("Mul", samples, builder.floats(weights.given[column_of]))
        rest = builder.node("Max", masked, builder.floats(~weights.given))
        typical = builder.node_of("Split", [_network(builder, known, rest, weights.layers), sizes], 2, axis=1)[1]
        distances = _distances_given(builder, completed, typical, weights.memory, weights.given[column_of])
    else:
        distances = _distances(builder, filled_in(builder, samples, masked, expected, column_of), weights)
    values = builder.node("Concat", unreal, distances, axis=1)
    for label, part in (("values", values), ("expected", expected)):
        builder.output(f"{INTERNAL_PREFIX}{label}", part, np.float32, ["n", None])


def _network(builder: GraphBuilder, samples: str, masked: str, layers: Sequence[AffineLayer]) -> str:
    """Return what the network says of samples of which some columns are masked, (n, n_logits + n_entries)."""
    # With squares a layer can tell distances, which the ensemble goes by.
    squares = builder.node("Mul", samples, builder.node("Mul", samples, builder.floats(OF_SQUARES)))
    x = builder.node("Concat", samples, masked, squares, axis=1)
    *hidden, last = layers
    return affine(builder, hidden_layers(builder, x, hidden), *last)


def _distances(builder: GraphBuilder, completed: str, weights: StudentWeights) -> str:
    """Return the logarithm of the distance to the memory, and the mean one of those to the typical rows, (n, 2)."""
    n_members, n_entries = weights.typical.shape
    each = builder.node("Concat", *[completed] * n_members, axis=1)
    apart = builder.node("Abs", builder.node("Sub", each, builder.floats(weights.typical.ravel())))
    atypical = builder.node("MatMul", apart, builder.floats(np.repeat(np.eye(n_members), n_entries, axis=0)))
    recalled = _recall_error(builder, completed, builder.floats(2 * weights.memory.T))
    distances = builder.node("Concat", recalled, atypical, axis=1)
    means = np.zeros((1 + n_members, 2))
    means[0, 0], means[1:, 1] = 1, 1 / n_members
    return builder.node("MatMul", logarithm(builder, distances, n_entries), builder.floats(means))


def _distances_given(
    builder: GraphBuilder, completed: str, typical: str, memory: Floats, given: NDArray[np.bool_]
) -> str:
    """Return the logarithms of both distances, (n, 2), as an ensemble measures them of what is not given."""
    doubled, errors = builder.floats(2 * memory.T), []
    for scale in (np.where(given, GIVEN_WEIGHT, 1.0), np.where(given, GIVEN_WEIGHT, 0.0)):
        scaled = builder.node("Mul", completed, builder.floats(scale))
        codes = builder.node("Mul", doubled, builder.floats(scale[:, None]))
        errors.append(_recall_error(builder, scaled, codes))
    recalled = builder.node("Relu", builder.node("Sub", *errors))
    apart = builder.node("Mul", builder.node("Sub", completed, typical), builder.floats(~given))
    atypical = builder.node("ReduceSum", builder.node("Abs", apart), builder.ints([1]), keepdims=1)
    return logarithm(builder, builder.node("Concat", recalled, atypical, axis=1), len(given))


def _recall_error(builder: GraphBuilder, samples: str, doubled: str) -> str:
    """Squared distance to the nearest code, twice each being given, (sample_dim, n_codes), in single precision: (n, 1).

    Few codes are close to another here, and what a digit does to the distance to one of them shows in no score.
    """
    # The lengths are computed from the codes as they are stored; the runtime does so once, at load.
    squares = builder.node("ReduceSum", builder.node("Mul", doubled, doubled), builder.ints([0]), keepdims=1)
    codes = builder.node("Concat", doubled, builder.node("Mul", squares, builder.floats(-0.25)), axis=0)
    # |x|^2 - max(2 x c - |c|^2)
    near = builder.node("MatMul", with_one(builder, samples, rank=2), codes)
    nearest = builder.node("ReduceMax", near, builder.ints([1]), keepdims=1)
    length = builder.node("ReduceSum", builder.node("Mul", samples, samples), builder.ints([1]), keepdims=1)
    return builder.node("Relu", builder.node("Sub", length, nearest))

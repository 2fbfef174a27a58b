"""Nodes of a trained table pair: samples in, one component per kind of evidence out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.encoding import EncodedTensors
from gandetect.graph.layers import (
    AffineLayer,
    Floats,
    affine,
    filled_in,
    hidden_layers,
    in_order,
    logarithm,
    silu,
    with_one,
)
from gandetect.graph.linear import EXPECTED, FAR, add_linear_path
from gandetect.graph.masks import add_expected
from gandetect.tables.linear_path import LinearPath

GIVEN_WEIGHT = 3.0
"""What is given counts so many times more when the nearest code is looked for."""


@dataclass(frozen=True)
class TableWeights:
    """Everything that the networks of an ensemble learned.

    Parameters
    ----------
    discriminator : tuple of (weight, bias)
        Layers, (members, in_dim, out_dim) and (members, 1, out_dim); the last one gives the scored heads' mean logit
        and, where anomalies are known, the logit of their head.
    generator : tuple of (weight, bias)
        Layers; the first one's inputs are the sample and the mask (at scoring time the noise is zero).
    memory : array of shape (members, n_codes, sample_dim)
        Samples that each generator recalls.
    typical : array of shape (members, sample_dim)
        What each generator expects of a row of which it sees nothing.
    given : array of bool of shape (n_columns,)
        Columns that are given: never hidden, filled in or judged. Where there are any, what is typical and what the
        memory recalls is asked for given these.
    votes : array of shape (members,) or None
        How much each member counts, the sum is one; None where all count alike.
    linear : LinearPath or None
        Where there are more numbers than training rows: what is expected of the numbers, and how far a row is from the
        typical one.
    """

    discriminator: tuple[AffineLayer, ...]
    generator: tuple[AffineLayer, ...]
    memory: Floats
    typical: Floats
    given: NDArray[np.bool_]
    votes: Floats | None = None
    linear: LinearPath | None = None

    @property
    def n_members(self) -> int:
        """Number of members."""
        return len(self.memory)

    def member(self, index: int) -> TableWeights:
        """Return an ensemble of one member."""
        return self.members(np.array([index]))

    def members(self, chosen: NDArray[np.int64], votes: Floats | None = None) -> TableWeights:
        """Return an ensemble of some members, with votes of their own."""
        discriminator, generator = (
            tuple((weight[chosen], bias[chosen]) for weight, bias in layers)
            for layers in (self.discriminator, self.generator)
        )
        memory, typical = self.memory[chosen], self.typical[chosen]
        return TableWeights(discriminator, generator, memory, typical, self.given, votes, self.linear)


@dataclass(frozen=True)
class Components:
    """Names of the tensors that the networks make, all float32; high = anomalous.

    Shape
    -----
    values (n, 3 or 4): minus the discriminator's logit or logits, then the log distances to the generator's memory and
    to the row that it finds typical;
    column_errors (n, n_columns): squared reconstruction error of each raw column;
    expected (n, sample_dim): what the generator makes of every column from the others
    """

    values: str
    column_errors: str
    expected: str


def add_networks(
    builder: GraphBuilder, encoded: EncodedTensors, weights: TableWeights, column_of: NDArray[np.int64]
) -> Components:
    """Add both networks of all members.

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    encoded : EncodedTensors
        Samples and presence.
    weights : TableWeights
        The ensemble.
    column_of : array of shape (sample_dim,)
        Raw column of each entry of a sample.
    """
    masked = builder.node("Sub", builder.floats(1.0), encoded.present)  # (n, n_columns)
    # The generator's input, (n, sample_dim + n_columns + 1)
    seen = with_one(builder, builder.node("Concat", encoded.samples, masked, axis=1), rank=2)
    completed = builder.labelled(_complete(builder, encoded, masked, seen, weights, column_of), "completed")
    if weights.linear is None:
        typical = _typical(builder, encoded, masked, weights, column_of)
        values = builder.labelled(_judge(builder, completed, typical, weights, column_of), "values")
        expected = builder.labelled(
            add_expected(builder, seen, weights.generator, column_of, weights.given), "expected"
        )
    else:
        numbers, distance = add_linear_path(builder, encoded.samples, weights.linear)
        judged = _judge(builder, completed, None, weights, column_of)
        far = builder.labelled(logarithm(builder, distance, len(weights.linear.entries)), FAR)
        values = builder.labelled(builder.node("Concat", judged, far, axis=1), "values")
        expected, entries = builder.labelled(numbers, EXPECTED), weights.linear.entries
        if len(entries) < len(column_of):
            everything = np.arange(len(column_of))
            others = add_expected(builder, seen, weights.generator, column_of, weights.given)
            expected = in_order(builder, [others, expected], [everything, entries])
        expected = builder.labelled(expected, "expected")
    deviation = builder.node("Sub", expected, encoded.samples)
    if weights.given.any():
        deviation = builder.node("Mul", deviation, builder.floats(~weights.given[column_of]))
    column_errors = _per_column(builder, builder.node("Mul", deviation, deviation), column_of)
    return Components(values, column_errors, expected)


def _first_activation(builder: GraphBuilder, x: str, layer: AffineLayer) -> str:
    """Pass `x`, which ends with a one, through an affine layer and SiLU."""
    return silu(builder, builder.node("MatMul", x, builder.floats(np.concatenate(layer, axis=-2))))


def _complete(
    builder: GraphBuilder,
    encoded: EncodedTensors,
    masked: str,
    seen: str,
    weights: TableWeights,
    column_of: NDArray[np.int64],
) -> str:
    """Fill missing cells with what each member's generator expects there, and append a one: (members, n, ... + 1)."""
    filled = _generate(builder, seen, weights)
    if weights.given.any():
        masked = builder.node("Mul", masked, builder.floats(~weights.given))
    return with_one(builder, filled_in(builder, encoded.samples, masked, filled, column_of), rank=3)


def _generate(builder: GraphBuilder, seen: str, weights: TableWeights) -> str:
    """Return each member's whole sample from what its generator sees, ending with a one: (members, n, sample_dim)."""
    first, *hidden, last = weights.generator
    return affine(builder, hidden_layers(builder, _first_activation(builder, seen, first), hidden), *last)


def _typical(
    builder: GraphBuilder, encoded: EncodedTensors, masked: str, weights: TableWeights, column_of: NDArray[np.int64]
) -> str:
    """Return what each member expects of a row of which it sees only what is given: (members, n or 1, ... + 1)."""
    if not weights.given.any():
        return builder.floats(np.pad(weights.typical, ((0, 0), (0, 1)), constant_values=1.0)[:, None])
    known = builder.node("Mul", encoded.samples, builder.floats(weights.given[column_of]))
    mask = builder.node("Max", masked, builder.floats(~weights.given))
    seen = with_one(builder, builder.node("Concat", known, mask, axis=1), rank=2)
    return with_one(builder, _generate(builder, seen, weights), rank=3)


def _judge(
    builder: GraphBuilder, samples: str, typical: str | None, weights: TableWeights, column_of: NDArray[np.int64]
) -> str:
    """Return minus what the members' logits come to, and the means of both log distances: (n, 3 or 4).

    The samples, (members, n, sample_dim + 1), end with a one. Without a typical row there is one distance.
    """
    votes = _votes(builder, weights.votes)
    first, *hidden, last = weights.discriminator
    x = hidden_layers(builder, _first_activation(builder, samples, first), hidden)
    unreal = _unreal(builder, affine(builder, x, *last), votes)
    apart = builder.node("Sub", samples, typical) if typical else None
    if apart and weights.given.any():
        apart = builder.node("Mul", apart, builder.floats(np.append(~weights.given[column_of], False)))
    recalled = _recall_error_given(builder, samples, weights.memory, weights.given[column_of])
    log_distances = _log_distances(builder, recalled, apart, weights.memory.shape[2])
    return builder.node("Concat", unreal, _mean(builder, log_distances, votes), axis=1)


def _votes(builder: GraphBuilder, votes: Floats | None) -> str | None:
    return None if votes is None else builder.floats(votes[:, None, None])


def _mean(builder: GraphBuilder, each: str, votes: str | None = None) -> str:
    """Return the mean over the members, weighted by their votes where there are any: (members, n, k) to (n, k)."""
    if votes is None:
        return builder.node("ReduceMean", each, builder.ints([0]), keepdims=0)
    return builder.node("ReduceSum", builder.node("Mul", each, votes), builder.ints([0]), keepdims=0)


def _unreal(builder: GraphBuilder, logits: str, votes: str | None) -> str:
    """Return minus the members' mean logits, or the logits of their mean odds if they vote: (n, 1 or 2).

    Odds are ratios of densities, so that their mean is the ratio of a mixture of what the members learned. By the mean
    of the logits one member that never saw the like of a row would decide alone, since logits have no lower end.
    """
    if votes is None:
        return builder.node("Neg", _mean(builder, logits))
    highest = builder.node("ReduceMax", logits, builder.ints([0]), keepdims=0)
    odds = builder.node("Exp", builder.node("Sub", logits, highest))
    mean = builder.node("Log", _mean(builder, odds, votes))
    return builder.node("Neg", builder.node("Add", mean, highest))


def _log_distances(builder: GraphBuilder, recalled: str, apart: str | None, n_entries: int) -> str:
    """Return the logarithms of both distances: (members, n, 2); `apart` is the difference to the typical row."""
    if apart is None:
        return logarithm(builder, recalled, n_entries)
    atypical = builder.node("ReduceL1", apart, builder.ints([2]), keepdims=1)
    return logarithm(builder, builder.node("Concat", recalled, atypical, axis=2), n_entries)


def _recall_error_given(builder: GraphBuilder, samples: str, memory: Floats, given: NDArray[np.bool_]) -> str:
    """Return how much farther the nearest code is than what is given alone is from all codes: (members, n, 1).

    Among codes that differ in what is given a near one is looked for. That no code is like it there is not held against
    a row.
    """
    # Stored in single precision, which is smaller; the runtime computes the rest of the codes once, at load.
    doubled = builder.floats(2 * memory.swapaxes(1, 2), "memory")  # (members, sample_dim, n_codes)
    if not given.any():
        return _recall_error(builder, samples, doubled)
    errors = []
    for scale in (np.where(given, GIVEN_WEIGHT, 1.0), np.where(given, GIVEN_WEIGHT, 0.0)):
        scaled = builder.node("Mul", samples, builder.floats(np.append(scale, 1.0)))
        errors.append(_recall_error(builder, scaled, builder.node("Mul", doubled, builder.floats(scale[:, None]))))
    return builder.node("Relu", builder.node("Sub", *errors))


def _recall_error(builder: GraphBuilder, samples: str, doubled: str) -> str:
    """Squared distance to the nearest of the codes, of which twice each is given: (members, n, 1)."""
    # Computed as |x|^2 + 1 - max(2 x c + 1 - |c|^2), which loses the digits of close codes; hence in double precision.
    samples, twice = (builder.node("Cast", tensor, to=11) for tensor in (samples, doubled))
    lengths = builder.node("ReduceSumSquare", twice, builder.ints([1]), keepdims=1)  # (members, 1, n_codes), of 2 c
    quarter, one = (builder.constant(value, np.float64) for value in (0.25, 1.0))
    last = builder.node("Sub", one, builder.node("Mul", lengths, quarter))
    codes = builder.node("Concat", twice, last, axis=1)
    nearest = builder.node("ReduceMax", builder.node("MatMul", samples, codes), builder.ints([2]), keepdims=1)
    length = builder.node("ReduceSumSquare", samples, builder.ints([2]), keepdims=1)
    error = builder.node("Cast", builder.node("Sub", length, nearest), to=1)
    return builder.node("Relu", error)


def _per_column(builder: GraphBuilder, per_entry: str, column_of: NDArray[np.int64]) -> str:
    """Sum over the entries of each raw column's block."""
    if np.array_equal(column_of, np.arange(len(column_of))):
        return per_entry
    return builder.node("MatMul", per_entry, builder.floats(column_of[:, None] == np.arange(column_of.max() + 1)))

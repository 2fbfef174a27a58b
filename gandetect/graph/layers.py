"""Nodes that the networks of an ensemble and a student of theirs have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gandetect.graph.builder import GraphBuilder

Floats = NDArray[np.float32]

AffineLayer = tuple[Floats, Floats]
"""Weight and bias."""

NEAR = 0.01
"""So many times the number of entries is added to a distance before its logarithm: it is small beside usual ones."""


def with_one(builder: GraphBuilder, x: str, rank: int) -> str:
    """Append an entry that is one: its weights are the bias, which costs no pass of its own over the results."""
    pads = np.zeros(2 * rank, dtype=int)
    pads[-1] = 1
    return builder.node("Pad", x, builder.ints(pads), builder.floats(1.0))


def silu(builder: GraphBuilder, x: str) -> str:
    """Return ``x * sigmoid(x)``."""
    return builder.node("Mul", x, builder.node("Sigmoid", x))


def hidden_layers(builder: GraphBuilder, x: str, layers: Sequence[AffineLayer], *, per_mask: bool = False) -> str:
    """Pass through affine layers with SiLU after each; `per_mask` adds the mask's axis behind the members'."""
    for weight, bias in layers:
        if per_mask:
            weight, bias = weight[:, None], bias[:, None]
        x = silu(builder, affine(builder, x, weight, bias))
    return x


def affine(builder: GraphBuilder, x: str, weight: Floats, bias: Floats) -> str:
    """Return ``x @ weight + bias``."""
    return builder.node("Add", builder.node("MatMul", x, builder.floats(weight)), builder.floats(bias))


def filled_in(builder: GraphBuilder, samples: str, masked: str, filled: str, column_of: NDArray[np.int64]) -> str:
    """Fill what is masked in; missing entries of a sample are zero, so the other part can simply be added."""
    missing = spread(builder, masked, column_of)
    return builder.node("Add", samples, builder.node("Mul", missing, filled))


def spread(builder: GraphBuilder, per_column: str, column_of: NDArray[np.int64]) -> str:
    """Repeat what belongs to raw columns for every entry of a sample."""
    if np.array_equal(column_of, np.arange(len(column_of))):
        return per_column
    return builder.node("Gather", per_column, builder.ints(column_of), axis=1)


def in_order(builder: GraphBuilder, parts: list[str], entries: list[NDArray[np.int64]]) -> str:
    """Join tensors that hold some entries of a sample each to one that holds all, (n, sample_dim); later ones rule."""
    held = np.concatenate(entries)
    position = np.empty(held.max() + 1, dtype=np.int64)
    position[held] = np.arange(len(held))
    return builder.node("Gather", builder.node("Concat", *parts, axis=1), builder.ints(position), axis=1)


def logarithm(builder: GraphBuilder, distances: str, n_entries: int) -> str:
    """Return the logarithms of distances between samples; below the offset rounding would show."""
    return builder.node("Log", builder.node("Add", distances, builder.floats(NEAR * n_entries)))

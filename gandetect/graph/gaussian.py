"""Nodes that measure how far features are from a normal distribution of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gandetect.graph.builder import GraphBuilder

Floats = NDArray[np.float32]

SMALLEST_ERROR = 1e-3
"""Added to an error before its logarithm is taken: smaller ones are rounding."""


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution of what the discriminator finds in normal images: its features, or their style.

    Parameters
    ----------
    mean : array of shape (members, folders, n_features) or (members, folders, n_features, height, width)
        Mean in each folder, for patches at every position.
    whitening : array of shape (members, blocks, blocks, n_features, n_features)
        What is left of a feature vector, times this, has independent entries of variance one. The grid of patches is
        cut into so many blocks per side, each with a covariance of its own; elsewhere there is one.
    axes : array of shape (members, folders, n_axes, n_features) or None
        What the covariance of each folder changes of it, see `gandetect.images.grid.own_axes_of`; only of whole images.
    """

    mean: Floats
    whitening: Floats
    axes: Floats | None = None

    def member(self, index: int) -> Gaussian:
        """Return the distribution of one member, which keeps its axis."""
        own = slice(index, index + 1)
        return Gaussian(self.mean[own], self.whitening[own], None if self.axes is None else self.axes[own])


def add_mean_square(builder: GraphBuilder, deviation: str, whitening: Floats, grid: tuple[int, int]) -> str:
    """Add the mean square of the whitened features at every position, block by block: (n, 1, height, width)."""
    height, width = grid
    blocks, n_features = whitening.shape[0], whitening.shape[2]
    rows, columns = height // blocks, width // blocks
    # In two steps, each of which a runtime has fast code for.
    last = builder.node("Transpose", deviation, perm=[0, 2, 3, 1])
    cut = builder.node("Reshape", last, builder.ints([-1, blocks, rows, blocks, columns, n_features]))
    each = builder.node("Transpose", cut, perm=[1, 3, 0, 2, 4, 5])
    flat = builder.node("Reshape", each, builder.ints([blocks * blocks, -1, n_features]))
    stored = builder.halves(whitening.reshape(blocks * blocks, n_features, n_features))
    white = builder.node("MatMul", flat, stored)
    squares = builder.node("ReduceMean", builder.node("Mul", white, white), builder.ints([2]), keepdims=0)
    placed = builder.node("Reshape", squares, builder.ints([blocks, blocks, -1, rows, columns]))
    joined = builder.node("Transpose", placed, perm=[2, 0, 3, 1, 4])
    return builder.node("Reshape", joined, builder.ints([-1, 1, height, width]))


def add_log(builder: GraphBuilder, x: str) -> str:
    """Add the logarithm of an error."""
    return builder.node("Log", builder.node("Add", x, builder.floats(SMALLEST_ERROR)))

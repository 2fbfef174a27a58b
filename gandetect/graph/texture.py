"""Nodes that compare the texture of an image with what its texture as a whole leads to expect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.folders import of_folder
from gandetect.graph.gaussian import add_mean_square

Floats = NDArray[np.float32]

CELLS, PIXELS = 32, 4
"""Cells along each side of an image, fewer where they would have fewer pixels than this along a side."""

FLAT = 0.005
"""Added to an energy before its logarithm is taken: about what rounding to 256 levels leaves."""


@dataclass(frozen=True)
class Texture:
    """What energies of normal images are like.

    Parameters
    ----------
    mean : array of shape (folders, n_filters, height, width)
        Mean of their logarithms in each folder.
    axes : array of shape (n_axes, n_filters * height * width)
        Orthonormal directions in which whole images vary most.
    whitening : array of shape (blocks, blocks, n_filters, n_filters)
        Of what is left without these directions, see `gandetect.graph.gaussian.Gaussian`.
    """

    mean: Floats
    axes: Floats
    whitening: Floats


def add_energies(builder: GraphBuilder, pixels: str, shape: tuple[int, ...]) -> str:
    """Add the logarithm of how strongly each cell of an image answers to every filter: (n, n_filters, height, width).

    A cell looks at twice its own size. These are texture energies (K. I. Laws, "Textured image segmentation", 1980),
    with differences of neighbours in four directions and of pairs of pixels in two; light that is twice as strong adds
    the same everywhere.

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    pixels : str
        Images of shape (n, channels, height, width), values -1 to 1.
    shape : tuple of int
        Their channels, height and width.
    """
    halves = [max(PIXELS, side // CELLS) // 2 for side in shape[1:]]
    grey = add_channel_mean(builder, pixels, shape[0])
    wider = builder.node("Pad", grey, builder.ints([0, 0, 2, 2, 0, 0, 2, 2]), mode="edge")
    answers = builder.node("Abs", builder.node("Conv", wider, builder.floats(_filters())))
    # The mean over twice a cell is that over four halves of one along each side.
    fine = builder.node("AveragePool", answers, kernel_shape=halves, strides=halves)
    energies = builder.node(
        "AveragePool", fine, kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=0
    )
    return builder.node("Log", builder.node("Add", energies, builder.floats(FLAT)))


def add_texture_map(builder: GraphBuilder, energies: str, texture: Texture, grid: tuple[int, int], folder: str) -> str:
    """Add how far energies are from what the whole image's lead to expect, at all positions: (n, 1, *grid)."""
    n_filters, height, width = texture.mean.shape[1:]
    deviation = builder.node("Sub", energies, of_folder(builder, texture.mean, folder, builder.halves))
    flat, axes = builder.node("Flatten", deviation, axis=1), builder.halves(texture.axes)
    usual = builder.node("MatMul", builder.node("Gemm", flat, axes, transB=1), axes)
    left = builder.node("Reshape", builder.node("Sub", flat, usual), builder.ints([-1, n_filters, height, width]))
    distance = builder.node("Sqrt", add_mean_square(builder, left, texture.whitening, (height, width)))
    if (height, width) == grid:
        return distance
    sizes = builder.ints(grid)
    return builder.node("Resize", distance, "", "", sizes, axes=[2, 3], mode="linear")


def add_channel_mean(builder: GraphBuilder, images: str, n_channels: int) -> str:
    """Add the mean over the channels of images, (n, 1, height, width); of one channel it is that channel."""
    return images if n_channels == 1 else builder.node("ReduceMean", images, builder.ints([1]), keepdims=1)


def _filters() -> Floats:
    """Return differences of neighbours along a row, down a column and diagonally, and of pairs: (6, 1, 5, 5)."""
    filters = np.zeros((6, 1, 5, 5), dtype=np.float32)
    for index, (there, here) in enumerate((((2, 3), (2, 2)), ((3, 2), (2, 2)), ((3, 3), (2, 2)), ((3, 2), (2, 3)))):
        filters[index, 0][there], filters[index, 0][here] = 1, -1
    filters[4, 0, 2:4, 3:5], filters[4, 0, 2:4, 1:3] = 0.25, -0.25
    filters[5, 0, 3:5, 2:4], filters[5, 0, 1:3, 2:4] = 0.25, -0.25
    return filters

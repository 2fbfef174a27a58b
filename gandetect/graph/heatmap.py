"""Nodes from an image pair's maps to how conspicuous each pixel is, to what stands out, and to the heat map."""

from __future__ import annotations

import numpy as np

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.folders import of_folder
from gandetect.graph.images import add_top
from gandetect.image_schema import ImageSchema
from gandetect.images.heatmap import Heat, MapScale


def add_conspicuousness(builder: GraphBuilder, maps: str, scale: MapScale, folder: str = "") -> str:
    """Compare maps, (n, n_maps, height, width), with what is usual, and blur them: (n, 1, height, width)."""
    deviation = builder.node("Sub", maps, of_folder(builder, scale.mean, folder, builder.halves))
    relative = builder.node("Div", deviation, of_folder(builder, scale.deviation, folder, builder.halves))
    summed = builder.node("Conv", relative, builder.floats(scale.rule.weights[None, :, None, None]))
    steps = np.arange(-3, 4)
    kernel = np.exp(-np.square(steps / scale.rule.blur) / 2)
    kernel /= kernel.sum()
    zeros = 3
    if scale.rule.goes_on:
        summed, zeros = builder.node("Pad", summed, builder.ints([0, 0, 3, 3, 0, 0, 3, 3]), mode="edge"), 0
    for shape, pads in (((1, 1, 7, 1), [zeros, 0, zeros, 0]), ((1, 1, 1, 7), [0, zeros, 0, zeros])):
        summed = builder.node("Conv", summed, builder.floats(kernel.reshape(shape)), pads=pads)
    return summed


def add_components(builder: GraphBuilder, values: str, conspicuous: str, n_highest: int) -> str:
    """Join what is found of an image: (n, 3), or (n, 4) where it is judged as a whole."""
    return builder.node("Concat", values, _standing_out(builder, conspicuous, n_highest), axis=1)


def _standing_out(builder: GraphBuilder, maps: str, n_highest: int) -> str:
    """How far the highest values of a map with one channel stand out from the image as a whole: (n, 1).

    An image that is brighter than usual, say, is a little unusual everywhere, and hides what is unusual in one place.
    """
    whole = builder.node("ReduceMean", builder.node("Flatten", maps, axis=1), builder.ints([1]), keepdims=1)
    return builder.node("Sub", add_top(builder, maps, n_highest), whole)


def add_heatmap(builder: GraphBuilder, conspicuousness: str, heat: Heat, schema: ImageSchema) -> str:
    """Turn conspicuousness into heat and enlarge it to the model's size: (n, height, width)."""
    value = builder.node("Unsqueeze", builder.node("Squeeze", conspicuousness, builder.ints([1])), builder.ints([3]))
    share = builder.node("Div", builder.node("Sub", value, builder.floats(heat.knots)), builder.floats(heat.widths))
    within = builder.node("Clip", share, builder.floats(0.0), builder.floats(1.0))
    # The last interval goes on for ever, so that the order of the hottest pixels is kept.
    last = builder.node("Slice", share, builder.ints([len(heat.knots) - 1]), builder.ints([2**31]), builder.ints([3]))
    beyond = builder.node("Relu", builder.node("Sub", last, builder.floats(1.0)))
    total = builder.node("ReduceSum", within, builder.ints([3]), keepdims=0)  # (n, grid height, grid width)
    total = builder.node("Add", total, builder.node("Squeeze", beyond, builder.ints([3])))
    heated = builder.node("Unsqueeze", builder.node("Mul", total, builder.floats(heat.step)), builder.ints([1]))
    sizes = builder.ints([schema.height, schema.width])
    enlarged = builder.node("Resize", heated, "", "", sizes, axes=[2, 3], mode="linear")
    return builder.node("Squeeze", enlarged, builder.ints([1]))

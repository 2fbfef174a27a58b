"""Nodes of the layers that networks for images consist of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandetect.graph.builder import GraphBuilder
from gandetect.images.constants import SLOPE, SMALLEST_LENGTH

Floats = NDArray[np.float32]


class Layer(NamedTuple):
    """Weight and bias of one layer of all members, as the networks hold them; `stride` 0 is an affine map."""

    weight: Floats
    bias: Floats
    stride: int = 0
    transposed: bool = False

    def member(self, index: int) -> Layer:
        """Return the layer of one member, which keeps its axis."""
        return self._replace(weight=self.weight[index : index + 1], bias=self.bias[index : index + 1])


def leaky(builder: GraphBuilder, x: str) -> str:
    """Return the leaky ReLU of a tensor."""
    return builder.node("LeakyRelu", x, alpha=SLOPE)


def flat(builder: GraphBuilder, x: str) -> str:
    """Return maps as one vector for each image."""
    return builder.node("Flatten", x, axis=1)


def affine(builder: GraphBuilder, x: str, layer: Layer) -> str:
    """Return vectors, (n, in_dim), after an affine map, (n, out_dim)."""
    return builder.node("Gemm", x, builder.halves(layer.weight[0]), builder.halves(layer.bias[0, 0]))


def convolution(builder: GraphBuilder, x: str, layer: Layer) -> str:
    """Return maps, (n, channels, height, width), after a convolution or its transpose, as `MemberConv` computes it."""
    padding = (layer.weight.shape[-1] - 1) // 2
    operator = "ConvTranspose" if layer.transposed else "Conv"
    weight, bias = builder.halves(layer.weight[0]), builder.halves(layer.bias[0])
    return builder.node(operator, x, weight, bias, strides=[layer.stride] * 2, pads=[padding] * 4)


def activations(builder: GraphBuilder, x: str, layers: tuple[Layer, ...]) -> list[str]:
    """Return a tensor and what each convolution, with a leaky ReLU behind it, makes of the one before."""
    found = [x]
    for layer in layers:
        found.append(leaky(builder, convolution(builder, found[-1], layer)))
    return found


def convolved(builder: GraphBuilder, x: str, layers: tuple[Layer, ...]) -> str:
    """Return what the last of several convolutions makes of a tensor, each with a leaky ReLU behind it."""
    return activations(builder, x, layers)[-1]


def on_sphere(builder: GraphBuilder, code: str) -> str:
    """Scale codes so that their mean square over axis 1 is one."""
    square = builder.node("ReduceMean", builder.node("Mul", code, code), builder.ints([1]), keepdims=1)
    length = builder.node("Sqrt", builder.node("Add", square, builder.floats(SMALLEST_LENGTH)))
    return builder.node("Div", code, length)

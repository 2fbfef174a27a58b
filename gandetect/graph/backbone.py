"""Nodes of a frozen backbone: pictures in, standardised feature maps out; and from maps to pictures again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.surgery import OpenModel

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Backbone:
    """A network that was trained elsewhere and stays as it is.

    Parameters
    ----------
    name : str
        timm's name of it, or ``sha256:`` and the digest of the ONNX file that it came in.
    model : bytes
        A serialized ONNX ModelProto, with the builder's version of the operators.
    maps : tuple of str
        Names of its outputs that are feature maps, (n, channels, height, width).
    size : tuple of int
        Height and width of the pictures that it is given; multiples of 16.
    mean, deviation : tuple of float
        By channel: it is given ``(pixels - mean) / deviation`` of pixels from 0 to 1.
    """

    name: str
    model: bytes
    maps: tuple[str, ...]
    size: tuple[int, int]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of the joined maps: an eighth of the picture's."""
        return self.size[0] // STRIDE, self.size[1] // STRIDE


STRIDE = 8
"""Pixels between two positions of the joined maps."""


@dataclass(frozen=True)
class FeatureMaps:
    """How pictures become the maps that the networks see, and how maps become pictures again.

    Parameters
    ----------
    backbone : Backbone
        Makes the maps.
    weight, bias : array of shape (n_channels, n_backbone_channels), (n_channels,)
        Standardise its channels; more than enough of them are mixed to fewer.
    readout, offset : array of shape (n_channels, picture channels, `STRIDE`, `STRIDE`), (picture channels,)
        What a position's channels say linearly of its pixels, values -1 to 1.
    """

    backbone: Backbone
    weight: Floats
    bias: Floats
    readout: Floats
    offset: Floats


def add_joined_maps(builder: GraphBuilder, pixels: str, backbone: Backbone) -> str:
    """Add the backbone and join its maps: (n, n_backbone_channels, *grid).

    As in PatchCore (Roth et al., 2022) and SimpleNet (Liu et al., 2023) each position has the mean of 3 x 3, and the
    maps are resized to one stride. `pixels` have values -1 to 1; grey ones are repeated three times.
    """
    mean, deviation = (np.array(each).reshape(1, -1, 1, 1) for each in (backbone.mean, backbone.deviation))
    scaled = builder.node("Mul", pixels, builder.floats(0.5 / deviation))
    seen = builder.node("Add", scaled, builder.floats((0.5 - mean) / deviation))
    sizes = builder.ints(backbone.grid)
    joined = []
    for tensor in _added(builder, backbone.model, seen, backbone.maps):
        near = builder.node("AveragePool", tensor, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=0)
        joined.append(builder.node("Resize", near, "", "", sizes, axes=[2, 3], mode="linear"))
    return builder.node("Concat", *joined, axis=1)


def add_feature_maps(builder: GraphBuilder, pixels: str, maps: FeatureMaps) -> str:
    """Add all that comes before the networks: (n, n_channels, *grid), each channel usually about 0 +- 1."""
    joined = add_joined_maps(builder, pixels, maps.backbone)
    return builder.node("Conv", joined, builder.floats(maps.weight[..., None, None]), builder.floats(maps.bias))


def add_pictures(builder: GraphBuilder, tensor: str, maps: FeatureMaps) -> str:
    """Read pictures off maps: (n, picture channels, height, width), values -1 to 1."""
    weights = builder.floats(maps.readout), builder.floats(maps.offset)
    read = builder.node("ConvTranspose", tensor, *weights, strides=[STRIDE, STRIDE])
    return builder.node("Clip", read, builder.floats(-1.0), builder.floats(1.0))


def _added(builder: GraphBuilder, model: bytes, feed: str, outputs: Sequence[str]) -> list[str]:
    """Add the nodes of another model that some of its outputs need, and return what those are called here."""
    source = OpenModel(model)
    nodes, used = source.needed(outputs, [])
    names = {"": ""} | {
        name: builder.constant(value, value.dtype.type) for name, value in source.constants.items() if name in used
    }
    (given,) = used & set(source.inputs) - names.keys()
    names[given] = feed
    for node in nodes:
        attributes: dict[str, Any] = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        made = builder.node_of(
            node.op_type, [names[name] for name in node.input], len(node.output), node.domain, **attributes
        )
        names |= dict(zip(node.output, made, strict=True))
    return [names[name] for name in outputs]

"""Nodes of a trained image pair: raw images in; values, maps and reconstructions out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.convolutions import Layer, activations, affine, convolution, convolved, flat, leaky, on_sphere
from gandetect.graph.folders import of_folder, own_of
from gandetect.graph.gaussian import Gaussian, add_log, add_mean_square
from gandetect.graph.texture import add_channel_mean
from gandetect.image_schema import ImageSchema
from gandetect.images.constants import SMALLEST_SQUARE

Floats = NDArray[np.float32]

_FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


@dataclass(frozen=True)
class ImageWeights:
    """Everything that the networks of an ensemble learned.

    Parameters
    ----------
    convolutions, coarse : tuple of Layer
        The discriminator's; the second ones only for patches, where they look at the first ones' result.
    features, realness : Layer
        Its features, and the mean logit of the heads that are scored, one for each folder.
    encoder, to_code, from_code, decoder
        The generator's.
    gaussian : Gaussian
        Of the discriminator's features over images that each member was trained on.
    style : Gaussian or None
        The same of the images' style, see `gandetect.networks.whole.WholeDiscriminator.style`; only for whole images.
    grid : tuple of int
        Height and width of the maps.
    n_highest : int
        A value of an image is the mean of so many highest ones of a map.
    positions : array of shape (2, height, width) or None
        What tells the features of patches where they are.
    moves : array of shape (members, folders, n_codes) or None
        What is added to the codes of each folder's images.
    """

    convolutions: tuple[Layer, ...]
    coarse: tuple[Layer, ...]
    features: Layer
    realness: Layer
    encoder: tuple[Layer, ...]
    to_code: Layer
    from_code: Layer
    decoder: tuple[Layer, ...]
    gaussian: Gaussian
    style: Gaussian | None
    grid: tuple[int, int]
    n_highest: int
    positions: Floats | None = None
    moves: Floats | None = None

    @property
    def n_members(self) -> int:
        """Number of members."""
        return len(self.features.weight)

    @property
    def n_channels(self) -> int:
        """Channels of an image."""
        return int(self.decoder[-1].weight.shape[2])

    @property
    def n_folders(self) -> int:
        """Number of folders, 1 where the networks are told none."""
        return int(self.realness.weight.shape[2])

    @property
    def judges_positions(self) -> bool:
        """Whether the networks are those for patches."""
        return bool(self.coarse)

    @property
    def stride(self) -> int:
        """Sample pixels between two positions that are judged."""
        return math.prod(layer.stride for layer in self.convolutions)

    @property
    def sees_maps(self) -> bool:
        """Whether the samples are maps of a backbone, whose values have no bounds."""
        return self.judges_positions and self.stride == 1

    def member(self, index: int) -> ImageWeights:
        """Return an ensemble of one member."""

        def of(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
            return tuple(layer.member(index) for layer in layers)

        return replace(
            self,  # grid, n_highest and positions are those of all members
            convolutions=of(self.convolutions),
            coarse=of(self.coarse),
            features=self.features.member(index),
            realness=self.realness.member(index),
            encoder=of(self.encoder),
            to_code=self.to_code.member(index),
            from_code=self.from_code.member(index),
            decoder=of(self.decoder),
            gaussian=self.gaussian.member(index),
            style=None if self.style is None else self.style.member(index),
            moves=None if self.moves is None else self.moves[index : index + 1],
        )


@dataclass(frozen=True)
class Seen:
    """Names of the tensors that the networks make, all float32; high = anomalous; means over the members.

    Shape
    -----
    values (n, 2 or 3): minus the discriminator's logit, the log distance of its features from normal ones and, of whole
    images, that of their style;
    maps (n, n_maps, height, width): of whole images the reconstruction error, of patches at each position of the grid
    both values and that error; error (n, 1): mean absolute reconstruction error;
    reconstruction (n, channels, height, width)
    """

    values: str
    maps: str
    error: str
    reconstruction: str


def add_images(builder: GraphBuilder, schema: ImageSchema) -> str:
    """Add the input and what makes samples of it: (n, channels, height, width), values -1 to 1.

    Images of any size are resized; averaging over what falls into one pixel, it leaves no moiré. Some runtimes crash
    where no image goes through the networks, so one is added to an empty batch, and the outputs leave it out.
    """
    name, dtype, shape = schema.inputs[0]
    raw = builder.input(name, dtype, ["n", "height", "width", shape[3]])
    missing = builder.node("Max", builder.node("Sub", builder.ints([1]), builder.node("Shape", raw)), builder.ints([0]))
    in_front = builder.node("Concat", missing, builder.ints([0] * 4), axis=0)  # of every axis, and nothing behind
    builder.start_outputs_at(builder.node("Slice", missing, builder.ints([0]), builder.ints([1])))
    raw = builder.node("Pad", raw, in_front, builder.constant(0, np.uint8))
    planes = builder.node("Cast", builder.node("Transpose", raw, perm=[0, 3, 1, 2]), to=1)
    sizes = builder.ints([schema.height, schema.width])
    resized = builder.node("Resize", planes, "", "", sizes, axes=[2, 3], mode="linear", antialias=1)
    return builder.node("Sub", builder.node("Div", resized, builder.floats(127.5)), builder.floats(1.0))


def add_networks(builder: GraphBuilder, samples: str, weights: ImageWeights, folder: str = "") -> Seen:
    """Add both networks of all members; `folder` is what `gandetect.graph.folders` makes of each image's folder."""
    see = _see_positions if weights.judges_positions else _see_whole
    members = [see(builder, samples, weights.member(index), folder) for index in range(weights.n_members)]
    return Seen(
        _mean(builder, [member.values for member in members]),
        _mean(builder, [member.maps for member in members]),
        _mean(builder, [member.error for member in members]),
        _mean(builder, [member.reconstruction for member in members]),
    )


def _see_whole(builder: GraphBuilder, samples: str, weights: ImageWeights, folder: str) -> Seen:
    found = activations(builder, samples, weights.convolutions)
    features = leaky(builder, affine(builder, flat(builder, found[-1]), weights.features))
    head = builder.floats(weights.realness.weight[0]), builder.floats(weights.realness.bias[0, 0])
    unreal = builder.node("Neg", own_of(builder, builder.node("Gemm", features, *head), folder, (weights.n_folders,)))
    distances = [_distance(builder, features, weights.gaussian, folder)]
    if weights.style is not None:
        distances.append(_distance(builder, _style(builder, found[1:]), weights.style, folder))
    values = builder.node("Concat", unreal, *distances, axis=1)
    code = on_sphere(
        builder, affine(builder, flat(builder, convolved(builder, samples, weights.encoder)), weights.to_code)
    )
    code = _moved(builder, code, weights.moves, folder)
    n_channels, side = weights.decoder[0].weight.shape[1], 4
    grid = builder.node("Reshape", affine(builder, code, weights.from_code), builder.ints([-1, n_channels, side, side]))
    reconstruction = _grown(builder, leaky(builder, grid), weights)
    error = _error_map(builder, samples, reconstruction, weights.n_channels)
    maps = builder.node("AveragePool", error, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=0)
    return Seen(values, add_log(builder, maps), _mean_error(builder, error), reconstruction)


def _see_positions(builder: GraphBuilder, samples: str, weights: ImageWeights, folder: str) -> Seen:
    features = _position_features(builder, samples, weights)
    kernel = builder.floats(weights.realness.weight[0].T[..., None, None])
    logit = builder.node("Conv", leaky(builder, features), kernel, builder.floats(weights.realness.bias[0, 0]))
    unreal = builder.node("Neg", own_of(builder, logit, folder, (weights.n_folders, 1, 1)))  # (n, 1, height, width)
    mean = of_folder(builder, weights.gaussian.mean[0], folder)
    deviation = builder.node("Sub", features, mean)
    distance = add_log(builder, add_mean_square(builder, deviation, weights.gaussian.whitening[0], weights.grid))
    code = on_sphere(builder, convolution(builder, convolved(builder, samples, weights.encoder), weights.to_code))
    code = _moved(builder, code, None if weights.moves is None else weights.moves[..., None, None], folder)
    reconstruction = _grown(builder, leaky(builder, convolution(builder, code, weights.from_code)), weights)
    error = _error_map(builder, samples, reconstruction, weights.n_channels)
    pooled = [weights.stride] * 2
    coarse = builder.node("AveragePool", error, kernel_shape=pooled, strides=pooled)
    values = builder.node(
        "Concat", *(add_top(builder, tensor, weights.n_highest) for tensor in (unreal, distance)), axis=1
    )
    maps = builder.node("Concat", unreal, distance, add_log(builder, coarse), axis=1)
    return Seen(values, maps, _mean_error(builder, error), reconstruction)


def _position_features(builder: GraphBuilder, samples: str, weights: ImageWeights) -> str:
    """Return the discriminator's features at every position, not rectified: (n, n_features, height, width)."""
    fine = convolved(builder, samples, weights.convolutions)
    coarse = convolved(builder, fine, weights.coarse)
    kernel, bias = weights.features.weight[0].T[..., None, None], weights.features.bias[0, 0]
    n_fine, n_coarse = (layers[-1].weight.shape[1] for layers in (weights.convolutions, weights.coarse))
    of_fine, of_coarse, of_position = np.split(kernel, [n_fine, n_fine + n_coarse], axis=1)
    near = builder.node("Conv", fine, builder.halves(of_fine), builder.halves(bias))
    far = builder.node("Conv", coarse, builder.halves(of_coarse))
    far = builder.node("Resize", far, "", builder.floats([1, 1, 2, 2]), mode="nearest", **_FLOOR)
    joined = builder.node("Add", near, far)
    if weights.positions is not None:
        place = builder.node("Conv", builder.floats(weights.positions[None]), builder.halves(of_position))
        joined = builder.node("Add", joined, place)
    return joined


def _grown(builder: GraphBuilder, x: str, weights: ImageWeights) -> str:
    *hidden, last = weights.decoder
    drawn = convolution(builder, convolved(builder, x, tuple(hidden)), last)
    return drawn if weights.sees_maps else builder.node("Tanh", drawn)


def _moved(builder: GraphBuilder, code: str, moves: Floats | None, folder: str) -> str:
    """Add each folder's own vector to the codes of its images."""
    if moves is None:
        return code
    return builder.node("Add", code, of_folder(builder, moves[0], folder))


# --- measures ---------------------------------------------------------------------------------------------------------


def _style(builder: GraphBuilder, hidden: list[str]) -> str:
    """Return mean and log mean square of every channel: (n, n_statistics)."""
    means = [builder.node("GlobalAveragePool", x) for x in hidden]
    squares = [builder.node("GlobalAveragePool", builder.node("Mul", x, x)) for x in hidden]
    shown = builder.node("Add", builder.node("Concat", *squares, axis=1), builder.floats(SMALLEST_SQUARE))
    return flat(builder, builder.node("Concat", *means, builder.node("Log", shown), axis=1))


def _distance(builder: GraphBuilder, vectors: str, spread: Gaussian, folder: str) -> str:
    """Return the log mean square of whitened vectors, (n, 1)."""
    deviation = builder.node("Sub", vectors, of_folder(builder, spread.mean[0], folder))
    white = builder.node("MatMul", deviation, builder.halves(spread.whitening[0, 0, 0]))
    if spread.axes is not None:
        own = of_folder(builder, spread.axes[0], folder, builder.halves)  # (n, n_axes, n_features)
        row = builder.node("Unsqueeze", white, builder.ints([1]))
        along = builder.node("MatMul", row, builder.node("Transpose", own, perm=[0, 2, 1]))
        usual = builder.node("Squeeze", builder.node("MatMul", along, own), builder.ints([1]))
        white = builder.node("Sub", white, usual)
    squares = builder.node("Mul", white, white)
    return add_log(builder, builder.node("ReduceMean", squares, builder.ints([1]), keepdims=1))


def _error_map(builder: GraphBuilder, samples: str, reconstruction: str, n_channels: int) -> str:
    """Absolute error of each pixel, mean over the channels: (n, 1, height, width)."""
    return add_channel_mean(builder, builder.node("Abs", builder.node("Sub", samples, reconstruction)), n_channels)


def _mean_error(builder: GraphBuilder, error: str) -> str:
    """Mean over all pixels: (n, 1)."""
    return builder.node("ReduceMean", builder.node("Flatten", error, axis=1), builder.ints([1]), keepdims=1)


def _mean(builder: GraphBuilder, tensors: list[str]) -> str:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = builder.node("Add", total, tensor)
    return builder.node("Div", total, builder.floats(len(tensors)))


def add_top(builder: GraphBuilder, maps: str, n_highest: int) -> str:
    """Mean of the highest values of a map with one channel: (n, 1)."""
    flat = builder.node("Flatten", maps, axis=1)
    highest = builder.node_of("TopK", [flat, builder.ints([n_highest])], 2, axis=1)[0]
    return builder.node("ReduceMean", highest, builder.ints([1]), keepdims=1)

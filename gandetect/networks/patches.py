"""Generator and discriminator for patches: fully convolutional, the discriminator judges every position of a grid."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from gandetect.images.constants import SLOPE
from gandetect.networks.convolutions import MemberConv, NormedConv, grown, on_sphere
from gandetect.networks.layers import MemberLinear

PIXELS, MAPS = ((5, 2), (3, 1), (3, 2), (3, 1)), ((1, 1), (1, 1), (3, 1), (1, 1))
"""Kernels and strides of the discriminator's first convolutions, on pixels and on maps of a backbone."""


class PatchDiscriminator(nn.Module):
    """Judges every position of a grid: convolutions at two scales, joined with the position, one logit per kind.

    While it learns, its convolutions are normalised over the batch. Without that, chance decides how many directions of
    its features tell anything, and with them the distance from normal ones.

    Its samples have one channel more than the images, which says where they were altered. It does not look at that.

    Shape
    -----
    (members, n_samples, channels + 1, height, width) to (members, n_samples * positions, n_heads)
    """

    JUDGES_POSITIONS = True

    def __init__(
        self,
        n_members: int,
        channels: int,
        width: int,
        n_features: int,
        n_heads: int,
        random: torch.Generator,
        *,
        positional: bool,
        kernels: tuple[tuple[int, int], ...] = PIXELS,
    ) -> None:
        super().__init__()
        self.channels, self.positional = channels, positional
        middle, last = width * 3 // 2, 2 * width
        sizes = zip(pairwise((channels, width, width, middle, middle)), kernels, strict=True)
        self.fine = nn.ModuleList(NormedConv(n_members, *shape, *kernel, random) for shape, kernel in sizes)
        self.coarse = nn.ModuleList(
            [NormedConv(n_members, middle, last, 3, 2, random), NormedConv(n_members, last, last, 3, 1, random)]
        )
        self.features_of = _linear(n_members, middle + last + 2 * positional, n_features, random)
        self.heads = _linear(n_members, n_features, n_heads, random)

    @property
    def first_filters(self) -> Tensor:
        """What the first convolution looks for, to be set before the training: (members, width, channels, ...)."""
        return cast(NormedConv, self.fine[0]).conv.weight.detach()

    def features(self, images: Tensor) -> Tensor:
        """Return what the heads look at once it is rectified, (members, n_samples, *grid, n_features).

        Their distribution over normal images is closer to a normal one than that of rectified features.
        """
        fine = images
        for conv in self.fine:
            fine = leaky_relu(conv(fine), SLOPE)
        coarse = fine
        for conv in self.coarse:
            coarse = leaky_relu(conv(coarse), SLOPE)
        members, n_samples, _, height, width = fine.shape
        coarse = interpolate(coarse.flatten(0, 1), (height, width)).reshape(members, n_samples, -1, height, width)
        parts = [fine, coarse]
        if self.positional:
            parts.append(positions(height, width).to(fine).expand(members, n_samples, -1, -1, -1))
        joined = torch.cat(parts, 2).permute(0, 1, 3, 4, 2)  # (members, n_samples, height, width, channels)
        flat = self.features_of(joined.flatten(1, 3))
        return cast(Tensor, flat.reshape(members, n_samples, height, width, -1))

    def fold(self) -> None:
        """Leave out the normalisation, now that the training is over: the convolutions take it over."""
        for name in ("fine", "coarse"):
            setattr(self, name, nn.ModuleList(conv.folded() for conv in getattr(self, name)))

    def looked_at(self, samples: Tensor) -> Tensor:
        """Return what the heads look at, whatever else the samples have than pixels."""
        return leaky_relu(self.features(samples[:, :, : self.channels]).flatten(1, 3), SLOPE)

    def forward(self, samples: Tensor) -> Tensor:
        """Return the logits at every position."""
        return cast(Tensor, self.heads(self.looked_at(samples)))


def _linear(n_members: int, in_dim: int, out_dim: int, random: torch.Generator) -> MemberLinear:
    """Return a layer with the initial weights of a convolution: smaller ones are slow to learn what counts."""
    layer = MemberLinear(n_members, in_dim, out_dim, random)
    with torch.no_grad():
        layer.weight.mul_(math.sqrt(6 / (1 + SLOPE**2)))
        layer.bias.zero_()
    return layer


class PatchGenerator(nn.Module):
    """Draws images of any size from maps of codes, eight pixels apart, and finds the codes of an image.

    As `WholeGenerator`, but fully convolutional. Maps of a backbone, whose values have no bounds, are halved once.
    """

    past: Tensor

    def __init__(
        self,
        n_members: int,
        image_shape: tuple[int, int, int],
        width: int,
        n_codes: int,
        n_past: int,
        random: torch.Generator,
        *,
        on_maps: bool = False,
    ) -> None:
        super().__init__()
        channels, image_height, image_width = image_shape
        self.on_maps = on_maps
        widths = [channels, 2 * width] if on_maps else [channels, width, 2 * width, 2 * width]
        smaller = 2 ** (len(widths) - 1)
        self.code_shape: tuple[int, ...] = (n_codes, image_height // smaller, image_width // smaller)
        self.encoder = nn.ModuleList(MemberConv(n_members, i, o, 4, 2, random) for i, o in pairwise(widths))
        self.to_code = MemberConv(n_members, 2 * width, n_codes, 3, 1, random)
        self.from_code = MemberConv(n_members, n_codes, 2 * width, 3, 1, random)
        self.decoder = nn.ModuleList(
            MemberConv(n_members, i, o, 4, 2, random, transposed=True) for i, o in pairwise(widths[::-1])
        )
        self.register_buffer("past", torch.zeros(n_members, n_past, *image_shape))

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes of images, (members, n_samples, *code_shape)."""
        x = images
        for conv in self.encoder:
            x = leaky_relu(conv(x), SLOPE)
        return on_sphere(self.to_code(x))

    def decode(self, codes: Tensor) -> Tensor:
        """Return the images of codes, values -1 to 1, or the maps of codes."""
        drawn = grown(self.decoder, leaky_relu(self.from_code(codes), SLOPE))
        return drawn if self.on_maps else drawn.tanh()


def positions(height: int, width: int) -> Tensor:
    """Return where each position of a grid stands, (2, height, width), -1 to 1."""
    return torch.stack(torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"))

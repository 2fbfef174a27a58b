"""Convolutions for all members of the ensemble at once, and what networks for images share."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, conv_transpose2d, leaky_relu

from gandetect.images.constants import SLOPE, SMALLEST_LENGTH


class MemberConv(nn.Module):
    """One convolution per member, or its transpose, which makes images larger.

    Parameters
    ----------
    n_members, in_channels, out_channels, kernel, stride : int
        Number of members and the convolution's sizes; the padding keeps ``side / stride`` (or ``side * stride``).
    random : torch.Generator
        Source of the initial weights: uniform, so that the variance of what passes stays the same (He et al., 2015).
    transposed : bool
        Whether it makes images larger.

    Shape
    -----
    (members, n_samples, in_channels, height, width) to (members, n_samples, out_channels, ...)
    """

    def __init__(
        self,
        n_members: int,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        random: torch.Generator,
        *,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.transposed = stride, (kernel - 1) // 2, transposed
        n_inputs = in_channels * (kernel // stride if transposed else kernel) ** 2
        bound = math.sqrt(6 / ((1 + SLOPE**2) * n_inputs))
        shape = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        weight = torch.empty(n_members, *shape, kernel, kernel).uniform_(-bound, bound, generator=random)
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(torch.zeros(n_members, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve every member's images with that member's weights."""
        convolve = conv_transpose2d if self.transposed else conv2d
        members = zip(x, self.weight, self.bias, strict=True)
        # One after the other: on a CPU a convolution in groups takes twice as long.
        return torch.stack([convolve(images, w, b, self.stride, self.padding) for images, w, b in members])


class NormedConv(nn.Module):
    """A convolution with batch normalisation (Ioffe and Szegedy, 2015) between its weights and its bias.

    Where the network is not in training, what was usual in training takes the batch's place. Parameters and shapes are
    those of `MemberConv`.
    """

    MOMENTUM, SMALLEST_VARIANCE = 0.1, 1e-5

    mean: Tensor
    variance: Tensor

    def __init__(
        self, n_members: int, in_channels: int, out_channels: int, kernel: int, stride: int, random: torch.Generator
    ) -> None:
        super().__init__()
        self.conv = MemberConv(n_members, in_channels, out_channels, kernel, stride, random)
        self.gain = nn.Parameter(torch.ones(n_members, out_channels))
        self.register_buffer("mean", torch.zeros(n_members, out_channels))
        self.register_buffer("variance", torch.ones(n_members, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve every member's images, normalise every channel of what comes of it, scale and shift it."""
        conv = self.conv

        def normalised(
            images: Tensor, weight: Tensor, mean: Tensor, variance: Tensor, gain: Tensor, bias: Tensor
        ) -> Tensor:
            convolved = conv2d(images, weight, None, conv.stride, conv.padding)
            return batch_norm(
                convolved, mean, variance, gain, bias, self.training, self.MOMENTUM, self.SMALLEST_VARIANCE
            )

        members = zip(x, conv.weight, self.mean, self.variance, self.gain, conv.bias, strict=True)
        return torch.stack([normalised(*member) for member in members])

    @torch.no_grad()
    def folded(self) -> MemberConv:
        """Return a convolution without normalisation that does the same as this one does after training."""
        factor = self.gain / (self.variance + self.SMALLEST_VARIANCE).sqrt()
        self.conv.weight.mul_(factor[..., None, None, None])
        self.conv.bias.sub_(self.mean * factor)
        return self.conv


def grown(decoder: nn.ModuleList, x: Tensor) -> Tensor:
    """Pass maps through the layers that make an image of them; its values are not yet between -1 and 1."""
    *hidden, last = decoder
    for conv in hidden:
        x = leaky_relu(conv(x), SLOPE)
    return cast(Tensor, last(x))


def on_sphere(codes: Tensor) -> Tensor:
    """Scale codes so that their mean square over axis 2 is one."""
    return codes / (codes.square().mean(2, keepdim=True) + SMALLEST_LENGTH).sqrt()

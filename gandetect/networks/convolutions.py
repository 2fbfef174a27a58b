"""Convolutions for all members of the ensemble at once, and what networks for images share."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

SLOPE = 0.2
"""Slope of the leaky ReLU behind every hidden layer."""


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


def grown(decoder: nn.ModuleList, x: Tensor) -> Tensor:
    """Pass maps through the layers that make an image of them, values -1 to 1."""
    *hidden, last = decoder
    for conv in hidden:
        x = leaky_relu(conv(x), SLOPE)
    return cast(Tensor, last(x)).tanh()


def on_sphere(codes: Tensor) -> Tensor:
    """Scale codes so that their mean square over axis 2 is one."""
    return codes / (codes.square().mean(2, keepdim=True) + 1e-6).sqrt()

"""Generator and discriminator for whole images, of 32 x 32 pixels, which are judged one at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gandetect.images.constants import SLOPE, SMALLEST_SQUARE
from gandetect.networks.convolutions import MemberConv, grown, on_sphere
from gandetect.networks.layers import MemberLinear


class WholeDiscriminator(nn.Module):
    """Judges a whole image: three convolutions, a layer of features, one logit (high = real) per kind of negative.

    Shape
    -----
    (members, n_samples, channels, 32, 32) to (members, n_samples, n_heads)
    """

    JUDGES_POSITIONS = False

    def __init__(
        self, n_members: int, channels: int, width: int, n_features: int, n_heads: int, random: torch.Generator
    ) -> None:
        super().__init__()
        self.channels = channels
        widths = [channels, width, 2 * width, 4 * width]
        self.convs = nn.ModuleList(MemberConv(n_members, i, o, 4, 2, random) for i, o in pairwise(widths))
        self.features_of = MemberLinear(n_members, 4 * width * 16, n_features, random)
        self.heads = MemberLinear(n_members, n_features, n_heads, random)

    def hidden(self, images: Tensor) -> list[Tensor]:
        """Return what each convolution finds, (members, n_samples, its channels, height, width)."""
        found = [images]
        for conv in self.convs:
            found.append(leaky_relu(conv(found[-1]), SLOPE))
        return found[1:]

    def features(self, images: Tensor) -> Tensor:
        """Return what the heads look at, (members, n_samples, n_features)."""
        return leaky_relu(self.features_of(self.hidden(images)[-1].flatten(2)), SLOPE)

    def style(self, images: Tensor) -> Tensor:
        """Return how much of everything is in an image, wherever it is, (members, n_samples, n_statistics).

        These are, of every channel of each convolution, the mean and the logarithm of the mean square: what style
        transfer takes for an image's style (Huang and Belongie, 2017).
        """
        found = self.hidden(images)
        means = [x.mean((3, 4)) for x in found]
        squares = [x.square().mean((3, 4)) for x in found]
        return torch.cat([*means, (torch.cat(squares, 2) + SMALLEST_SQUARE).log()], 2)

    def fold(self) -> None:
        """Change nothing: there is no normalisation to leave out."""

    def looked_at(self, samples: Tensor) -> Tensor:
        """Return what the heads look at, whatever else the samples have than pixels."""
        return self.features(samples[:, :, : self.channels])

    def forward(self, images: Tensor) -> Tensor:
        """Return one logit per image and head."""
        return cast(Tensor, self.heads(self.looked_at(images)))


class WholeGenerator(nn.Module):
    """Draws whole images from codes, and finds the code of an image.

    Codes lie on a sphere, those of images as well as those drawn from noise. `past` remembers samples of earlier steps,
    (members, n_past, channels, 32, 32): what was once good enough to deceive has to stay rejected.
    """

    past: Tensor

    def __init__(self, n_members: int, channels: int, width: int, n_codes: int, n_past: int, random: torch.Generator):
        super().__init__()
        self.code_shape: tuple[int, ...] = (n_codes,)
        widths = [channels, width, 2 * width, 4 * width]
        self.encoder = nn.ModuleList(MemberConv(n_members, i, o, 4, 2, random) for i, o in pairwise(widths))
        self.to_code = MemberLinear(n_members, 4 * width * 16, n_codes, random)
        self.from_code = MemberLinear(n_members, n_codes, 4 * width * 16, random)
        self.decoder = nn.ModuleList(
            MemberConv(n_members, i, o, 4, 2, random, transposed=True) for i, o in pairwise(widths[::-1])
        )
        self.register_buffer("past", torch.zeros(n_members, n_past, channels, 32, 32))

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes of images, (members, n_samples, n_codes)."""
        x = images
        for conv in self.encoder:
            x = leaky_relu(conv(x), SLOPE)
        return on_sphere(self.to_code(x.flatten(2)))

    def decode(self, codes: Tensor) -> Tensor:
        """Return the images of codes, values -1 to 1."""
        x = leaky_relu(self.from_code(codes), SLOPE)
        return grown(self.decoder, x.reshape(*x.shape[:2], -1, 4, 4)).tanh()

"""Generator and discriminator for whole images, and how both meet, for patches as well.

Whole images have 32 x 32 pixels and are judged one at a time; `gandetect.networks.patches` judges parts of larger ones.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, leaky_relu, pad

from gandetect.losses import focal, logistic_fake, logistic_real, logistic_rejection
from gandetect.networks.convolutions import SLOPE, MemberConv, grown, on_sphere
from gandetect.networks.patches import GRID, PatchDiscriminator, PatchGenerator
from gandetect.networks.tables import MemberLinear


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
        widths = [channels, width, 2 * width, 4 * width]
        self.convs = nn.ModuleList(MemberConv(n_members, i, o, 4, 2, random) for i, o in pairwise(widths))
        self.features_of = MemberLinear(n_members, 4 * width * 16, n_features, random)
        self.heads = MemberLinear(n_members, n_features, n_heads, random)

    def features(self, images: Tensor) -> Tensor:
        """Return what the heads look at, (members, n_samples, n_features)."""
        x = images
        for conv in self.convs:
            x = leaky_relu(conv(x), SLOPE)
        return leaky_relu(self.features_of(x.flatten(2)), SLOPE)

    def fold(self) -> None:
        """Change nothing: there is no normalisation to leave out."""

    def forward(self, images: Tensor) -> Tensor:
        """Return one logit per image and head."""
        return cast(Tensor, self.heads(self.features(images)))


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
        return grown(self.decoder, x.reshape(*x.shape[:2], -1, 4, 4))


Generator = WholeGenerator | PatchGenerator
Discriminator = WholeDiscriminator | PatchDiscriminator


class ImagePair:
    """How generator and discriminator meet on images: a batch is a tensor (members, n_samples, channels, ...).

    Parameters
    ----------
    discriminator, generator : nn.Module
        The networks, both for whole images or both for patches.
    made : callable
        From real images and a source of randomness to synthetic negatives, (members, kinds, n_negatives, ...).
    n_negatives, n_generated : int
        Images of each kind of reference negative, and of each kind that the generator makes.
    """

    N_KINDS = 2
    """Kinds of generated images: drawn ones and reconstructions, each with a head of its own."""

    RECONSTRUCTION_WEIGHT = 10.0
    """Weight of the mean absolute error of a reconstruction in the generator's loss."""

    def __init__(
        self,
        discriminator: Discriminator,
        generator: Generator,
        made: Callable[[Tensor, torch.Generator], Tensor],
        n_negatives: int,
        n_generated: int,
    ) -> None:
        self.discriminator, self.generator = discriminator, generator
        self.made, self.n_negatives, self.n_generated = made, n_negatives, n_generated

    def seen(self, images: Tensor) -> Tensor:
        """Return images that were not altered as the discriminator sees them."""
        return images

    def real(self, batch: Tensor, random: torch.Generator) -> Tensor:
        """Return the images as the discriminator sees them."""
        return self.seen(batch)

    def references(self, real: Tensor, random: torch.Generator) -> Tensor:
        """Return synthetic negatives, and images that the generator drew in the past, if any, as the last kind."""
        past = self.generator.past
        sources = real[:, : self.n_negatives, : past.shape[2]]
        if not past.shape[1]:
            return self.made(sources, random)
        chosen = torch.randint(past.shape[1], (self.n_negatives,), generator=random).to(past.device)
        made = self.made(sources, random)
        return torch.cat([made, self.seen(past[:, chosen])[:, None]], dim=1)

    def rejection(self, on_real: Tensor, on_references: Tensor, references: Tensor) -> Tensor:
        """Return the loss of each reference head."""
        return logistic_rejection(on_real, on_references)

    def generate(self, batch: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return drawn and reconstructed images, (members, 2, n_generated, ...), and the reconstruction loss."""
        seen = batch[:, : self.n_generated]
        drawn = self.imagine(self.n_generated, random)
        reconstructed = self.generator.decode(self.generator.encode(seen))
        self._remember(drawn, random)
        loss = self.RECONSTRUCTION_WEIGHT * (seen - reconstructed).abs().mean()
        return self.seen(torch.stack([drawn, reconstructed], dim=1)), loss

    def imagine(self, n_samples: int, random: torch.Generator) -> Tensor:
        """Return new images, (members, n_samples, channels, height, width)."""
        past = self.generator.past
        noise = torch.randn(len(past), n_samples, *self.generator.code_shape, generator=random).to(past)
        return self.generator.decode(on_sphere(noise))

    @torch.no_grad()
    def _remember(self, drawn: Tensor, random: torch.Generator) -> None:
        """Put drawn images in the places of older ones; at first there is nothing but them to remember."""
        past = self.generator.past
        n_past = past.shape[1]
        if not past.any():
            past.copy_(drawn[:, torch.arange(n_past, device=past.device) % drawn.shape[1]])
        places = torch.randperm(n_past, generator=random)[: min(n_past, drawn.shape[1])].to(past.device)
        past[:, places] = drawn[:, : len(places)]


class PatchPair(ImagePair):
    """The same where every position is judged: a channel more says where an image was altered, by up to 1.

    A head learns from every position of real images and of its own kind of negative: altered ones are to be rejected,
    all others are real. Most of them are easy, hence the focal loss.
    """

    ALTERED = 0.2
    """Share of a position's pixels from which on it is to be rejected; one with fewer altered ones is not judged."""

    REJECTION_WEIGHT = 1000.0
    """Weight of that loss beside the game's: focal losses are small, and what rejects altered parts is what scores."""

    def seen(self, images: Tensor) -> Tensor:
        """Add the channel, which says that nothing was altered."""
        return pad(images, (0, 0, 0, 0, 0, 1))

    def rejection(self, on_real: Tensor, on_references: Tensor, references: Tensor) -> Tensor:
        """Return the loss of each reference head, over all positions."""
        share = avg_pool2d(references[:, :, :, -1].flatten(0, 1), GRID).reshape(on_references.shape)
        known = torch.where(share > self.ALTERED, logistic_fake(on_references), logistic_real(on_references))
        judged = (share == 0) | (share > self.ALTERED)
        loss = focal(logistic_real(on_real)).sum(1) + (judged * focal(known)).sum(2)
        return self.REJECTION_WEIGHT * loss / (on_real.shape[1] + on_references.shape[2])

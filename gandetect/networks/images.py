"""How generator and discriminator meet on images, be they judged as a whole or at every position of a grid."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from gandetect.networks.convolutions import on_sphere
from gandetect.networks.folders import FolderDiscriminator, FolderGenerator
from gandetect.networks.patches import PatchDiscriminator, PatchGenerator
from gandetect.networks.whole import WholeDiscriminator, WholeGenerator
from gandetect.training.losses import focal, logistic_fake, logistic_real, logistic_rejection

PlainGenerator = WholeGenerator | PatchGenerator
PlainDiscriminator = WholeDiscriminator | PatchDiscriminator
Generator = PlainGenerator | FolderGenerator
Discriminator = PlainDiscriminator | FolderDiscriminator


class ImagePair:
    """How generator and discriminator meet on images: a batch is a tensor (members, n_samples, channels, ...).

    Where the networks are told folders, images have one channel more, see `gandetect.networks.folders`.

    Parameters
    ----------
    discriminator, generator : nn.Module
        The networks, both for whole images or both for patches, both with folders or both without.
    channels : int
        Of an image's pixels.
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
        channels: int,
        made: Callable[[Tensor, torch.Generator], Tensor],
        n_negatives: int,
        n_generated: int,
    ) -> None:
        self.discriminator, self.generator, self.channels = discriminator, generator, channels
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
        codes, noise = self.generator.encode(seen), self._noise(self.n_generated, random)
        of_folders = codes[:, :, noise.shape[2] :]  # nothing where there are none
        drawn = self.generator.decode(torch.cat([noise, of_folders], 2))
        reconstructed = self.generator.decode(codes)
        self._remember(drawn, random)
        error = (seen - reconstructed)[:, :, : self.channels]
        loss = self.RECONSTRUCTION_WEIGHT * error.abs().mean()
        return self.seen(torch.stack([drawn, reconstructed], dim=1)), loss

    def imagine(self, n_samples: int, random: torch.Generator) -> Tensor:
        """Return the pixels of new images, (members, n_samples, channels, height, width)."""
        return self.generator.decode(self._noise(n_samples, random))[:, :, : self.channels]

    def _noise(self, n_samples: int, random: torch.Generator) -> Tensor:
        """Return codes of new images."""
        past = self.generator.past
        return on_sphere(torch.randn(len(past), n_samples, *self.generator.code_shape, generator=random).to(past))

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
        altered = references[:, :, :, -1]
        stride = math.isqrt(altered.numel() // on_references.numel())  # pixels between two positions
        share = avg_pool2d(altered.flatten(0, 1), stride).reshape(on_references.shape)
        known = torch.where(share > self.ALTERED, logistic_fake(on_references), logistic_real(on_references))
        judged = (share == 0) | (share > self.ALTERED)
        loss = focal(logistic_real(on_real)).sum(1) + (judged * focal(known)).sum(2)
        return self.REJECTION_WEIGHT * loss / (on_real.shape[1] + on_references.shape[2])


class LitPair(PatchPair):
    """The same for pixels, which light changes: every real image is lit in another way, and altered after that."""

    CONTRAST, BRIGHTNESS = 0.15, 0.12
    """Deviations of the logarithm of what pixels are multiplied by, and of what is added to them."""

    def real(self, batch: Tensor, random: torch.Generator) -> Tensor:
        """Return the images under changed light, as the discriminator sees them."""
        factor, more = torch.randn(2, *batch.shape[:2], 1, 1, 1, generator=random).to(batch)
        lit = batch[:, :, : self.channels] * (self.CONTRAST * factor).exp() + self.BRIGHTNESS * more
        return self.seen(torch.cat([lit.clamp(-1, 1), batch[:, :, self.channels :]], dim=2))

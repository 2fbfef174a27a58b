"""Networks that are told the folder of each image: one pair for several products, each judged among its like.

An image with its folder has one channel more, behind those of its pixels: the folder's number, the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from gandetect.networks.patches import PatchDiscriminator, PatchGenerator
from gandetect.networks.whole import WholeDiscriminator, WholeGenerator


class FolderDiscriminator(nn.Module):
    """A discriminator with logits of its own for every folder beside the common ones, linear in its features.

    So has the projection discriminator of Miyato and Koyama ("cGANs with Projection Discriminator", ICLR 2018).

    Shape
    -----
    As that of the plain one, its samples with the folder.
    """

    def __init__(self, plain: WholeDiscriminator | PatchDiscriminator, n_folders: int) -> None:
        super().__init__()
        self.plain = plain
        members, n_features, n_heads = plain.heads.weight.shape
        self.weight = nn.Parameter(torch.zeros(members, n_folders, n_features, n_heads))
        self.bias = nn.Parameter(torch.zeros(members, n_folders, 1, n_heads))

    def fold(self) -> None:
        """Leave out the normalisation, now that the training is over."""
        self.plain.fold()

    def forward(self, samples: Tensor) -> Tensor:
        """Return the logits of each sample among those of its folder."""
        looked_at = self.plain.looked_at(samples)  # (members, n_samples * positions, n_features)
        member, number = _members(samples), number_of(samples, self.plain.channels)
        each = looked_at.reshape(
            *samples.shape[:2], -1, looked_at.shape[2]
        )  # (members, n_samples, positions, n_features)
        own = each @ self.weight[member, number] + self.bias[member, number]
        return cast(Tensor, self.plain.heads(looked_at) + own.flatten(1, 2))


class FolderGenerator(nn.Module):
    """A generator that moves codes by a vector of the folder before it decodes them.

    A code has the folder's number as one more entry; without it, codes are of every folder in turn.
    """

    past: Tensor

    def __init__(self, plain: WholeGenerator | PatchGenerator, n_folders: int) -> None:
        super().__init__()
        self.plain, self.n_folders, self.code_shape = plain, n_folders, plain.code_shape
        members, n_past, self.channels, *size = plain.past.shape
        plain.past = plain.past[:, :0]  # images are remembered with their folders
        self.register_buffer("past", torch.zeros(members, n_past, self.channels + 1, *size))
        self.own = nn.Parameter(torch.zeros(members, n_folders, self.code_shape[0]))

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes of images, (members, n_samples, n_codes + 1, ...)."""
        codes = self.plain.encode(images[:, :, : self.channels])
        return with_number(codes, number_of(images, self.channels), codes.shape[2])

    def decode(self, codes: Tensor) -> Tensor:
        """Return the images of codes, with their folders."""
        n_codes = self.code_shape[0]
        if codes.shape[2] == n_codes:
            number = (torch.arange(codes.shape[1], device=codes.device) % self.n_folders).expand(codes.shape[:2])
        else:
            number = number_of(codes, n_codes)
        moves = self.own[_members(codes), number]
        moves = moves.reshape(*moves.shape, *[1] * (codes.dim() - 3))
        return with_number(self.plain.decode(codes[:, :, :n_codes] + moves), number, self.channels)


def number_of(x: Tensor, at: int) -> Tensor:
    """Return the numbers of the folders, (members, n_samples), which stand at an index of axis 2."""
    return x[:, :, at].reshape(*x.shape[:2], -1)[..., 0].round().long()


def with_number(x: Tensor, number: Tensor, at: int) -> Tensor:
    """Insert the number of each one's folder, (...), at an index of the axis behind: (..., one more, ...)."""
    axis = number.dim()
    plane = number.to(x).reshape(*number.shape, *[1] * (x.dim() - axis)).expand(*number.shape, 1, *x.shape[axis + 1 :])
    before, behind = x.narrow(axis, 0, at), x.narrow(axis, at, x.shape[axis] - at)
    return torch.cat([before, plane, behind], axis)


def negatives_of_folders(
    make: Callable[[Tensor, torch.Generator], Tensor], images: Tensor, n_folders: int, random: torch.Generator
) -> Tensor:
    """Make negatives from images with their folders, and one kind more: whole images in a folder that is not theirs.

    So are images paired with texts that are not theirs by Reed et al. ("Generative Adversarial Text to Image
    Synthesis", ICML 2016).

    Parameters
    ----------
    make : callable
        From images with their folders and a source of randomness to negatives of the same folders, without them.
    images : Tensor of shape (members, n_samples, channels + 1, height, width)
        Real ones.
    n_folders : int
        Number of folders, two or more.
    random : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor of shape (members, kinds + 1, n_samples, channels + 1 or one more, height, width)
    """
    channels = images.shape[2] - 1
    pixels, number = images[:, :, :channels], number_of(images, channels)
    made = make(images, random)  # (members, kinds, n_samples, channels or one more, height, width)
    away = torch.randint(1, n_folders, tuple(number.shape), generator=random).to(number.device)
    # A channel that says where an image was altered says: everywhere.
    misplaced = pad(pixels, (0, 0, 0, 0, 0, made.shape[3] - channels), value=1.0)
    numbers = torch.stack([*[number] * made.shape[1], (number + away) % n_folders], 1)
    return with_number(torch.cat([made, misplaced[:, None]], 1), numbers, channels)


def _members(x: Tensor) -> Tensor:
    return torch.arange(len(x), device=x.device)[:, None]

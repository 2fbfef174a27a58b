"""Trains an ensemble of image pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gandetect.images.filters import principal_filters
from gandetect.images.negatives import PATCH, WHOLE, negatives
from gandetect.images.settings import ImageSettings
from gandetect.networks.folders import (
    FolderDiscriminator,
    FolderGenerator,
    negatives_of_folders,
    number_of,
    with_number,
)
from gandetect.networks.images import (
    Discriminator,
    Generator,
    ImagePair,
    LitPair,
    PatchPair,
    PlainDiscriminator,
    PlainGenerator,
)
from gandetect.networks.patches import MAPS, PIXELS, PatchDiscriminator, PatchGenerator
from gandetect.networks.whole import WholeDiscriminator, WholeGenerator
from gandetect.training.course import Course, Progress, State
from gandetect.training.folds import Folded
from gandetect.training.loop import BEFORE_TRAINING, step_random, train
from gandetect.training.losses import LOSSES
from gandetect.training.members import of_members

Floats = NDArray[np.float32]

KINDS = {"whole": WHOLE, "patch": PATCH, "maps": PATCH}
"""Kinds of synthetic negatives: for maps, pictures are altered before the training."""

PAIRS = {"whole": ImagePair, "patch": LitPair, "maps": PatchPair}
"""How networks meet."""


@dataclass(frozen=True)
class ImageRows(Folded):
    """Training images as the networks see them.

    Parameters
    ----------
    samples : array of shape (n, channels, height, width)
        Their pixels, or their maps where a backbone comes first.
    folds, folders : array of shape (n,)
        The fold of each, and the number of its folder.
    n_folders : int
        Number of folders; with one, the networks are told none.
    positional : bool
        Whether they show the same things at the same places.
    energies : array of shape (n, n_filters, height, width), optional
        Their texture, see `gandetect.graph.texture.add_energies`, where positions are judged.
    altered : array of shape (n, copies, kinds, channels + 1, height, width), optional
        Maps of altered copies of each, with the share of every position that was altered.
    """

    samples: Floats
    folds: NDArray[np.int64]
    folders: NDArray[np.int64]
    n_folders: int
    positional: bool
    energies: Floats | None = None
    altered: NDArray[np.float16] | None = None

    def shown(self, indices: Any) -> Tensor:
        """Return images as the networks are shown them, with their folders where there are several."""
        pixels = torch.from_numpy(self.samples[indices])
        if self.n_folders == 1:
            return pixels
        return with_number(pixels, torch.from_numpy(self.folders[indices]), self.samples.shape[1])


def train_ensemble(
    rows: ImageRows,
    settings: ImageSettings,
    seed: int,
    device: torch.device,
    callback: Callable[[Progress], None] | None = None,
    keep: Callable[[State], None] | None = None,
    start: State | None = None,
    members: Sequence[int] | None = None,
) -> tuple[ImagePair, Course]:
    """Train all members, or those only that are named; see `gandetect.training.loop.train`.

    On a CPU each member is trained by itself, several at the same time; a GPU takes all of them at once. What the
    networks were normalised by while they learned is folded into their weights.
    """
    seen = [torch.from_numpy(rows.seen_by(member)) for member in members or range(settings.n_members)]
    networks = _new_networks(rows, seen, replace(settings, n_members=len(seen)), seed, device)
    size = 1 if device.type == "cpu" else len(seen)
    groups = [slice(first, first + size) for first in range(0, len(seen), size)]
    pairs = [
        _paired(of_members(networks[0], group), of_members(networks[1], group), rows, seen[group], settings)
        for group in groups
    ]

    def draw(group: slice, step: int, random: torch.Generator) -> Tensor:
        chosen = [own[torch.randint(len(own), (settings.n_real,), generator=random)] for own in seen[group]]
        return torch.stack([rows.shown(some.numpy()) for some in chosen]).to(device)

    course = train(
        pairs,
        LOSSES[settings.loss](),
        [partial(draw, group) for group in groups],
        settings.plan(),
        seed,
        n_members=len(seen),
        callback=callback,
        keep=keep,
        start=start,
    )
    pair = _paired(*networks, rows, seen, settings)
    pair.discriminator.fold()
    _round(pair)
    return pair, course


@torch.no_grad()
def _round(pair: ImagePair) -> None:
    """Round all weights to float16, in which the model file stores them: both compute the same from here on."""
    for network in (pair.discriminator, pair.generator):
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())


def _new_networks(
    rows: ImageRows, seen: Sequence[Tensor], settings: ImageSettings, seed: int, device: torch.device
) -> tuple[Discriminator, Generator]:
    build = _whole_networks if settings.detector == "whole" else _patch_networks
    told = rows.n_folders > 1
    # What is in a wrong folder and what was drawn in the past have heads as well.
    n_heads = len(KINDS[settings.detector]) + told + bool(settings.n_past) + PAIRS[settings.detector].N_KINDS
    discriminator, generator = build(rows, seen, settings, n_heads, step_random(seed, BEFORE_TRAINING))
    if not told:
        return discriminator.to(device), generator.to(device)
    folders = rows.n_folders
    return FolderDiscriminator(discriminator, folders).to(device), FolderGenerator(generator, folders).to(device)


def _paired(
    discriminator: Discriminator,
    generator: Generator,
    rows: ImageRows,
    seen: Sequence[Tensor],
    settings: ImageSettings,
) -> ImagePair:
    """Let networks meet on the images that each of their members has seen."""
    kinds, altered, channels = KINDS[settings.detector], rows.altered, rows.samples.shape[1]

    def made(real: Tensor, random: torch.Generator) -> Tensor:
        if altered is not None:
            return _drawn(altered, rows, seen, real, random)
        return negatives(kinds, real[:, :, :channels], random)

    def made_of_folders(real: Tensor, random: torch.Generator) -> Tensor:
        return negatives_of_folders(made, real, rows.n_folders, random)

    return PAIRS[settings.detector](
        discriminator,
        generator,
        channels,
        made_of_folders if rows.n_folders > 1 else made,
        settings.n_negatives,
        settings.n_generated,
    )


def _drawn(
    altered: NDArray[np.float16], rows: ImageRows, seen: Sequence[Tensor], real: Tensor, random: torch.Generator
) -> Tensor:
    """Draw maps of altered images that each member was trained on, as many as there are real ones and of their folders.

    Shape: as `gandetect.images.negatives.negatives` makes them.
    """
    members, n_samples, folders = len(real), real.shape[1], torch.from_numpy(rows.folders)
    known = torch.zeros(members, 1, len(folders))
    for own, indices in zip(known, seen, strict=True):
        own[:, indices] = 1
    number = number_of(real, rows.samples.shape[1]).cpu() if rows.n_folders > 1 else torch.zeros(members, n_samples)
    alike = known * (folders == number[..., None])  # (members, n_samples, images)
    chosen = alike.flatten(0, 1).multinomial(1, generator=random)[:, 0].numpy()
    copies = torch.randint(altered.shape[1], chosen.shape, generator=random).numpy()
    drawn = torch.from_numpy(altered[chosen, copies]).to(real)
    return drawn.reshape(members, n_samples, *drawn.shape[1:]).transpose(1, 2)


def _whole_networks(
    rows: ImageRows, seen: Sequence[Tensor], settings: ImageSettings, n_heads: int, random: torch.Generator
) -> tuple[PlainDiscriminator, PlainGenerator]:
    shape = settings.n_members, rows.samples.shape[1]
    discriminator = WholeDiscriminator(*shape, settings.width, settings.n_features, n_heads, random)
    return discriminator, WholeGenerator(*shape, settings.width // 2, settings.n_codes, settings.n_past, random)


def _patch_networks(
    rows: ImageRows, seen: Sequence[Tensor], settings: ImageSettings, n_heads: int, random: torch.Generator
) -> tuple[PlainDiscriminator, PlainGenerator]:
    channels, height, width = rows.samples.shape[1:]
    members, on_maps = settings.n_members, rows.altered is not None
    discriminator = PatchDiscriminator(
        *(members, channels, settings.width, settings.n_features, n_heads, random),
        positional=rows.positional,
        kernels=MAPS if on_maps else PIXELS,
    )
    if not on_maps:
        for own, filters in zip(seen, discriminator.first_filters, strict=True):
            found = principal_filters(rows.samples[own.numpy()], n_filters=len(filters), kernel=filters.shape[-1])
            filters.copy_(torch.from_numpy(found))
    image = channels, height, width
    shape = members, image, settings.width // 2, settings.n_codes, settings.n_past
    return discriminator, PatchGenerator(*shape, random, on_maps=on_maps)

"""Takes out of trained image pairs what scoring needs: their weights, and how features of normal images are spread."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gandetect.graph.convolutions import Layer
from gandetect.graph.gaussian import Gaussian
from gandetect.graph.images import ImageWeights
from gandetect.images.ensemble import KINDS, ImageRows
from gandetect.images.grid import means_of, own_axes_of, thinned, whitening_of
from gandetect.images.settings import ImageSettings
from gandetect.networks.convolutions import MemberConv
from gandetect.networks.folders import FolderDiscriminator, FolderGenerator
from gandetect.networks.images import Generator, ImagePair, PlainDiscriminator, PlainGenerator
from gandetect.networks.patches import positions
from gandetect.networks.whole import WholeDiscriminator
from gandetect.training.members import of_members
from gandetect.training.threads import one_thread

Floats = NDArray[np.float32]

Look = Callable[[Any, Tensor], Tensor]
"""From a discriminator and images to what it finds in them."""

BATCH = 16
"""Images that go through the discriminator at a time, after training."""

BLOCKS = 16
"""Blocks per side of the grid of patches with a covariance of their own."""

HIGHEST = 0.003
"""Share of the positions whose highest values speak for an image."""


def trained_weights(pair: ImagePair, rows: ImageRows, settings: ImageSettings) -> ImageWeights:
    """Take what scoring needs out of the trained networks."""
    discriminator = _plain_discriminator(pair)
    moves, generator = _taken_apart(pair.generator)
    grid = rows.samples.shape[2:]
    if isinstance(discriminator, WholeDiscriminator):
        fine, coarse, placed = discriminator.convs, nn.ModuleList(), False
    else:
        stride = math.prod(layer.stride for layer in _layers(discriminator.fine))
        grid = tuple(side // stride for side in grid)
        fine, coarse, placed = discriminator.fine, discriminator.coarse, discriminator.positional
    return ImageWeights(
        convolutions=_layers(fine),
        coarse=_layers(coarse),
        features=_layer(discriminator.features_of),
        realness=_realness(pair, len(KINDS[settings.detector])),
        encoder=_layers(generator.encoder),
        to_code=_layer(generator.to_code),
        from_code=_layer(generator.from_code),
        decoder=_layers(generator.decoder),
        gaussian=_gaussians(discriminator, rows, type(discriminator).features),
        style=_gaussians(discriminator, rows, WholeDiscriminator.style)
        if isinstance(discriminator, WholeDiscriminator)
        else None,
        grid=(grid[0], grid[1]),
        n_highest=max(1, round(HIGHEST * math.prod(grid))),
        positions=_array(positions(*grid)) if placed else None,
        moves=moves,
    )


def _taken_apart(generator: Generator) -> tuple[Floats | None, PlainGenerator]:
    """Return how codes of each folder are moved, and what decodes them."""
    if isinstance(generator, FolderGenerator):
        return _array(generator.own), generator.plain
    return None, generator


def _plain_discriminator(pair: ImagePair) -> PlainDiscriminator:
    told = pair.discriminator
    return told.plain if isinstance(told, FolderDiscriminator) else told


def _realness(pair: ImagePair, n_kinds: int) -> Layer:
    """Return the mean logit over the heads of all synthetic negatives, and in every folder the mean with its own head.

    That head rejects what is in a wrong folder: what is wrong with an image itself and with its place count alike.
    """
    told = pair.discriminator
    if not isinstance(told, FolderDiscriminator):
        weight, bias = (parameter[..., :n_kinds].mean(2, keepdim=True) for parameter in told.heads.parameters())
        return Layer(_array(weight), _array(bias))
    both = zip(told.plain.heads.parameters(), (told.weight, told.bias), strict=True)
    each = (common[:, None] + own for common, own in both)  # (members, folders, n_features or 1, n_heads)
    counted = ((some[..., :n_kinds].mean(3) + some[..., n_kinds]) / 2 for some in each)
    weight, bias = (parameter.transpose(1, 2) for parameter in counted)
    return Layer(_array(weight), _array(bias))


def _gaussians(discriminator: PlainDiscriminator, rows: ImageRows, look: Look) -> Gaussian:
    """Fit a normal distribution to what each member sees in the images that it was trained on."""
    fit = _gaussian_of_grid if discriminator.JUDGES_POSITIONS else _gaussian_of_wholes
    alone = [of_members(discriminator, slice(member, member + 1)) for member in range(len(discriminator.heads.weight))]
    fitted = [fit(partial(_looked_at, look, own), rows.seen_by(member), rows) for member, own in enumerate(alone)]
    return Gaussian(*(np.stack(parts) for parts in zip(*fitted, strict=True)))


def _gaussian_of_wholes(
    looked_at: Callable[[Floats], Floats], seen: NDArray[np.int64], rows: ImageRows
) -> tuple[Floats, ...]:
    seen = thinned(seen, rows.folders, 1)
    features, folders = looked_at(rows.samples[seen]), rows.folders[seen]
    mean = means_of(features, folders, rows.n_folders)
    deviations = (features - mean[folders]).astype(np.float32)
    whitening = whitening_of(deviations[:, None, None], 1)  # a grid of one position
    if rows.n_folders == 1:
        return mean.astype(np.float32), whitening
    return mean.astype(np.float32), whitening, own_axes_of(deviations @ whitening[0, 0], folders, rows.n_folders)


def _gaussian_of_grid(
    looked_at: Callable[[Floats], Floats], seen: NDArray[np.int64], rows: ImageRows
) -> tuple[Floats, ...]:
    seen = thinned(seen, rows.folders, rows.n_folders)
    features, folders = looked_at(rows.samples[seen]), rows.folders[seen]
    height, width = features.shape[1:3]
    blocks = max(n for n in range(1, BLOCKS + 1) if not height % n and not width % n)
    mean = means_of(features, folders, rows.n_folders)  # (folders, height, width, n_features)
    whitening = whitening_of((features - mean[folders]).astype(np.float32), blocks)
    return np.moveaxis(mean, 3, 1).astype(np.float32), whitening


@torch.no_grad()
@one_thread()
def _looked_at(look: Look, member: PlainDiscriminator, samples: Floats) -> Floats:
    """Return what a member finds in images, (n, n_features) or (n, height, width, n_features)."""
    device = member.heads.weight.device
    batches = (torch.from_numpy(samples[start : start + BATCH]) for start in range(0, len(samples), BATCH))
    return np.concatenate([_array(look(member, images[None].to(device))[0]) for images in batches])


def _array(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().cpu().numpy()
    return array


def _layer(layer: nn.Module) -> Layer:
    weight, bias = (_array(parameter) for parameter in layer.parameters())
    if isinstance(layer, MemberConv):
        return Layer(weight, bias, layer.stride, layer.transposed)
    return Layer(weight, bias)


def _layers(layers: nn.ModuleList) -> tuple[Layer, ...]:
    return tuple(_layer(layer) for layer in layers)

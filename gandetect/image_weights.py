"""Takes out of trained image pairs what scoring needs: their weights, and how features of normal images are spread."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gandetect.graph.images import Gaussian, ImageWeights, Layer
from gandetect.image_ensemble import ImageRows, ImageSettings
from gandetect.image_negatives import PATCH, WHOLE
from gandetect.networks.convolutions import MemberConv
from gandetect.networks.images import ImagePair, WholeDiscriminator
from gandetect.networks.patches import GRID, positions

Floats = NDArray[np.float32]

BATCH = 16
"""Images that go through the discriminator at a time, after training."""

MAX_FEATURED = 1000
"""Images that the features' normal distribution is fitted on, at most."""

HIGHEST = 0.003
"""Share of the positions whose highest values speak for an image."""

RIDGE = 0.02
"""Share of the features' mean variance that is added to the variance in every direction."""

BLOCKS, COMMON = 16, 0.1
"""Blocks per side of the grid with a covariance of their own, and the share of the common one in each."""


def trained_weights(pair: ImagePair, rows: ImageRows, settings: ImageSettings) -> ImageWeights:
    """Take what scoring needs out of the trained networks."""
    discriminator, generator = pair.discriminator, pair.generator
    n_scored = len({"whole": WHOLE, "patch": PATCH}[settings.detector])
    weight, bias = (parameter[..., :n_scored].mean(2, keepdim=True) for parameter in discriminator.heads.parameters())
    grid = rows.samples.shape[2:]
    if isinstance(discriminator, WholeDiscriminator):
        fine, coarse, placed = discriminator.convs, nn.ModuleList(), False
    else:
        grid = tuple(side // GRID for side in grid)
        fine, coarse, placed = discriminator.fine, discriminator.coarse, discriminator.positional
    return ImageWeights(
        _layers(fine),
        _layers(coarse),
        _layer(discriminator.features_of),
        Layer(_array(weight), _array(bias)),
        _layers(generator.encoder),
        _layer(generator.to_code),
        _layer(generator.from_code),
        _layers(generator.decoder),
        _gaussians(pair, rows),
        (grid[0], grid[1]),
        max(1, round(HIGHEST * math.prod(grid))),
        _array(positions(*grid)) if placed else None,
    )


def _gaussians(pair: ImagePair, rows: ImageRows) -> Gaussian:
    """Fit a normal distribution to each member's features of the images that it was trained on."""
    fitted = [_gaussian(pair, member, rows) for member in range(len(pair.generator.past))]
    return Gaussian(*(np.stack(parts) for parts in zip(*fitted, strict=True)))


@torch.no_grad()
def _gaussian(pair: ImagePair, member: int, rows: ImageRows) -> tuple[Floats, Floats]:
    seen = rows.seen_by(member)
    seen = seen[:: -(-len(seen) // MAX_FEATURED)]
    features = np.concatenate(
        [_features(pair, member, rows.samples[seen[start : start + BATCH]]) for start in range(0, len(seen), BATCH)]
    )  # (n, n_features) or (n, height, width, n_features)
    # Whole images are a grid of one position.
    features = features.reshape(len(features), *(features.shape[1:-1] or (1, 1)), features.shape[-1])
    blocks = BLOCKS if rows.positional and features.shape[1] >= BLOCKS else 1
    mean = features.mean(0 if rows.positional else (0, 1, 2), dtype=np.float64, keepdims=True)[0]
    whitening = _whitening((features - mean).astype(np.float32), blocks)
    mean = np.moveaxis(mean, 2, 0) if pair.discriminator.JUDGES_POSITIONS else mean[0, 0]
    return mean.astype(np.float32), whitening


def _whitening(deviations: Floats, blocks: int) -> Floats:
    """Return what whitens deviations of shape (n, height, width, n_features), block by block."""
    _, height, width, n_features = deviations.shape
    cut = deviations.reshape(-1, blocks, height // blocks, blocks, width // blocks, n_features)
    each = cut.transpose(1, 3, 0, 2, 4, 5).reshape(blocks, blocks, -1, n_features)
    own = each.swapaxes(-1, -2) @ each / each.shape[2]  # (blocks, blocks, n_features, n_features)
    covariance = (1 - COMMON) * own + COMMON * own.mean((0, 1))
    ridge = RIDGE * max(np.trace(own.mean((0, 1))) / n_features, 1e-6) * np.eye(n_features)
    inverse = np.linalg.inv(np.linalg.cholesky(covariance.astype(np.float64) + ridge))
    return inverse.swapaxes(-1, -2).astype(np.float32)


def _features(pair: ImagePair, member: int, samples: Floats) -> Floats:
    images = torch.from_numpy(samples).to(pair.generator.past.device)
    return _array(pair.discriminator.features(images.expand(len(pair.generator.past), *images.shape))[member])


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

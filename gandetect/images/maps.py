"""What the networks see of pictures where a frozen backbone comes first: its maps, standardised.

Altered pictures go through the backbone once, before the training, and not in every step: on one core that would take
hours instead of minutes. What the discriminator rejects is drawn from them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from gandetect.graph.backbone import STRIDE, Backbone, FeatureMaps, add_feature_maps, add_joined_maps, add_pictures
from gandetect.graph.builder import GraphBuilder
from gandetect.images.negatives import PATCH, negatives
from gandetect.scorer import open_session, run_in_chunks
from gandetect.training.loop import AFTER_TRAINING, step_random

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]

MAX_CHANNELS = 256
"""Channels of the maps that the networks see, at most: memory and time of the training stay bounded."""

MAX_FITTED = 64
"""Pictures that the standardisation and the readout are fitted on, at most."""

SMALLEST_DEVIATION = 0.05
"""A channel's, as a share of all channels': one that hardly varies would drown the others where it does for once."""

RIDGE = 0.01
"""Penalty of the readout's weights, as a share of a channel's variance."""

N_ALTERED = 256
"""Pictures that are altered in each way, at least, and each at least once."""

BESIDE = 0.1
"""Share of a position beside an altered one: its features saw some of it, so it is neither real nor to be rejected."""

BATCH = 8
"""Pictures that go through the backbone at a time."""

ALTERING = AFTER_TRAINING + 1
"""Keys the randomness of what is altered before the training, and of how channels are mixed."""


def fit_feature_maps(backbone: Backbone, pixels: Floats, seed: int) -> FeatureMaps:
    """Fit what standardises a backbone's maps, and what reads pictures off them.

    More channels than `MAX_CHANNELS` are mixed by random orthogonal directions, as Kim et al. do ("Semi-orthogonal
    Embedding for Efficient Unsupervised Anomaly Segmentation", 2021).

    Parameters
    ----------
    backbone : Backbone
        Makes the maps.
    pixels : array of shape (n, channels, height, width)
        Training pictures of the backbone's size, values -1 to 1.
    seed : int
        Of the directions.
    """
    some = pixels[:: -(-len(pixels) // MAX_FITTED)]
    joined = _runner(lambda builder, tensor: add_joined_maps(builder, tensor, backbone), some)(some)
    flat = np.moveaxis(joined, 1, 3).reshape(-1, joined.shape[1])
    mean, deviation = _spread(flat)
    flat = (flat - mean) / deviation
    weight = np.diag(1 / deviation).astype(np.float32)
    if flat.shape[1] > MAX_CHANNELS:
        normal = torch.randn(flat.shape[1], MAX_CHANNELS, generator=step_random(seed, ALTERING), dtype=torch.double)
        directions = np.linalg.qr(normal.numpy())[0].astype(np.float32)
        flat = flat @ directions
        again = _spread(flat)[1]
        flat, weight = flat / again, ((directions / again).T @ weight).astype(np.float32)
    return FeatureMaps(backbone, weight, -weight @ mean, *_readout(flat, some))


def _spread(flat: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation of each channel, (n_channels,)."""
    mean, deviation = (moment(0, dtype=np.float64).astype(np.float32) for moment in (flat.mean, flat.std))
    return mean, np.maximum(deviation, max(SMALLEST_DEVIATION * float(deviation.mean()), 1e-6))


def _readout(flat: Floats, pixels: Floats) -> tuple[Floats, Floats]:
    """Fit what the channels of a position, (n_positions, n_channels), say of its pixels, by ridge regression."""
    n, channels, height, width = pixels.shape
    offset = pixels.mean((0, 2, 3))
    cut = (pixels - offset[:, None, None]).reshape(n, channels, height // STRIDE, STRIDE, width // STRIDE, STRIDE)
    blocks = cut.transpose(0, 2, 4, 1, 3, 5).reshape(len(flat), -1)
    penalty = RIDGE * len(flat) * np.eye(flat.shape[1])
    weight = np.linalg.solve((flat.T @ flat).astype(np.float64) + penalty, (flat.T @ blocks).astype(np.float64))
    return weight.astype(np.float32).reshape(-1, channels, STRIDE, STRIDE), offset


def maps_of(pixels: Floats, maps: FeatureMaps) -> Floats:
    """Return the maps of pictures, (n, n_channels, *grid)."""
    return _runner(lambda builder, tensor: add_feature_maps(builder, tensor, maps), pixels)(pixels)


def pictures_of(samples: Floats, maps: FeatureMaps) -> Floats:
    """Read pictures off maps, (n, channels, height, width), values -1 to 1."""
    return _runner(lambda builder, tensor: add_pictures(builder, tensor, maps), samples)(samples)


def altered_maps(pixels: Floats, maps: FeatureMaps, groups: NDArray[np.int64], seed: int) -> Halves:
    """Alter pictures, and return their maps with one channel more: the share of each position that was altered.

    Parameters
    ----------
    pixels : array of shape (n, channels, height, width)
        Training pictures.
    maps : FeatureMaps
        Makes maps of them.
    groups : array of shape (n, ...)
        What fills a part of a picture is from one with equal entries: of the same fold, and of the same folder.
    seed : int
        Of the alterations.

    Returns
    -------
    array of shape (n, copies, kinds, n_channels + 1, *grid)
    """
    n_copies = -(-N_ALTERED // len(pixels))
    altered = np.empty((len(pixels), n_copies, len(PATCH), len(maps.weight) + 1, *maps.backbone.grid), np.float16)
    see = _runner(lambda builder, tensor: add_feature_maps(builder, tensor, maps), pixels)
    random = step_random(seed, ALTERING)
    for own in np.unique(groups, axis=0):
        alike = np.flatnonzero((groups == own).all(1))
        for start in range(0, len(alike), BATCH):
            chosen = alike[start : start + BATCH]
            for copy in range(n_copies):
                made = negatives(PATCH, torch.from_numpy(pixels[chosen])[None], random)[0].transpose(0, 1)
                flat = made.flatten(0, 1)  # (n * kinds, channels + 1, height, width)
                joined = np.concatenate([see(flat[:, :-1].numpy()), _shares(flat[:, -1:]).numpy()], 1)
                altered[chosen, copy] = joined.reshape(*made.shape[:2], *joined.shape[1:])
    return altered


def _shares(parts: Tensor) -> Tensor:
    """Return the share of each position that was altered; beside an altered one too little to be judged, not none."""
    share = avg_pool2d(parts, STRIDE)
    return torch.maximum(share, BESIDE * (max_pool2d(share, 3, 1, 1) > 0))


def _runner(add: Callable[[GraphBuilder, str], str], like: Floats) -> Callable[[Floats], Floats]:
    """Return what runs nodes on arrays that are like one of shape (n, ...)."""
    builder = GraphBuilder()
    tensor = builder.input("values", np.float32, ["n", *like.shape[1:]])
    builder.output("answer", add(builder, tensor), np.float32, ["n", None, None, None])
    session = open_session(builder.build())

    def run(values: Floats) -> Floats:
        answer: Floats = run_in_chunks(session, ["answer"], {"values": values}, chunk_size=BATCH)["answer"]
        return answer

    return run

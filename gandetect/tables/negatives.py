"""What the discriminator must reject besides the generator's samples: noise around the data in every direction.

A discriminator that only ever sees its generator extrapolates blindly elsewhere and calls far-away rows real. Each
kind of negative below surrounds the data differently and gets a logit of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Cloud:
    """The training samples' shape, as the negatives need it.

    Parameters
    ----------
    mean : Tensor of shape (sample_dim,)
        Mean of the training samples.
    spread : Tensor of shape (rank, sample_dim)
        Principal axes times their standard deviations: normal noise times this has the data's covariance.
    low, high : Tensor of shape (sample_dim,)
        The box of the data, a tenth larger than the data.
    """

    mean: Tensor
    spread: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, samples: Tensor, max_rank: int = 256) -> Cloud:
        """Describe samples of shape (n_samples, sample_dim)."""
        mean = samples.mean(0)
        centred = (samples - mean).double()
        variances, axes = torch.linalg.eigh(centred.T @ centred / len(samples))
        # The floor lets the noise leave the subspace that the data lives in.
        scales = variances.clamp_min(0.01).sqrt()[-max_rank:]
        low, high = samples.amin(0), samples.amax(0)
        margin = (high - low) * 0.05
        spread = (axes[:, -max_rank:] * scales).T
        return cls(mean, spread.to(samples.dtype).contiguous(), low - margin, high + margin)


@dataclass(frozen=True)
class Levels:
    """The levels of all categories, to be drawn evenly.

    Parameters
    ----------
    entries : Tensor of shape (most_levels, sample_dim)
        At least one row: the first level of every category, the second one, and so on; zero where there is none.
    counts : Tensor of shape (n_columns,)
        Levels of each raw column; none of what is no category.
    """

    entries: Tensor
    counts: Tensor

    @classmethod
    def of(cls, levels: Mapping[int, NDArray[np.float64]], column_of: Tensor) -> Levels:
        """Gather levels, (n_levels, entries of the column) by the column's index."""
        entries = torch.zeros(max([1, *map(len, levels.values())]), len(column_of), device=column_of.device)
        counts = column_of.new_zeros(int(column_of.max()) + 1)
        for column, block in levels.items():
            entries[: len(block), column_of == column] = torch.from_numpy(block).to(entries)
            counts[column] = len(block)
        return cls(entries, counts)


@dataclass(frozen=True)
class Batch:
    """What a kind of negative is made from.

    Parameters
    ----------
    real, others : Tensor of shape (members, n_samples, sample_dim)
        Real samples, and another real sample for each.
    cloud : Cloud
        The shape of the training samples.
    levels : Levels
        Their levels.
    column_of, is_level, is_given : Tensor of shape (sample_dim,)
        Raw column of each entry of a sample, whether it is a category's, and whether it is given.
    random : torch.Generator
        Source of randomness.
    """

    real: Tensor
    others: Tensor
    cloud: Cloud
    levels: Levels
    column_of: Tensor
    is_level: Tensor
    is_given: Tensor
    random: torch.Generator

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal noise."""
        return torch.randn(*shape, generator=self.random).to(self.real)

    def uniform(self, *shape: int) -> Tensor:
        """Return uniform noise in [0, 1)."""
        return torch.rand(*shape, generator=self.random).to(self.real)

    def spread_noise(self) -> Tensor:
        """Return noise with the data's own covariance."""
        members, n_samples, _ = self.real.shape
        return self.normal(members, n_samples, len(self.cloud.spread)) @ self.cloud.spread

    def scale(self, sigma: float) -> Tensor:
        """Return one log-normal scale per sample, (members, n_samples, 1)."""
        return sigma * (0.5 * self.normal(*self.real.shape[:2], 1)).exp()


def along_data(sigma: float) -> Callable[[Batch], Tensor]:
    """Real samples plus noise with the data's covariance."""
    return lambda batch: batch.real + batch.scale(sigma) * batch.spread_noise()


def isotropic(sigma: float) -> Callable[[Batch], Tensor]:
    """Real samples plus the same noise in every direction."""
    return lambda batch: batch.real + batch.scale(sigma) * batch.normal(*batch.real.shape)


def inflated(batch: Batch) -> Tensor:
    """Draw from a Gaussian over the whole cloud, 0.5 to 2.5 times as wide."""
    return batch.cloud.mean + (0.5 + 2 * batch.uniform(*batch.real.shape[:2], 1)) * batch.spread_noise()


def mixed(batch: Batch) -> Tensor:
    """Points on the line through two real samples, between and beyond them."""
    return batch.real + (3 * batch.uniform(*batch.real.shape[:2], 1) - 1) * (batch.others - batch.real)


def uniform_box(batch: Batch) -> Tensor:
    """Points anywhere in the box of the data."""
    low, high = batch.cloud.low, batch.cloud.high
    return low + batch.uniform(*batch.real.shape) * (high - low)


def shuffled(batch: Batch, largest_share: float = 1.0) -> Tensor:
    """Real samples with a random share of their columns taken from other real samples."""
    members, n_samples, _ = batch.real.shape
    n_columns = int(batch.column_of.max()) + 1
    swap = batch.uniform(members, n_samples, n_columns) < largest_share * batch.uniform(members, n_samples, 1)
    return torch.where(swap[..., batch.column_of], batch.others, batch.real)


def any_levels(batch: Batch) -> Tensor:
    """Real samples with a random share of their categories at any of their levels, a rare one as often as others."""
    members, n_samples, sample_dim = batch.real.shape
    counts = batch.levels.counts
    swap = batch.uniform(members, n_samples, len(counts)) < batch.uniform(members, n_samples, 1)
    level = (batch.uniform(members, n_samples, len(counts)) * counts).long()
    drawn = batch.levels.entries[level[..., batch.column_of], torch.arange(sample_dim, device=level.device)]
    return torch.where(swap[..., batch.column_of] & batch.is_level, drawn, batch.real)


def references(batch: Batch) -> Tensor:
    """Make one block of negatives per kind, (members, kinds, n_samples, sample_dim), in the order of `REFERENCES`.

    Noise would give a category values that no row can have. They would give every negative away, and the discriminator
    would look at nothing else; so categories change by taking another level. Near the data it is that of another row,
    and in a few columns; in the kinds of `ANY_LEVELS` any level may take the place of any, so that the discriminator
    learns how rare a level is: where levels are as frequent among negatives as among rows it has no reason to. What is
    given stays as it is: the discriminator learns what is real given that.
    """
    negatives = {kind: make(batch) for kind, make in REFERENCES.items()}
    if batch.is_level.any():
        for kind, negative in negatives.items():
            levels = any_levels(batch) if kind in ANY_LEVELS else shuffled(batch, LEVEL_SHARE)
            negatives[kind] = torch.where(batch.is_level, levels, negative)
    return torch.where(batch.is_given, batch.real[:, None], torch.stack(list(negatives.values()), dim=1))


def around_known(batch: Batch, known: Tensor) -> Tensor:
    """Make one more block, (members, 1, n_samples, sample_dim): known anomalies with a little noise along the data.

    `known` has the shape (n_known, sample_dim); the noise leaves categories as they are.
    """
    members, n_samples, _ = batch.real.shape
    drawn = known[(batch.uniform(members, n_samples) * len(known)).long().clamp_max(len(known) - 1)]
    noise = KNOWN_NOISE * batch.spread_noise()
    return torch.where(batch.is_level | batch.is_given, drawn, drawn + noise)[:, None]


KNOWN_NOISE = 0.3
"""Standard deviation of the noise around known anomalies, in those of the data: they are few, and stand for more."""

LEVEL_SHARE = 0.2
"""Largest share of a negative's categories that another row's levels take the place of."""

ANY_LEVELS = ("inflated", "uniform", "shuffled")
"""Kinds that are far from the data, or mix its columns: their categories take any levels."""

REFERENCES: dict[str, Callable[[Batch], Tensor]] = {
    "along-1": along_data(1.0),
    "isotropic-1": isotropic(1.0),
    "inflated": inflated,
    "mixed": mixed,
    "along-0.3": along_data(0.3),
    "isotropic-0.3": isotropic(0.3),
    "uniform": uniform_box,
    "shuffled": shuffled,
}
"""The kinds of reference negatives, in the order of the discriminator's heads."""

SCORED = ("inflated", "shuffled")
"""The kinds whose logits count in the score; the others only shape the trunk.

One asks how far a row is from all data, the other whether its columns go together. What is near the data in both ways
is left to the distance to the generator's memory: heads that look for less learn clustered anomalies among the
training rows as normal.
"""

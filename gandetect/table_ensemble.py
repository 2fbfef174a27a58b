"""Trains an ensemble of pairs on encoded rows, and takes out of the networks what scoring needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gandetect.folds import Folded
from gandetect.graph.tables import TableWeights
from gandetect.health import Probe
from gandetect.linear_path import LinearPath
from gandetect.losses import LOSSES
from gandetect.members import is_finite
from gandetect.networks.tables import Discriminator, Generator, TableBatch, TablePair
from gandetect.table_negatives import REFERENCES, SCORED, Batch, Cloud, around_known, references
from gandetect.table_settings import WIDE, TableSettings
from gandetect.training import Course, Progress, State, step_random, train

Floats = NDArray[np.float32]

CAUTION = 0.6
"""Share of the votes of the members that see no islands, where there are islands."""

BEFORE_TRAINING = 2**62
"""Keys the randomness of the initial weights: a step that training never reaches."""

AFTER_TRAINING = BEFORE_TRAINING + 1
"""Keys the randomness of what is measured of the trained networks."""


@dataclass(frozen=True)
class Rows(Folded):
    """Encoded training rows and the fold of each; arrays of shape (n_rows, ...).

    `excess` is measured out of fold; `departure` is that of a constant that leaves its value. `islands` tells which
    rows are in small groups apart from all others. `known` holds the samples of known anomalies, (n_known, sample_dim),
    which are in none of the other arrays; `given`, (n_columns,), tells which columns are.
    """

    samples: Floats
    present: Floats
    excess: Floats
    departure: float
    folds: NDArray[np.int64]
    islands: NDArray[np.bool_]
    known: Floats
    given: NDArray[np.bool_]

    @property
    def cautious(self) -> NDArray[np.bool_]:
        """Which members never see islands, (members,): one in four, and at least one, if there are any islands."""
        n_members = int(self.folds.max()) + 1
        return (np.arange(n_members) < max(1, n_members // 4)) & self.islands.any()

    @property
    def votes(self) -> Floats | None:
        """How much each member counts, (members,): those that are cautious `CAUTION` together; None if none is."""
        if not self.cautious.any():
            return None
        n_cautious, n_members = int(self.cautious.sum()), len(self.cautious)
        each = np.where(self.cautious, CAUTION / n_cautious, (1 - CAUTION) / (n_members - n_cautious))
        votes: Floats = each.astype(np.float32)
        return votes

    def seen_by(self, member: int) -> NDArray[np.int64]:
        """Return the rows that a member is trained on: those of other folds, and no islands if it is cautious."""
        seen = super().seen_by(member)
        return seen[~self.islands[seen]] if self.cautious[member] else seen

    def linear_path(self, column_of: NDArray[np.int64]) -> LinearPath | None:
        """Learn the generator's linear path where there are more numbers than rows, and nothing is given."""
        numbers = np.flatnonzero(np.bincount(column_of)[column_of] == 1)
        if self.given.any() or len(numbers) <= len(self.samples):
            return None
        return LinearPath.of(self.samples, numbers)

    def encoded(self, chosen: NDArray[np.int64]) -> dict[str, Floats]:
        """Return samples and presence of some rows."""
        return {"samples": self.samples[chosen], "present": self.present[chosen]}


def train_pair(
    rows: Rows,
    column_of: NDArray[np.int64],
    is_level: NDArray[np.bool_],
    settings: TableSettings,
    seed: int,
    device: torch.device,
    callback: Callable[[Progress], None] | None = None,
    keep: Callable[[State], None] | None = None,
    start: State | None = None,
    members: Sequence[int] | None = None,
) -> tuple[TablePair, Course]:
    """Train all members at once.

    Parameters
    ----------
    rows : Rows
        Encoded training rows and their folds.
    column_of, is_level : array of shape (sample_dim,)
        Raw column of each entry of a sample, and whether it is a category's.
    settings : TableSettings
        Hyper-parameters.
    seed : int
        Key of all randomness.
    device : torch.device
        Where to train.
    callback, keep, start : optional
        See `gandetect.training.train`.
    members : sequence of int, optional
        Train these members only; all of them without it.

    Returns
    -------
    pair : TablePair
        The trained networks.
    course : Course
        What the training told on its way.
    """
    samples, present = (torch.from_numpy(values).to(device) for values in (rows.samples, rows.present))
    owner = torch.from_numpy(column_of).to(device)
    seen = [torch.from_numpy(rows.seen_by(member)) for member in members or range(settings.n_members)]
    known = torch.from_numpy(rows.known).to(device)
    given = torch.from_numpy(rows.given).to(device)
    pair = _new_pair(samples, seen, owner, torch.from_numpy(is_level).to(device), given, known, settings, seed)
    batch_size = _for_width(settings.batch_size, samples.shape[1])

    def draw(step: int, random: torch.Generator) -> TableBatch:
        uniform = torch.rand(len(seen), batch_size, generator=random)
        chosen = torch.stack(
            [own[(u * len(own)).long().clamp_max(len(own) - 1)] for own, u in zip(seen, uniform, strict=True)]
        )
        return TableBatch(samples[chosen], present[chosen])

    course = train(
        pair,
        LOSSES[settings.loss](),
        draw,
        settings.plan(samples.shape[1]),
        seed,
        n_members=len(seen),
        callback=callback,
        keep=keep,
        start=start,
    )
    pair.generator.expect_zero(torch.from_numpy(np.ptp(rows.samples, axis=0) < SMALLEST_VARIATION))
    return pair, course


SMALLEST_VARIATION = 1e-3
"""Entries of training samples that vary less are copies of a constant in single precision; encoded, they are zero."""


def _for_width(size: int, sample_dim: int) -> int:
    """Make a size smaller where samples are wide, so that time and memory stay the same."""
    return min(size, max(16, size * WIDE // sample_dim))


def _new_pair(
    samples: Tensor,
    seen: list[Tensor],
    column_of: Tensor,
    is_level: Tensor,
    given: Tensor,
    known: Tensor,
    settings: TableSettings,
    seed: int,
) -> TablePair:
    random = step_random(seed, BEFORE_TRAINING)
    members, sample_dim = len(seen), samples.shape[1]
    n_heads = len(REFERENCES) + bool(len(known)) + TablePair.N_KINDS
    discriminator = Discriminator(members, sample_dim, settings.width, settings.depth, n_heads, random)
    n_codes = min(_for_width(settings.n_codes, sample_dim), *(len(own) for own in seen))
    first = [own[torch.randperm(len(own), generator=random)[:n_codes]] for own in seen]
    generator = Generator(
        members,
        sample_dim,
        settings.generator_width,
        settings.generator_depth,
        settings.noise_dim,
        column_of.cpu(),
        samples[torch.stack(first)].cpu(),
        (~given).to(samples).cpu(),
        random,
    )
    cloud = Cloud.of(samples)

    def surround(real: Tensor, random: torch.Generator) -> Tensor:
        batch = Batch(real, real.roll(1, dims=1), cloud, column_of, is_level, given[column_of], random)
        made = references(batch)
        return torch.cat([made, around_known(batch, known)], dim=1) if len(known) else made

    hideable = ~given
    hideable[column_of[is_level]] = False
    return TablePair(discriminator.to(samples.device), generator.to(samples.device), surround, hideable)


MAX_PROBED = 500
"""Rows of each sort that a member's health is measured on."""


def probes(pair: TablePair, rows: Rows, course: Course, seed: int, members: Sequence[int]) -> list[Probe]:
    """Ask every member of a pair what its health is measured by; `members` are their numbers among all folds."""
    random = step_random(seed, AFTER_TRAINING)
    sorts = [_sorts(rows, member, random) for member in members]
    n_rows = min(MAX_PROBED, *(len(own) for pair_of_sorts in sorts for own in pair_of_sorts))
    device, kinds = pair.generator.memory.device, len(REFERENCES)

    def taken(sort: int) -> Tensor:
        chosen = np.stack([own[sort][:n_rows] for own in sorts])  # (members, n_rows)
        batch = (torch.from_numpy(values[chosen]).to(device) for values in (rows.samples, rows.present))
        return pair.completed(TableBatch(*batch))

    real, seen = taken(0), taken(1)
    noise = pair.references(seen, random)[:, :kinds]  # (members, kinds, n_rows, sample_dim)
    with torch.no_grad():
        of_real = pair.discriminator(seen)[..., :kinds]
        of_noise = pair.discriminator(noise.flatten(1, 2)).unflatten(1, noise.shape[1:3])
        of_noise = of_noise[..., :kinds].diagonal(dim1=1, dim2=3)  # (members, n_rows, kinds)
    arrays = [values.cpu().numpy() for values in (real, seen, pair.imagine(n_rows, random), of_real, of_noise)]
    late = course.late_realness
    return [
        Probe(
            unseen=unseen,
            seen=like_unseen,
            generated=drawn,
            logits_seen=on_real,
            logits_noise=on_noise,
            realness_real=float(late[0, index]),
            realness_generated=float(late[1, index]),
            finite=is_finite(pair, index),
        )
        for index, (unseen, like_unseen, drawn, on_real, on_noise) in enumerate(zip(*arrays, strict=True))
    ]


def _sorts(rows: Rows, member: int, random: torch.Generator) -> list[NDArray[np.int64]]:
    """Return the rows that a member never saw, and those that it did, in random order."""
    sorts = rows.unseen_by(member), rows.seen_by(member)
    return [own[torch.randperm(len(own), generator=random).numpy()] for own in sorts]


def trained_weights(pair: TablePair, rows: Rows) -> TableWeights:
    """Take what scoring needs out of the trained networks."""
    heads = [list(REFERENCES).index(name) for name in SCORED]
    *hidden, (weight, bias) = _layers(pair.discriminator)
    (first_weight, first_bias), *others = _layers(pair.generator)
    known = rows.samples.shape[1] + rows.present.shape[1]  # the inputs after these are noise, zero when scoring
    logits = [(values[..., heads].mean(2, keepdims=True)) for values in (weight, bias)]
    if len(rows.known):  # their head stands behind those of the references
        own = slice(len(REFERENCES), len(REFERENCES) + 1)
        logits = [
            np.concatenate([mean, values[..., own]], axis=2)
            for mean, values in zip(logits, (weight, bias), strict=True)
        ]
    return TableWeights(
        (*hidden, (logits[0], logits[1])),
        ((first_weight[:, :known], first_bias), *others),
        pair.generator.memory.detach().cpu().numpy(),
        pair.generator.typical().cpu().numpy(),
        rows.given,
        rows.votes,
        rows.linear_path(pair.generator.column_of.cpu().numpy()),
    )


def _layers(network: Discriminator | Generator) -> list[tuple[Floats, Floats]]:
    return [(layer.weight.detach().cpu().numpy(), layer.bias.detach().cpu().numpy()) for layer in network.linear_layers]

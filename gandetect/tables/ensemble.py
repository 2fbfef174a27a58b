"""Trains an ensemble of pairs on encoded rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gandetect.networks.tables import Discriminator, Generator, TableBatch, TablePair
from gandetect.tables.encoding import Encoding
from gandetect.tables.linear_path import LinearPath
from gandetect.tables.negatives import REFERENCES, Batch, Cloud, Levels, around_known, references
from gandetect.tables.settings import WIDE, TableSettings
from gandetect.training.course import Course, Progress, State
from gandetect.training.folds import Folded
from gandetect.training.loop import BEFORE_TRAINING, step_random, train
from gandetect.training.losses import LOSSES

Floats = NDArray[np.float32]

CAUTION = 0.6
"""Share of the votes of the members that see no islands, where there are islands."""


@dataclass(frozen=True)
class TableRows(Folded):
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
        """Weight of each member, (members,): the cautious members share `CAUTION`; None without cautious members."""
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


def train_ensemble(
    rows: TableRows,
    encoding: Encoding,
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
    rows : TableRows
        Encoded training rows and their folds.
    encoding : Encoding
        What the samples were made with.
    settings : TableSettings
        Hyper-parameters.
    seed : int
        Key of all randomness.
    device : torch.device
        Where to train.
    callback, keep, start : optional
        See `gandetect.training.loop.train`.
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
    seen = [torch.from_numpy(rows.seen_by(member)) for member in members or range(settings.n_members)]
    known = torch.from_numpy(rows.known).to(device)
    given = torch.from_numpy(rows.given).to(device)
    sized = replace(settings, n_codes=_n_codes(rows, settings))
    pair = _new_pair(samples, seen, encoding, given, known, sized, seed)
    batch_size = _for_width(settings.batch_size, samples.shape[1])

    def draw(step: int, random: torch.Generator) -> TableBatch:
        uniform = torch.rand(len(seen), batch_size, generator=random)
        chosen = torch.stack(
            [own[(u * len(own)).long().clamp_max(len(own) - 1)] for own, u in zip(seen, uniform, strict=True)]
        )
        return TableBatch(samples[chosen], present[chosen])

    course = train(
        [pair],
        LOSSES[settings.loss](),
        [draw],
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


def _n_codes(rows: TableRows, settings: TableSettings) -> int:
    """Return the size of every member's memory: that of all members, also where only some are trained."""
    n_seen = (len(rows.seen_by(member)) for member in range(settings.n_members))
    return min(_for_width(settings.n_codes, rows.samples.shape[1]), *n_seen)


def _new_pair(
    samples: Tensor,
    seen: list[Tensor],
    encoding: Encoding,
    given: Tensor,
    known: Tensor,
    settings: TableSettings,
    seed: int,
) -> TablePair:
    random = step_random(seed, BEFORE_TRAINING)
    column_of, is_level = (
        torch.from_numpy(of_entry).to(samples.device) for of_entry in (encoding.column_of, encoding.is_level)
    )
    members, sample_dim = len(seen), samples.shape[1]
    n_heads = len(REFERENCES) + bool(len(known)) + TablePair.N_KINDS
    discriminator = Discriminator(members, sample_dim, settings.width, settings.depth, n_heads, random)
    first = [own[torch.randperm(len(own), generator=random)[: settings.n_codes]] for own in seen]
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
    cloud, levels = Cloud.of(samples), Levels.of(encoding.level_entries, column_of)

    def surround(real: Tensor, random: torch.Generator) -> Tensor:
        batch = Batch(real, real.roll(1, dims=1), cloud, levels, column_of, is_level, given[column_of], random)
        made = references(batch)
        return torch.cat([made, around_known(batch, known)], dim=1) if len(known) else made

    hideable = ~given
    hideable[column_of[is_level]] = False
    return TablePair(discriminator.to(samples.device), generator.to(samples.device), surround, hideable)

"""What the health of trained table pairs is measured by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gandetect.networks.tables import TableBatch, TablePair
from gandetect.tables.ensemble import TableRows
from gandetect.tables.negatives import REFERENCES
from gandetect.training.course import Course
from gandetect.training.health import Health, Limits, Probe, examine
from gandetect.training.loop import AFTER_TRAINING, step_random
from gandetect.training.members import is_finite

LIMITS = Limits(coverage=0.4, precision=0.4, accuracy=0.95)
"""Where a sickness begins: far from what members show that detect well.

Of two on each of 22 tables, precision and coverage were at least 0.78 of what real rows reach, the two-sample accuracy
at most 0.80.
"""

MAX_PROBED = 500
"""Rows of each sort that a member's health is measured on."""


def examined(pair: TablePair, rows: TableRows, course: Course, seed: int, members: Sequence[int]) -> list[Health]:
    """Examine every member of a pair; `members` are their numbers among all folds."""
    return [examine(probe, LIMITS) for probe in _probes(pair, rows, course, seed, members)]


def _probes(pair: TablePair, rows: TableRows, course: Course, seed: int, members: Sequence[int]) -> list[Probe]:
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


def _sorts(rows: TableRows, member: int, random: torch.Generator) -> list[NDArray[np.int64]]:
    """Return the rows that a member never saw, and those that it did, in random order."""
    sorts = rows.unseen_by(member), rows.seen_by(member)
    return [own[torch.randperm(len(own), generator=random).numpy()] for own in sorts]

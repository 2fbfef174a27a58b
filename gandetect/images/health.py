"""What the health of trained image pairs is measured by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from gandetect.images.ensemble import ImageRows
from gandetect.networks.images import ImagePair
from gandetect.training.course import Course
from gandetect.training.health import Health, Limits, Probe, examine
from gandetect.training.loop import AFTER_TRAINING, step_random
from gandetect.training.members import is_finite
from gandetect.training.threads import one_thread

Floats = NDArray[np.float32]

N_JUDGED = 16
"""Images of each sort that the heads are asked about."""

MAX_PROBED = 200
"""Images of each sort that a member's health is measured on."""

LIMITS = {
    "whole": Limits(coverage=0.1, precision=0.2, accuracy=0.995),
    "patch": Limits(coverage=0.0, precision=0.0, accuracy=1.0, gap=0.995),
    "maps": Limits(coverage=0.0, precision=0.0, accuracy=1.0, gap=0.995),
}
"""Where a sickness begins, by detector: far from what members show that detect well.

A generator for patches draws every part by itself, so its images never look real from afar: nothing is asked of them,
and a discriminator that learns well tells them apart with a gap of up to 0.98.
Of three members each on single digits, coverage was at least 0.23 of what real images reach, precision at least 0.46,
and the accuracy of the two-sample test, which images drawn after so few steps seldom pass, at most 0.973.
"""

PROBED_SIDE = 8
"""Pixels per side of the images that are compared: neighbours are sought in what can be seen from afar."""


def examined(
    pair: ImagePair, rows: ImageRows, course: Course, seed: int, members: Sequence[int], detector: str
) -> list[Health]:
    """Examine every member of a pair; `members` are their numbers among all folds."""
    return [examine(probe, LIMITS[detector]) for probe in _probes(pair, rows, course, seed, members)]


@torch.no_grad()
@one_thread()
def _probes(pair: ImagePair, rows: ImageRows, course: Course, seed: int, members: Sequence[int]) -> list[Probe]:
    random = step_random(seed, AFTER_TRAINING)
    n_images = min(MAX_PROBED, *(len(sort(member)) for member in members for sort in (rows.unseen_by, rows.seen_by)))
    late = course.late_realness
    drawn = pair.imagine(n_images, random)
    return [
        Probe(
            unseen=_from_afar(torch.from_numpy(rows.samples[rows.unseen_by(member)[:n_images]])),
            seen=_from_afar(torch.from_numpy(rows.samples[rows.seen_by(member)[:n_images]])),
            generated=_from_afar(drawn[own]),
            **_logits(pair, own, rows.shown(rows.seen_by(member)[: min(n_images, N_JUDGED)]), random),
            realness_real=float(late[0, own]),
            realness_generated=float(late[1, own]),
            finite=is_finite(pair, own),
        )
        for own, member in enumerate(members)
    ]


def _from_afar(images: Tensor) -> Floats:
    small: Floats = adaptive_avg_pool2d(images, PROBED_SIDE).flatten(1).numpy(force=True)
    return small


def _logits(pair: ImagePair, own: int, seen: Tensor, random: torch.Generator) -> dict[str, Floats]:
    """Return a pair's member's logits of images that it was trained on, and of the negatives made from them.

    Where positions are judged, an image counts by the one that is the least real to a head.
    """
    images = seen.to(pair.generator.past).expand(len(pair.generator.past), *seen.shape)
    noise = pair.made(images, random)  # (members, kinds, n, ...)
    kinds = noise.shape[1]
    on_real = pair.discriminator(pair.seen(images))[own, :, :kinds].unflatten(0, (len(seen), -1)).amin(1)
    on_noise = pair.discriminator(noise.flatten(1, 2))[own, :, :kinds]
    on_noise = on_noise.unflatten(0, (kinds, len(seen), -1)).amin(2)  # (kinds, n, kinds)
    on_noise = on_noise.diagonal(dim1=0, dim2=2)
    return {"logits_seen": on_real.numpy(force=True), "logits_noise": on_noise.numpy(force=True)}

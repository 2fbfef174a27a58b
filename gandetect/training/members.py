"""Members of a trained ensemble: every parameter of a pair has one entry for each along its first axis."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gandetect.training.pair import Pair


@torch.no_grad()
def transplant(pair: Pair, donor: Pair, members: Sequence[int], new: Sequence[int]) -> None:
    """Put members of another pair, by their numbers there, in the places of members of a pair."""
    for mine, other in ((pair.discriminator, donor.discriminator), (pair.generator, donor.generator)):
        for parameter, replacement in zip(mine.parameters(), other.parameters(), strict=True):
            parameter[list(members)] = replacement[list(new)]


def is_finite(pair: Pair, member: int) -> bool:
    """Tell whether all that a member learned are numbers."""
    parameters = (*pair.discriminator.parameters(), *pair.generator.parameters())
    return all(bool(parameter[member].isfinite().all()) for parameter in parameters)

"""Members of a trained ensemble: every parameter of a pair has one entry for each along its first axis."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

from gandetect.training.pair import Pair

Network = TypeVar("Network", bound=nn.Module)


def of_members(network: Network, members: slice) -> Network:
    """Return a network of some members only: what it learns, the whole network has learned."""
    own = deepcopy(network)
    for mine, whole in zip(own.modules(), network.modules(), strict=True):
        # By way of `data`: else what one member learns would look to the gradients of another like a change of its own.
        for name, parameter in whole.named_parameters(recurse=False):
            setattr(mine, name, nn.Parameter(parameter.data[members]))
        for name, buffer in whole.named_buffers(recurse=False):
            setattr(mine, name, buffer.data[members])
    return own


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

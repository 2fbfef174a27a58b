"""The layer that networks of every modality are made of, for all members of the ensemble at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MemberLinear(nn.Module):
    """One affine map per member.

    Parameters
    ----------
    n_members, in_dim, out_dim : int
        Number of members and the map's dimensions.
    random : torch.Generator
        Source of the initial weights: uniform within ``1 / sqrt(in_dim)``, as in `torch.nn.Linear`.

    Shape
    -----
    (members, n_samples, in_dim) to (members, n_samples, out_dim)
    """

    def __init__(self, n_members: int, in_dim: int, out_dim: int, random: torch.Generator) -> None:
        super().__init__()
        bound = in_dim**-0.5
        self.weight = nn.Parameter(torch.empty(n_members, in_dim, out_dim).uniform_(-bound, bound, generator=random))
        self.bias = nn.Parameter(torch.empty(n_members, 1, out_dim).uniform_(-bound, bound, generator=random))

    def forward(self, x: Tensor) -> Tensor:
        """Map every member's samples with that member's weights."""
        return torch.baddbmm(self.bias, x, self.weight)

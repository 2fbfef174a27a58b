"""What training asks of a modality: two networks and how they meet."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Pair(Protocol):
    """Two networks and how they meet; `Batch` below is whatever `draw` returns.

    Samples have shape (members, n_samples, ...); kinds of negatives are stacked as (members, kinds, n_negatives, ...).
    There are no more generated ones of each kind than real samples.
    """

    @property
    def discriminator(self) -> nn.Module:
        """Samples to one logit (high = real) per head, those of the reference negatives first.

        It may judge several positions of a sample: (members, n_samples * positions, heads).
        """

    @property
    def generator(self) -> nn.Module:
        """Whatever `generate` runs."""

    def real(self, batch: Any, random: torch.Generator) -> Tensor:
        """Return the real samples of a batch, as the discriminator sees them."""

    def references(self, real: Tensor, random: torch.Generator) -> Tensor:
        """Return reference negatives, one block per reference head of the discriminator, in its order."""

    def rejection(self, on_real: Tensor, on_references: Tensor, references: Tensor) -> Tensor:
        """Return the loss of each reference head, (members, kinds).

        `on_real` has shape (members, judged, kinds), `on_references` shape (members, kinds, judged): each head's
        logits of its own kind.
        """

    def generate(self, batch: Any, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the generator's samples, one block per adversarial head, and its reconstruction loss (a scalar)."""

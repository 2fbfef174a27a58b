"""Generator and discriminator for tables, all members of the ensemble at once.

Every layer holds the weights of all members and multiplies them in one batched product; members never exchange
anything. This file does not know how the networks are trained (`gandetect.training.loop`) nor what they are scored with
(`gandetect.graph`).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from gandetect.networks.layers import MemberLinear
from gandetect.training.losses import logistic_rejection


class MemberNetwork(nn.Module):
    """A stack of `MemberLinear` layers with SiLU between them.

    Shape
    -----
    (members, n_samples, dims[0]) to (members, n_samples, dims[-1])
    """

    def __init__(self, n_members: int, dims: list[int], random: torch.Generator) -> None:
        super().__init__()
        self.n_members = n_members
        self.layers = nn.ModuleList(MemberLinear(n_members, i, o, random) for i, o in pairwise(dims))

    @property
    def linear_layers(self) -> list[MemberLinear]:
        """The layers, first to last."""
        return cast(list[MemberLinear], list(self.layers))

    def hidden(self, x: Tensor) -> Tensor:
        """Return the last hidden layer's activations, (members, n_samples, dims[-2])."""
        for layer in self.layers[:-1]:
            x = silu(layer(x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Map samples through all layers; the last one is affine."""
        return cast(Tensor, self.layers[-1](self.hidden(x)))


class Discriminator(MemberNetwork):
    """A shared trunk with one logit (high = real) per kind of negative.

    Parameters
    ----------
    n_members, sample_dim, width, depth, n_heads : int
        Members, width of a sample, width and number of the hidden layers, kinds of negatives.
    random : torch.Generator
        Source of the initial weights.

    Shape
    -----
    (members, n_samples, sample_dim) to (members, n_samples, n_heads)
    """

    def __init__(
        self, n_members: int, sample_dim: int, width: int, depth: int, n_heads: int, random: torch.Generator
    ) -> None:
        super().__init__(n_members, [sample_dim, *[width] * depth, n_heads], random)


class Generator(MemberNetwork):
    """Fills in the masked columns of a sample; with every column masked it draws a sample from noise alone.

    The input is the sample with its masked columns set to zero, the mask, and the noise; the output is a whole sample.
    Beside its layers it has a memory of whole samples (codes), which it learns: it starts new samples from them, and a
    sample far from all of them is one that it cannot recall.

    Parameters
    ----------
    n_members, sample_dim, width, depth, noise_dim : int
        Members, width of a sample, width and number of the hidden layers, width of the noise.
    column_of : Tensor of shape (sample_dim,)
        The raw column that each entry of a sample belongs to: the entries of one column are masked together.
    memory : Tensor of shape (members, n_codes, sample_dim)
        The codes to begin with.
    maskable : Tensor of shape (n_columns,)
        1 for columns that may be masked and filled in, 0 for given ones.
    random : torch.Generator
        Source of the initial weights.
    """

    column_of: Tensor
    maskable: Tensor

    def __init__(
        self,
        n_members: int,
        sample_dim: int,
        width: int,
        depth: int,
        noise_dim: int,
        column_of: Tensor,
        memory: Tensor,
        maskable: Tensor,
        random: torch.Generator,
    ) -> None:
        super().__init__(n_members, [sample_dim + len(maskable) + noise_dim, *[width] * depth, sample_dim], random)
        self.noise_dim = noise_dim
        self.register_buffer("column_of", column_of)
        self.register_buffer("maskable", maskable)
        self.memory = nn.Parameter(memory.clone())

    def complete(self, samples: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
        """Return the generator's whole samples given the unmasked columns.

        Shape
        -----
        samples (members, n_samples, sample_dim), mask (members, n_samples, n_columns) with 1 = masked,
        noise (members, n_samples, noise_dim); returns (members, n_samples, sample_dim)
        """
        visible = samples * (1 - mask[..., self.column_of])
        return cast(Tensor, self(torch.cat([visible, mask, noise], dim=2)))

    def recall(self, n_samples: int, random: torch.Generator) -> Tensor:
        """Draw codes from the memory, (members, n_samples, sample_dim)."""
        members, n_codes, _ = self.memory.shape
        chosen = torch.randint(n_codes, (members, n_samples), generator=random).to(self.memory.device)
        return self.memory[torch.arange(members, device=chosen.device)[:, None], chosen]

    def recall_error(self, samples: Tensor) -> Tensor:
        """Return each sample's squared distance to the nearest code, (members, n_samples)."""
        with torch.no_grad():
            nearest = torch.cdist(samples, self.memory).argmin(2)  # (members, n_samples)
        codes = self.memory[torch.arange(len(nearest), device=nearest.device)[:, None], nearest]
        return (samples - codes).square().sum(2)

    @torch.no_grad()
    def typical(self) -> Tensor:
        """Return what each member expects of a row of which it sees nothing, (members, sample_dim)."""
        nothing = self.memory.new_zeros(self.n_members, 1, len(self.column_of))
        all_columns = self.memory.new_ones(self.n_members, 1, int(self.column_of.max()) + 1)
        return self.complete(nothing, all_columns, self.memory.new_zeros(self.n_members, 1, self.noise_dim))[:, 0]

    @torch.no_grad()
    def expect_zero(self, entries: Tensor) -> None:
        """Expect zero in these entries from now on, also in rows unlike all that were learned from.

        Shape
        -----
        entries (sample_dim,) of bool
        """
        last = self.linear_layers[-1]
        for parameter in (last.weight, last.bias):
            parameter[..., entries] = 0

    def fill_in(self, samples: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
        """Return the samples with only their masked columns replaced by the generator's, and given ones never."""
        hidden = (mask * self.maskable)[..., self.column_of]  # (members, n_samples, sample_dim)
        return samples + hidden * (self.complete(samples, mask, noise) - samples)


class TableBatch(NamedTuple):
    """A batch of training rows.

    Shape
    -----
    samples (members, n_samples, sample_dim); present (members, n_samples, n_columns) with 0 = missing
    """

    samples: Tensor
    present: Tensor


class TablePair:
    """How generator and discriminator meet on rows: masks are drawn, missing cells are completed.

    Parameters
    ----------
    discriminator : Discriminator
        Its last two heads judge the generator.
    generator : Generator
        The masked, conditional generator.
    references : callable
        From real samples and a source of randomness to the reference negatives, (members, kinds, n_samples, ...).
    hideable : Tensor of shape (n_columns,)
        Columns that may be hidden from the discriminator. Given ones are not, and a category is not: what the generator
        expects there lies between the levels, and a discriminator that takes it for real takes contradictions for real,
        too.
    """

    N_KINDS = 2
    """Kinds of generated samples: recalled and completed ones, each with a head of its own."""

    HIDDEN_ROWS, HIDDEN_CELLS = 0.25, 0.5
    """Share of the real rows that have cells hidden from the discriminator, and the largest share of them in a row."""

    def __init__(
        self,
        discriminator: Discriminator,
        generator: Generator,
        references: Callable[[Tensor, torch.Generator], Tensor],
        hideable: Tensor,
    ) -> None:
        self.discriminator = discriminator
        self.generator = generator
        self.references = references
        self.hideable = hideable

    def real(self, batch: TableBatch, random: torch.Generator) -> Tensor:
        """Return the rows as the discriminator sees them: missing cells completed, and some more cells of some rows.

        So a completed cell alone never tells a row from the others, however rarely cells are missing in the training
        rows.
        """
        samples, present = batch
        hides = torch.rand(*present.shape[:2], 1, generator=random) < self.HIDDEN_ROWS
        share = self.HIDDEN_CELLS * torch.rand(*present.shape[:2], 1, generator=random)
        hidden = (hides & (torch.rand(present.shape, generator=random) < share)).to(present.device)
        return self.completed(TableBatch(samples, torch.where(hidden & self.hideable, 0.0, present)))

    @torch.no_grad()
    def completed(self, batch: TableBatch) -> Tensor:
        """Return the rows with their missing cells completed by the generator, without noise."""
        if bool((batch.present == 1).all()):
            return batch.samples
        noise = batch.samples.new_zeros(*batch.samples.shape[:2], self.generator.noise_dim)
        return self.generator.fill_in(batch.samples, 1 - batch.present, noise)

    @torch.no_grad()
    def imagine(self, n_samples: int, random: torch.Generator) -> Tensor:
        """Return new rows, (members, n_samples, sample_dim): recalled ones, as `generate` makes them in training."""
        generator, n_columns = self.generator, len(self.hideable)
        recalled = generator.recall(n_samples, random)
        share = torch.rand(*recalled.shape[:2], 1, generator=random)
        masked = generator.maskable * (torch.rand(*recalled.shape[:2], n_columns, generator=random) < share).to(
            recalled
        )
        noise = torch.randn(*recalled.shape[:2], generator.noise_dim, generator=random).to(recalled)
        return generator.fill_in(recalled, masked, noise)

    def rejection(self, on_real: Tensor, on_references: Tensor, references: Tensor) -> Tensor:
        """Return the loss of each reference head."""
        return logistic_rejection(on_real, on_references)

    def generate(self, batch: TableBatch, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return recalled and completed rows, (members, 2, n_samples, sample_dim), and the reconstruction loss.

        A recalled row is a code of the generator's memory, a completed one a real row; in both a random share of the
        columns is masked and filled in from noise. The loss is the squared error on the masked columns of real rows,
        plus the squared distance of real rows to the nearest code.
        """
        samples, present = batch
        generator, shape = self.generator, (2, *present.shape)  # (2, members, n_samples, n_columns)
        share = torch.rand(*shape[:3], 1, generator=random).to(samples)
        masked = generator.maskable * (torch.rand(*shape, generator=random).to(samples) < share).to(samples)
        noise = torch.randn(*shape[:3], generator.noise_dim, generator=random).to(samples)
        recalled = generator.fill_in(generator.recall(shape[2], random), masked[0], noise[0])
        unseen = torch.maximum(masked[1], 1 - present)  # a missing cell is masked, whatever was drawn
        completed = generator.fill_in(samples, unseen, noise[1])
        judged = (masked[1] * present)[..., generator.column_of]  # only cells that are masked and known can be wrong
        error = (judged * (completed - samples).square()).sum((1, 2)) / judged.sum((1, 2)).clamp_min(1)
        forgotten = generator.recall_error(self.completed(batch)).mean(1)
        return torch.stack([recalled, completed], dim=1), (error + forgotten).mean()

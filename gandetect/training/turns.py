"""How each player moves in its turn: on which loss it descends, and all that its later steps depend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gandetect.training.course import Plan, State
from gandetect.training.losses import Game, gradient_norm_penalty
from gandetect.training.optimizers import optimizers_of
from gandetect.training.pair import Pair


class Turn:
    """A player's network, its optimizers and their schedules."""

    MUON_REACH = 1.0
    """How far Muon moves an entry of the weights, in learning rates, where it is used.

    With a fifth of it the discriminator learned much less of gravel in the same steps; with three times as much as is
    its own, below, the generator was the worse opponent, and so it was where AdamW moved it.
    """

    def __init__(self, name: str, network: nn.Module, plan: Plan, weight_decay: float) -> None:
        self.name, self.network = name, network
        reach = self.MUON_REACH if plan.optimizer == "muon" else None
        self.optimizers = optimizers_of(network, plan.learning_rate, weight_decay, reach)
        self.schedules = [
            torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, plan.n_steps)
            for optimizer in self.optimizers
        ]

    def step(self, loss: Tensor) -> None:
        """Descend once."""
        self.network.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer, schedule in zip(self.optimizers, self.schedules, strict=True):
            optimizer.step()
            schedule.step()

    def state(self) -> State:
        """Return a copy of all that later steps depend on."""
        parts: dict[str, dict[str, Any]] = {"network": self.network.state_dict()}
        for number, (optimizer, schedule) in enumerate(zip(self.optimizers, self.schedules, strict=True)):
            of_schedule, of_optimizer = schedule.state_dict(), optimizer.state_dict()
            (group,) = of_optimizer["param_groups"]
            parts |= {f"{number}/weights/{index}": moments for index, moments in of_optimizer["state"].items()}
            parts[f"{number}/schedule"] = {name: of_schedule[name] for name in _SCHEDULE}
            parts[f"{number}/group"] = {name: group[name] for name in _GROUP if name in group}
        return {
            f"{self.name}/{part}/{name}": value.numpy(force=True).copy()
            if isinstance(value, Tensor)
            else np.array(value)
            for part, values in parts.items()
            for name, value in values.items()
        }

    def restore(self, state: State) -> None:
        """Take over what `state` returned, also of a turn in another process."""
        parts: dict[str, dict[str, Tensor]] = {}
        for key, value in state.items():
            player, _, rest = key.partition("/")
            if player == self.name:
                part, _, name = rest.rpartition("/")
                parts.setdefault(part, {})[name] = torch.tensor(value)
        self.network.load_state_dict(parts["network"])
        for number, (optimizer, schedule) in enumerate(zip(self.optimizers, self.schedules, strict=True)):
            of_weights = f"{number}/weights/"
            moments = {
                int(part.removeprefix(of_weights)): values
                for part, values in parts.items()
                if part.startswith(of_weights)
            }
            (group,) = optimizer.state_dict()["param_groups"]
            known = {name: _plain(value) for name, value in parts[f"{number}/group"].items()}
            optimizer.load_state_dict({"state": moments, "param_groups": [group | known]})
            schedule.load_state_dict({name: value.item() for name, value in parts[f"{number}/schedule"].items()})


_SCHEDULE, _GROUP = ("last_epoch", "_step_count"), ("lr", "betas", "momentum")
"""What changes from step to step in a schedule and in an optimizer's group of parameters."""


def _plain(value: Tensor) -> Any:
    """Return a number, or numbers, as an optimizer holds them."""
    return tuple(value.tolist()) if value.dim() else value.item()


class DiscriminatorTurn(Turn):
    """The discriminator's turn: to tell real samples from all negatives."""

    def __init__(self, pair: Pair, game: Game, plan: Plan) -> None:
        super().__init__("discriminator", pair.discriminator, plan, plan.weight_decay)
        self.discriminator, self.game, self.rejection = pair.discriminator, game, pair.rejection

    def move(self, real: Tensor, references: Tensor, fakes: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Learn to tell real samples from both sorts of negatives; return the loss and the real samples' logits."""
        members, n_references = references.shape[:2]
        parts = real, references.flatten(1, 2), fakes.flatten(1, 2)
        samples = torch.cat(parts, dim=1)
        logits = self.discriminator(samples)  # (members, judged, kinds)
        n_positions = logits.shape[1] // samples.shape[1]
        on_real, on_references, on_fakes = logits.split([part.shape[1] * n_positions for part in parts], dim=1)
        reference = self.rejection(on_real[..., :n_references], _own(on_references[..., :n_references]), references)
        game = self.game.real(on_real[..., n_references:]).mean(1)
        game = game + self.game.fake(_own(on_fakes[..., n_references:])).mean(2)
        loss = (reference.sum() + game.sum()) / members
        if self.game.gradient_penalty:
            loss = loss + self.game.gradient_penalty * self._penalty(real, fakes, n_references, random)
        self.step(loss)
        return loss.detach(), on_real[..., n_references:].detach()

    def _head(self, index: int) -> Callable[[Tensor], Tensor]:
        """Return a head's mean logit over the positions of each sample."""
        return lambda samples: self.discriminator(samples)[..., index].unflatten(1, (samples.shape[1], -1)).mean(2)

    def _penalty(self, real: Tensor, fakes: Tensor, n_references: int, random: torch.Generator) -> Tensor:
        """Mean gradient penalty of the adversarial heads, each between real samples and its own kind."""
        terms = []
        self.discriminator.eval()  # the gradient of each sample by itself, whatever else is in the batch
        for kind, fake in enumerate(fakes.unbind(1)):
            share = torch.rand(*fake.shape[:2], *[1] * (fake.dim() - 2), generator=random).to(fake)
            terms.append(gradient_norm_penalty(self._head(n_references + kind), real[:, : fake.shape[1]], fake, share))
        self.discriminator.train()
        return torch.stack(terms).mean()


class GeneratorTurn(Turn):
    """The generator's turn: to rebuild samples, and to pass for real with its own heads."""

    MUON_REACH = 0.2

    def __init__(self, pair: Pair, game: Game, plan: Plan) -> None:
        super().__init__("generator", pair.generator, plan, 0.0)
        self.discriminator, self.game, self.weight = pair.discriminator, game, plan.adversarial_weight

    def move(self, fakes: Tensor, reconstruction: Tensor) -> tuple[Tensor, Tensor]:
        """Learn to fill in and to pass for real; return the loss and the generated samples' logits."""
        members, kinds = fakes.shape[:2]
        self.discriminator.requires_grad_(False).eval()
        logits = self.discriminator(fakes.flatten(1, 2))[..., -kinds:]
        on_own = _own(logits)
        loss = reconstruction + self.weight * self.game.generator(on_own).mean(2).sum() / members
        self.step(loss)
        self.discriminator.requires_grad_(True).train()
        return loss.detach(), on_own.detach()


def _own(logits: Tensor) -> Tensor:
    """Return what each head says of its own kind, (members, kinds, judged); kinds stand one after the other."""
    members, _, kinds = logits.shape
    return logits.reshape(members, kinds, -1, kinds).diagonal(dim1=1, dim2=3).transpose(1, 2)

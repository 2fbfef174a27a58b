"""How each player moves in its turn: on which loss it descends, and all that its later steps depend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gandetect.training.course import Plan, State
from gandetect.training.losses import Game, gradient_norm_penalty
from gandetect.training.pair import Pair


class Turn:
    """A player's network, its optimizer and its schedule."""

    def __init__(self, name: str, network: nn.Module, plan: Plan, weight_decay: float) -> None:
        self.name, self.network = name, network
        self.optimizer = torch.optim.AdamW(
            network.parameters(), plan.learning_rate, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, plan.learning_rate, plan.n_steps)

    def step(self, loss: Tensor) -> None:
        """Descend once."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()

    def state(self) -> State:
        """Return a copy of all that later steps depend on."""
        schedule = self.schedule.state_dict()
        (group,) = self.optimizer.state_dict()["param_groups"]
        parts = {
            "network": self.network.state_dict(),
            **{f"optimizer/{index}": moments for index, moments in self.optimizer.state_dict()["state"].items()},
            "schedule": {name: schedule[name] for name in _SCHEDULE},
            "group": {name: group[name] for name in _GROUP},
        }
        return {
            f"{self.name}/{part}/{name}": value.numpy(force=True).copy()
            if isinstance(value, Tensor)
            else np.array(value)
            for part, values in parts.items()
            for name, value in values.items()
        }

    def restore(self, state: State) -> None:
        """Take over what `state` returned, also of a turn in another process."""
        parts: dict[str, dict[str, Any]] = {}
        for key, value in state.items():
            player, _, rest = key.partition("/")
            if player == self.name:
                part, _, name = rest.rpartition("/")
                parts.setdefault(part, {})[name] = torch.tensor(value)
        (group,) = self.optimizer.state_dict()["param_groups"]
        known = {"lr": parts["group"]["lr"].item(), "betas": tuple(parts["group"]["betas"].tolist())}
        moments = {
            int(part.removeprefix("optimizer/")): values for part, values in parts.items() if part.startswith("optim")
        }
        self.network.load_state_dict(parts["network"])
        self.optimizer.load_state_dict({"state": moments, "param_groups": [group | known]})
        self.schedule.load_state_dict({name: value.item() for name, value in parts["schedule"].items()})


_SCHEDULE, _GROUP = ("last_epoch", "_step_count"), ("lr", "betas")
"""What changes from step to step in a schedule and in an optimizer's group of parameters."""


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

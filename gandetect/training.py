"""The adversarial loop. It knows neither tables nor images: the pair of networks says what a batch is.

Each step the discriminator moves first, on real samples, reference negatives and detached generator samples; then the
generator moves, on its reconstruction error and on what the updated discriminator says of its samples. All randomness
is keyed by (seed, step), so a training that was interrupted goes on from its last state as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gandetect.errors import InputError
from gandetect.losses import Game, gradient_norm_penalty

State = dict[str, NDArray[Any]]
"""Everything that a training goes on from: parameters, optimizers, the step, and the course so far; flat arrays."""


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


@dataclass(frozen=True)
class Progress:
    """What the progress callback is told after a step.

    Parameters
    ----------
    step, n_steps : int
        Steps done and steps in all.
    discriminator_loss, generator_loss : float
        Both losses, mean over the members.
    realness_real, realness_generated : float
        Mean realness, 0 to 1, that the adversarial heads give to real samples and to the generator's.
    """

    step: int
    n_steps: int
    discriminator_loss: float
    generator_loss: float
    realness_real: float
    realness_generated: float


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    Parameters
    ----------
    n_steps : int
        Moves of each network.
    learning_rate : float
        Peak of the one-cycle schedule (Smith and Topin, 2018) of both AdamW optimizers.
    weight_decay : float
        Of the discriminator.
    adversarial_weight : float
        Weight of the game in the generator's loss, beside its reconstruction error.
    """

    n_steps: int = 1200
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    adversarial_weight: float = 0.1


def find_device(name: str) -> torch.device:
    """Return a torch device; "auto" is a GPU when there is one, else the CPU.

    Raises
    ------
    InputError
        torch cannot use it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (AssertionError, RuntimeError) as error:  # torch built without CUDA asserts
        raise InputError(f"Expected a device that torch can use, found {name!r}; try 'cpu'.") from error


BEFORE_TRAINING = 2**62
"""Keys the randomness of the initial weights: a step that training never reaches."""

AFTER_TRAINING = BEFORE_TRAINING + 1
"""Keys the randomness of what is measured of the trained networks."""


def step_random(seed: int, step: int) -> torch.Generator:
    """Return the source of all randomness of one step."""
    state = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))


@dataclass(frozen=True)
class Course:
    """What a training told on its way, about a hundred times.

    Parameters
    ----------
    losses : array of shape (n_reports, 2)
        Of the discriminator and the generator, mean over the members.
    realness : array of shape (n_reports, 2, members)
        Mean realness, 0 to 1, that each member's adversarial heads give to real samples and to the generator's.
    """

    losses: NDArray[np.float64]
    realness: NDArray[np.float64]

    @property
    def late_realness(self) -> NDArray[np.float64]:
        """Mean of the realness over the last tenth of the reports, (2, members)."""
        late: NDArray[np.float64] = self.realness[-max(1, len(self.realness) // 10) :].mean(0)
        return late

    def told(self, losses: list[float], realness: list[list[float]]) -> Course:
        """Return the course with one more report."""
        return Course(np.concatenate([self.losses, [losses]]), np.concatenate([self.realness, [realness]]))

    def progress(self, step: int, n_steps: int) -> Progress:
        """Return the last report as the progress callback is told it."""
        return Progress(step, n_steps, *self.losses[-1].tolist(), *self.realness[-1].mean(1).tolist())


def train(
    pair: Pair,
    game: Game,
    draw: Callable[[int, torch.Generator], Any],
    plan: Plan,
    seed: int,
    *,
    n_members: int,
    callback: Callable[[Progress], None] | None = None,
    keep: Callable[[State], None] | None = None,
    start: State | None = None,
) -> Course:
    """Train both networks of a pair in place, in turn; the last state counts.

    Parameters
    ----------
    pair : Pair
        The networks and how they meet.
    game : Game
        The loss between the generator and the discriminator's heads for it.
    draw : callable
        From a step's number and its source of randomness to a batch of training samples.
    plan : Plan
        Steps, rates and weights.
    seed : int
        Together with a step's number, the key of its randomness.
    n_members : int
        Members of the pair.
    callback : callable, optional
        Called with a `Progress` about a hundred times; an exception that it raises ends the training.
    keep : callable, optional
        Called with the `State` each time before `callback`.
    start : State, optional
        Go on from there. The result is the one of a training without interruption.

    Returns
    -------
    Course
        Of the whole training, what came before `start` included.
    """
    turns = _DiscriminatorTurn(pair, game, plan), _GeneratorTurn(pair, game, plan)
    first, course = 0, Course(np.empty((0, 2)), np.empty((0, 2, n_members)))
    if start:
        first, course = int(start["step"]), Course(start["losses"], start["realness"])
        for turn in turns:
            turn.restore(start)
    report_every = max(1, plan.n_steps // 100)
    with one_thread():
        for step in range(first, plan.n_steps):
            random = step_random(seed, step)
            batch = draw(step, random)
            real = pair.real(batch, random).detach()
            references = pair.references(real, random)
            fakes, reconstruction = pair.generate(batch, random)
            discriminator_loss, logits_real = turns[0].move(real, references, fakes.detach(), random)
            generator_loss, logits_fake = turns[1].move(fakes, reconstruction)
            if (step + 1) % report_every == 0 or step + 1 == plan.n_steps:
                realness = [logits.sigmoid().mean((1, 2)).tolist() for logits in (logits_real, logits_fake)]
                course = course.told([discriminator_loss.item(), generator_loss.item()], realness)
                if keep:
                    told = {"step": np.array(step + 1), "losses": course.losses, "realness": course.realness}
                    keep(told | turns[0].state() | turns[1].state())
                if callback:
                    callback(course.progress(step + 1, plan.n_steps))
    return course


class _Turn:
    """One player's optimizer and its schedule."""

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


class _DiscriminatorTurn(_Turn):
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


class _GeneratorTurn(_Turn):
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Train on one thread: such small products gain nothing from more, and their bits would depend on it."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)

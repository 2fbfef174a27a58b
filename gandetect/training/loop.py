"""The adversarial loop. It knows neither tables nor images: the pair of networks says what a batch is.

Each step the discriminator moves first, on real samples, reference negatives and detached generator samples; then the
generator moves, on its reconstruction error and on what the updated discriminator says of its samples. All randomness
is keyed by (seed, step, pair), so a training that was interrupted goes on from its last state as if nothing had
happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gandetect.errors import InputError
from gandetect.training.course import Course, Plan, Progress, State
from gandetect.training.losses import Game
from gandetect.training.pair import Pair
from gandetect.training.threads import exhaust, one_thread
from gandetect.training.turns import DiscriminatorTurn, GeneratorTurn

Draw = Callable[[int, torch.Generator], Any]
"""From a step's number and its source of randomness to a batch of training samples."""

Report = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Losses of the discriminator and the generator, and the realness of real and of generated samples, (2, members)."""

BEFORE_TRAINING = 2**62
"""Keys the randomness of the initial weights: a step that training never reaches."""

AFTER_TRAINING = BEFORE_TRAINING + 1
"""Keys the randomness of what is measured of the trained networks."""


def step_random(seed: int, step: int, number: int = 0) -> torch.Generator:
    """Return the source of all randomness of one step, for the pair of a number among those that are trained."""
    state = np.random.SeedSequence([seed, step, number]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))


def train(
    pairs: Sequence[Pair],
    game: Game,
    draws: Sequence[Draw],
    plan: Plan,
    seed: int,
    *,
    n_members: int,
    callback: Callable[[Progress], None] | None = None,
    keep: Callable[[State], None] | None = None,
    start: State | None = None,
) -> Course:
    """Train both networks of every pair in place, in turn; the last state counts.

    Pairs know nothing of each other. They are trained at the same time, as many as torch has threads, and come out the
    same at any number of them.

    Parameters
    ----------
    pairs : sequence of Pair
        The networks and how they meet; each pair has as many members.
    game : Game
        The loss between the generator and the discriminator's heads for it.
    draws : sequence of callable
        For each pair, from a step's number and its source of randomness to a batch of training samples.
    plan : Plan
        Steps, rates and weights.
    seed : int
        Together with a step's number and a pair's, the key of its randomness.
    n_members : int
        Members of all pairs.
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
    trainings = [
        _Training(number, pair, game, draw, plan, seed)
        for number, (pair, draw) in enumerate(zip(pairs, draws, strict=True))
    ]
    first, course = 0, Course(np.empty((0, 2)), np.empty((0, 2, n_members)))
    if start:
        first, course = int(start["step"]), Course(start["losses"], start["realness"])
        for training in trainings:
            training.restore(start)
    report_every = max(1, plan.n_steps // 100)
    with one_thread() as n_threads:
        for begin in range(first, plan.n_steps, report_every):
            end = min(begin + report_every, plan.n_steps)
            exhaust([training.steps(begin, end) for training in trainings], min(n_threads, len(trainings)))
            course = course.told(*_joined([training.report() for training in trainings]))
            if keep:
                told = {"step": np.array(end), "losses": course.losses, "realness": course.realness}
                keep(told | {name: value for training in trainings for name, value in training.state().items()})
            if callback:
                callback(course.progress(end, plan.n_steps))
    return course


def _joined(reports: Sequence[Report]) -> Report:
    """Return one report of all pairs: the mean of their losses, and the realness to every member."""
    losses, realness = zip(*reports, strict=True)
    return np.mean(losses, axis=0), np.concatenate(realness, axis=1)


class _Training:
    """A pair that is being trained, and what its last step told: each player's loss and the logits that it is about."""

    def __init__(self, number: int, pair: Pair, game: Game, draw: Draw, plan: Plan, seed: int) -> None:
        self.number, self.pair, self.draw, self.seed = number, pair, draw, seed
        self.discriminator, self.generator = DiscriminatorTurn(pair, game, plan), GeneratorTurn(pair, game, plan)

    def steps(self, begin: int, end: int) -> Iterator[int]:
        """Take one step after the other."""
        for step in range(begin, end):
            self._take(step)
            yield step

    def _take(self, step: int) -> None:
        random = step_random(self.seed, step, self.number)
        batch = self.draw(step, random)
        real = self.pair.real(batch, random).detach()
        references = self.pair.references(real, random)
        fakes, reconstruction = self.pair.generate(batch, random)
        on_real = self.discriminator.move(real, references, fakes.detach(), random)
        self._told = on_real, self.generator.move(fakes, reconstruction)

    def report(self) -> Report:
        """Return what the last step told."""
        losses, logits = zip(*self._told, strict=True)
        realness = [some.sigmoid().mean((1, 2)).tolist() for some in logits]
        return np.array([loss.item() for loss in losses]), np.array(realness)

    def state(self) -> State:
        """Return a copy of all that later steps depend on."""
        state = self.discriminator.state() | self.generator.state()
        return {f"{self.number}/{name}": value for name, value in state.items()}

    def restore(self, state: State) -> None:
        """Take over what `state` returned, also of another process."""
        own = f"{self.number}/"
        mine = {name.removeprefix(own): value for name, value in state.items() if name.startswith(own)}
        for turn in (self.discriminator, self.generator):
            turn.restore(mine)


def find_device(name: str) -> torch.device:
    """Return a torch device; "auto" is a GPU when there is one, else the CPU.

    Raises
    ------
    InputError
        torch cannot train on it.
    """
    if isinstance(name, str) and name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:  # torch built without CUDA asserts
        number = torch.ones(1, device=name)
        number.item()  # a device such as "meta" has shapes, but no numbers
    except (AssertionError, ImportError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"Expected a device that torch can train on, found {name!r}; try 'cpu'.") from error
    return number.device

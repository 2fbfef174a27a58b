"""The adversarial loop. It knows neither tables nor images: the pair of networks says what a batch is.

Each step the discriminator moves first, on real samples, reference negatives and detached generator samples; then the
generator moves, on its reconstruction error and on what the updated discriminator says of its samples. All randomness
is keyed by (seed, step), so a training that was interrupted goes on from its last state as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from gandetect.errors import InputError
from gandetect.training.course import Course, Plan, Progress, State
from gandetect.training.losses import Game
from gandetect.training.pair import Pair
from gandetect.training.turns import DiscriminatorTurn, GeneratorTurn

BEFORE_TRAINING = 2**62
"""Keys the randomness of the initial weights: a step that training never reaches."""

AFTER_TRAINING = BEFORE_TRAINING + 1
"""Keys the randomness of what is measured of the trained networks."""


def step_random(seed: int, step: int) -> torch.Generator:
    """Return the source of all randomness of one step."""
    state = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))


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
    discriminator, generator = DiscriminatorTurn(pair, game, plan), GeneratorTurn(pair, game, plan)
    first, course = 0, Course(np.empty((0, 2)), np.empty((0, 2, n_members)))
    if start:
        first, course = int(start["step"]), Course(start["losses"], start["realness"])
        for turn in (discriminator, generator):
            turn.restore(start)
    report_every = max(1, plan.n_steps // 100)
    with one_thread():
        for step in range(first, plan.n_steps):
            random = step_random(seed, step)
            batch = draw(step, random)
            real = pair.real(batch, random).detach()
            references = pair.references(real, random)
            fakes, reconstruction = pair.generate(batch, random)
            discriminator_loss, logits_real = discriminator.move(real, references, fakes.detach(), random)
            generator_loss, logits_fake = generator.move(fakes, reconstruction)
            if (step + 1) % report_every == 0 or step + 1 == plan.n_steps:
                realness = [logits.sigmoid().mean((1, 2)).tolist() for logits in (logits_real, logits_fake)]
                course = course.told([discriminator_loss.item(), generator_loss.item()], realness)
                if keep:
                    told = {"step": np.array(step + 1), "losses": course.losses, "realness": course.realness}
                    keep(told | discriminator.state() | generator.state())
                if callback:
                    callback(course.progress(step + 1, plan.n_steps))
    return course


@contextmanager
def one_thread() -> Iterator[None]:
    """Train on one thread: such small products gain nothing from more, and their bits would depend on it."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


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

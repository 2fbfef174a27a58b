"""The adversarial loop: both players move, in turn, and the same way every time."""

import math
import threading
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from gandetect.errors import InputError
from gandetect.networks.tables import Discriminator, Generator, TableBatch, TablePair
from gandetect.tables.negatives import REFERENCES, Batch, Cloud, Levels, references
from gandetect.training.course import Plan
from gandetect.training.loop import find_device, step_random, train
from gandetect.training.losses import LOSSES, Logistic

MEMBERS, SAMPLE_DIM, N_HEADS = 2, 2, len(REFERENCES) + TablePair.N_KINDS


def toy_samples(n_samples=400):
    """Samples along a line, a little off the origin."""
    first = torch.randn(n_samples, generator=torch.Generator().manual_seed(0))
    second = first + 0.2 * torch.randn(n_samples, generator=torch.Generator().manual_seed(1))
    return torch.stack([first + 0.5, second], dim=1)


SAMPLES = toy_samples()
PLAN = Plan(n_steps=10, learning_rate=2e-3, weight_decay=1e-3, adversarial_weight=0.1, optimizer="adamw")


def new_pair(seed=0):
    random = torch.Generator().manual_seed(seed)
    column_of = torch.arange(SAMPLE_DIM)
    discriminator = Discriminator(MEMBERS, SAMPLE_DIM, 32, 3, N_HEADS, random)
    memory = SAMPLES[:20].expand(MEMBERS, -1, -1)
    generator = Generator(MEMBERS, SAMPLE_DIM, 32, 2, 4, column_of, memory, torch.ones(SAMPLE_DIM), random)
    cloud, levels = Cloud.of(SAMPLES), Levels.of({}, column_of)

    def surround(real, random):
        batch = Batch(real, real.roll(1, dims=1), cloud, levels, column_of, column_of < 0, column_of < 0, random)
        return references(batch)

    return TablePair(discriminator, generator, surround, torch.ones(SAMPLE_DIM, dtype=torch.bool))


def draw(step, random):
    chosen = torch.randint(len(SAMPLES), (MEMBERS, 64), generator=random)
    return TableBatch(SAMPLES[chosen], torch.ones(MEMBERS, 64, SAMPLE_DIM))


def state(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a if name not in ("column_of", "maskable"))


def trained(loss="logistic", seed=0, callback=None, **plan):
    pair = new_pair()
    train([pair], LOSSES[loss](), [draw], replace(PLAN, **plan), seed, n_members=MEMBERS, callback=callback)
    return pair


@pytest.mark.parametrize("loss", LOSSES)
def test_training_is_the_same_for_the_same_seed(loss):
    first, again, other = (trained(loss, seed=seed) for seed in (0, 0, 1))
    for network in ("discriminator", "generator"):
        assert same(state(getattr(first, network)), state(getattr(again, network)))
        assert not same(state(getattr(first, network)), state(getattr(other, network)))


@pytest.mark.parametrize(("loss", "optimizer"), [*((loss, "adamw") for loss in LOSSES), ("logistic", "muon")])
def test_training_changes_every_layer_of_both_networks(loss, optimizer):
    before, after = new_pair(), trained(loss, optimizer=optimizer)
    for network in ("discriminator", "generator"):
        old, new = state(getattr(before, network)), state(getattr(after, network))
        assert not any(torch.equal(old[name], new[name]) for name in old if name not in ("column_of", "maskable"))


@pytest.mark.parametrize(("loss", "optimizer"), [*((loss, "adamw") for loss in LOSSES), ("logistic", "muon")])
@pytest.mark.parametrize("step", [1, 6, 10])
def test_training_goes_on_from_a_state_as_if_nothing_had_happened(loss, optimizer, step):
    states, pairs = [], [new_pair(), new_pair(seed=1)]
    arguments = LOSSES[loss](), [draw], replace(PLAN, optimizer=optimizer), 0
    whole = train(pairs[:1], *arguments, n_members=MEMBERS, keep=states.append)
    resumed = train(pairs[1:], *arguments, n_members=MEMBERS, start=states[step - 1])
    for network in ("discriminator", "generator"):
        assert same(*(state(getattr(pair, network)) for pair in pairs))
    np.testing.assert_array_equal(whole.losses, resumed.losses)
    np.testing.assert_array_equal(whole.realness, resumed.realness)


def test_a_steps_randomness_is_keyed_by_seed_step_and_pair_alone():
    def numbers(*key):
        return torch.rand(5, generator=step_random(*key))

    torch.rand(3)
    assert torch.equal(numbers(1, 2, 3), numbers(1, 2, 3))
    assert len({tuple(numbers(*key).tolist()) for key in product(range(5), repeat=3)}) == 125


def trained_at_once(n_threads, draws=(draw, draw), **more):
    """Return pairs that were trained together, and what their training told."""
    pairs, before = [new_pair(seed) for seed in range(len(draws))], torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        return pairs, train(pairs, Logistic(), draws, PLAN, seed=0, n_members=MEMBERS * len(draws), **more)
    finally:
        torch.set_num_threads(before)


def all_same(some, others):
    return all(
        same(state(getattr(one, network)), state(getattr(other, network)))
        for one, other in zip(some, others, strict=True)
        for network in ("discriminator", "generator")
    )


@pytest.mark.parametrize("n_threads", [2, 3])
def test_pairs_come_out_the_same_one_after_the_other_and_at_once(n_threads):
    (pairs, course), (others, told) = trained_at_once(1), trained_at_once(n_threads)
    assert all_same(pairs, others)
    assert course.realness.shape == (PLAN.n_steps, 2, 2 * MEMBERS)
    np.testing.assert_array_equal(course.realness, told.realness)
    np.testing.assert_array_equal(course.losses, told.losses)


def test_pairs_know_nothing_of_each_other():
    (pairs, course), (first, told) = trained_at_once(2), trained_at_once(2, [draw])
    assert all_same(pairs[:1], first)
    np.testing.assert_array_equal(course.realness[..., :MEMBERS], told.realness)


def test_pairs_are_trained_at_the_same_time_where_there_are_threads():
    meeting = threading.Barrier(2, timeout=60)

    def draw_together(step, random):
        meeting.wait()
        return draw(step, random)

    trained_at_once(2, [draw_together] * 2)
    assert not meeting.broken


@pytest.mark.parametrize("step", [1, 6, 10])
def test_pairs_go_on_from_a_state_as_if_nothing_had_happened(step):
    states = []
    pairs, whole = trained_at_once(2, keep=states.append)
    others, resumed = trained_at_once(1, start=states[step - 1])
    assert all_same(pairs, others)
    np.testing.assert_array_equal(whole.losses, resumed.losses)
    np.testing.assert_array_equal(whole.realness, resumed.realness)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("place", [0, 1])
def test_an_error_in_one_pair_ends_the_training_of_all(n_threads, place):
    def fail(step, random):
        if step == 4:
            raise StopError
        return draw(step, random)

    steps, draws = [], [draw]
    draws.insert(place, fail)
    with pytest.raises(StopError):
        trained_at_once(n_threads, draws, callback=lambda progress: steps.append(progress.step))
    assert steps == [1, 2, 3, 4]


class Watched(Logistic):
    """A game that looks at both networks at the moment when the generator's turn begins."""

    def __init__(self, pair):
        self.pair = pair

    def generator(self, logits):
        self.generator_gradients = [parameter.grad for parameter in self.pair.generator.parameters()]
        self.between = state(self.pair.discriminator), state(self.pair.generator)
        return super().generator(logits)


@pytest.fixture(scope="module")
def one_step():
    pair = new_pair()
    game = Watched(pair)
    before = state(pair.discriminator), state(pair.generator)
    train([pair], game, [draw], replace(PLAN, n_steps=1), seed=0, n_members=MEMBERS)
    return game, before, (state(pair.discriminator), state(pair.generator))


def test_the_discriminators_turn_gives_the_generator_no_gradient(one_step):
    assert one_step[0].generator_gradients == [None] * 7


def test_each_player_moves_in_its_own_turn_only(one_step):
    game, before, after = one_step
    assert not same(before[0], game.between[0])
    assert same(before[1], game.between[1])
    assert same(game.between[0], after[0])
    assert not same(game.between[1], after[1])


def test_both_networks_can_learn_again_after_training():
    pair = trained()
    for network in (pair.discriminator, pair.generator):
        assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("loss", LOSSES)
def test_progress_is_finite_and_realness_a_share(loss):
    told = []
    trained(loss, n_steps=12, callback=told.append)
    assert [progress.step for progress in told] == list(range(1, 13))
    for progress in told:
        assert progress.n_steps == 12
        assert math.isfinite(progress.discriminator_loss)
        assert math.isfinite(progress.generator_loss)
        assert 0 <= progress.realness_real <= 1
        assert 0 <= progress.realness_generated <= 1


def test_progress_is_told_about_a_hundred_times_and_after_the_last_step():
    steps = []
    trained(n_steps=250, callback=lambda progress: steps.append(progress.step))
    assert 100 <= len(steps) <= 130
    assert steps[-1] == 250


def test_the_callback_does_not_change_the_training():
    assert same(state(trained().discriminator), state(trained(callback=lambda progress: None).discriminator))


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


class StopError(Exception):
    pass


@pytest.mark.usefixtures("three_threads")
def test_an_exception_in_the_callback_ends_the_training_and_gives_the_threads_back():
    steps, during = [], []

    def stop(progress):
        steps.append(progress.step)
        during.append(torch.get_num_threads())
        if progress.step == 4:
            raise StopError

    with pytest.raises(StopError):
        trained(callback=stop)
    assert steps == [1, 2, 3, 4]
    assert during == [1] * 4
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_training_gives_the_threads_back():
    trained(n_steps=1)
    assert torch.get_num_threads() == 3


@pytest.fixture(scope="module", params=LOSSES)
def ready(request):
    """Return a pair that was trained long enough for its toy samples, in every game."""
    return trained(request.param, n_steps=200, learning_rate=6e-3)


def grid():
    """Points all around the samples, each further from every sample than samples are from each other."""
    angle = torch.linspace(0, 2 * math.pi, 25)[:-1]
    return torch.cat([r * torch.stack([angle.cos(), angle.sin()], dim=1) for r in (6.0, 20.0)]) + SAMPLES.mean(0)


def logits_of(pair, samples):
    with torch.no_grad():
        return pair.discriminator(samples.expand(MEMBERS, -1, -1)).mean(0)


def test_the_discriminator_tells_samples_from_what_surrounds_them_in_every_game(ready):
    real, far = (logits_of(ready, points)[:, :4].mean(1) for points in (SAMPLES, grid()))
    assert far.max() < real.quantile(0.05)


def test_the_discriminator_sees_what_contradicts_the_data_between_its_columns(ready):
    centre = SAMPLES.mean(0)
    against = centre + torch.tensor([[2.0, -2.0], [-2.0, 2.0]])
    along = centre + torch.tensor([[1.5, 1.5], [-1.5, -1.5]])
    contradicting, agreeing = (logits_of(ready, points)[:, :4].mean(1) for points in (against, along))
    assert contradicting.max() < agreeing.min()


def test_the_generator_fills_in_masked_columns_from_the_others_in_every_game(ready):
    mask = torch.tensor([0.0, 1.0]).expand(MEMBERS, len(SAMPLES), 2)
    noise = torch.zeros(MEMBERS, len(SAMPLES), 4)
    with torch.no_grad():
        completed = ready.generator.complete(SAMPLES.expand(MEMBERS, -1, -1), mask, noise)
    error = (completed[..., 1] - SAMPLES[:, 1]).square().mean()
    assert error < 0.3 * SAMPLES[:, 1].var()


def test_the_adversarial_weight_matters_to_the_generator_alone_in_the_first_step():
    with_game, without = trained(n_steps=1), trained(n_steps=1, adversarial_weight=0.0)
    assert same(state(with_game.discriminator), state(without.discriminator))
    assert not same(state(with_game.generator), state(without.generator))


@pytest.mark.parametrize("name", ["toaster", "meta", "meta:0", "xla", "hpu", "privateuseone", "cpu:x", 1.5])
def test_a_device_that_cannot_train_is_refused(name):
    # Some of them torch makes tensors on, or looks for a package of theirs.
    with pytest.raises(InputError, match=rf"^Expected a device that torch can train on, found {name!r}; try 'cpu'\.$"):
        find_device(name)


@pytest.mark.parametrize("name", ["auto", "cpu", "cpu:0", torch.device("cpu")])
def test_a_device_that_can_train_is_taken(name):
    assert find_device(name).type in ("cpu", "cuda")

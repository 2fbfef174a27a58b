"""The rules of every game, at points worked out by hand."""

import math

import pytest
import torch

from gandetect.training.losses import LOSSES, focal, gradient_norm_penalty, logistic_fake, logistic_real

LOGITS = torch.tensor([-2.0, 0.0, 0.5, 3.0], dtype=torch.float64)

# On the four logits above.
BY_HAND = {
    "logistic": {
        "real": [math.log(1 + math.e**2), math.log(2), math.log(1 + math.e**-0.5), math.log(1 + math.e**-3)],
        "fake": [math.log(1 + math.e**-2), math.log(2), math.log(1 + math.e**0.5), math.log(1 + math.e**3)],
        "generator": [math.log(1 + math.e**2), math.log(2), math.log(1 + math.e**-0.5), math.log(1 + math.e**-3)],
    },
    "least-squares": {
        "real": [4.5, 0.5, 0.125, 2.0],
        "fake": [0.5, 0.5, 1.125, 8.0],
        "generator": [2.0, 0.0, 0.125, 4.5],
    },
    "hinge": {
        "real": [3.0, 1.0, 0.5, 0.0],
        "fake": [0.0, 1.0, 1.5, 4.0],
        "generator": [2.0, 0.0, -0.5, -3.0],
    },
    "wasserstein": {
        "real": [2.0, 0.0, -0.5, -3.0],
        "fake": [-2.0, 0.0, 0.5, 3.0],
        "generator": [2.0, 0.0, -0.5, -3.0],
    },
}


def test_every_game_is_worked_out_below():
    assert list(BY_HAND) == list(LOSSES)


@pytest.mark.parametrize("player", ["real", "fake", "generator"])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_equal_their_formulas(loss, player):
    computed = getattr(LOSSES[loss](), player)(LOGITS)
    torch.testing.assert_close(computed, torch.tensor(BY_HAND[loss][player], dtype=torch.float64))


def test_logistic_losses_are_the_cross_entropy():
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(logistic_real(LOGITS), bce(LOGITS, torch.ones(4).double(), reduction="none"))
    torch.testing.assert_close(logistic_fake(LOGITS), bce(LOGITS, torch.zeros(4).double(), reduction="none"))


def test_the_focal_loss_equals_its_formula():
    probability = LOGITS.sigmoid()
    torch.testing.assert_close(focal(logistic_real(LOGITS)), -((1 - probability) ** 2) * probability.log())


def slope(function, at):
    logits = torch.tensor([at], requires_grad=True)
    function(logits).sum().backward()
    return logits.grad.item()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_discriminator_raises_logits_of_real_samples_and_lowers_those_of_generated_ones(loss):
    game = LOSSES[loss]()
    assert slope(game.real, 0.0) < 0
    assert slope(game.fake, 0.0) > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_the_generator_raises_the_logits_of_its_samples_that_are_called_fake(loss):
    assert slope(LOSSES[loss]().generator, -1.0) < 0


@pytest.mark.parametrize("loss", ["logistic", "least-squares"])
def test_losses_stay_finite_at_extreme_logits(loss):
    game = LOSSES[loss]()
    for logits in (torch.tensor([1e4]), torch.tensor([-1e4])):
        for player in (game.real, game.fake, game.generator):
            assert torch.isfinite(player(logits)).all()


def test_only_the_wasserstein_game_has_a_gradient_penalty():
    penalties = {name: game().gradient_penalty for name, game in LOSSES.items()}
    assert penalties == {"logistic": 0, "least-squares": 0, "hinge": 0, "wasserstein": 10}


def penalty(slopes):
    """Return the penalty of the linear logit with these slopes, between random samples of two members."""
    random = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 2, 5, len(slopes), generator=random, dtype=torch.float64)
    share = torch.rand(2, 5, 1, generator=random, dtype=torch.float64)
    slopes = torch.tensor(slopes, dtype=torch.float64)
    return gradient_norm_penalty(lambda x: x @ slopes, real, fake, share)


def test_gradient_penalty_is_zero_for_a_linear_logit_of_unit_slope():
    torch.testing.assert_close(penalty([0.6, 0.0, -0.8]), torch.zeros(2, 5).double(), atol=1e-10, rtol=0)


@pytest.mark.parametrize(("slopes", "expected"), [([3.0, 4.0], 16.0), ([0.5], 0.25), ([0.0, 0.0], 1.0)])
def test_gradient_penalty_is_the_squared_distance_of_the_slope_from_one(slopes, expected):
    torch.testing.assert_close(penalty(slopes), torch.full((2, 5), expected).double(), atol=1e-5, rtol=1e-5)


def test_gradient_penalty_is_taken_between_real_and_generated_samples():
    seen = []
    real, fake = torch.zeros(1, 3, 2), torch.ones(1, 3, 2)
    share = torch.tensor([0.0, 0.25, 1.0])[None, :, None]
    gradient_norm_penalty(lambda x: seen.append(x) or x.sum(2), real, fake, share)
    torch.testing.assert_close(seen[0].detach(), share.expand(1, 3, 2))


def test_gradient_penalty_teaches_the_discriminator_even_where_its_slope_vanishes():
    weight = torch.zeros(3, requires_grad=True)
    real, fake, share = torch.zeros(1, 4, 3), torch.ones(1, 4, 3), torch.full((1, 4, 1), 0.5)
    gradient_norm_penalty(lambda x: x @ weight, real, fake, share).mean().backward()
    assert torch.isfinite(weight.grad).all()

"""Muon moves weights in all their directions equally far, whatever the gradient's size and shape."""

import pytest
import torch
from torch import nn

from gandetect.training.optimizers import Muon, optimizers_of

SHAPES = [(2, 8, 8), (1, 5, 40), (3, 40, 5), (2, 16, 1, 5, 5), (2, 16, 24, 3, 3)]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def moved(gradients, reach=1.0, lr=0.01, weight_decay=0.0, start=None):
    """Return a weight before and after it was moved along each of some gradients."""
    start = torch.zeros_like(gradients[0]) if start is None else start
    weight = nn.Parameter(start.clone())
    optimizer = Muon([weight], lr=lr, reach=reach, weight_decay=weight_decay)
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return start, weight.detach()


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_made_orthogonal_has_singular_values_about_one_and_the_same_singular_vectors(shape):
    matrices = normal(*shape).flatten(2)
    matrices = matrices @ torch.diag(torch.logspace(0, 1, matrices.shape[2]))
    made = Muon.orthogonal(matrices)
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.5
    assert values.max() < 1.3
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    among = left.mT @ made @ right.mT  # diagonal where the singular vectors are the same
    torch.testing.assert_close(among, torch.diag_embed(among.diagonal(dim1=1, dim2=2)), atol=1e-3, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_a_step_moves_entries_by_the_learning_rate_whatever_the_shape_and_the_gradients_size(shape, size):
    before, after = moved([size * normal(*shape)], reach=0.2, lr=0.01)
    for move in after - before:
        assert move.square().mean().sqrt() == pytest.approx(0.2 * 0.01, rel=0.3)


def test_a_step_goes_down():
    gradient = normal(2, 6, 9)
    before, after = moved([gradient])
    assert (((after - before) * gradient).sum((1, 2)) < 0).all()


def test_members_do_not_look_at_each_other():
    gradients = normal(3, 6, 9)
    _, together = moved([gradients])
    _, alone = moved([gradients[1:2]])
    torch.testing.assert_close(together[1:2], alone)


def test_a_gradient_that_comes_and_goes_counts_less_than_one_that_stays():
    staying, changing = torch.zeros(1, 2, 2), torch.zeros(1, 2, 2)
    staying[0, 0, 0], changing[0, 1, 1] = 1, 1
    _, after = moved([staying + (-1) ** step * changing for step in range(20)])
    assert abs(after[0, 0, 0]) > 3 * abs(after[0, 1, 1])


def test_no_gradient_moves_nothing_but_for_the_weight_decay():
    start = normal(2, 6, 9)
    _, after = moved([torch.zeros(2, 6, 9)] * 2, lr=0.1, weight_decay=0.5, start=start)
    torch.testing.assert_close(after, start * 0.95**2)


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.conv = nn.Module(), nn.Module()
        self.linear.weight, self.linear.bias = (nn.Parameter(torch.ones(*shape)) for shape in [(2, 3, 4), (2, 1, 4)])
        self.conv.weight, self.conv.gain = (nn.Parameter(torch.ones(*shape)) for shape in [(2, 3, 4, 5, 5), (2, 3)])
        self.memory = nn.Parameter(torch.ones(2, 3, 4))
        self.weight = nn.Parameter(torch.ones(2, 3, 4, 5))  # of each folder


def held(optimizer):
    return {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}


def test_muon_moves_the_weights_of_layers_and_adamw_all_else():
    network = Layers()
    adam, muon = optimizers_of(network, 1e-3, 0.0, 1.0)
    assert held(muon) == {id(network.linear.weight), id(network.conv.weight)}
    assert held(adam) == {id(parameter) for parameter in network.parameters()} - held(muon)


def test_adamw_moves_everything_where_muon_is_not_asked_for():
    network = Layers()
    (adam,) = optimizers_of(network, 1e-3, 0.0, None)
    assert held(adam) == {id(parameter) for parameter in network.parameters()}

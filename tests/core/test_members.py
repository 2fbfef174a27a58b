"""Members of an ensemble: some of them as a network of their own."""

import pytest
import torch

from gandetect.networks.whole import WholeDiscriminator, WholeGenerator
from gandetect.training.members import of_members


@pytest.fixture
def discriminator():
    return WholeDiscriminator(3, 1, 4, 5, 2, torch.Generator().manual_seed(0))


def images(n_members):
    return torch.randn(n_members, 2, 1, 32, 32, generator=torch.Generator().manual_seed(1))


def test_a_network_of_some_members_answers_as_they_do(discriminator):
    shown = images(3)
    answers = of_members(discriminator, slice(1, 3))(shown[1:])
    torch.testing.assert_close(answers, discriminator(shown)[1:])


def test_what_a_network_of_one_member_learns_the_whole_network_has_learned(discriminator):
    before = [parameter.clone() for parameter in discriminator.parameters()]
    own = of_members(discriminator, slice(1, 2))
    own(images(1)).sum().backward()
    torch.optim.AdamW(own.parameters()).step()
    for old, new in zip(before, discriminator.parameters(), strict=True):
        assert not torch.equal(new[1], old[1])
        assert torch.equal(new[[0, 2]], old[[0, 2]])


def test_what_a_generator_remembers_is_its_members_own_in_the_whole_one():
    generator = WholeGenerator(2, 1, 4, 3, 6, torch.Generator().manual_seed(0))
    of_members(generator, slice(1, 2)).past.fill_(1.0)
    assert generator.past.sum((1, 2, 3, 4)).tolist() == [0.0, 6 * 32 * 32]


def test_a_member_may_learn_between_what_another_answers_and_learns(discriminator):
    own, other = (of_members(discriminator, slice(member, member + 1)) for member in (0, 1))
    answers = own(images(1))
    other(images(1)).sum().backward()
    torch.optim.SGD(other.parameters(), lr=0.1).step()
    answers.sum().backward()
    assert all(parameter.grad is not None for parameter in own.parameters())

"""Members never exchange anything; the generator fills in what is masked and sees nothing of it."""

import numpy as np
import pytest
import torch
from numpy_reference import forward, silu
from recording import layers_of

from gandetect.networks.tables import Discriminator, Generator, TableBatch, TablePair

MEMBERS, WIDTH = 3, 6
COLUMN_OF = torch.tensor([0, 1, 1, 2])
HIDEABLE = torch.tensor([True, False, True])
SAMPLE_DIM, N_COLUMNS, NOISE_DIM = 4, 3, 2


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=1):
    return torch.randn(*shape, generator=seeded(seed))


@pytest.fixture
def discriminator():
    return Discriminator(MEMBERS, SAMPLE_DIM, WIDTH, 2, 5, seeded())


@pytest.fixture
def generator():
    memory = normal(MEMBERS, 8, SAMPLE_DIM, seed=2)
    return Generator(
        MEMBERS, SAMPLE_DIM, WIDTH, 2, NOISE_DIM, COLUMN_OF, memory, torch.ones(int(COLUMN_OF.max()) + 1), seeded()
    )


@pytest.fixture
def pair(discriminator, generator):
    return TablePair(discriminator, generator, lambda real, random: real[:, None], HIDEABLE)


def test_networks_compute_what_the_reference_computes(discriminator, generator):
    x = normal(MEMBERS, 7, SAMPLE_DIM)
    logits, hidden = discriminator(x).detach(), discriminator.hidden(x).detach()
    assert logits.shape == (MEMBERS, 7, 5)
    assert hidden.shape == (MEMBERS, 7, WIDTH)
    for member in range(MEMBERS):
        last, out = forward(layers_of(discriminator), x[member].double().numpy(), member)
        np.testing.assert_allclose(hidden[member], last, atol=1e-6)
        np.testing.assert_allclose(logits[member], out, atol=1e-6)


def test_silu_of_the_reference_is_torchs():
    x = torch.linspace(-50, 50, 101, dtype=torch.float64)
    np.testing.assert_allclose(silu(x.numpy()), torch.nn.functional.silu(x), atol=1e-12)


def test_members_do_not_exchange_anything(discriminator):
    x = normal(MEMBERS, 4, SAMPLE_DIM)
    changed = x.clone()
    changed[1] += 1
    before, after = discriminator(x), discriminator(changed)
    assert torch.equal(before[[0, 2]], after[[0, 2]])
    assert not torch.equal(before[1], after[1])


def test_members_begin_with_different_weights(discriminator):
    weight = discriminator.linear_layers[0].weight
    assert not torch.equal(weight[0], weight[1])


def test_initial_weights_depend_on_the_seed_alone():
    first, again, other = (Discriminator(2, 3, 4, 2, 1, seeded(seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_initial_weights_are_as_large_as_those_of_torchs_linear_layers():
    weight = Discriminator(4, 100, 50, 1, 1, seeded()).linear_layers[0].weight
    assert weight.abs().max() <= 0.1
    assert weight.abs().max() > 0.099


def test_the_generator_sees_nothing_of_masked_columns(generator):
    samples, noise = normal(MEMBERS, 5, SAMPLE_DIM), normal(MEMBERS, 5, NOISE_DIM)
    mask = torch.tensor([0.0, 1.0, 0.0]).expand(MEMBERS, 5, N_COLUMNS)
    changed = samples.clone()
    changed[..., 1:3] += 10
    assert torch.equal(generator.complete(samples, mask, noise), generator.complete(changed, mask, noise))


def test_filling_in_replaces_masked_columns_only(generator):
    samples, noise = normal(MEMBERS, 5, SAMPLE_DIM), normal(MEMBERS, 5, NOISE_DIM)
    mask = torch.tensor([0.0, 1.0, 0.0]).expand(MEMBERS, 5, N_COLUMNS)
    filled = generator.fill_in(samples, mask, noise)
    assert torch.equal(filled[..., [0, 3]], samples[..., [0, 3]])
    torch.testing.assert_close(filled[..., 1:3], generator.complete(samples, mask, noise)[..., 1:3])


def batch_of(n_samples=6, missing=()):
    samples, present = normal(MEMBERS, n_samples, SAMPLE_DIM), torch.ones(MEMBERS, n_samples, N_COLUMNS)
    for column in missing:
        present[..., column] = 0
        samples[..., column == COLUMN_OF] = 0
    return TableBatch(samples, present)


def test_whole_rows_stay_as_they_are(pair):
    batch = batch_of()
    assert pair.completed(batch) is batch.samples


def test_the_discriminator_sees_some_rows_with_completed_cells_among_the_real_ones(pair):
    batch = batch_of(400)
    real = pair.real(batch, seeded())
    changed = real != batch.samples
    assert 0.05 < changed.any(2).float().mean() < TablePair.HIDDEN_ROWS
    assert not changed[..., ~HIDEABLE[COLUMN_OF]].any()
    assert not real.requires_grad


def test_missing_cells_are_completed(pair, generator):
    batch = batch_of(missing=[1])
    real = pair.completed(batch)
    assert not real.requires_grad
    assert torch.equal(real[..., [0, 3]], batch.samples[..., [0, 3]])
    expected = generator.complete(batch.samples, 1 - batch.present, torch.zeros(MEMBERS, 6, NOISE_DIM))
    torch.testing.assert_close(real[..., 1:3], expected[..., 1:3].detach())


def test_generated_samples_come_in_two_kinds_recalled_and_completed(pair, generator):
    batch = batch_of(200)
    fakes, loss = pair.generate(batch, seeded())
    assert fakes.shape == (MEMBERS, TablePair.N_KINDS, 200, SAMPLE_DIM)
    assert loss.shape == ()
    recalled, completed = fakes.unbind(1)
    kept = completed == batch.samples
    assert kept.any()
    assert (~kept).any()
    assert torch.equal(kept[..., 1], kept[..., 2])
    for member in range(MEMBERS):
        from_memory = (recalled[member][:, None] == generator.memory[member]).any(1)
        assert from_memory.any()
        assert not from_memory.all()


def test_codes_are_recalled_from_a_members_own_memory(generator):
    codes = generator.recall(100, seeded())
    for member in range(MEMBERS):
        among = (codes[member][:, None] == generator.memory[member]).all(2)
        assert among.any(1).all()
        assert among.any(0).all()


def test_the_recall_error_is_the_squared_distance_to_the_nearest_code(generator):
    samples = normal(MEMBERS, 30, SAMPLE_DIM)
    every = (samples[:, :, None] - generator.memory[:, None]).square().sum(3)
    torch.testing.assert_close(generator.recall_error(samples), every.amin(2))
    assert torch.equal(generator.recall_error(generator.memory.detach()), torch.zeros(MEMBERS, 8))


def masked_error(batch, fakes):
    """Mean squared error of the cells that were masked and are known."""
    wrong = ((fakes[:, 1] - batch.samples) * batch.present[..., COLUMN_OF]).square()  # zero where nothing was masked
    return (wrong.sum((1, 2)) / (wrong > 0).sum((1, 2)).clamp_min(1)).mean()


@pytest.mark.parametrize("missing", [[], [2], [0, 1, 2]])
def test_of_the_cells_only_masked_and_known_ones_count_in_the_reconstruction_loss(pair, monkeypatch, missing):
    monkeypatch.setattr(pair.generator, "recall_error", lambda samples: torch.zeros(samples.shape[:2]))
    batch = batch_of(50, missing)
    fakes, loss = pair.generate(batch, seeded())
    torch.testing.assert_close(loss, masked_error(batch, fakes))


def test_the_reconstruction_loss_teaches_the_memory_to_hold_real_samples(pair, generator):
    batch = batch_of(50)
    before = generator.recall_error(batch.samples).mean()
    pair.generate(batch, seeded())[1].backward()
    with torch.no_grad():
        generator.memory -= 0.01 * generator.memory.grad
    assert generator.recall_error(batch.samples).mean() < before


def test_generated_samples_depend_on_the_seed_alone(pair):
    batch = batch_of()
    first, again, other = (pair.generate(batch, seeded(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)

"""Reference negatives: each kind surrounds the data, in its own way, in every direction."""

import numpy as np
import pytest
import torch

from gandetect.tables.negatives import (
    ANY_LEVELS,
    REFERENCES,
    SCORED,
    Batch,
    Cloud,
    Levels,
    any_levels,
    around_known,
    references,
)

MEMBERS = 2


def samples_of(n_samples=500, sample_dim=3, seed=0):
    """Correlated samples around a centre that is not zero."""
    random = torch.Generator().manual_seed(seed)
    mixing = torch.randn(sample_dim, sample_dim, generator=random)
    return torch.randn(n_samples, sample_dim, generator=random) @ mixing + torch.arange(sample_dim)


def batch_of(samples, seed=0, n_samples=2000, column_of=None, is_level=None, is_given=None, levels=None):
    random = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(samples), (MEMBERS, n_samples), generator=random)
    entries = torch.arange(samples.shape[1])
    column_of = entries if column_of is None else column_of
    is_level = entries < 0 if is_level is None else is_level
    return Batch(
        real=samples[chosen],
        others=samples[chosen].roll(1, dims=1),
        cloud=Cloud.of(samples),
        levels=Levels.of(levels or {}, column_of),
        column_of=column_of,
        is_level=is_level,
        is_given=entries < 0 if is_given is None else is_given,
        random=random,
    )


def flat(tensor):
    return tensor.flatten(0, 1)


@pytest.mark.parametrize("kind", REFERENCES)
@pytest.mark.parametrize("shape", [(500, 3), (40, 1), (12, 300), (9, 1600)])
def test_negatives_have_the_shape_of_the_real_samples_and_are_finite(kind, shape):
    batch = batch_of(samples_of(*shape), n_samples=8)
    negatives = REFERENCES[kind](batch)
    assert negatives.shape == batch.real.shape
    assert negatives.dtype == batch.real.dtype
    assert torch.isfinite(negatives).all()


@pytest.mark.parametrize("kind", REFERENCES)
def test_negatives_are_the_same_for_the_same_seed(kind):
    samples = samples_of()
    first, again, other = (REFERENCES[kind](batch_of(samples, seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", REFERENCES)
def test_negatives_of_the_members_differ(kind):
    negatives = REFERENCES[kind](batch_of(samples_of()))
    assert not torch.equal(negatives[0], negatives[1])


@pytest.mark.parametrize("kind", ["along-1", "along-0.3", "isotropic-1", "isotropic-0.3", "inflated"])
def test_constant_samples_are_surrounded_on_both_sides(kind):
    negatives = flat(REFERENCES[kind](batch_of(torch.full((50, 2), 3.0))))
    assert (negatives.amin(0) < 2.95).all()
    assert (negatives.amax(0) > 3.05).all()


def test_known_anomalies_are_one_more_kind_that_stays_near_them_and_on_their_levels():
    samples, known = samples_of(), torch.tensor([[30.0, 0.0, 1.0], [0.0, 40.0, 0.0]])
    negatives = around_known(batch_of(samples, is_level=torch.tensor([False, False, True])), known)
    assert negatives.shape == (MEMBERS, 1, 2000, 3)
    apart = (negatives.flatten(0, 2)[:, None] - known).norm(dim=2)
    nearest = apart.argmin(1)
    assert 0.4 < nearest.double().mean() < 0.6
    assert apart.amin(1).max() < 10
    assert torch.equal(negatives.flatten(0, 2)[:, 2], known[nearest, 2])


@pytest.mark.parametrize("kind", ["along-1", "isotropic-1"])
def test_noise_leaves_the_data_in_every_direction(kind):
    samples = samples_of()
    negatives = flat(REFERENCES[kind](batch_of(samples)))
    directions = torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    centre = samples.mean(0)
    reach = ((negatives - centre) @ directions.T).amax(0)
    assert (reach > ((samples - centre) @ directions.T).amax(0)).all()


def test_the_inflated_cloud_is_wider_than_the_data_in_every_direction():
    samples = samples_of()
    negatives = flat(REFERENCES["inflated"](batch_of(samples)))
    narrow, wide = (torch.linalg.eigvalsh(x.T.cov()) for x in (samples, negatives))
    assert (wide > narrow).all()
    torch.testing.assert_close(negatives.mean(0), samples.mean(0), atol=0.3, rtol=0)


def test_noise_along_the_data_has_the_datas_covariance():
    samples = samples_of(5000)
    batch = batch_of(samples, n_samples=40_000)
    torch.testing.assert_close(flat(batch.spread_noise()).T.cov(), samples.T.cov(), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("sigma", [1.0, 0.3])
def test_noise_along_the_data_follows_its_principal_axes(sigma):
    samples = samples_of() * torch.tensor([1.0, 1.0, 100.0])
    batch = batch_of(samples)
    noise = flat(REFERENCES[f"along-{sigma:g}"](batch) - batch.real)
    ratio = noise.std(0) / samples.std(0)
    assert ratio.max() / ratio.min() < 1.2
    assert sigma < ratio.mean() < 2 * sigma


@pytest.mark.parametrize("sigma", [1.0, 0.3])
def test_isotropic_noise_is_the_same_in_every_direction(sigma):
    batch = batch_of(samples_of() * torch.tensor([1.0, 1.0, 100.0]))
    noise = flat(REFERENCES[f"isotropic-{sigma:g}"](batch) - batch.real)
    correlation = noise.T.corrcoef() - torch.eye(3)
    assert correlation.abs().max() < 0.1
    assert noise.std(0).max() / noise.std(0).min() < 1.1
    assert sigma < noise.std() < 2 * sigma


def test_the_uniform_box_covers_the_data_and_a_margin():
    samples = samples_of()
    negatives = flat(REFERENCES["uniform"](batch_of(samples)))
    width = samples.amax(0) - samples.amin(0)
    below, above = (samples.amin(0) - negatives.amin(0)) / width, (negatives.amax(0) - samples.amax(0)) / width
    for margin in (below, above):
        assert (margin > 0).all()
        assert (margin <= 0.05 + 1e-6).all()


def test_mixed_negatives_stand_on_the_line_through_two_real_samples_and_beyond_both():
    batch = batch_of(samples_of())
    difference = batch.others - batch.real
    moved = REFERENCES["mixed"](batch) - batch.real
    different = difference.any(2)
    difference, moved = difference[different][:, None], moved[different][:, None]
    share = (moved * difference).sum(2) / difference.square().sum(2)
    torch.testing.assert_close(moved, share[..., None] * difference, atol=1e-4, rtol=1e-4)
    assert share.min() < -0.9
    assert share.max() > 1.9


def test_shuffled_negatives_take_whole_columns_from_other_real_samples():
    column_of = torch.tensor([0, 1, 1, 2])
    batch = batch_of(samples_of(sample_dim=4), column_of=column_of)
    negatives = REFERENCES["shuffled"](batch)
    own, other = negatives == batch.real, negatives == batch.others
    assert (own | other).all()
    assert torch.equal(own[..., 1], own[..., 2])
    assert own.any()
    assert (~own).any()


def test_the_clouds_rank_is_bounded_and_keeps_the_widest_directions():
    samples = samples_of(600, 300)
    cloud = Cloud.of(samples, max_rank=20)
    assert cloud.spread.shape == (20, 300)
    widest = torch.linalg.eigvalsh(samples.T.cov())[-20:]
    kept = cloud.spread.double().square().sum(1).sort().values
    torch.testing.assert_close(kept, widest.double(), rtol=0.02, atol=0.02)


def test_scored_kinds_and_those_with_any_levels_are_references():
    assert set(SCORED) | set(ANY_LEVELS) <= set(REFERENCES)


def test_all_kinds_are_made_at_once_in_their_order():
    batch, again = batch_of(samples_of()), batch_of(samples_of())
    together = references(batch)
    assert together.shape == (MEMBERS, len(REFERENCES), *batch.real.shape[1:])
    for kind, make in enumerate(REFERENCES.values()):
        assert torch.equal(together[:, kind], make(again))


def batch_with_categories(n_samples=40_000, missing=0.0):
    """One number, a category of three levels (90, 9 and 1 %) in three entries, and one of two (95 and 5 %) in one."""
    random = torch.Generator().manual_seed(0)
    three = torch.eye(3)[torch.multinomial(torch.tensor([0.9, 0.09, 0.01]), 5000, replacement=True, generator=random)]
    two = torch.where(torch.rand(5000, 1, generator=random) < 0.05, 0.95, -0.05)
    samples = torch.cat([torch.randn(5000, 1, generator=random), three, two], dim=1)
    samples[torch.rand(5000, generator=random) < missing, 1:] = 0
    return batch_of(
        samples,
        n_samples=n_samples,
        column_of=torch.tensor([0, 1, 1, 1, 2]),
        is_level=torch.tensor([False, True, True, True, True]),
        levels={1: np.eye(3), 2: np.array([[0.95], [-0.05]])},
    )


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_categories_of_negatives_are_levels_that_real_samples_have(missing):
    batch = batch_with_categories(2000, missing)
    negatives = references(batch)
    known = negatives[..., 1:4].any(-1)
    assert (negatives[..., 1:4].sum(-1) == known).all()
    assert set(negatives[..., 1:4].unique().tolist()) == {0.0, 1.0}
    assert set(negatives[..., 4].unique().tolist()) == set(batch.real[..., 4].unique().tolist())
    assert known.all() == (missing == 0)


def test_rare_levels_are_drawn_as_often_as_others():
    batch = batch_with_categories()
    drawn = any_levels(batch)
    assert torch.equal(drawn[..., 0], batch.real[..., 0])
    # Half of the columns are changed on the mean.
    even = torch.tensor([0.9 + 1 / 3, 0.09 + 1 / 3, 0.01 + 1 / 3]) / 2
    torch.testing.assert_close(flat(drawn)[:, 1:4].mean(0), even, atol=0.01, rtol=0)
    assert (drawn[..., 4] > 0).double().mean() == pytest.approx((0.05 + 0.5) / 2, abs=0.01)


def test_levels_are_rarer_among_rows_than_among_negatives_that_are_far_or_mixed():
    batch = batch_with_categories()
    rarest = references(batch)[..., 3].mean((0, 2))
    for kind, share in zip(REFERENCES, rarest.tolist(), strict=True):
        assert share == pytest.approx((0.01 + 1 / 3) / 2 if kind in ANY_LEVELS else 0.01, abs=0.01)


def test_a_category_without_any_known_level_stays_missing():
    samples = torch.zeros(50, 2)
    samples[:, 0] = torch.randn(50, generator=torch.Generator().manual_seed(0))
    negatives = references(batch_of(samples, is_level=torch.tensor([False, True]), levels={1: np.zeros((1, 1))}))
    assert not negatives[..., 1].any()

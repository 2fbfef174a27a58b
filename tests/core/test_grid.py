"""What whitens the features of images, of all and of each folder."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from gandetect.images import grid
from gandetect.images.grid import MAX_AXES, PRIOR, own_axes_of, thinned, whitening_of

FEATURES = np.random.default_rng(0).normal(size=(667, 1, 1, 96)).astype(np.float32)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_not_one_bit_depends_on_the_number_of_threads(n_threads):
    with threadpool_limits(1):
        alone = whitening_of(FEATURES, 1)
    with threadpool_limits(n_threads):
        assert whitening_of(FEATURES, 1).tobytes() == alone.tobytes()


def test_what_is_whitened_has_variance_one_in_every_direction():
    white = FEATURES[:, 0, 0] @ whitening_of(FEATURES, 1)[0, 0]
    variances = np.linalg.eigvalsh(white.T @ white / len(white))
    assert 0.8 < variances.min() <= variances.max() < 1


def folders_that_vary(n_each, n_features):
    """Return deviations that are largest along other entries in every folder, and the folders."""
    folders = np.repeat([0, 1, 2], n_each)
    strength = np.where(np.arange(n_features) % 3 == folders[:, None], 3.0, 0.3)
    normal = np.random.default_rng(0).normal(size=strength.shape)
    return (strength * normal).astype(np.float32), folders


def without(white, axes):
    return white - white @ axes.T @ axes


def test_each_folder_is_whitened_as_by_its_own_covariance():
    white, folders = folders_that_vary(200, MAX_AXES - 2)
    axes = own_axes_of(white, folders, 3)
    for own in range(3):
        some = white[folders == own].astype(np.float64)
        leaning = (some.T @ some + PRIOR * np.eye(some.shape[1])) / (len(some) + PRIOR)
        expected = np.einsum("nf,fg,ng->n", white, np.linalg.inv(leaning), white)
        ratio = np.square(without(white, axes[own])).sum(1) / expected
        np.testing.assert_allclose(ratio, PRIOR / (len(some) + PRIOR), rtol=1e-3)


def test_what_varies_in_another_folder_is_longer():
    white, folders = folders_that_vary(200, 3 * MAX_AXES)
    axes = own_axes_of(white, folders, 3)
    assert axes.shape == (3, MAX_AXES, 3 * MAX_AXES)
    lengths = np.stack([np.square(without(white, own)).sum(1) for own in axes], axis=1)
    assert (lengths.argmin(1) == folders).all()
    assert (np.square(without(white, axes[0])).sum(1) <= np.square(white).sum(1)).all()


def test_a_folder_of_one_image_has_one_direction_of_its_own():
    white, folders = folders_that_vary(1, 96)
    axes = own_axes_of(white, folders, 3)
    assert np.isfinite(axes).all()
    assert (np.linalg.norm(axes, axis=2) > 1e-3).sum(1).tolist() == [1, 1, 1]


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(grid, "MAX_IMAGES", 12)
    monkeypatch.setattr(grid, "FOLDER_IMAGES", 4)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("folders", "n_sharing", "kept"),
    [
        (np.arange(48) % 2, 2, [6, 6]),
        (np.arange(48) % 4, 4, [4, 4, 4, 4]),
        (np.repeat([0, 1, 2], [40, 3, 40]), 3, [4, 3, 4]),
        (np.arange(48) % 2, 1, [12, 12]),
        (np.arange(6) % 2, 2, [3, 3]),
    ],
    ids=["in turn", "many", "a small one", "not shared", "few images"],
)
def test_images_are_left_out_of_every_folder_alike(folders, n_sharing, kept):
    left = thinned(np.arange(len(folders)), folders, n_sharing)
    assert np.bincount(folders[left]).tolist() == kept
    assert (np.diff(left) > 0).all()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("n", [5, 12, 13, 30])
def test_of_one_folder_images_at_even_distances_are_left(n):
    chosen = 3 * np.arange(n)
    assert np.array_equal(thinned(chosen, np.zeros(3 * n, int), 1), chosen[:: -(-n // 12)])

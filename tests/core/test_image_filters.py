"""Filters that a discriminator begins with: principal components of patches, coarse and fine."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from gandetect.images.ensemble import ImageRows, train_ensemble
from gandetect.images.filters import principal_filters
from gandetect.images.settings import ImageSettings


def smooth_images(n, channels=1, side=32):
    noise = np.random.default_rng(0).normal(size=(n, channels, side, side))
    return gaussian_filter(noise, (0, 0, 2, 2)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_are_orthonormal(channels):
    filters = principal_filters(smooth_images(20, channels), 16, 5)
    assert filters.shape == (16, channels, 5, 5)
    flat = filters.reshape(16, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(16), atol=1e-5)


def test_filters_go_from_the_coarsest_structure_to_the_finest():
    images = smooth_images(20)
    answers = torch.conv2d(torch.from_numpy(images), torch.from_numpy(principal_filters(images, 9, 5)))
    spread = answers.std((0, 2, 3))
    assert (spread.diff() < 0).all()
    assert spread[0] > 100 * spread[-1]


def test_every_member_begins_with_filters_of_the_images_that_it_sees():
    samples = np.concatenate([smooth_images(8, side=64), smooth_images(8, side=64) ** 3])
    rows = ImageRows(samples, np.repeat([0, 1], 8), np.zeros(16, int), 1, positional=False)
    pair, _ = train_ensemble(rows, ImageSettings.of_effort("patch", n_steps=1), 0, torch.device("cpu"))
    for member, conv in enumerate(pair.discriminator.fine[0].weight.detach()):
        learned = conv.flatten(1) / conv.flatten(1).norm(dim=1, keepdim=True)
        likeness = [
            (learned * torch.from_numpy(principal_filters(samples[some], 16, 5)).flatten(1)).sum(1).abs()
            for some in (rows.seen_by(member), rows.unseen_by(member))
        ]
        assert likeness[0].min() > 0.99  # it hardly moved
        assert likeness[1].min() < 0.9

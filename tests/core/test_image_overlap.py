"""Training images that show, at least in part, what others show."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from gandetect import ImageGANDetector
from gandetect.images.overlap import overlapping_share

SIDE = 128


def photograph(height, width, seed=0):
    return gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 1)


def cut(ground, n, seed=0):
    """Cut squares out of a photograph, (n, 1, SIDE, SIDE)."""
    random = np.random.default_rng(seed)
    places = [[random.integers(0, length - SIDE + 1) for length in ground.shape] for _ in range(n)]
    return np.stack([ground[top : top + SIDE, left : left + SIDE] for top, left in places])[:, None]


def different(n):
    return np.stack([photograph(SIDE, SIDE, seed) for seed in range(n)])[:, None]


def seen_again(samples, seed=0):
    """Look at the same things once more, under other light and through other noise."""
    random = np.random.default_rng(seed)
    light = random.normal(1, 0.1, (len(samples), 1, 1, 1))
    return light * samples + 0.1 * samples.std() * random.normal(size=samples.shape)


def share(samples):
    return overlapping_share(np.asarray(samples, dtype=np.float32), 0)


def test_cuts_of_one_photograph_overlap_and_different_ones_do_not():
    assert share(cut(photograph(400, 300), 40)) > 0.9
    assert share(different(40)) == 0


def test_the_share_counts_both_of_two_that_are_alike():
    assert share(np.concatenate([different(30), seen_again(different(5))])) == pytest.approx(10 / 35)


def test_pieces_of_one_design_do_not_overlap():
    """Else every photograph of a mass product would."""
    random = np.random.default_rng(0)
    design = zoom(random.normal(size=(16, 16)), 10, order=0)
    moved = [design[top : top + SIDE, left : left + SIDE] for top, left in random.integers(0, 12, (40, 2))]
    assert share(seen_again(np.stack(moved)[:, None])) == 0


@pytest.mark.parametrize("make", [lambda: np.zeros((8, 1, SIDE, SIDE)), lambda: np.zeros((8, 3, 256, SIDE)) + 0.5])
def test_images_that_show_nothing_share_nothing(make):
    assert share(make()) == 0


def test_larger_images_and_colours_are_compared_alike():
    ground = photograph(800, 600)
    places = (0, 0), (90, 60), (500, 300)  # the first two overlap
    larger = np.stack([ground[top : top + 256, left : left + 256] for top, left in places])
    larger = np.concatenate([larger, [photograph(256, 256, seed) for seed in range(1, 9)]])
    assert share(np.repeat(larger[:, None], 3, axis=1)) == pytest.approx(2 / 11)


def as_pixels(samples):
    return (128 + 40 * samples[:, 0] / samples.std()).clip(0, 255).astype(np.uint8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # two steps leave members blind
def test_users_are_told_of_images_that_overlap_and_the_file_knows():
    detector = ImageGANDetector(n_steps=2, random_state=0)
    with pytest.warns(UserWarning, match=r"^\d+ % of the pictures show, at least in part, what another one shows"):
        detector.fit(as_pixels(cut(photograph(400, 300), 40)))
    assert detector.scorer_.manifest["training"]["overlapping_share"] > 0.9
    assert detector.fit(as_pixels(different(20))).scorer_.manifest["training"]["overlapping_share"] == 0

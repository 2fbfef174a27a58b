"""Pixel AUROC and AUPRO, against their definitions written out."""

from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gandetect import InputError, PixelEvaluator


def regions_of(mask):
    """Return sets of pixels that touch at an edge or a corner."""
    left = {tuple(pixel) for pixel in np.argwhere(mask)}
    while left:
        region, edge = set(), [left.pop()]
        while edge:
            region.add(pixel := edge.pop())
            near = {(pixel[0] + down, pixel[1] + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= near
            edge += near
        yield region


def brute_force(heatmaps, masks, limit):
    """Return the mean overlap with each region, integrated over the false-positive rate threshold by threshold."""
    points = [(0.0, 0.0)]
    for threshold in sorted({value for heatmap in heatmaps for value in heatmap.ravel()}, reverse=True):
        n_false = n_normal = 0
        overlaps = []
        for heatmap, mask in zip(heatmaps, masks, strict=True):
            n_false += ((heatmap >= threshold) & ~mask).sum()
            n_normal += (~mask).sum()
            for region in regions_of(mask):
                overlaps.append(sum(heatmap[pixel] >= threshold for pixel in region) / len(region))
        points.append((n_false / n_normal, np.mean(overlaps)))
    area = 0.0
    for (x, y), (next_x, next_y) in pairwise(points):
        if x >= limit:
            break
        if next_x > limit:
            next_x, next_y = limit, y + (next_y - y) * (limit - x) / (next_x - x)
        area += (next_x - x) * (y + next_y) / 2
    return area / limit


def made(seed, n_levels=None, n_images=5, side=14):
    """Heat maps that see a part of the defects; every third picture has none."""
    random = np.random.RandomState(seed)
    masks = [random.uniform(size=(side, side)) > (2 if i % 3 == 2 else 0.9) for i in range(n_images)]
    heatmaps = [random.normal(size=mask.shape) + 1.2 * mask for mask in masks]
    if n_levels:
        heatmaps = [np.round(heatmap * n_levels) for heatmap in heatmaps]
    return heatmaps, masks


def evaluated(heatmaps, masks):
    evaluator = PixelEvaluator()
    for heatmap, mask in zip(heatmaps, masks, strict=True):
        evaluator.add(heatmap, mask)
    return evaluator.result()


@pytest.mark.parametrize("seed", range(4))
def test_whole_numbers_give_what_the_definitions_give(seed):
    heatmaps, masks = made(seed, n_levels=3)
    result = evaluated(heatmaps, masks)
    flat = np.concatenate([mask.ravel() for mask in masks]), np.concatenate([m.ravel() for m in heatmaps])
    assert result.auroc == pytest.approx(roc_auc_score(*flat), abs=1e-12)
    assert result.aupro == pytest.approx(brute_force(heatmaps, masks, 0.3), abs=1e-12)
    assert result.n_images == 5
    assert result.n_regions == sum(len(list(regions_of(mask))) for mask in masks)


@pytest.mark.parametrize("scale", [1e-6, 1, 1e9])
def test_bins_cost_less_than_a_thousandth(scale):
    heatmaps, masks = made(7)
    result = evaluated([scale * heatmap for heatmap in heatmaps], masks)
    flat = np.concatenate([mask.ravel() for mask in masks]), np.concatenate([m.ravel() for m in heatmaps])
    assert result.auroc == pytest.approx(roc_auc_score(*flat), abs=1e-3)
    assert result.aupro == pytest.approx(brute_force(heatmaps, masks, 0.3), abs=1e-3)


def test_a_perfect_map_gives_one_and_a_constant_one_what_chance_gives():
    _, masks = made(3)
    perfect = evaluated(masks, masks)
    assert (perfect.auroc, perfect.aupro) == (1.0, 1.0)
    constant = evaluated([np.zeros(mask.shape) for mask in masks], masks)
    assert constant.auroc == 0.5
    assert constant.aupro == pytest.approx(0.15)
    assert evaluated([~mask for mask in masks], masks).auroc == 0.0


def test_every_region_counts_alike_however_large():
    mask = np.zeros((40, 40), bool)
    mask[:20, :20] = True  # 400 pixels, found
    mask[30:32, 30:32] = True  # 4 pixels, missed
    heatmap = np.where(mask, 1.0, 0.0)
    heatmap[30:32, 30:32] = -1.0
    result = evaluated([heatmap], [mask])
    assert result.n_regions == 2
    assert result.aupro == pytest.approx(0.5)
    assert result.auroc == pytest.approx(400 / 404)


def test_order_of_pictures_and_negative_zero_make_no_difference():
    heatmaps, masks = made(5, n_levels=1)
    other = [np.where(heatmap == 0, -0.0, heatmap) for heatmap in heatmaps[::-1]]
    assert astuple(evaluated(other, masks[::-1])) == pytest.approx(astuple(evaluated(heatmaps, masks)), abs=1e-12)


@pytest.mark.parametrize("fill", [False, True])
def test_pixels_of_one_kind_cannot_be_compared(fill):
    with pytest.raises(InputError) as caught:
        evaluated([np.zeros((4, 4))], [np.full((4, 4), fill)])
    assert str(caught.value) == (
        "Expected both normal and anomalous pixels to compare with, found one kind only; add pictures with masks."
    )


def test_maps_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"found shapes \(4, 4\) and \(4, 5\); resize the heat map"):
        PixelEvaluator().add(np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(InputError, match="found NaN"):
        PixelEvaluator().add(np.full((4, 4), np.nan), np.zeros((4, 4)))

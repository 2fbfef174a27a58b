"""What the texture of images is compared with: directions that whole images vary in, and what is usual beside them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.texture import FLAT, PIXELS, add_energies, add_texture_map
from gandetect.images.calibration import unseen_texture_maps
from gandetect.images.ensemble import ImageRows
from gandetect.images.texture import energies_of, fit_texture
from gandetect.scorer import open_session, run_in_chunks

GRAIN = 0.2


def rows_of(samples, n_folders=1):
    numbers = np.arange(len(samples))
    return ImageRows(samples.astype(np.float32), numbers % 2, numbers % n_folders, n_folders, positional=True)


def grained(n, channels=1, height=64, width=64, seed=0):
    """Noise under a light that differs from image to image, brighter to one side."""
    random = np.random.default_rng(seed)
    slope = np.linspace(0.5, 1.5, width) ** random.normal(0, 1, (n, 1, 1, 1))
    return GRAIN * slope * random.normal(0, 1, (n, channels, height, width))


def maps_of(rows, texture):
    shape, builder = rows.samples.shape[1:], GraphBuilder()
    tensor = builder.input("samples", np.float32, ["n", *shape])
    folder = builder.input("folder", np.int64, ["n"]) if rows.n_folders > 1 else ""
    grid = shape[1] // PIXELS, shape[2] // PIXELS
    found = add_texture_map(builder, add_energies(builder, tensor, shape), texture, grid, folder)
    builder.output("map", found, np.float32, ["n", 1, *grid])
    feeds = {"samples": rows.samples} | ({"folder": rows.folders} if folder else {})
    return run_in_chunks(open_session(builder.build()), ["map"], feeds, chunk_size=8)["map"][:, 0]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (128, 256)])
def test_energies_are_mean_differences_of_neighbours_over_twice_a_cell(channels, height, width):
    rows = rows_of(grained(3, channels, height, width))
    found = energies_of(rows.samples)
    grey = rows.samples.mean(1)
    across = np.abs(np.diff(grey, axis=2, append=grey[:, :, -1:]))
    down = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    cell = [max(4, side // 32) for side in (height, width)]
    for index, differences in enumerate((across, down)):
        means = avg_pool2d(
            torch.from_numpy(differences)[:, None],
            [2 * side for side in cell],
            cell,
            [side // 2 for side in cell],
            count_include_pad=False,
        )
        assert np.abs(found[:, index] - np.log(means[:, 0].numpy() + FLAT)).max() < 1e-4
    assert found.shape == (3, 6, height // cell[0], width // cell[1])


def test_light_twice_as_strong_adds_the_same_everywhere():
    samples = grained(2).astype(np.float32)
    once, twice = energies_of(samples), energies_of(2 * samples)
    assert np.abs(twice - once - np.log(2)).max() < 0.1


@pytest.mark.parametrize("n_folders", [1, 2])
def test_the_graph_measures_what_is_left_in_units_of_what_is_usual(n_folders):
    rows = rows_of(grained(16), n_folders)
    energies = energies_of(rows.samples)
    texture = fit_texture(energies, rows, np.arange(16))
    mean, axes = (part.astype(np.float16).astype(np.float64) for part in (texture.mean, texture.axes))
    away = (energies - mean[rows.folders]).reshape(16, -1)
    left = (away - away @ axes.T @ axes).reshape(energies.shape)
    each = np.repeat(np.arange(8), 2)  # blocks of two cells each
    whitening = texture.whitening.astype(np.float16).astype(np.float64)[each][:, each]
    white = np.einsum("nfhw,hwfg->nhwg", left, whitening)
    assert np.abs(maps_of(rows, texture) - np.sqrt(np.square(white).mean(-1))).max() < 1e-3


def test_directions_are_at_right_angles_and_of_length_one():
    rows = rows_of(grained(24))
    axes = fit_texture(energies_of(rows.samples), rows, np.arange(24)).axes
    assert axes.shape == (6, 6 * 16 * 16)
    assert np.abs(axes @ axes.T - np.eye(6)).max() < 1e-3


def test_images_that_are_all_alike_have_a_texture_too():
    rows = rows_of(np.repeat(grained(1), 8, axis=0))
    texture = fit_texture(energies_of(rows.samples), rows, np.arange(8))
    assert np.isfinite(maps_of(rows, texture)).all()


def test_what_whole_images_vary_in_is_expected_and_a_smooth_part_is_not():
    normal = rows_of(grained(64))
    texture = fit_texture(energies_of(normal.samples), normal, np.arange(64))
    lit = grained(16, seed=1)
    smooth = lit.copy()
    smooth[:, :, 24:40, 24:40] *= 0.2
    usual, found = maps_of(rows_of(lit), texture), maps_of(rows_of(smooth), texture)
    assert (found[:, 7:9, 7:9].mean((1, 2)) > np.quantile(usual, 0.99)).all()
    blind = replace(texture, axes=np.zeros_like(texture.axes))
    assert usual.mean() < maps_of(rows_of(lit), blind).mean() - 0.1


def test_training_images_are_judged_by_a_texture_that_never_saw_them():
    samples = grained(24)
    samples[5] = 0.9 * np.sin(np.arange(64) / 2)  # stripes, which no other image has
    rows = rows_of(samples)
    energies = energies_of(rows.samples)
    unseen = unseen_texture_maps(energies, rows, (16, 16)).mean((1, 2, 3))
    seen = maps_of(rows, fit_texture(energies, rows, np.arange(24))).mean((1, 2))
    assert unseen.argmax() == 5
    assert unseen[5] > seen[5] + 1

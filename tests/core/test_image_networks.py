"""The graph of an image pair computes what torch does, and negatives are what they are called."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_images import digits, textures
from torch.nn.functional import leaky_relu

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.images import add_images, add_networks
from gandetect.image_schema import IMAGE_INPUT, ImageSchema
from gandetect.images.ensemble import KINDS, ImageRows, train_ensemble
from gandetect.images.negatives import PATCH, WHOLE, negatives
from gandetect.images.settings import ImageSettings
from gandetect.images.weights import trained_weights
from gandetect.networks.convolutions import NormedConv
from gandetect.networks.whole import WholeDiscriminator
from gandetect.scorer import open_session, run_in_chunks


def samples_of(images, side):
    schema, builder = ImageSchema(side, side, images.shape[3]), GraphBuilder()
    builder.output("samples", add_images(builder, schema), np.float32, ["n", None, None, None])
    return run_in_chunks(open_session(builder.build()), ["samples"], {IMAGE_INPUT: images}, chunk_size=8)["samples"]


GRID = {"whole": 1, "patch": 16, "maps": 16}
"""Positions to a side that are judged of the samples below."""


def samples_for(detector):
    if detector == "maps":
        return np.random.default_rng(0).normal(size=(12, 5, 16, 16)).astype(np.float32)
    return samples_of(digits(0)[:24], 32) if detector == "whole" else samples_of(textures(8), 64)


def altered_maps_of(samples):
    """Return two altered copies of each of every kind: the upper half has other values."""
    shares = np.broadcast_to(np.arange(16)[:, None] < 8, (len(samples), 2, len(PATCH), 1, 16, 16))
    altered = samples[:, None, None] + 3 * shares
    return np.concatenate([altered, shares], axis=3).astype(np.float16)


def trained(detector, n_folders=1):
    samples = samples_for(detector)
    settings = ImageSettings.of_effort(detector, n_steps=3)
    folds, folders = np.arange(len(samples)) % settings.n_members, np.arange(len(samples)) // 2 % n_folders
    altered = altered_maps_of(samples) if detector == "maps" else None
    rows = ImageRows(samples, folds, folders, n_folders, positional=detector != "whole", altered=altered)
    pair, _ = train_ensemble(rows, settings, 0, torch.device("cpu"))
    return rows, pair, trained_weights(pair, rows, settings)


def seen_by_graph(rows, weights):
    builder, feeds, folder = GraphBuilder(), {"samples": rows.samples}, ""
    samples = builder.input("samples", np.float32, ["n", *rows.samples.shape[1:]])
    if rows.n_folders > 1:
        folder, feeds = builder.input("folder", np.int64, ["n"]), feeds | {"folder": rows.folders}
    seen = add_networks(builder, samples, weights, folder)
    for name in ("values", "maps", "reconstruction"):
        builder.output(name, getattr(seen, name), np.float32, ["n", *[None] * (1 if name == "values" else 3)])
    return run_in_chunks(open_session(builder.build()), ["values", "maps", "reconstruction"], feeds, chunk_size=8)


def distances(features, spread, folders):
    """Log mean square of the whitened features of every member, over the last axis."""
    # The file stores what whitens in float16.
    means, whitening = np.moveaxis(spread.mean, 2, -1), spread.whitening.astype(np.float16).astype(np.float64)
    deviations = features - means.astype(np.float64)[:, folders]
    if features.ndim == 3:
        white = np.einsum("mnf,mfg->mng", deviations, whitening[:, 0, 0])
        if spread.axes is not None:
            own = spread.axes.astype(np.float16).astype(np.float64)[:, folders]
            white = white - np.einsum("mnf,mnaf,mnag->mng", white, own, own)
    else:
        each = [np.repeat(np.arange(whitening.shape[1]), side // whitening.shape[1]) for side in features.shape[2:4]]
        white = np.einsum("mnhwf,mhwfg->mnhwg", deviations, whitening[:, each[0]][:, :, each[1]])
    return np.log(np.square(white).mean(-1) + 1e-3)


def unreal(pair, rows, detector):
    """Minus the mean of the logits that are scored, of every member, (n, ...)."""
    n_kinds = len(KINDS[detector])
    shown = pair.seen(rows.shown(np.arange(len(rows.samples))).expand(len(pair.generator.past), -1, -1, -1, -1))
    logits = pair.discriminator(shown).double().unflatten(1, (len(rows.samples), -1))  # (members, n, positions, heads)
    realness = logits[..., :n_kinds].mean(-1)
    if rows.n_folders > 1:  # what rejects images in a wrong folder counts as much as all others
        realness = (realness + logits[..., n_kinds]) / 2
    return -realness.numpy().reshape(*realness.shape[:2], *([] if detector == "whole" else [GRID[detector]] * 2))


def test_what_folders_differ_in_is_no_spread_within_one():
    dark, light = samples_of(textures(8), 64), samples_of(textures(8, seed=1) // 4 + 190, 64)
    settings, folders = ImageSettings.of_effort("patch", n_steps=1), np.repeat([0, 1], 8)
    rows = ImageRows(np.concatenate([dark, light]), np.arange(16) % settings.n_members, folders, 2, positional=False)
    pair, _ = train_ensemble(rows, settings, 0, torch.device("cpu"))
    gaussian = trained_weights(pair, rows, settings).gaussian
    apart = np.diff(gaussian.mean[:, :, :, 0, 0], axis=1)  # (members, 1, n_features)
    # The square of a distance can be 4 at most in units of a spread that holds half of it.
    assert (np.square(apart @ gaussian.whitening[:, 0, 0]).sum(2) > 20).all()


def grains(levels, seed):
    """Return grey images of noise around a brightness each."""
    noise = np.random.default_rng(seed).normal(size=(len(levels), 32, 32, 1))
    return samples_of((levels[:, None, None, None] + noise).clip(0, 255).astype(np.uint8), 32)


def test_what_varies_in_one_folder_is_unusual_in_another():
    steady, varied = np.full(60, 128.0), np.linspace(60, 196, 60)
    settings, folders = ImageSettings.of_effort("whole", n_steps=3), np.repeat([0, 1], 60)
    images = grains(np.concatenate([steady, varied]), seed=0)
    rows = ImageRows(images, np.arange(120) % settings.n_members, folders, 2, positional=False)
    weights = trained_weights(train_ensemble(rows, settings, 0, torch.device("cpu"))[0], rows, settings)
    new = replace(rows, samples=grains(varied, seed=1)[[*range(5), *range(55, 60)]])  # far from both means

    def gap(weights):
        """How much farther they are among the steady ones, in features and in style."""
        among = [seen_by_graph(replace(new, folders=np.full(10, own)), weights)["values"][:, 1:] for own in (0, 1)]
        return (among[0] - among[1]).mean(0)

    in_common = replace(weights, gaussian=replace(weights.gaussian, axes=None), style=replace(weights.style, axes=None))
    assert (gap(weights) > gap(in_common) + 0.5).all()


@pytest.mark.parametrize("n_folders", [1, 3])
@pytest.mark.parametrize("detector", GRID)
def test_the_graph_computes_what_torch_does(detector, n_folders):
    rows, pair, weights = trained(detector, n_folders)
    answers = seen_by_graph(rows, weights)
    told = n_folders > 1
    images = rows.shown(np.arange(len(rows.samples))).expand(weights.n_members, -1, -1, -1, -1)
    plain = pair.discriminator.plain if told else pair.discriminator
    with torch.no_grad():
        pixels = images[:, :, : pair.channels]
        values = unreal(pair, rows, detector), distances(plain.features(pixels).numpy(), weights.gaussian, rows.folders)
        if detector == "whole":
            values += (distances(plain.style(pixels).numpy(), weights.style, rows.folders),)
        reconstruction = pair.generator.decode(pair.generator.encode(images))[:, :, : pair.channels].mean(0).numpy()
    expected = np.stack([value.mean(0) for value in values], axis=1)
    found = answers["values"] if detector == "whole" else answers["maps"][:, :2]
    assert np.abs(found - expected).max() <= 1e-4
    assert np.abs(answers["reconstruction"] - reconstruction).max() <= 1e-4


def test_style_is_what_is_there_and_features_are_where_it_is():
    discriminator = WholeDiscriminator(2, 3, 8, 12, 1, torch.Generator().manual_seed(0))
    image = torch.zeros(2, 1, 3, 32, 32)
    image[..., 8:16, 8:16] = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(1))
    moved, brighter = image.roll(8, 4), 2 * image  # by one position of the last convolution
    with torch.no_grad():
        style = discriminator.style(image)
        assert style.shape == (2, 1, 2 * (8 + 16 + 32))
        torch.testing.assert_close(discriminator.style(moved), style)
        assert (discriminator.style(brighter) - style).abs().amax() > 0.1
        assert (discriminator.features(moved) - discriminator.features(image)).abs().amax() > 0.01


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_negatives_are_altered_images_of_the_same_range(kind):
    images = torch.from_numpy(samples_of(digits(1, 2, 3, 4)[:20], 32))
    altered = WHOLE[kind](images, torch.Generator().manual_seed(0))
    assert altered.shape == images.shape
    assert altered.min() >= -1.001
    assert altered.max() <= 1.001
    assert ((altered - images).abs().amax((1, 2, 3)) > 0.1).float().mean() > 0.8


@pytest.mark.parametrize("kind", PATCH)
def test_patch_negatives_are_altered_only_where_they_say_so(kind):
    images = torch.from_numpy(samples_of(textures(8), 64))
    altered = PATCH[kind](images, torch.Generator().manual_seed(0))
    marks, changed = altered[:, -1], (altered[:, :-1] - images).abs().amax(1) > 1e-6
    assert altered.shape == (8, 4, 64, 64)
    assert set(marks.unique().tolist()) <= {0.0, 1.0}
    assert not (changed & (marks == 0)).any()
    assert changed.any()


def test_a_jigsaw_keeps_every_pixel():
    images = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    shuffled = WHOLE["jigsaw"](images, torch.Generator().manual_seed(1))
    assert torch.equal(shuffled.flatten(1).sort(1).values, images.flatten(1).sort(1).values)
    assert not torch.equal(shuffled, images)


@pytest.mark.parametrize("kinds", [WHOLE, PATCH], ids=["whole", "patch"])
def test_the_same_randomness_gives_the_same_negatives(kinds):
    images = torch.rand(2, 4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    first, second = (negatives(kinds, images, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape[:3] == (2, len(kinds), 4)


def test_a_patch_discriminator_judges_every_position_and_does_not_see_what_was_altered():
    _, pair, _ = trained("patch")
    images = torch.from_numpy(samples_of(textures(2), 64)).expand(2, 2, 3, 64, 64)
    with torch.no_grad():
        judged = pair.discriminator(torch.cat([images, torch.rand(2, 2, 1, 64, 64)], 2))
        expected = pair.discriminator.heads(leaky_relu(pair.discriminator.features(images).flatten(1, 3), 0.2))
    assert judged.shape[1] == 2 * GRID["patch"] ** 2
    assert torch.equal(judged, expected)


def test_real_images_are_lit_in_other_ways_and_keep_all_else():
    _, pair, _ = trained("patch", n_folders=2)
    batch = torch.rand(2, 5, 4, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5  # folders in channel 3
    lit = pair.real(batch, torch.Generator().manual_seed(1))
    assert torch.equal(lit[:, :, 3:], pair.seen(batch)[:, :, 3:])
    factors = (lit[:, :, :3].amax((2, 3, 4)) - lit[:, :, :3].amin((2, 3, 4))).log()
    assert factors.std() > 0.05
    order = batch[0, 0, 0].flatten().argsort()
    assert (lit[0, 0, 0].flatten()[order].diff() >= 0).all()
    assert lit[:, :, :3].abs().max() <= 1


def test_normalised_convolutions_are_folded_into_ones_that_do_the_same():
    random = torch.Generator().manual_seed(0)
    normed, images = NormedConv(2, 3, 5, 3, 2, random), torch.randn(2, 4, 3, 8, 8, generator=random)
    with torch.no_grad():
        normed.gain.uniform_(0.5, 2, generator=random)
        normed.conv.bias.uniform_(-1, 1, generator=random)
        for _ in range(3):
            normed(images)
        expected = normed.eval()(images)
        found = normed.folded()(images)
    assert (found - expected).abs().max() < 1e-5


def test_normalisation_leaves_each_members_channels_with_mean_0_and_variance_1():
    random = torch.Generator().manual_seed(0)
    images = 3 + torch.randn(2, 4, 3, 8, 8, generator=random)
    normed = NormedConv(2, 3, 5, 3, 1, random)(images)
    assert normed.mean((1, 3, 4)).abs().max() < 1e-5
    assert (normed.var((1, 3, 4), correction=0) - 1).abs().max() < 1e-3


def test_a_trained_discriminator_judges_each_image_by_itself():
    rows, pair, _ = trained("patch")
    images = torch.from_numpy(rows.samples).expand(2, *rows.samples.shape)
    with torch.no_grad():
        together, alone = pair.discriminator.features(images), pair.discriminator.features(images[:, :1])
    assert (together[:, :1] - alone).abs().max() < 1e-5


def test_altered_positions_are_to_be_rejected_and_all_others_are_real():
    _, pair, _ = trained("patch")
    images = torch.zeros(2, 2, 3, 4, 64, 64)  # (members, kinds, n_negatives, ...)
    images[:, 1, 2, -1, 8:12, 20:24] = 1  # one position of the grid
    images[:, 1, 2, -1, 0, 0] = 1  # one pixel of another one
    on_real, on_references = torch.zeros(2, 512, 2), torch.zeros(2, 2, 3 * 16 * 16)
    for logits in (on_real, on_references):
        logits.requires_grad_()
    pair.rejection(on_real, on_references, images).sum().backward()
    signs = on_references.grad.sign().reshape(2, 2, 3, 16, 16)
    expected = -torch.ones_like(signs)
    expected[:, 1, 2, 2, 5], expected[:, 1, 2, 0, 0] = 1, 0
    assert torch.equal(signs, expected)
    assert (on_real.grad < 0).all()


@pytest.mark.parametrize("n_folders", [1, 3])
def test_altered_maps_are_of_pictures_that_the_member_saw_and_of_the_same_folder(n_folders):
    samples = np.broadcast_to(np.arange(12, dtype=np.float32)[:, None, None, None], (12, 5, 16, 16)).copy()
    folds, folders = np.arange(12) % 2, np.arange(12) // 2 % n_folders
    rows = ImageRows(samples, folds, folders, n_folders, positional=False, altered=altered_maps_of(samples))
    pair, _ = train_ensemble(rows, ImageSettings.of_effort("maps", n_steps=1), 0, torch.device("cpu"))
    real = torch.stack([rows.shown(rows.seen_by(member)) for member in (0, 1)])
    made = pair.made(real, torch.Generator().manual_seed(0))
    sources = made[:, :, :, 0, -1, 0].round().long().numpy()  # where nothing was altered
    for member in (0, 1):
        assert set(sources[member].flat) <= set(rows.seen_by(member))
        assert (folders[sources[member]] == folders[rows.seen_by(member)]).all()
    assert torch.equal(made[:, :, :, -1].unique(), torch.tensor([0.0, 1.0]))
    assert len(np.unique(sources)) > 6

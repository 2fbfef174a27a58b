"""Trains an ensemble of image pairs, and takes out of the networks what scoring needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gandetect.errors import InputError
from gandetect.graph.images import Gaussian, ImageWeights, Layer
from gandetect.health import Limits, Probe
from gandetect.image_negatives import PATCH, WHOLE, negatives
from gandetect.losses import LOSSES
from gandetect.networks.convolutions import MemberConv
from gandetect.networks.images import (
    Discriminator,
    Generator,
    ImagePair,
    PatchPair,
    WholeDiscriminator,
    WholeGenerator,
)
from gandetect.networks.patches import GRID, PatchDiscriminator, PatchGenerator, positions
from gandetect.schema import quoted
from gandetect.training import Course, Plan, Progress, State, step_random, train

Floats = NDArray[np.float32]

BEFORE_TRAINING = 2**62
"""Keys the randomness of the initial weights: a step that training never reaches."""

AFTER_TRAINING = BEFORE_TRAINING + 1
"""Keys the randomness of what is measured of the trained networks."""

DETECTORS: dict[str, dict[str, Any]] = {
    "whole": {
        "n_members": 3,
        "n_steps": 450,
        "n_real": 32,
        "n_negatives": 12,
        "n_generated": 12,
        "n_features": 96,
        "n_codes": 32,
        "n_past": 256,
        "realness_weight": 1.0,
        "distance_weight": 1.0,
        "map_weight": 0.2,
        "strong_distance_weight": 0.0,
    },
    "patch": {
        "n_members": 2,
        "n_steps": 500,
        "n_real": 12,
        "n_negatives": 6,
        "n_generated": 2,
        "n_features": 64,
        "n_codes": 8,
        "n_past": 0,
        "learning_rate": 3e-3,
        "realness_weight": 0.0,
        "distance_weight": 0.2,
        "map_weight": 1.0,
        "strong_distance_weight": 1.0,
    },
}
"""What the settings of both detectors are unless they are given."""

EFFORTS = {"low": 1 / 3, "default": 1.0, "high": 3.0}
"""What an effort multiplies the number of steps with."""


@dataclass(frozen=True)
class ImageSettings:
    """All hyper-parameters of a detector for images; stored in the model file.

    Parameters
    ----------
    detector : str
        "whole" judges an image at a time, "patch" every part of it.
    effort : str
        The key of `EFFORTS` that the number of steps was taken from, if none was given.
    loss : str
        The game between the generator and its heads: a key of `gandetect.losses.LOSSES`.
    n_members : int
        Generator and discriminator pairs; also the number of folds, each unseen by one member.
    n_steps : int
        Moves of each network.
    n_real, n_negatives, n_generated : int
        Real images of a step, images of every kind of reference negative, and of every kind that the generator makes.
    width, n_features, n_codes, n_past : int
        Channels of the first convolution, features that the discriminator's heads look at, entries of a generator's
        code (at each of its positions), and images of earlier steps that are remembered.
    learning_rate, weight_decay, adversarial_weight : float
        See `gandetect.training.Plan`.
    realness_weight, distance_weight, map_weight : float
        Weights of the evidence in the score: realness, distance of the features from normal ones, and how far the most
        conspicuous part of the image stands out from the rest.
    strong_distance_weight : float
        Further weight of a distance that few normal images have: nothing stands out of an image that is wrong
        everywhere.
    """

    detector: str
    effort: str
    loss: str
    n_members: int
    n_steps: int
    n_real: int
    n_negatives: int
    n_generated: int
    n_features: int
    n_codes: int
    n_past: int
    realness_weight: float
    distance_weight: float
    map_weight: float
    strong_distance_weight: float
    width: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    adversarial_weight: float = 0.1

    @classmethod
    def of_effort(cls, detector: str, effort: str = "default", loss: str = "logistic", **given: Any) -> ImageSettings:
        """Return the settings of a detector and an effort; what is given and not None overrules them.

        Raises
        ------
        InputError
            There is no such detector, effort or loss, or a number is too small.
        """
        for name, value, known in (
            ("detector", detector, DETECTORS),
            ("effort", effort, EFFORTS),
            ("loss", loss, LOSSES),
        ):
            if value not in known:
                raise InputError(f"Expected {name} to be one of {quoted(known)}, found {value!r}.")
        defaults = dict(DETECTORS[detector])
        defaults["n_steps"] = round(defaults["n_steps"] * EFFORTS[effort])
        settings = defaults | {name: value for name, value in given.items() if value is not None}
        for name, smallest in {"n_members": 2, "n_steps": 1}.items():
            if not settings[name] >= smallest:
                raise InputError(f"Expected {name} to be at least {smallest}, found {settings[name]!r}.")
        return cls(detector=detector, effort=effort, loss=loss, **settings)

    def evidence_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights of all evidence and of its strong part, in the order of the score's components."""
        weights = np.array([self.realness_weight, self.distance_weight, self.map_weight])
        return weights, np.array([0.0, self.strong_distance_weight, 0.0])

    def plan(self) -> Plan:
        """Return what the training loop needs to know."""
        return Plan(**{field.name: getattr(self, field.name) for field in fields(Plan)})


@dataclass(frozen=True)
class ImageRows:
    """Training images as the networks see them, (n, channels, height, width), and the fold of each."""

    samples: Floats
    folds: NDArray[np.int64]
    positional: bool

    def unseen_by(self, member: int) -> NDArray[np.int64]:
        """Return the images of a member's own fold, which it is never trained on."""
        return np.flatnonzero(self.folds == member)

    def seen_by(self, member: int) -> NDArray[np.int64]:
        """Return the images that a member is trained on."""
        return np.flatnonzero(self.folds != member)


def train_images(
    rows: ImageRows,
    settings: ImageSettings,
    seed: int,
    device: torch.device,
    callback: Callable[[Progress], None] | None = None,
    keep: Callable[[State], None] | None = None,
    start: State | None = None,
) -> tuple[ImagePair, Course]:
    """Train all members at once; see `gandetect.training.train`."""
    samples = torch.from_numpy(rows.samples)
    seen = [torch.from_numpy(rows.seen_by(member)) for member in range(settings.n_members)]
    pair = _new_pair(rows, settings, seed, device)

    def draw(step: int, random: torch.Generator) -> Tensor:
        chosen = [own[torch.randint(len(own), (settings.n_real,), generator=random)] for own in seen]
        return samples[torch.stack(chosen)].to(device)

    course = train(
        pair,
        LOSSES[settings.loss](),
        draw,
        settings.plan(),
        seed,
        n_members=settings.n_members,
        callback=callback,
        keep=keep,
        start=start,
    )
    _round(pair)
    return pair, course


@torch.no_grad()
def _round(pair: ImagePair) -> None:
    """Round all weights to float16, in which the model file stores them: both compute the same from here on."""
    for network in (pair.discriminator, pair.generator):
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())


def _new_pair(rows: ImageRows, settings: ImageSettings, seed: int, device: torch.device) -> ImagePair:
    random = step_random(seed, BEFORE_TRAINING)
    build = {"whole": _whole_networks, "patch": _patch_networks}[settings.detector]
    kinds = {"whole": WHOLE, "patch": PATCH}[settings.detector]
    pair = {"whole": ImagePair, "patch": PatchPair}[settings.detector]
    n_heads = len(kinds) + bool(settings.n_past) + pair.N_KINDS  # what was drawn in the past has a head as well
    discriminator, generator = build(rows, settings, n_heads, random)

    def made(real: Tensor, random: torch.Generator) -> Tensor:
        return negatives(kinds, real, random)

    return pair(discriminator.to(device), generator.to(device), made, settings.n_negatives, settings.n_generated)


def _whole_networks(
    rows: ImageRows, settings: ImageSettings, n_heads: int, random: torch.Generator
) -> tuple[Discriminator, Generator]:
    shape = settings.n_members, rows.samples.shape[1], settings.width
    discriminator = WholeDiscriminator(*shape, settings.n_features, n_heads, random)
    return discriminator, WholeGenerator(*shape, settings.n_codes, settings.n_past, random)


def _patch_networks(
    rows: ImageRows, settings: ImageSettings, n_heads: int, random: torch.Generator
) -> tuple[Discriminator, Generator]:
    channels, height, width = rows.samples.shape[1:]
    members = settings.n_members
    discriminator = PatchDiscriminator(
        members, channels, settings.width, settings.n_features, n_heads, random, positional=rows.positional
    )
    image = channels, height, width
    generator = PatchGenerator(members, image, settings.width, settings.n_codes, settings.n_past, random)
    return discriminator, generator


# --- what scoring needs -----------------------------------------------------------------------------------------------

MAX_FEATURED = 1000
"""Images that the features' normal distribution is fitted on, at most."""

HIGHEST = 0.005
"""Share of the positions whose highest values speak for an image."""

RIDGE = 0.02
"""Share of the features' mean variance that is added to the variance in every direction."""

BLOCKS, COMMON = 8, 0.1
"""Blocks per side of the grid with a covariance of their own, and the share of the common one in each."""

BATCH = 16
"""Images that go through the discriminator at a time, after training."""


def trained_weights(pair: ImagePair, rows: ImageRows, settings: ImageSettings) -> ImageWeights:
    """Take what scoring needs out of the trained networks."""
    discriminator, generator = pair.discriminator, pair.generator
    n_scored = len({"whole": WHOLE, "patch": PATCH}[settings.detector])
    weight, bias = (parameter[..., :n_scored].mean(2, keepdim=True) for parameter in discriminator.heads.parameters())
    grid = rows.samples.shape[2:]
    if isinstance(discriminator, WholeDiscriminator):
        fine, coarse, placed = discriminator.convs, nn.ModuleList(), False
    else:
        grid = tuple(side // GRID for side in grid)
        fine, coarse, placed = discriminator.fine, discriminator.coarse, discriminator.positional
    return ImageWeights(
        _layers(fine),
        _layers(coarse),
        _layer(discriminator.features_of),
        Layer(_array(weight), _array(bias)),
        _layers(generator.encoder),
        _layer(generator.to_code),
        _layer(generator.from_code),
        _layers(generator.decoder),
        _gaussians(pair, rows),
        (grid[0], grid[1]),
        max(1, round(HIGHEST * math.prod(grid))),
        _array(positions(*grid)) if placed else None,
    )


def _gaussians(pair: ImagePair, rows: ImageRows) -> Gaussian:
    """Fit a normal distribution to each member's features of the images that it was trained on."""
    fitted = [_gaussian(pair, member, rows) for member in range(len(pair.generator.past))]
    return Gaussian(*(np.stack(parts) for parts in zip(*fitted, strict=True)))


@torch.no_grad()
def _gaussian(pair: ImagePair, member: int, rows: ImageRows) -> tuple[Floats, Floats]:
    seen = rows.seen_by(member)
    seen = seen[:: -(-len(seen) // MAX_FEATURED)]
    features = np.concatenate(
        [_features(pair, member, rows.samples[seen[start : start + BATCH]]) for start in range(0, len(seen), BATCH)]
    )  # (n, n_features) or (n, height, width, n_features)
    # Whole images are a grid of one position.
    features = features.reshape(len(features), *(features.shape[1:-1] or (1, 1)), features.shape[-1])
    blocks = BLOCKS if rows.positional and features.shape[1] >= BLOCKS else 1
    mean = features.mean(0 if rows.positional else (0, 1, 2), dtype=np.float64, keepdims=True)[0]
    whitening = _whitening((features - mean).astype(np.float32), blocks)
    mean = np.moveaxis(mean, 2, 0) if pair.discriminator.JUDGES_POSITIONS else mean[0, 0]
    return mean.astype(np.float32), whitening


def _whitening(deviations: Floats, blocks: int) -> Floats:
    """Return what whitens deviations of shape (n, height, width, n_features), block by block."""
    _, height, width, n_features = deviations.shape
    cut = deviations.reshape(-1, blocks, height // blocks, blocks, width // blocks, n_features)
    each = cut.transpose(1, 3, 0, 2, 4, 5).reshape(blocks, blocks, -1, n_features)
    own = each.swapaxes(-1, -2) @ each / each.shape[2]  # (blocks, blocks, n_features, n_features)
    covariance = (1 - COMMON) * own + COMMON * own.mean((0, 1))
    ridge = RIDGE * max(np.trace(own.mean((0, 1))) / n_features, 1e-6) * np.eye(n_features)
    inverse = np.linalg.inv(np.linalg.cholesky(covariance.astype(np.float64) + ridge))
    return inverse.swapaxes(-1, -2).astype(np.float32)


def _features(pair: ImagePair, member: int, samples: Floats) -> Floats:
    images = torch.from_numpy(samples).to(pair.generator.past.device)
    return _array(pair.discriminator.features(images.expand(len(pair.generator.past), *images.shape))[member])


def _array(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().cpu().numpy()
    return array


def _layer(layer: nn.Module) -> Layer:
    weight, bias = (_array(parameter) for parameter in layer.parameters())
    if isinstance(layer, MemberConv):
        return Layer(weight, bias, layer.stride, layer.transposed)
    return Layer(weight, bias)


def _layers(layers: nn.ModuleList) -> tuple[Layer, ...]:
    return tuple(_layer(layer) for layer in layers)


# --- health -----------------------------------------------------------------------------------------------------------

MAX_PROBED = 200
"""Images of each sort that a member's health is measured on."""

LIMITS = Limits(coverage=0.1, precision=0.2, accuracy=0.995)
"""Where a sickness begins: far from what members show that detect well.

Of three each on single digits, coverage was at least 0.23 of what real images reach, precision at least 0.46, and the
accuracy of the two-sample test, which images drawn after so few steps seldom pass, at most 0.973.
"""

PROBED_SIDE = 8
"""Pixels per side of the images that are compared: neighbours are sought in what can be seen from afar."""


@torch.no_grad()
def probes(pair: ImagePair, rows: ImageRows, course: Course, seed: int) -> list[Probe]:
    """Ask every member of a pair what its health is measured by."""
    random = step_random(seed, AFTER_TRAINING)
    members = range(len(pair.generator.past))
    n_images = min(MAX_PROBED, *(len(sort(member)) for member in members for sort in (rows.unseen_by, rows.seen_by)))
    late = course.realness[-max(1, len(course.realness) // 10) :].mean(0)  # (2, members)
    drawn = pair.imagine(n_images, random)
    finite = [_is_finite(pair, member) for member in members]
    return [
        Probe(
            unseen=_from_afar(torch.from_numpy(rows.samples[rows.unseen_by(member)[:n_images]])),
            seen=_from_afar(torch.from_numpy(rows.samples[rows.seen_by(member)[:n_images]])),
            generated=_from_afar(drawn[member]),
            **_logits(pair, rows, member, n_images, random),
            realness_real=float(late[0, member]),
            realness_generated=float(late[1, member]),
            finite=finite[member],
        )
        for member in members
    ]


def _from_afar(images: Tensor) -> Floats:
    return _array(adaptive_avg_pool2d(images, PROBED_SIDE).flatten(1))


def _logits(pair: ImagePair, rows: ImageRows, member: int, n_images: int, random: torch.Generator) -> dict[str, Floats]:
    """Return a member's logits of images that it was trained on, and of the negatives made from them.

    Where positions are judged, an image counts by the one that is the least real to a head.
    """
    chosen = rows.samples[rows.seen_by(member)[: min(n_images, BATCH)]]
    images = torch.from_numpy(chosen).to(pair.generator.past).expand(len(pair.generator.past), *chosen.shape)
    noise = pair.made(images, random)  # (members, kinds, n, ...)
    kinds = noise.shape[1]
    on_real = pair.discriminator(pair.seen(images))[member, :, :kinds].unflatten(0, (len(chosen), -1)).amin(1)
    on_noise = pair.discriminator(noise.flatten(1, 2))[member, :, :kinds]
    on_noise = on_noise.unflatten(0, (kinds, len(chosen), -1)).amin(2)  # (kinds, n, kinds)
    return {"logits_seen": _array(on_real), "logits_noise": _array(on_noise.diagonal(dim1=0, dim2=2))}


def _is_finite(pair: ImagePair, member: int) -> bool:
    parameters = (*pair.discriminator.parameters(), *pair.generator.parameters())
    return all(bool(parameter[member].isfinite().all()) for parameter in parameters)

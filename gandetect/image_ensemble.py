"""Trains an ensemble of image pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gandetect.errors import InputError, quoted
from gandetect.folds import Folded
from gandetect.image_negatives import PATCH, WHOLE, negatives
from gandetect.losses import LOSSES
from gandetect.networks.folders import (
    FolderDiscriminator,
    FolderGenerator,
    negatives_of_folders,
    number_of,
    with_number,
)
from gandetect.networks.images import ImagePair, LitPair, PatchPair, PlainDiscriminator, PlainGenerator
from gandetect.networks.patches import MAPS, PIXELS, PatchDiscriminator, PatchGenerator
from gandetect.networks.whole import WholeDiscriminator, WholeGenerator
from gandetect.training import Course, Plan, Progress, State, step_random, train

Floats = NDArray[np.float32]

BEFORE_TRAINING = 2**62
"""Keys the randomness of the initial weights: a step that training never reaches."""

DETECTORS: dict[str, dict[str, Any]] = {
    "whole": {
        "n_members": 3,
        "n_steps": 600,
        "n_real": 32,
        "n_negatives": 12,
        "n_generated": 12,
        "n_features": 96,
        "n_codes": 32,
        "n_past": 256,
        "realness_weight": 2.0,
        "distance_weight": 1.0,
        "style_weight": 2.0,
        "map_weight": 0.2,
        "strong_distance_weight": 0.0,
    },
    "patch": {
        "n_members": 2,
        "n_steps": 400,
        "n_real": 12,
        "n_negatives": 6,
        "n_generated": 2,
        "n_features": 48,
        "n_codes": 8,
        "n_past": 0,
        "learning_rate": 3e-3,
        "realness_weight": 0.0,
        "distance_weight": 0.2,
        "style_weight": 0.0,
        "map_weight": 1.0,
        "strong_distance_weight": 1.0,
    },
}
"""What the settings of both detectors are unless they are given."""

DEFAULTS = DETECTORS | {"maps": DETECTORS["patch"] | {"n_steps": 500, "width": 32}}
"""The same with those of the detector for patches where it sees the maps of a backbone, which nobody has to choose."""

KINDS = {"whole": WHOLE, "patch": PATCH, "maps": PATCH}
"""Kinds of synthetic negatives: for maps, pictures are altered before the training."""

EFFORTS = {"low": 1 / 3, "default": 1.0, "high": 3.0}
"""What an effort multiplies the number of steps with."""


@dataclass(frozen=True)
class ImageSettings:
    """All hyper-parameters of a detector for images; stored in the model file.

    Parameters
    ----------
    detector : str
        "whole" judges an image at a time, "patch" every part of it, "maps" every position of a backbone's maps.
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
        Channels of the discriminator's first convolution, features that its heads look at, entries of a generator's
        code (at each of its positions), and images of earlier steps that are remembered.
    learning_rate, weight_decay, adversarial_weight : float
        See `gandetect.training.Plan`.
    realness_weight, distance_weight, style_weight, map_weight : float
        Weights of the evidence in the score: realness, distance of the features and of the style (only of whole images)
        from normal ones, and how far the most conspicuous part of the image stands out from the rest.
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
    style_weight: float
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
            ("detector", detector, DEFAULTS),
            ("effort", effort, EFFORTS),
            ("loss", loss, LOSSES),
        ):
            if value not in known:
                raise InputError(f"Expected {name} to be one of {quoted(known)}, found {value!r}.")
        defaults = dict(DEFAULTS[detector])
        defaults["n_steps"] = round(defaults["n_steps"] * EFFORTS[effort])
        settings = defaults | {name: value for name, value in given.items() if value is not None}
        for name, smallest in {"n_members": 2, "n_steps": 1}.items():
            value = settings[name]
            if not isinstance(value, Integral) or value < smallest:
                raise InputError(f"Expected {name} to be a whole number of at least {smallest}, found {value!r}.")
        return cls(detector=detector, effort=effort, loss=loss, **settings)

    def evidence_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights of all evidence and of its strong part, in the order of the score's components."""
        style = [self.style_weight] if self.detector == "whole" else []
        weights = np.array([self.realness_weight, self.distance_weight, *style, self.map_weight])
        return weights, np.array([0.0, self.strong_distance_weight, *[0.0] * (len(weights) - 2)])

    def plan(self) -> Plan:
        """Return what the training loop needs to know."""
        return Plan(**{field.name: getattr(self, field.name) for field in fields(Plan)})


@dataclass(frozen=True)
class ImageRows(Folded):
    """Training images as the networks see them.

    Parameters
    ----------
    samples : array of shape (n, channels, height, width)
        Their pixels, or their maps where a backbone comes first.
    folds, folders : array of shape (n,)
        The fold of each, and the number of its folder.
    n_folders : int
        Number of folders; with one, the networks are told none.
    positional : bool
        Whether they show the same things at the same places.
    energies : array of shape (n, n_filters, height, width), optional
        Their texture, see `gandetect.graph.texture.add_energies`, where positions are judged.
    altered : array of shape (n, copies, kinds, channels + 1, height, width), optional
        Maps of altered copies of each, with the share of every position that was altered.
    """

    samples: Floats
    folds: NDArray[np.int64]
    folders: NDArray[np.int64]
    n_folders: int
    positional: bool
    energies: Floats | None = None
    altered: NDArray[np.float16] | None = None

    def shown(self, indices: Any) -> Tensor:
        """Return images as the networks are shown them, with their folders where there are several."""
        pixels = torch.from_numpy(self.samples[indices])
        if self.n_folders == 1:
            return pixels
        return with_number(pixels, torch.from_numpy(self.folders[indices]), self.samples.shape[1])


def train_images(
    rows: ImageRows,
    settings: ImageSettings,
    seed: int,
    device: torch.device,
    callback: Callable[[Progress], None] | None = None,
    keep: Callable[[State], None] | None = None,
    start: State | None = None,
    members: Sequence[int] | None = None,
) -> tuple[ImagePair, Course]:
    """Train all members at once, or those only that are named; see `gandetect.training.train`.

    What the networks were normalised by while they learned is folded into their weights.
    """
    seen = [torch.from_numpy(rows.seen_by(member)) for member in members or range(settings.n_members)]
    pair = _new_pair(rows, seen, replace(settings, n_members=len(seen)), seed, device)

    def draw(step: int, random: torch.Generator) -> Tensor:
        chosen = [own[torch.randint(len(own), (settings.n_real,), generator=random)] for own in seen]
        return torch.stack([rows.shown(some.numpy()) for some in chosen]).to(device)

    course = train(
        pair,
        LOSSES[settings.loss](),
        draw,
        settings.plan(),
        seed,
        n_members=len(seen),
        callback=callback,
        keep=keep,
        start=start,
    )
    pair.discriminator.fold()
    _round(pair)
    return pair, course


@torch.no_grad()
def _round(pair: ImagePair) -> None:
    """Round all weights to float16, in which the model file stores them: both compute the same from here on."""
    for network in (pair.discriminator, pair.generator):
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())


def _new_pair(
    rows: ImageRows, seen: Sequence[Tensor], settings: ImageSettings, seed: int, device: torch.device
) -> ImagePair:
    random, altered = step_random(seed, BEFORE_TRAINING), rows.altered
    build = _whole_networks if settings.detector == "whole" else _patch_networks
    kinds = KINDS[settings.detector]
    pair = {"whole": ImagePair, "patch": LitPair, "maps": PatchPair}[settings.detector]
    told, channels = rows.n_folders > 1, rows.samples.shape[1]
    # What is in a wrong folder and what was drawn in the past have heads as well.
    n_heads = len(kinds) + told + bool(settings.n_past) + pair.N_KINDS
    discriminator, generator = build(rows, settings, n_heads, random)

    def made(real: Tensor, random: torch.Generator) -> Tensor:
        if altered is not None:
            return _drawn(altered, rows, seen, real, random)
        return negatives(kinds, real[:, :, :channels], random)

    def made_of_folders(real: Tensor, random: torch.Generator) -> Tensor:
        return negatives_of_folders(made, real, rows.n_folders, random)

    networks = (
        (FolderDiscriminator(discriminator, rows.n_folders), FolderGenerator(generator, rows.n_folders))
        if told
        else (discriminator, generator)
    )
    return pair(
        networks[0].to(device),
        networks[1].to(device),
        channels,
        made_of_folders if told else made,
        settings.n_negatives,
        settings.n_generated,
    )


def _drawn(
    altered: NDArray[np.float16], rows: ImageRows, seen: Sequence[Tensor], real: Tensor, random: torch.Generator
) -> Tensor:
    """Draw maps of altered images that each member was trained on, as many as there are real ones and of their folders.

    Shape: as `gandetect.image_negatives.negatives` makes them.
    """
    members, n_samples, folders = len(real), real.shape[1], torch.from_numpy(rows.folders)
    known = torch.zeros(members, 1, len(folders))
    for own, indices in zip(known, seen, strict=True):
        own[:, indices] = 1
    number = number_of(real, rows.samples.shape[1]).cpu() if rows.n_folders > 1 else torch.zeros(members, n_samples)
    alike = known * (folders == number[..., None])  # (members, n_samples, images)
    chosen = alike.flatten(0, 1).multinomial(1, generator=random)[:, 0].numpy()
    copies = torch.randint(altered.shape[1], chosen.shape, generator=random).numpy()
    drawn = torch.from_numpy(altered[chosen, copies]).to(real)
    return drawn.reshape(members, n_samples, *drawn.shape[1:]).transpose(1, 2)


def _whole_networks(
    rows: ImageRows, settings: ImageSettings, n_heads: int, random: torch.Generator
) -> tuple[PlainDiscriminator, PlainGenerator]:
    shape = settings.n_members, rows.samples.shape[1]
    discriminator = WholeDiscriminator(*shape, settings.width, settings.n_features, n_heads, random)
    return discriminator, WholeGenerator(*shape, settings.width // 2, settings.n_codes, settings.n_past, random)


def _patch_networks(
    rows: ImageRows, settings: ImageSettings, n_heads: int, random: torch.Generator
) -> tuple[PlainDiscriminator, PlainGenerator]:
    channels, height, width = rows.samples.shape[1:]
    members, on_maps = settings.n_members, rows.altered is not None
    discriminator = PatchDiscriminator(
        *(members, channels, settings.width, settings.n_features, n_heads, random),
        positional=rows.positional,
        kernels=MAPS if on_maps else PIXELS,
    )
    image = channels, height, width
    shape = members, image, settings.width // 2, settings.n_codes, settings.n_past
    return discriminator, PatchGenerator(*shape, random, on_maps=on_maps)

"""What an image discriminator must reject besides the generator's images: altered copies of real ones.

Each kind for *whole images* alters what an image shows as a whole; each kind for *patches* alters a part of it and says
which. Every kind gets a logit of its own. Images have shape (n, channels, height, width) and values -1 to 1; one
generator holds all randomness, so that the same seed gives the same negatives on every device.

Sources: CutPaste (Li et al., 2021), rotations (Golan and El-Yaniv, 2018), jigsaws (Noroozi and Favaro, 2016), textures
and blobs in the manner of DRAEM (Zavrtanik et al., 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate

JIGSAWS = tuple(order for order in permutations(range(4)) if order != (0, 1, 2, 3))
"""Every way to put the four quarters of an image into wrong places."""

# --- whole images -----------------------------------------------------------------------------------------------------


def cut_and_paste(images: Tensor, random: torch.Generator) -> Tensor:
    """Put a rectangle of another image, moved, over each."""
    n, _, height, width = images.shape
    size, centre = _uniform(random, 0.19, 0.56, n, 2).to(images), torch.rand(n, 2, generator=random).to(images)
    vertical = (_steps(images, height) - centre[:, :1]).abs() < size[:, :1] / 2
    horizontal = (_steps(images, width) - centre[:, 1:]).abs() < size[:, 1:] / 2
    inside = vertical[:, None, :, None] & horizontal[:, None, None, :]
    return torch.where(inside, _moved(images.roll(1, 0), random), images)


def turn_and_stretch(images: Tensor, random: torch.Generator) -> Tensor:
    """Turn by 20 to 80 degrees to either side, scale and shear."""
    n = len(images)
    angle = _uniform(random, math.radians(20), math.radians(80), n) * _signs(random, n)
    scale, shear = _uniform(random, -0.35, 0.35, n).exp(), _uniform(random, -0.5, 0.5, n)
    cosine, sine, zero = angle.cos() * scale, angle.sin() * scale, torch.zeros(n)
    first = torch.stack([cosine, shear * cosine - sine, zero], 1)
    second = torch.stack([sine, shear * sine + cosine, zero], 1)
    grid = affine_grid(torch.stack([first, second], 1).to(images), list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="border", align_corners=False)


def jigsaw(images: Tensor, random: torch.Generator) -> Tensor:
    """Put the four quarters of each image into wrong places."""
    n, _, height, width = images.shape
    quarters = images.unfold(2, height // 2, height // 2).unfold(3, width // 2, width // 2).flatten(2, 3)
    orders = torch.tensor(JIGSAWS)[torch.randint(len(JIGSAWS), (n,), generator=random)].to(images.device)
    places = orders[:, None, :, None, None].expand_as(quarters)
    upper, lower = quarters.gather(2, places).chunk(2, dim=2)  # (n, channels, 2, height / 2, width / 2)
    return torch.cat([torch.cat(half.unbind(2), dim=3) for half in (upper, lower)], dim=2)


def noise(images: Tensor, random: torch.Generator) -> Tensor:
    """Add noise of one of three grain sizes."""
    grain = 2 ** int(torch.randint(3, (1,), generator=random))
    n, channels, height, width = images.shape
    strength = _uniform(random, 0.2, 1.0, n, 1, 1, 1).to(images)
    return (images + strength * _texture(images, channels, (height // grain, width // grain), random)).clamp(-1, 1)


def turned_by(n_quarters: int) -> Callable[[Tensor, torch.Generator], Tensor]:
    """Return a function that turns images by so many quarters of a circle."""
    return lambda images, random: torch.rot90(images, n_quarters, (2, 3))


WHOLE: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "cut and paste": cut_and_paste,
    "turn and stretch": turn_and_stretch,
    "jigsaw": jigsaw,
    "noise": noise,
    "turned by 90 degrees": turned_by(1),
    "turned by 180 degrees": turned_by(2),
    "turned by 270 degrees": turned_by(3),
}
"""Kinds of negatives for whole images, by name; from square images to altered ones."""

# --- patches ----------------------------------------------------------------------------------------------------------


def blob(images: Tensor, random: torch.Generator) -> Tensor:
    """Return where an irregular blob lies in each image, (n, height, width)."""
    n, _, height, width = images.shape
    grain = 2 ** int(torch.randint(3, 6, (1,), generator=random))
    ragged = _texture(images, 1, (grain, grain), random)[:, 0] > -0.2
    whole = torch.rand(n, 1, 1, generator=random).to(images) < 0.4
    centre = torch.rand(n, 2, generator=random).to(images)
    radius = _uniform(random, math.log(0.03), math.log(0.35), n, 2).exp().to(images)
    vertical = ((_steps(images, height) - centre[:, :1]) / radius[:, :1]).square()
    horizontal = ((_steps(images, width) - centre[:, 1:]) / radius[:, 1:]).square()
    return (vertical[:, :, None] + horizontal[:, None, :] < 1) & (ragged | whole)


def scratch(images: Tensor, random: torch.Generator) -> Tensor:
    """Return where a thin bent line lies in each image, (n, height, width)."""
    n, _, height, width = images.shape
    start, middle, end = torch.rand(3, n, 1, 2, generator=random).to(images)
    reach = _uniform(random, 0.2, 1.6, n, 1, 1).to(images)
    middle, end = (start + (point - 0.5) * reach for point in (middle, end))
    share = torch.linspace(0, 1, 16, device=images.device)[:, None]
    line = (1 - share) ** 2 * start + 2 * share * (1 - share) * middle + share**2 * end  # a curve of Bézier's
    thickness = _uniform(random, 0.004, 0.02, n, 1, 1).to(images)
    pixels = torch.cartesian_prod(_steps(images, height), _steps(images, width))
    distance = images.new_full((n, len(pixels)), math.inf)
    for first, second in zip(line.unbind(1)[:-1], line.unbind(1)[1:], strict=True):
        along, offset = (second - first)[:, None], pixels - first[:, None]
        nearest = ((offset * along).sum(2) / along.square().sum(2).clamp_min(1e-9)).clamp(0, 1)[..., None]
        distance = torch.minimum(distance, (offset - nearest * along).square().sum(2))
    return distance.sqrt().reshape(n, height, width) < thickness


def alter(images: Tensor, where: Tensor, random: torch.Generator) -> Tensor:
    """Fill a part of each image, (n, height, width), with something else; the part is added as a channel."""
    n, channels, *size = images.shape
    level = _uniform(random, -1.0, 1.0, n, 1, 1, 1).to(images)
    lighter = (_uniform(random, 0.15, 0.8, n, 1, 1, 1) * _signs(random, n)[:, None, None, None]).to(images)
    grained = _texture(images, channels, [side // 4 for side in size], random)
    fills = torch.stack(
        [_moved(images.roll(1, 0), random), level.expand_as(images), images + lighter, level + 0.5 * grained]
    )
    chosen = torch.randint(len(fills), (n,), generator=random).to(images.device)
    fill = fills[chosen, torch.arange(n, device=images.device)]
    part = where[:, None].to(images)
    share = _uniform(random, 0.3, 1.0, n, 1, 1, 1).to(images) * part * (1 + avg_pool2d(part, 3, 1, 1)) / 2
    return torch.cat([(images + share * (fill - images)).clamp(-1, 1), part], dim=1)


PATCH: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "blob": lambda images, random: alter(images, blob(images, random), random),
    "scratch": lambda images, random: alter(images, scratch(images, random), random),
}
"""Kinds of negatives for patches, by name; from images to altered ones with one channel more, 1 where altered."""

# --- both -------------------------------------------------------------------------------------------------------------


def negatives(
    kinds: dict[str, Callable[[Tensor, torch.Generator], Tensor]], images: Tensor, random: torch.Generator
) -> Tensor:
    """Make every kind of negative from real images.

    Parameters
    ----------
    kinds : dict
        `WHOLE` or `PATCH`.
    images : Tensor of shape (members, n_samples, channels, height, width)
        Real images.
    random : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor of shape (members, kinds, n_samples, channels or one more, height, width)
    """
    flat = images.flatten(0, 1)
    made = torch.stack([make(flat, random) for make in kinds.values()])
    return made.reshape(len(kinds), *images.shape[:2], *made.shape[2:]).transpose(0, 1)


def _uniform(random: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(*shape, generator=random)


def _signs(random: torch.Generator, n: int) -> Tensor:
    return torch.where(torch.rand(n, generator=random) < 0.5, -1.0, 1.0)


def _steps(images: Tensor, side: int) -> Tensor:
    """Return where the middle of each pixel lies along a side, 0 to 1."""
    return (torch.arange(side, device=images.device) + 0.5) / side


def _moved(images: Tensor, random: torch.Generator) -> Tensor:
    """Move each image by a random way; what leaves on one side comes in on the other."""
    n, channels, height, width = images.shape
    down, right = (torch.randint(side, (n, 1), generator=random).to(images.device) for side in (height, width))
    rows = (torch.arange(height, device=images.device) + down) % height
    columns = (torch.arange(width, device=images.device) + right) % width
    images = images.gather(2, rows[:, None, :, None].expand(n, channels, height, width))
    return images.gather(3, columns[:, None, None, :].expand(n, channels, height, width))


def _texture(images: Tensor, channels: int, grain: list[int] | tuple[int, ...], random: torch.Generator) -> Tensor:
    """Return normal noise of a grain for each image, (n, channels, height, width)."""
    coarse = torch.randn(len(images), channels, *grain, generator=random).to(images)
    return interpolate(coarse, list(images.shape[2:]), mode="bilinear", align_corners=False)

"""Make inspection pictures of photographed surfaces, with defects pasted from other photographs.

::

    python benchmarks/pasted.py photographs coins.png pasted

Every photograph in the first folder becomes a set of 128 x 128 pixels in MVTec AD's layout: what is normal is cut out
of it, the training pictures from its left five eighths, the test pictures from the rest, so that the two share no
pixel. Defects are photographed, too, but not where they are: a whole coin; a spot of another of the photographs, with
the mean and the deviation of what it covers; a spot of another one that shines through. ``coins.png`` is
scikit-image's, a picture of coins on a dark ground.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Pixels = NDArray[np.float64]
SIDE = 128
TRAIN_SHARE = 5 / 8
N_PICTURES = {"train/good": 160, "test/good": 60}
N_DEFECTIVE = 40


# --- what is cut out --------------------------------------------------------------------------------------------------


def crop(random: RandomState, photograph: Pixels, side: int = SIDE) -> Pixels:
    """Cut a square out of a photograph (height, width, channels)."""
    top, left = (random.randint(length - side + 1) for length in photograph.shape[:2])
    return photograph[top : top + side, left : left + side]


def cut_coins(path: Path) -> list[tuple[Image.Image, Image.Image]]:
    """Return each coin with its outline: what is brighter than the ground around it, and no mere speck."""
    picture = Image.open(path).convert("L")
    grey = np.asarray(picture, dtype=float)
    is_bright = ndimage.gaussian_filter(grey, 1) > ndimage.gaussian_filter(grey, 25) + 5
    labels, _ = ndimage.label(ndimage.binary_opening(ndimage.binary_fill_holes(is_bright), iterations=3))
    coins = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        box = (columns.start, rows.start, columns.stop, rows.stop)
        outline = Image.fromarray(np.where(labels[rows, columns] == number, 255, 0).astype(np.uint8))
        if min(outline.size) > 30:
            coins.append((picture.crop(box), outline))
    return coins


# --- what is pasted: pixels, and from 0 to 1 how much of them covers each pixel ---------------------------------------


def spot(random: RandomState) -> Pixels:
    """Return a spot with an uneven outline, its edge one pixel wide."""
    middle, radius = random.uniform(24, SIDE - 24, size=2), random.uniform(5, 16)
    down, right = (axis - place for axis, place in zip(np.mgrid[:SIDE, :SIDE], middle, strict=True))
    angle, waves = np.arctan2(down, right), np.arange(2, 6)
    phases, heights = random.uniform(0, 2 * np.pi, size=4), random.uniform(0, 0.3, size=4) / np.sqrt(waves)
    edge = radius * (1 + (heights * np.cos(waves * angle[..., None] + phases)).sum(axis=-1))
    return np.clip(edge - np.hypot(down, right), 0, 1)


def patch(random: RandomState, surface: Pixels, other: Pixels) -> tuple[Pixels, Pixels]:
    """Take a spot of another photograph, with the mean and the deviation of what it covers."""
    cover = spot(random)
    foreign, inside = crop(random, other).copy(), cover > 0
    foreign -= foreign[inside].mean(axis=0)
    foreign *= surface[inside].std(axis=0) / np.maximum(foreign[inside].std(axis=0), 1)
    return foreign + surface[inside].mean(axis=0), cover


def veil(random: RandomState, surface: Pixels, other: Pixels) -> tuple[Pixels, Pixels]:
    """Take a spot of another photograph that shines through."""
    return crop(random, other), random.uniform(0.3, 0.6) * spot(random)


def coin(random: RandomState, coins: list[tuple[Image.Image, Image.Image]]) -> tuple[Pixels, Pixels]:
    """Take a coin, 10 to 24 pixels wide."""
    picture, outline = coins[random.randint(len(coins))]
    width = random.randint(10, 25)
    size = (width, round(width * picture.height / picture.width))
    top, left = random.randint(12, SIDE - 12 - size[1]), random.randint(12, SIDE - 12 - size[0])
    pixels, cover = np.zeros((SIDE, SIDE, 1)), np.zeros((SIDE, SIDE))
    place = slice(top, top + size[1]), slice(left, left + size[0])
    pixels[place] = np.asarray(picture.resize(size, Image.Resampling.LANCZOS), dtype=float)[..., None]
    cover[place] = np.asarray(outline.resize(size, Image.Resampling.BOX), dtype=float) / 255
    return pixels, cover


# --- sets -------------------------------------------------------------------------------------------------------------


def write_set(
    folder: Path, seed: int, photograph: Pixels, others: list[Pixels], coins: list[tuple[Image.Image, Image.Image]]
) -> None:
    """Write the normal and the defective pictures of one surface, and the masks."""
    random = RandomState(seed)
    border = int(TRAIN_SHARE * photograph.shape[1])
    parts = {"train/good": photograph[:, :border], "test/good": photograph[:, border:]}
    for kind, part in parts.items():
        for number in range(N_PICTURES[kind]):
            write(folder / kind / f"{number:03d}.png", crop(random, part))
    defects: dict[str, Callable[[Pixels, Pixels], tuple[Pixels, Pixels]]] = {
        "coin": lambda surface, other: coin(random, coins),
        "patch": lambda surface, other: patch(random, surface, other),
        "veil": lambda surface, other: veil(random, surface, other),
    }
    for kind, take in defects.items():
        for number in range(N_DEFECTIVE):
            surface = crop(random, parts["test/good"])
            pixels, cover = take(surface, others[random.randint(len(others))])
            pasted = surface + cover[..., None] * (pixels - surface)
            write(folder / "test" / kind / f"{number:03d}.png", pasted)
            mask = np.where(cover > cover.max() / 2, 255, 0)
            write(folder / "ground_truth" / kind / f"{number:03d}_mask.png", mask[..., None])


def write(path: Path, pixels: Pixels) -> None:
    """Write a picture (height, width, channels), grey if it has one channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = pixels.round().clip(0, 255).astype(np.uint8)
    Image.fromarray(rounded[..., 0] if rounded.shape[2] == 1 else rounded).save(path)


def read(path: Path) -> Pixels:
    """Read a photograph (height, width, channels), with one channel if it is grey."""
    picture = Image.open(path)
    pixels = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"), dtype=float)
    return pixels.reshape(*pixels.shape[:2], -1)


def in_channels(photograph: Pixels, n_channels: int) -> Pixels:
    """Return a photograph in grey (1 channel) or in colour (3)."""
    if photograph.shape[2] == n_channels:
        return photograph
    return np.repeat(photograph, 3, axis=2) if n_channels == 3 else photograph.mean(axis=2, keepdims=True)


def main() -> None:
    """Write a set for every photograph."""
    folder, coins, out = map(Path, sys.argv[1:])
    photographs = {path.stem: read(path) for path in sorted(folder.iterdir())}
    for seed, (name, photograph) in enumerate(photographs.items()):
        others = [in_channels(other, photograph.shape[2]) for key, other in photographs.items() if key != name]
        write_set(out / name, seed, photograph, others, cut_coins(coins))


if __name__ == "__main__":
    main()

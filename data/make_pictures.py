"""Write the sample pictures beside this script, in folders as MVTec AD has them; the same pixels every time.

``train/good`` holds normal pictures to learn from, ``test/good`` and ``test/KIND`` others, and ``ground_truth/KIND``
the masks of the defects, white where one is::

    python data/make_pictures.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

# RandomState, not Generator: its numbers are promised to stay the same in every numpy to come.
Random = np.random.RandomState
Map = NDArray[np.float64]

SIDE = 128
"""Height and width of the surfaces, in pixels."""

CONTRAST = 24
"""Standard deviation of the surfaces' texture, of 255."""


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a picture in the format that the name asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **({"quality": 85} if path.suffix == ".jpg" else {"optimize": True}))


def write_digits(folder: Path) -> None:
    """Write some of the 8 x 8 digits: 3 is normal, all others are not."""
    digits = load_digits()
    pixels = (digits.images * 255 / 16).round().astype(np.uint8)
    order = Random(0).permutation(len(pixels))
    places = {"3": [*["train/good"] * 120, *["test/good"] * 40]} | {
        str(k): [f"test/{k}"] * 5 for k in range(10) if k != 3
    }
    for digit, kinds in places.items():
        chosen = [i for i in order if digits.target[i] == int(digit)]
        for number, (kind, i) in enumerate(zip(kinds, chosen, strict=False)):
            write_picture(folder / kind / f"{number:03d}.png", pixels[i])


def surface(random: Random) -> Map:
    """Draw a surface that looks like the trees in one of scikit-learn's photographs, under a lamp somewhere.

    A picture with the same spectrum and random phases [1]_, different every time.

    .. [1] B. Galerne, Y. Gousseau, J.-M. Morel, "Random phase textures: theory and synthesis", IEEE Transactions on
       Image Processing 20 (2011).

    Returns
    -------
    ndarray of shape (SIDE, SIDE, 3)
        Values from 0 to 255.
    """
    trees = load_sample_image("china.jpg")[290 : 290 + SIDE, 380 : 380 + SIDE].astype(float)
    mean, window = trees.mean(axis=(0, 1)), np.hanning(SIDE)
    spectrum = np.fft.fft2((trees - mean) * window[:, None, None] * window[:, None], axes=(0, 1))
    phases = np.fft.fft2(random.normal(size=(SIDE, SIDE)))
    # Without the broad light and shade, which would be another picture's trees and sky.
    share = (1 - _low_pass(0.02)) / np.abs(phases)
    texture = np.fft.ifft2(spectrum * (phases * share)[..., None], axes=(0, 1)).real
    texture *= CONTRAST / texture.std()
    slope = random.uniform(-0.12, 0.12, size=2)
    down, right = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    return (mean + texture) * (1 + slope[0] * down + slope[1] * right)[..., None]


def scratch(random: Random) -> Map:
    """Draw a thin bent line; gives how much of it covers each pixel, from 0 to 1."""
    start, middle, end = random.uniform(0.1, 0.9, size=(3, 2)) * SIDE
    t = np.linspace(0, 1, 400)[:, None]
    line = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end
    grid = np.moveaxis(np.mgrid[:SIDE, :SIDE], 0, -1)
    distance = np.min([np.hypot(*(grid - point).T).T for point in line], axis=0)
    return np.clip(random.uniform(1.2, 2.0) - distance, 0, 1)


def blob(random: Random) -> Map:
    """Draw a small ellipse with a sharp edge."""
    return np.clip((1 - _ellipse(random, 4, 10)) * 5, 0, 1)


def stain(random: Random) -> Map:
    """Draw a large, faint spot with a ragged edge."""
    ragged = np.fft.ifft2(np.fft.fft2(random.normal(size=(SIDE, SIDE))) * _low_pass(0.04)).real
    return np.clip((1 - _ellipse(random, 16, 30) + 0.25 * ragged / ragged.std()) * 3, 0, 1)


def _ellipse(random: Random, smallest: float, largest: float) -> Map:
    """Return each pixel's distance from the middle of an ellipse whose edge is at 1."""
    radii, angle = random.uniform(smallest, largest, size=2), random.uniform(0, np.pi)
    middle = random.uniform(0.25, 0.75, size=2) * SIDE
    down, right = (axis - place for axis, place in zip(np.mgrid[:SIDE, :SIDE], middle, strict=True))
    turned = np.cos(angle) * down + np.sin(angle) * right, np.cos(angle) * right - np.sin(angle) * down
    return np.hypot(turned[0] / radii[0], turned[1] / radii[1])


def _low_pass(width: float) -> Map:
    frequencies = np.fft.fftfreq(SIDE)
    return np.exp(-(frequencies[:, None] ** 2 + frequencies**2) / (2 * width**2))


# How a defect is drawn, and by how much it covers what is below.
DEFECTS: dict[str, tuple[Callable[[Random], Map], float]] = {
    "blob": (blob, 0.9),
    "scratch": (scratch, 0.8),
    "stain": (stain, 0.45),
}


def damaged(random: Random, kind: str) -> tuple[Map, NDArray[np.uint8]]:
    """Draw a surface with one defect, dark or bright; return it and its mask."""
    draw, strength = DEFECTS[kind]
    cover = draw(random)
    colour = random.uniform(0, 40, size=3) if random.uniform() < 0.5 else random.uniform(190, 240, size=3)
    share = strength * cover[..., None]
    return (1 - share) * surface(random) + share * colour, np.where(cover > 0.3, 255, 0).astype(np.uint8)


def write_surfaces(folder: Path) -> None:
    """Write surfaces without and with drawn defects."""
    random = Random(0)
    for kind, n_pictures in {"train/good": 60, "test/good": 15}.items():
        for number in range(n_pictures):
            write_picture(folder / kind / f"{number:03d}.jpg", as_bytes(surface(random)))
    for kind in DEFECTS:
        for number in range(8):
            pixels, mask = damaged(random, kind)
            write_picture(folder / "test" / kind / f"{number:03d}.jpg", as_bytes(pixels))
            write_picture(folder / "ground_truth" / kind / f"{number:03d}_mask.png", mask)


def as_bytes(pixels: Map) -> NDArray[np.uint8]:
    """Round to whole numbers from 0 to 255."""
    return pixels.round().clip(0, 255).astype(np.uint8)


SAMPLES = {"digit_pictures": write_digits, "surfaces": write_surfaces}


def main() -> None:
    """Write every sample below the folder given, by default the one that holds this script."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, write in SAMPLES.items():
        write(root / name)


if __name__ == "__main__":
    main()

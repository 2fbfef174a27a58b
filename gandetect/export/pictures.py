"""A model file for pictures, opened for an export, and pictures of its own making."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.core_schema import require_columns
from gandetect.export.opened import original_scorer
from gandetect.graph.surgery import OpenModel
from gandetect.image_schema import FOLDER_INPUT, IMAGE_INPUT, images_of
from gandetect.scorer import Scorer

Image = NDArray[np.uint8]
Doubles = NDArray[np.float64]

FRESH_PIXELS, FEWEST_FRESH, MOST_FRESH = 2**22, 96, 400
"""Pixels of the pictures that a variant and its source are compared on, unless these were too few or too many."""

PER_ROUND, N_KEPT = 16, 6
"""Pictures that are drawn in a round, and the most normal ones so far that each round starts from."""

OTHER_SIZES = (0.5, 0.5), (0.3, 1.4), (1.7, 1.2)
"""Heights and widths of further pictures, in units of what the model works at."""

OTHER_SHARE = 16
"""How many times fewer there are of each."""

OTHER_FOLDER = 0.2
"""Share of the pictures that change their folder."""

NOISE_SHARE = 0.05
"""Share of the pictures that are nothing but noise."""


class PictureSource:
    """A model file for pictures and the pictures that it can make; an `Opened`.

    No picture of the training is needed: what the file makes of its golden pictures looks like them, and is altered.

    Parameters
    ----------
    model : bytes
        Contents of the model file; checked.
    columns : mapping, optional
        Rows to draw from, which only a model for tables takes.

    Attributes
    ----------
    folders : tuple of str
        Names of the folders that the model is told, and at the end one that it does not know; or none.

    Raises
    ------
    InputError
        The model is a variant already or not for pictures, or rows are given.
    ModelFileError
        It is no model file, or one without golden pictures.
    """

    compared = ("anomaly_score", "realness", "reconstruction_error", "heatmap")
    n_timed = 16
    smallest_halved = 4096

    def __init__(self, model: bytes, columns: Any = None) -> None:
        self.scorer = original_scorer(model)
        self.schema = images_of(self.scorer.schema)
        if columns is not None:
            require_columns(self.schema)
        self.open = OpenModel(model)
        known = self.schema.folders
        self.folders = (*known, "?" * (1 + max(map(len, known)))) if known else ()
        self._asked = self.scorer_of(model)
        self.golden: Any = self.scorer.golden_rows()[0]

    def scorer_of(self, model: bytes) -> Scorer:
        """Return a scorer that also takes an unknown folder, as other hosts than this package's do."""
        scorer = Scorer(model)
        scorer.schema = replace(self.schema, folders=self.folders)
        return scorer

    def taken(self, scorer: Scorer, raw: Any) -> Any:
        """Return pictures as they are."""
        return raw

    def first(self, raw: Any, n_samples: int) -> Any:
        """Return the first pictures, and their folders."""
        if not self.schema.folders:
            return raw[:n_samples]
        return {name: values[:n_samples] for name, values in raw.items()}

    def fresh(self, random: np.random.Generator) -> list[Any]:
        """Return drawn pictures, a batch of the size that the model works at and one of each other size."""
        size = self.schema.height, self.schema.width
        n_pictures = min(max(FRESH_PIXELS // (size[0] * size[1]), FEWEST_FRESH), MOST_FRESH)
        pictures, folders = self._drawn(n_pictures, random)
        batches = [self._told(pictures, folders)]
        for share in OTHER_SIZES:
            chosen = random.integers(len(pictures), size=n_pictures // OTHER_SHARE)
            high, wide = (round(one * side) for one, side in zip(share, size, strict=True))
            batches.append(self._told(_resized(pictures[chosen], high, wide), folders[chosen]))
        return batches

    def _drawn(self, n_pictures: int, random: np.random.Generator) -> tuple[Image, NDArray[np.int64]]:
        """Return pictures from odd to normal, and the numbers of their folders.

        They come in rounds, each of which alters those that the file finds the most normal so far.
        """
        n_folders, (base, folders) = max(1, len(self.folders)), self._base()
        scores = np.full(len(base), np.inf, dtype=np.float32)
        drawn: list[tuple[Image, NDArray[np.int64]]] = []
        for _ in range(n_pictures // PER_ROUND):
            parents = random.integers(len(base), size=PER_ROUND)
            pictures = np.stack([_altered(base[parent], base, random) for parent in parents])
            moved = random.random(len(parents)) < OTHER_FOLDER
            own = np.where(moved, random.integers(n_folders, size=len(parents)), folders[parents])
            drawn.append((_bytes(pictures), own))
            found = self._asked(self._told(*drawn[-1]), "anomaly_score")["anomaly_score"]
            everything = (base, pictures), (folders, own), (scores, found)
            base, folders, scores = (np.concatenate(pair) for pair in everything)
            kept = np.argsort(scores, kind="stable")[:N_KEPT]
            base, folders, scores = base[kept], folders[kept], scores[kept]
        return np.concatenate([one for one, _ in drawn]), np.concatenate([own for _, own in drawn])

    def _base(self) -> tuple[Doubles, NDArray[np.int64]]:
        """Return the golden pictures, what the file makes of them, and the numbers of their folders."""
        feeds = self.schema.feeds(self.golden)
        names: Any = feeds.get(FOLDER_INPUT, [])
        folders = np.array([self.folders.index(name) for name in names] or [0] * len(feeds[IMAGE_INPUT]))
        rebuilt = self.scorer(self.golden, "reconstruction")["reconstruction"]
        golden = _resized(feeds[IMAGE_INPUT], self.schema.height, self.schema.width)
        return np.concatenate([rebuilt, golden]).astype(np.float64), np.concatenate([folders, folders])

    def _told(self, pictures: Image, folders: NDArray[np.int64]) -> Any:
        """Return pictures as the file takes them, with their folders if those are asked for."""
        return self.schema.raw(pictures, [self.folders[number] for number in folders] if self.folders else [])


def _altered(picture: Doubles, others: Doubles, random: np.random.Generator) -> Doubles:
    """Return an altered picture, or nothing but noise."""
    if random.random() < NOISE_SHARE:
        return random.uniform(0, 255, picture.shape)
    for _ in range(random.choice([1, 1, 3])):
        alter = _ALTERATIONS[random.integers(len(_ALTERATIONS))]
        picture = alter(picture, others[random.integers(len(others))], random)
    return picture


def _mixed(picture: Doubles, other: Doubles, random: np.random.Generator) -> Doubles:
    return picture + random.random() * (other - picture)


def _pasted(picture: Doubles, other: Doubles, random: np.random.Generator) -> Doubles:
    """Return a picture with a piece of another one, at another place."""
    sides = [random.integers(1, side // 2 + 1) for side in picture.shape[:2]]
    pasted = picture.copy()
    pasted[_piece(picture, sides, random)] = other[_piece(picture, sides, random)]
    return pasted


def _piece(picture: Doubles, sides: list[int], random: np.random.Generator) -> tuple[slice, ...]:
    starts = [random.integers(whole - side + 1) for whole, side in zip(picture.shape, sides, strict=False)]
    return tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))


def _mirrored(picture: Doubles, other: Doubles, random: np.random.Generator) -> Doubles:
    return np.flip(picture, int(random.integers(2)))


def _moved(picture: Doubles, other: Doubles, random: np.random.Generator) -> Doubles:
    """Return a picture moved by up to a quarter; what leaves at one side comes back at the other."""
    return np.roll(picture, [random.integers(-side // 4, side // 4 + 1) for side in picture.shape[:2]], axis=(0, 1))


def _lit(picture: Doubles, other: Doubles, random: np.random.Generator) -> Doubles:
    """Return a picture in another light, with another contrast."""
    size, middle = _strength(0.01, 0.4, random), float(picture.mean())
    gain = float(np.exp(random.normal(0, size)))
    return middle + random.normal(0, 60 * size) + gain * (picture - middle)


def _sharpened(picture: Doubles, other: Doubles, random: np.random.Generator) -> Doubles:
    """Return a picture that is sharper, or more blurred."""
    return picture + random.uniform(-1, 1) * (picture - _blurred(picture))


def _noisy(picture: Doubles, other: Doubles, random: np.random.Generator) -> Doubles:
    """Return a picture with noise, coarse or fine, grey or in colour."""
    noise = random.normal(size=(*picture.shape[:2], int(random.choice([1, picture.shape[2]]))))
    for _ in range(random.integers(4)):
        noise = _blurred(noise)
    return picture + noise * (_strength(1, 60, random) / float(noise.std()))


_ALTERATIONS = (_mixed, _pasted, _mirrored, _moved, _lit, _sharpened, _noisy, _noisy, _noisy)


def _strength(least: float, most: float, random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(np.log(least), np.log(most))))


def _blurred(picture: Doubles) -> Doubles:
    """Return the mean of each pixel and its eight neighbours, those at a border being at the other side."""
    for axis in (0, 1):
        picture = (np.roll(picture, -1, axis) + picture + np.roll(picture, 1, axis)) / 3
    return picture


def _resized(pictures: Image, height: int, width: int) -> Image:
    """Return pictures in another size, with the nearest pixels."""
    rows, columns = (np.arange(new) * old // new for new, old in zip((height, width), pictures.shape[1:3], strict=True))
    return pictures[:, rows][:, :, columns]


def _bytes(pictures: Doubles) -> Image:
    return pictures.round().clip(0, 255).astype(np.uint8)

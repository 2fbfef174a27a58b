"""Pictures through a model, chunk by chunk, with a count of what was found on the way."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect import Scorer
from gandetect.files import access_error
from gandetect.image_schema import ImageSchema
from gandetect.readers.images import ImageReader, Images
from gandetect_cli.terminal import Reporter, counted, share

_CHUNK_PIXELS = 2**24  # of the model's size, so that maps of many pictures stay bounded

_N_NAMED = 10
"""Unreadable pictures that are named."""


@dataclass(frozen=True)
class ScoredImages:
    """Pictures with their answers.

    Parameters
    ----------
    images : Images
        The pictures.
    answers : mapping of str to ndarray of shape (n_images, ...)
        The model's outputs.
    """

    images: Images
    answers: Mapping[str, NDArray[Any]]


@dataclass
class ImageTally:
    """What happened to the pictures of a source."""

    n_images: int = 0
    n_flagged: int = 0

    def add(self, scored: ScoredImages) -> None:
        """Count a chunk."""
        self.n_images += len(scored.images.entries)
        self.n_flagged += int(scored.answers["is_anomaly"].sum())

    def report(self, reporter: Reporter, rule: str, reader: ImageReader) -> None:
        """Say what was counted and what could not be read; `rule` says when a picture is flagged."""
        found = counted(self.n_flagged, "anomaly", "anomalies")
        part = share(self.n_flagged, self.n_images)
        reporter.say(f"{counted(self.n_images, 'picture')} scored, {found} ({part}) at {rule}")
        report_unreadable(reporter, reader)


def report_unreadable(reporter: Reporter, reader: ImageReader) -> None:
    """Name the first pictures that could not be read, with the reasons, and say how many there are."""
    sentences = list(reader.unreadable.values())
    for sentence in sentences[:_N_NAMED]:
        reporter.warn(sentence)
    if sentences:
        reporter.say(f"{counted(len(sentences), 'picture')} could not be read and left out")


def open_images(data: str, schema: ImageSchema) -> ImageReader:
    """Open the pictures to score, ``-`` being a list of names on standard input."""
    if data == "-" and sys.stdin is None:
        raise access_error("<stdin>", "read", OSError("it is closed"))
    return ImageReader(
        sys.stdin.buffer if data == "-" else data,
        part="test",
        channels=schema.channels,
        chunk_images=max(1, _CHUNK_PIXELS // (schema.height * schema.width)),
    )


def score_images(
    reader: ImageReader, scorer: Scorer, outputs: Sequence[str], alpha: float | None, tally: ImageTally
) -> Iterator[ScoredImages]:
    """Score pictures in chunks, and count in `tally`; `outputs` hold ``is_anomaly``."""
    for images in reader:
        scored = ScoredImages(images, _answers(images, scorer, outputs, alpha))
        tally.add(scored)
        yield scored


def _answers(images: Images, scorer: Scorer, outputs: Sequence[str], alpha: float | None) -> dict[str, NDArray[Any]]:
    """Score pictures of any sizes: those of one size together."""
    shapes = [pixels.shape for pixels in images.arrays]
    groups = [np.flatnonzero([shape == other for other in shapes]) for shape in dict.fromkeys(shapes)]
    parts = [scorer(np.stack([images.arrays[i] for i in group]), outputs, alpha) for group in groups]
    order = np.argsort(np.concatenate(groups))
    return {name: np.concatenate([part[name] for part in parts])[order] for name in outputs}

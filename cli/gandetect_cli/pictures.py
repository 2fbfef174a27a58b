"""Pictures through a model, chunk by chunk, with a count of what was found on the way."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from gandetect import InputError, PValueCounts, Scorer
from gandetect.files import access_error
from gandetect.image_schema import ImageSchema, images_of
from gandetect.readers.images import ImageReader, Images
from gandetect.readers.sources import is_image_source, names_picture, read_list
from gandetect.readers.tables import Chunk
from gandetect.schema import Schema
from gandetect_cli.answers import Scored
from gandetect_cli.scoring import summary, warn_of_change
from gandetect_cli.terminal import Reporter, counted

if TYPE_CHECKING:
    from gandetect_cli.heatmaps import HeatmapFolder

_CHUNK_PIXELS = 2**24  # of the model's size, so that maps of many pictures stay bounded

NAME_COLUMN = "image"
"""The column that holds the names of pictures."""

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
    p_values: PValueCounts = field(default_factory=PValueCounts)

    def add(self, scored: ScoredImages) -> None:
        """Count a chunk."""
        self.p_values.add(scored.answers["p_value"])
        self.n_images += len(scored.images.entries)
        self.n_flagged += int(scored.answers["is_anomaly"].sum())

    def report(self, reporter: Reporter, rule: str, reader: ImageReader) -> None:
        """Say what was counted and what could not be read; `rule` says when a picture is flagged."""
        reporter.say(summary(self.n_images, self.n_flagged, "picture", rule))
        report_unreadable(reporter, reader)


def report_unreadable(reporter: Reporter, reader: ImageReader) -> None:
    """Name the first pictures that could not be read, with the reasons, and count them and what is named otherwise."""
    sentences = list(reader.unreadable.values())
    for sentence in sentences[:_N_NAMED]:
        reporter.warn(sentence)
    if sentences:
        reporter.say(f"{counted(len(sentences), 'picture')} could not be read and left out")
    if reader.n_passed_over:
        files = counted(reader.n_passed_over, "file")
        reporter.say(f"{files} passed over: the name does not end as that of a PNG, JPEG, BMP, TIFF or WebP picture")


def picture_source(data: str) -> str | list[str]:
    """Return what an `ImageReader` reads, ``-`` being a list of names on standard input."""
    if data != "-":
        return data
    if sys.stdin is None:
        raise access_error("<stdin>", "read", OSError("it is closed"))
    return read_list(sys.stdin.buffer)


def are_pictures(data: str) -> bool:
    """Tell whether data name pictures and no table, as `is_image_source` does; ``-`` is standard input."""
    if data != "-":
        return is_image_source(data)
    stream = getattr(sys.stdin, "buffer", None)
    # What is seen in this way is still there to be read.
    seen = stream.peek() if isinstance(stream, io.BufferedReader) else b""
    return names_picture(seen)


def open_images(data: str, schema: ImageSchema) -> ImageReader:
    """Open the pictures to score."""
    if data != "-" and os.path.exists(data) and not is_image_source(data):
        raise InputError(
            f"{data}: expected pictures, which the model is for, found another kind of file; name a folder of "
            "pictures, or score a table with a model for tables."
        )
    return ImageReader(
        picture_source(data),
        part="test",
        channels=schema.channels,
        require_product=schema.require_folder if schema.folders else None,
        chunk_images=max(1, _CHUNK_PIXELS // (schema.height * schema.width)),
    )


def score_images(
    reader: ImageReader, scorer: Scorer, outputs: Sequence[str], alpha: float | None, tally: ImageTally
) -> Iterator[ScoredImages]:
    """Score pictures in chunks, and count in `tally`; `outputs` hold ``p_value`` and ``is_anomaly``."""
    for images in reader:
        scored = ScoredImages(images, _answers(images, scorer, outputs, alpha))
        tally.add(scored)
        yield scored


class PictureScoring:
    """Pictures that are scored, each one as a row with its name; see `gandetect_cli.scoring.Scoring`.

    Parameters
    ----------
    data : str
        What `open_images` takes.
    scorer : Scorer
        Of a model for pictures.
    schema : ImageSchema
        What the scorer takes.
    heatmaps : HeatmapFolder, optional
        Gets the pictures with their heat maps.
    only_anomalies : bool
        Whether it gets flagged pictures only.
    """

    def __init__(
        self, data: str, scorer: Scorer, schema: ImageSchema, heatmaps: HeatmapFolder | None, *, only_anomalies: bool
    ) -> None:
        self.schema = Schema(())
        self._reader = open_images(data, schema)
        self.name = self._reader.name
        self._scorer, self._heatmaps, self._only_anomalies = scorer, heatmaps, only_anomalies
        self._tally = ImageTally()
        self._n_done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._heatmaps is not None and error is None:
            self._heatmaps.write_sheet()

    @property
    def progress(self) -> tuple[int, int | None]:
        """Pictures done so far, and in all."""
        return self._n_done + len(self._reader.unreadable), len(self._reader)

    @property
    def n_flagged(self) -> int:
        """How many pictures are flagged so far."""
        return self._tally.n_flagged

    def p_values(self) -> Iterator[NDArray[np.float32]]:
        """Read all pictures for the p-values only."""
        self._n_done = 0
        for images in self._reader:
            yield _answers(images, self._scorer, ["p_value"], None)["p_value"]
            self._n_done += len(images.entries)

    def scored(self, outputs: Sequence[str], alpha: float | None) -> Iterator[Scored]:
        """Score the pictures."""
        self._n_done = 0
        wanted = [*outputs, *(["heatmap"] if self._heatmaps else [])]
        for scored in score_images(self._reader, self._scorer, wanted, alpha, self._tally):
            if self._heatmaps is not None:
                self._heatmaps.add(scored, only_anomalies=self._only_anomalies)
            self._n_done += len(scored.images.entries)
            yield _as_rows(scored)

    def report(self, reporter: Reporter, rule: str) -> None:
        """Say what was found, what could not be read, and where the heat maps are."""
        self._tally.report(reporter, rule, self._reader)
        remedy = "look at some with --heatmaps FOLDER"
        warn_of_change(reporter, self._tally.p_values, self._scorer.manifest, "pictures", remedy)
        if self._heatmaps is not None:
            reporter.say(self._heatmaps.summary)


def _as_rows(scored: ScoredImages) -> Scored:
    """Return pictures as rows of a table that has their names."""
    names = np.array([entry.name for entry in scored.images.entries], dtype=object)
    rows = np.arange(len(names))
    return Scored(Chunk((NAME_COLUMN,), {NAME_COLUMN: names}, range(len(names))), rows, {}, scored.answers)


def _answers(images: Images, scorer: Scorer, outputs: Sequence[str], alpha: float | None) -> dict[str, NDArray[Any]]:
    """Score pictures of any sizes: those of one size together."""
    shapes = [pixels.shape for pixels in images.arrays]
    groups = [np.flatnonzero([shape == other for other in shapes]) for shape in dict.fromkeys(shapes)]
    parts = [scorer(_raw(images, group.tolist(), scorer), outputs, alpha) for group in groups]
    order = np.argsort(np.concatenate(groups))
    return {name: np.concatenate([part[name] for part in parts])[order] for name in outputs}


def _raw(images: Images, group: list[int], scorer: Scorer) -> Any:
    """Return what the model takes of pictures of one size."""
    schema = images_of(scorer.schema)
    return schema.raw(np.stack([images.arrays[i] for i in group]), [images.entries[i].product for i in group])

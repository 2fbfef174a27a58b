"""Images: what a model file says of the size it was trained on, and what it takes and answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError
from gandetect.schema import ANSWERS, GraphInput, Modality

IMAGE_INPUT = "images"
"""Name of the input of a model for images."""

IMAGE_OUTPUTS = (*ANSWERS, "heatmap", "reconstruction")
"""Names of the outputs of a model for images, in order."""

IMAGE_SIZES = ("height", "width", "channels")

MAX_SIDE = 1024
"""Largest height and width that a model may work at."""

_CHUNK_VALUES = 2**22
"""Pixel values that go into one run, of the raw images or of the resized ones, whichever are larger."""


def batches(images: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Join images of shape (height, width, channels) that follow each other and have one shape, to batches.

    A batch has at most 256 images, and not many more values than go into one run.
    """
    batch: list[NDArray[np.uint8]] = []
    for image in images:
        if batch and (image.shape != batch[0].shape or len(batch) * image.size >= _CHUNK_VALUES or len(batch) == 256):
            yield np.stack(batch)
            batch = []
        batch.append(image)
    if batch:
        yield np.stack(batch)


@dataclass(frozen=True)
class ImageSchema:
    """The images that a model works on, after its own resizing.

    Parameters
    ----------
    height, width : int
        Size in pixels to which the model resizes every image.
    channels : int
        1 for grey images, 3 for colour.

    Raises
    ------
    ValueError
        A size that no model has.
    """

    height: int
    width: int
    channels: int

    def __post_init__(self) -> None:
        if self.channels not in (1, 3) or not (8 <= self.height <= MAX_SIDE and 8 <= self.width <= MAX_SIDE):
            raise ValueError(f"no model has images of {self.height} x {self.width} x {self.channels}")

    @property
    def takes(self) -> str:
        """What it is called in messages."""
        return "images"

    @property
    def inputs(self) -> tuple[GraphInput, ...]:
        """One batch of images of any size."""
        return (GraphInput(IMAGE_INPUT, np.uint8, (None, None, None, self.channels)),)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs of a model for images."""
        return IMAGE_OUTPUTS

    @property
    def default_outputs(self) -> tuple[str, ...]:
        """All of them."""
        return IMAGE_OUTPUTS

    def feeds(self, raw: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
        """Check a batch of images of shape (n, height, width, channels) and return the graph's input.

        Raises
        ------
        InputError
            The batch has another type or shape, or another number of channels than the model.
        """
        images = np.asarray(raw)
        if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape[1:]:
            raise InputError(
                "Expected uint8 images of shape (n, height, width, channels), found "
                f"{images.dtype} of shape {images.shape}; convert them first."
            )
        if images.shape[3] != self.channels:
            raise InputError(
                f"Expected images with {self.channels} {'channel' if self.channels == 1 else 'channels'}, as the model "
                f"was trained on, found {images.shape[3]}; convert them first."
            )
        return {IMAGE_INPUT: images}

    def chunk_size(self, feeds: Mapping[str, NDArray[Any]]) -> int:
        """Return how many images go into one run: fewer of large ones, so that memory stays bounded."""
        n_values = max(int(np.prod(feeds[IMAGE_INPUT].shape[1:])), 16 * self.height * self.width)
        return max(2, _CHUNK_VALUES // n_values)

    @property
    def tolerance(self) -> float:
        """How far hosts may differ: convolutions add up many products, in any order."""
        return 1e-4

    def golden_view(self, output: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return what the golden answers hold of an output: of maps every eighth pixel."""
        return values if output in ANSWERS else values[:, ::8, ::8]

    def raw_from_json(self, inputs: Mapping[str, list[Any]]) -> NDArray[np.uint8]:
        """Return images from JSON values."""
        return np.array(inputs[IMAGE_INPUT], dtype=np.uint8)

    def to_json(self) -> dict[str, int]:
        """Return JSON values for the manifest."""
        return asdict(self)


def images_of(schema: Modality) -> ImageSchema:
    """Return the schema of a model for images.

    Raises
    ------
    InputError
        The model is for something else.
    """
    if not isinstance(schema, ImageSchema):
        raise InputError(f"Expected a model for images, found one for {schema.takes}; name another model file.")
    return schema

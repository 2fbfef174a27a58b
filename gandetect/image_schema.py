"""Images: what a model file says of the size it was trained on, and what it takes and answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError, quoted
from gandetect.modality import ANSWERS, GraphInput, Modality

IMAGE_INPUT = "images"
"""Name of the input of a model for images."""

FOLDER_INPUT = "folder"
"""Name of the second input of a model that judges images given their folders, and what users call that."""

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


def checked_image_shape(image_shape: Any) -> tuple[int, ...]:
    """Return the shape of images that come as rows of a table, in Python's own whole numbers.

    Raises
    ------
    InputError
        It is neither (height, width) nor (height, width, channels).
    """
    sides = tuple(image_shape) if isinstance(image_shape, Iterable) else ()
    if len(sides) not in (2, 3) or not all(isinstance(side, Integral) and int(side) > 0 for side in sides):
        raise InputError(
            "Expected image_shape to be (height, width) or (height, width, channels), in whole numbers, found "
            f"{image_shape!r}; pass such a tuple."
        )
    return tuple(int(side) for side in sides)


@dataclass(frozen=True)
class ImageSchema:
    """The images that a model works on, after its own resizing.

    Parameters
    ----------
    height, width : int
        Size in pixels to which the model resizes every image.
    channels : int
        1 for grey images, 3 for colour.
    folders : tuple of str
        Names of the folders, each for one product, given which images are judged; empty where none are asked for.

    Raises
    ------
    ValueError
        A size that no model has.
    """

    height: int
    width: int
    channels: int
    folders: tuple[str, ...] = ()

    # What `gandetect.modality.Modality` asks of it.
    takes = "pictures"
    noun = "picture"
    outputs = default_outputs = IMAGE_OUTPUTS
    tolerance = 1e-4  # convolutions add up many products, in any order

    def __post_init__(self) -> None:
        if self.channels not in (1, 3) or not (8 <= self.height <= MAX_SIDE and 8 <= self.width <= MAX_SIDE):
            raise ValueError(f"no model has images of {self.height} x {self.width} x {self.channels}")
        if len(self.folders) == 1 or len(set(self.folders)) < len(self.folders):
            raise ValueError(f"no model has the folders {self.folders}")

    @property
    def inputs(self) -> tuple[GraphInput, ...]:
        """One batch of images of any size, and the names of their folders where those are asked for."""
        images = GraphInput(IMAGE_INPUT, np.uint8, (None, None, None, self.channels))
        return (images, GraphInput(FOLDER_INPUT, str, (None,))) if self.folders else (images,)

    def raw(self, images: NDArray[np.uint8], folders: Sequence[str]) -> Any:
        """Return what `feeds` takes, of images and the names of their folders, which few models ask for."""
        return {IMAGE_INPUT: images, FOLDER_INPUT: np.array(folders, dtype=object)} if self.folders else images

    def feeds(self, raw: Any) -> dict[str, NDArray[Any]]:
        """Check a batch of images and return the graph's inputs.

        Parameters
        ----------
        raw : array of shape (n, height, width, channels), or mapping
            uint8 images; for a model that judges images given their folders ``{"images": ..., "folder": ...}`` with
            the name of each one's folder, shape (n,).

        Raises
        ------
        InputError
            The batch has another type or shape, another number of channels than the model, or no folders that the
            model knows.
        """
        if not self.folders:
            return {IMAGE_INPUT: self._checked_images(raw)}
        if not isinstance(raw, Mapping) or not {IMAGE_INPUT, FOLDER_INPUT} <= set(raw):
            raise InputError(
                f"Expected images with their folders, {{{IMAGE_INPUT!r}: ..., {FOLDER_INPUT!r}: ...}}, since the model "
                "judges images given their folders, found no folders; add them."
            )
        images, folders = self._checked_images(raw[IMAGE_INPUT]), np.asarray(raw[FOLDER_INPUT], dtype=object)
        if folders.shape != images.shape[:1]:
            raise InputError(
                f"Expected the folder of each of {len(images)} images, found an array of shape {folders.shape}; "
                "give one name for each."
            )
        for name in dict.fromkeys(folders.tolist()):
            self.require_folder(name)
        return {IMAGE_INPUT: images, FOLDER_INPUT: folders}

    def require_folder(self, name: Any) -> None:
        """Refuse a folder that the model was not trained on."""
        if name not in self.folders:
            raise InputError(
                f"Expected one of the folders that the model was trained on, {quoted(self.folders)}, found {name!r}; "
                "move its pictures to the right one, or fit again with normal pictures of it."
            )

    def _checked_images(self, raw: Any) -> NDArray[np.uint8]:
        try:
            images = np.asarray(raw)
        except ValueError:
            raise InputError(
                "Expected uint8 images of shape (n, height, width, channels), found several shapes; pass those of "
                "each shape by themselves."
            ) from None
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
        return images

    def chunk_size(self, feeds: Mapping[str, NDArray[Any]]) -> int:
        """Return how many images go into one run: fewer of large ones, so that memory stays bounded."""
        n_values = max(int(np.prod(feeds[IMAGE_INPUT].shape[1:])), 16 * self.height * self.width)
        return max(2, _CHUNK_VALUES // n_values)

    def golden_view(self, output: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return what the golden answers hold of an output: of maps every eighth pixel."""
        return values if output in ANSWERS else values[:, ::8, ::8]

    def raw_from_json(self, inputs: Mapping[str, list[Any]]) -> Any:
        """Return images, with their folders where those are asked for, from JSON values."""
        return self.raw(np.array(inputs[IMAGE_INPUT], dtype=np.uint8), inputs.get(FOLDER_INPUT, []))

    def to_json(self) -> dict[str, Any]:
        """Return JSON values for the manifest."""
        sizes = {name: getattr(self, name) for name in IMAGE_SIZES}
        return sizes | {"folders": list(self.folders)} if self.folders else sizes


def images_of(schema: Modality) -> ImageSchema:
    """Return the schema of a model for images.

    Raises
    ------
    InputError
        The model is for something else.
    """
    if not isinstance(schema, ImageSchema):
        raise InputError(f"Expected a model for pictures, found one for {schema.takes}; name another model file.")
    return schema

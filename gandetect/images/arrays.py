"""Arrays, rows of a table and paths to images of (height, width, channels): what the estimator reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError
from gandetect.image_schema import checked_image_shape
from gandetect.readers.arrays import as_bytes, looks_like_one
from gandetect.readers.images import ImageReader, find_channels
from gandetect.readers.pictures import is_picture, pixels_of, with_channels

Image = NDArray[np.uint8]


def read_pictures(
    source: Any, part: Literal["train", "test"], channels: int | None
) -> tuple[Iterator[Image], Sequence[str]]:
    """Return pictures, which are read one after the other, and the folders of those that were read so far.

    They get the channels that are asked for, else colour where one of the first has some.
    """
    folders: list[str] = []
    channels = channels or find_channels(source, part)
    return _pictures(ImageReader(source, part=part, channels=channels), folders), folders


def fitting(images: Sequence[Image], channels: int | None) -> Iterator[Image]:
    """Give images the channels that are asked for, else colour where one has some."""
    channels = channels or max((image.shape[2] for image in images if image.shape[2] in (1, 3)), default=1)
    for image in images:
        yield with_channels(image, channels, "images") if image.shape[2] in (1, 3) else image


def _pictures(reader: ImageReader, folders: list[str]) -> Iterator[Image]:
    for chunk in reader:
        for entry, picture in zip(chunk.entries, chunk.arrays, strict=True):
            folders.append(entry.product)
            yield picture
    if reader.unreadable:
        raise InputError(
            f"Expected pictures that can be read, found {len(reader.unreadable)} that cannot: "
            f"{next(iter(reader.unreadable.values()))}"
        )


def pixels(values: NDArray[Any]) -> Image:
    """Return pixel values as uint8; grey images get an axis for their channel."""
    values = as_bytes(values)
    return values[..., None] if values.ndim == 2 else values


def one_image(item: Any) -> Image:
    """Return one image, an array or a picture of Pillow, as uint8 of shape (height, width, channels)."""
    return pixels_of(item) if is_picture(item) else pixels(np.asarray(item))


def is_image(item: Any) -> bool:
    """Tell whether an item of a sequence is one image."""
    return is_picture(item) or np.ndim(item) in (2, 3)


def require_several(X: Any, values: NDArray[Any]) -> None:
    """Refuse a single picture, and what has no items; `values` is the array that is made of it."""
    if is_picture(X) or values.ndim == 0:
        raise InputError(
            "Expected images as an array, a list, or the path of a folder, found one of type "
            f"{type(X).__name__}; pass a list."
        )
    if looks_like_one(values.shape):
        raise InputError(
            "Expected images of shape (n, height, width) or (n, height, width, channels), found shape "
            f"{values.shape}, which one image has; pass it in a list, or grey images that narrow with an axis for "
            "their channel."
        )


def as_list(X: Any) -> Any:
    """Return paths or images in an array or series of one axis as a list; all else as it is."""
    return X.tolist() if getattr(X, "ndim", None) == 1 else X


def unflattened(rows: NDArray[Any], image_shape: Any) -> NDArray[Any]:
    """Return images that come as rows of a table, (n, height, width, channels)."""
    shape = None if image_shape is None else checked_image_shape(image_shape)
    if shape is None or int(np.prod(shape)) != rows.shape[1]:
        raise InputError(
            f"Expected image_shape with {rows.shape[1]} values for images that come as rows, found {shape}; "
            "pass (height, width) or (height, width, channels), or a list where it is one image."
        )
    return rows.reshape(len(rows), *shape[:2], shape[2] if len(shape) == 3 else 1)

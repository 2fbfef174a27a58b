"""Read pictures of any size from a folder, a list of files or an array file, in chunks of bounded size.

What cannot be read is left out and remembered with the reason: one bad file never stops a folder.
`gandetect.readers.sources` says what the sources are, and `gandetect.readers.pictures` what becomes of a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import FileAccessError, InputError
from gandetect.readers.arrays import as_bytes
from gandetect.readers.pictures import read_picture, require_pillow, with_channels
from gandetect.readers.sources import Entry, Part, Source, list_images, name_of

CHUNK_BYTES = 2**26
"""Bytes of pixels after which a chunk ends."""

CHUNK_IMAGES = 256
"""Most pictures in a chunk."""


@dataclass(frozen=True)
class Images:
    """Some pictures.

    Parameters
    ----------
    entries : tuple of Entry
        Which ones they are.
    arrays : tuple of ndarray of uint8 of shape (height, width, channels)
        Their pixels, with 1 (grey) or 3 channels (RGB); read-only.
    """

    entries: tuple[Entry, ...]
    arrays: tuple[NDArray[np.uint8], ...]


class ImageReader:
    """Pictures of one source; can be read any number of times.

    Parameters
    ----------
    source : path, binary stream or sequence of paths
        A folder, a picture, a list of pictures, or an array file.
    part : {"train", "test"}, optional
        Which part of a folder in MVTec AD's layout is wanted; other folders have no parts.
    channels : {1, 3}, optional
        Channels of every picture: grey fits three, and colour fits one where it is grey in fact. A picture that does
        not fit counts as unreadable. As each picture has it if not given.
    require_product : callable, optional
        Is called with each picture's `Entry.product`; one for which it raises `InputError` counts as unreadable.
    chunk_bytes : int
        Bytes of pixels after which a chunk ends; one picture can go beyond them.
    chunk_images : int
        Most pictures in a chunk.

    Attributes
    ----------
    name : str
        What messages call the source.
    unreadable : dict of str to str
        What could not be read so far, by name, each with one sentence that says why.
    n_passed_over : int
        Files of a folder that are not taken for pictures.

    Raises
    ------
    FileAccessError
        If the source cannot be opened.
    InputError
        If it is no such source, or there is nothing in it.
    MissingExtraError
        If Pillow is needed and not installed.
    """

    def __init__(
        self,
        source: Source,
        *,
        part: Part | None = None,
        channels: int | None = None,
        require_product: Callable[[str], None] | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        chunk_images: int = CHUNK_IMAGES,
    ) -> None:
        self.name = name_of(source)
        self._channels, self._require_product = channels, require_product
        self._limits = chunk_bytes, chunk_images
        self._listing = list_images(source, part)
        self.n_passed_over = self._listing.n_passed_over
        self.unreadable = dict(self._listing.unreadable)
        if self._listing.array is None:
            require_pillow()
        if not self._listing:
            raise self._nothing()

    def __len__(self) -> int:
        """Return how many pictures there are, readable or not."""
        return len(self._listing)

    @property
    def entries(self) -> Iterator[Entry]:
        """All pictures in order, readable or not; nothing of them is read."""
        return iter(self._listing)

    def __iter__(self) -> Iterator[Images]:
        """Read the pictures in order, in chunks that are never empty.

        Raises
        ------
        InputError
            If not a single picture can be read, or an array file is damaged.
        """
        self.unreadable = dict(self._listing.unreadable)
        n_read = 0
        for chunk in _in_chunks(self._images(), *self._limits):
            n_read += len(chunk.entries)
            yield chunk
        if not n_read:
            raise self._nothing()

    def _images(self) -> Iterator[tuple[Entry, NDArray[np.uint8]]]:
        """Read one picture after the other; remember what cannot be read."""
        array = self._listing.array
        stored = repeat(None) if array is None else array.read()
        for entry, values in zip(self._listing, stored, strict=False):
            try:
                self._check_product(entry)
                if values is None:
                    pixels = read_picture(entry.path, self._channels)
                else:
                    pixels = with_channels(_bytes_of(values, entry), self._channels, entry.name)
            except (FileAccessError, InputError) as error:
                self.unreadable[entry.name] = str(error)
            else:
                yield entry, pixels

    def _check_product(self, entry: Entry) -> None:
        if self._require_product is None:
            return
        with _named(entry):
            self._require_product(entry.product)

    def _nothing(self) -> InputError:
        """Return the error that says why there is no picture."""
        if not self.unreadable:
            return InputError(
                f"{self.name}: expected pictures (PNG, JPEG, BMP, TIFF or WebP), found none among "
                f"{self.n_passed_over} files; name a folder that holds some."
            )
        return InputError(
            f"{self.name}: expected at least one picture that can be read, found none among {len(self.unreadable)}; "
            f"here is what is wrong with the first: {next(iter(self.unreadable.values()))}"
        )


def find_channels(source: Source, part: Part | None = None) -> int:
    """Return 3 where one of the first pictures has colour, else 1: grey pictures fit among the others.

    Raises
    ------
    FileAccessError, InputError, MissingExtraError
        As `ImageReader` does.
    """
    return max(int(pixels.shape[2]) for pixels in next(iter(ImageReader(source, part=part))).arrays)


def _bytes_of(values: NDArray[Any], entry: Entry) -> NDArray[np.uint8]:
    """Return the pixel values of a stored array as bytes."""
    with _named(entry):
        return as_bytes(values)


@contextmanager
def _named(entry: Entry) -> Iterator[None]:
    """Put the name of a picture before a sentence that says what is wrong with it."""
    try:
        yield
    except InputError as error:
        sentence = str(error)
        raise InputError(f"{entry.name}: {sentence[0].lower()}{sentence[1:]}") from None


def _in_chunks(
    images: Iterable[tuple[Entry, NDArray[np.uint8]]], chunk_bytes: int, chunk_images: int
) -> Iterator[Images]:
    entries: list[Entry] = []
    pixels: list[NDArray[np.uint8]] = []
    for entry, array in images:
        entries.append(entry)
        pixels.append(array)
        if len(entries) >= chunk_images or sum(array.nbytes for array in pixels) >= chunk_bytes:
            yield Images(tuple(entries), tuple(pixels))
            entries, pixels = [], []
    if entries:
        yield Images(tuple(entries), tuple(pixels))

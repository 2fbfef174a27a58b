"""Read pictures from an array of numpy, ``.npy`` or ``.npz``, a few at a time and never by pickle.

What pixel values mean is the same for arrays in files and in memory: see `as_bytes`.
"""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gandetect.errors import FileAccessError, InputError, listed, quoted
from gandetect.readers.files import open_file
from gandetect.readers.pictures import MAX_PIXELS

SUFFIXES = frozenset({".npy", ".npz"})
"""Suffixes, in lower case, of array files."""

MEMBER = "images"
"""The array that counts where an ``.npz`` file holds several of pictures."""

_WANTED = "pictures as numbers of shape (n, height, width) or (n, height, width, 1 or 3)"
_REMEDY = "write them to a file of their own with numpy.save"
_WHOLE = "get the file again, or write it anew with numpy.save"
_DAMAGE = (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class PictureArray:
    """Pictures in an array file.

    Parameters
    ----------
    path : path
        The file.
    member : str
        The array's file inside an ``.npz`` file; empty for ``.npy``.
    shape : tuple of int
        (n_images, height, width, channels), with 1 or 3 channels.
    dtype : numpy.dtype
        Numbers of at most 8 bytes, or yes and no; `as_bytes` says what they mean.
    """

    path: str | os.PathLike[str]
    member: str
    shape: tuple[int, int, int, int]
    dtype: np.dtype[np.generic]

    def read(self) -> Iterator[NDArray[Any]]:
        """Read the pictures in turn, as they are stored.

        Yields
        ------
        ndarray of shape (height, width, channels)

        Raises
        ------
        FileAccessError
            If the file cannot be opened.
        InputError
            If it is damaged or truncated.
        """
        n_images, *shape = self.shape
        n_bytes = math.prod(shape) * self.dtype.itemsize
        with _opened(self.path, self.member) as stream, _damage_named(self.path):
            _read_header(stream)
            for position in range(n_images):
                data = stream.read(n_bytes)
                if len(data) < n_bytes:
                    raise InputError(
                        f"{os.fspath(self.path)}: expected {n_images} pictures, found the end of the file after "
                        f"{position}; {_WHOLE}."
                    )
                yield np.frombuffer(data, self.dtype).reshape(shape)


def find_array(path: str | os.PathLike[str]) -> PictureArray:
    """Find the array of pictures in a file.

    Parameters
    ----------
    path : path
        Ends in ``.npz`` for an archive of arrays. An array of pictures has the shape (n_images, height, width) or
        (n_images, height, width, channels), and not that of one picture. In an archive it is the only one of that
        kind, or it is named `MEMBER`; fractions count only where there are no integers.

    Returns
    -------
    PictureArray

    Raises
    ------
    FileAccessError
        If the file cannot be opened.
    InputError
        If there is no such array, or several.
    """
    name = os.fspath(path)
    with _damage_named(path):
        if Path(path).suffix.lower() == ".npy":
            with open_file(path) as file:
                found = _described(path, "", file)
            if isinstance(found, str):
                raise InputError(f"{name}: expected {_WANTED}, found {found}; {_REMEDY}.")
            return found
        described = _described_members(path)
    arrays = {key: array for key, array in described.items() if isinstance(array, PictureArray)}
    arrays = {key: array for key, array in arrays.items() if array.dtype.kind != "f"} or arrays
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    if MEMBER in arrays:
        return arrays[MEMBER]
    found = quoted(arrays) or listed([f"{key!r} ({what})" for key, what in described.items()]) or "none"
    raise InputError(f"{name}: expected one array of pictures, or one named {MEMBER!r}, found {found}; {_REMEDY}.")


def looks_like_one(shape: tuple[int, ...]) -> bool:
    """Tell whether an array has the shape of one picture, (height, width, 1 or 3): many grey ones are wider."""
    return len(shape) == 3 and shape[2] in (1, 3)


def as_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixel values as bytes, 0 being black and 255 white.

    Parameters
    ----------
    values : array
        Whole numbers from 0 to 255 of any type; of 16-bit unsigned integers the high byte counts; yes is white.

    Returns
    -------
    ndarray of uint8 of the same shape

    Raises
    ------
    InputError
        Other numbers, or no numbers. 16-bit ones of which none is above 255 are refused, too: they would all be black.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return np.where(values.view(np.uint8) != 0, np.uint8(255), np.uint8(0))
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        if 0 < values.max(initial=0) <= 255:
            raise InputError(
                "Expected 16-bit pixel values up to 65,535, since their high byte counts, found none above 255; "
                "convert them to uint8, or scale them up."
            )
        return (values >> 8).astype(np.uint8)
    if values.dtype.kind not in "iuf":
        raise InputError(f"Expected numbers as pixel values, found {values.dtype}; convert them to uint8.")
    if not (np.isfinite(values) & (values >= 0) & (values <= 255)).all():
        raise InputError(
            f"Expected pixel values from 0 to 255, or of the type uint16, found {values.dtype} from {values.min():.6g} "
            f"to {values.max():.6g}; scale them."
        )
    if not (values == np.round(values)).all():
        raise InputError("Expected whole numbers as pixel values, found fractions; scale to 0 to 255 and round.")
    return values.astype(np.uint8)


def _described_members(path: str | os.PathLike[str]) -> dict[str, PictureArray | str]:
    """Return every array of an archive, as `_described` does, by name."""
    described = {}
    with open_file(path) as file, zipfile.ZipFile(file) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as stream:
                    described[member.removesuffix(".npy")] = _described(path, member, stream)
    return described


def _described(path: str | os.PathLike[str], member: str, stream: IO[bytes]) -> PictureArray | str:
    """Return the array if it can be of pictures, else what it is."""
    shape, fortran, dtype = _read_header(stream)
    if looks_like_one(shape):
        return f"{dtype} of shape {shape}, which one picture has (values[None] is an array of it)"
    full = (*shape, 1) if len(shape) == 3 else shape
    if len(full) != 4 or full[3] not in (1, 3) or dtype.kind not in "biuf" or dtype.itemsize > 8:
        return f"{dtype} of shape {shape}"
    if fortran and math.prod(full) > 1:
        return "an array in Fortran's order"
    if min(full) < 1 or full[1] * full[2] > MAX_PIXELS:
        return f"{full[0]:,} pictures of {full[1]:,} x {full[2]:,} pixels"
    return PictureArray(path, member, (full[0], full[1], full[2], full[3]), dtype)


@contextmanager
def _opened(path: str | os.PathLike[str], member: str) -> Iterator[IO[bytes]]:
    with open_file(path) as file:
        if not member:
            yield file
            return
        with zipfile.ZipFile(file) as archive, archive.open(member) as stream:
            yield stream


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):  # the third is for columns with names, which pictures have not
        raise ValueError(f"format {version} of numpy")
    return npy.read_array_header_1_0(stream) if version == (1, 0) else npy.read_array_header_2_0(stream)


@contextmanager
def _damage_named(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (FileAccessError, InputError):
        raise
    except _DAMAGE as error:
        raise InputError(
            f"{os.fspath(path)}: expected a whole array file, found a damaged or truncated one ({error}); {_WHOLE}."
        ) from error

"""Read one picture file as 8-bit grey or RGB; strict, and safe with files from anywhere.

PNG, JPEG, BMP, TIFF and WebP are told apart by their content, not by their names. One rule for each kind:

* Grey stays grey (one channel), black-and-white too; a palette of greys is grey. All else becomes RGB (three channels).
* Of 16 bits the high byte counts, on the same scale for every picture: no picture is stretched.
* What is transparent lies on white.
* The orientation that a camera noted is applied; colour profiles are not.
* Of an animation or of several pages the first counts.
"""

from __future__ import annotations

import os
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeGuard

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError, MissingExtraError
from gandetect.readers.files import open_file

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp"})
"""Suffixes, in lower case, of the files of a folder that are taken for pictures."""

MAX_PIXELS = 2**26
"""Most pixels of a picture: a few hundred bytes can claim to be a picture that fills the memory."""

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_GREY_MODES = frozenset({"1", "L", "LA", "La"})
_COLOUR_MODES = frozenset({"RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"})


def read_picture(path: str | os.PathLike[str], channels: int | None = None) -> NDArray[np.uint8]:
    """Read a picture.

    Parameters
    ----------
    path : path
        The file.
    channels : {1, 3}, optional
        Channels to give. Grey fits three channels, and colour fits one where it is grey in fact. As the file has it if
        not given.

    Returns
    -------
    ndarray of uint8 of shape (height, width, channels)
        Rows from the top; read-only.

    Raises
    ------
    FileAccessError
        If the file cannot be opened.
    InputError
        If it is no such picture, is damaged or truncated, has more than `MAX_PIXELS` pixels, more than 16 bits a
        value, or colours where `channels` is 1.
    MissingExtraError
        If Pillow is not installed.
    """
    require_pillow()
    name = os.fspath(path)
    _refuse_devices(path)
    with open_file(path) as file, _damage_named(name):
        picture = _open_whole(file, name)
        return with_channels(_pixels(picture, name), channels, name)


def is_picture(value: Any) -> TypeGuard[Image]:
    """Tell whether a value is a picture of Pillow, which is not imported for it."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def pixels_of(picture: Image) -> NDArray[np.uint8]:
    """Return a picture of Pillow as the file that holds it is read; the picture stays as it is.

    Returns
    -------
    ndarray of uint8 of shape (height, width, channels)

    Raises
    ------
    InputError
        If it is damaged, or has more than 16 bits a value.
    """
    name = str(getattr(picture, "filename", "") or "a picture of Pillow")
    from PIL import ImageOps

    with _damage_named(name):
        picture.load()  # of TIFF it applies the orientation
        return _pixels(ImageOps.exif_transpose(picture), name)


def require_pillow() -> None:
    """Raise `MissingExtraError` if Pillow is not installed."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Expected the package pillow to read pictures, found none; install it with: pip install 'gandetect[images]'"
        ) from error


def with_channels(pixels: NDArray[np.uint8], channels: int | None, name: str) -> NDArray[np.uint8]:
    """Return pictures of shape (..., channels) with the channels that are asked for, where nothing is lost by it.

    Raises
    ------
    InputError
        If there are colours and `channels` is 1.
    """
    if channels in (None, pixels.shape[-1]):
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    if (pixels == pixels[..., :1]).all():
        return pixels[..., :1]
    raise InputError(
        f"{name}: expected a grey picture, as those are that the model learns from, found colours; "
        "convert it to grey, or fit with pictures in colour."
    )


def _refuse_devices(path: str | os.PathLike[str]) -> None:
    """Refuse what opening could wait for without an end."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):  # opening says what is wrong
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{os.fspath(path)}: expected a picture file, found a device or a pipe; name a file.")


def _open_whole(file: BinaryIO, name: str) -> Image:
    """Open a picture, whose pixels are decoded only once its size is known to be bearable."""
    picture = _opened(file, name)
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{name}: expected a picture of at most {MAX_PIXELS:,} pixels, found {width:,} x {height:,}; scale it down."
        )
    if picture.format == "PNG":
        picture.verify()  # decoding alone does not miss a lost end
        file.seek(0)
        picture = _opened(file, name)
    picture.load()
    return picture


def _opened(file: BinaryIO, name: str) -> Image:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError as error:
        file.seek(0)
        found = "none of these" if file.read(1) else "an empty file"
        raise InputError(
            f"{name}: expected a PNG, JPEG, BMP, TIFF or WebP picture, found {found}; "
            "save it in one of these formats, or remove it."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            f"{name}: expected a picture of at most {MAX_PIXELS:,} pixels, found many more; scale it down."
        ) from error


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Turn whatever a hostile file makes a decoder raise into one sentence; its mere warnings are not shown."""
    from PIL import Image, ImageFile

    # Other packages allow truncated files for the whole process.
    allowed, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{name}: expected a whole picture, found a damaged or truncated file ({error}); get the file again."
            ) from error
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = allowed


def _pixels(picture: Image, name: str) -> NDArray[np.uint8]:
    """Turn a decoded picture of any kind into grey or RGB."""
    from PIL import ImageOps

    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I;16"):
        return (np.asarray(picture) >> 8).astype(np.uint8)[..., np.newaxis]
    grey = picture.mode in _GREY_MODES or (picture.mode in ("P", "PA") and _has_grey_palette(picture))
    if not grey and picture.mode not in (*_COLOUR_MODES, "P", "PA"):
        raise InputError(
            f"{name}: expected whole numbers of 8 or 16 bits, grey or in colour, found the pixel format "
            f"{picture.mode}; convert it to 8-bit grey or RGB."
        )
    if picture.has_transparency_data:
        picture = _on_white(picture)
    pixels = np.asarray(picture.convert("L" if grey else "RGB"))
    return pixels[..., np.newaxis] if grey else pixels


def _has_grey_palette(picture: Image) -> bool:
    colours = np.array(picture.getpalette("RGB")).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def _on_white(picture: Image) -> Image:
    from PIL import Image

    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture.convert("RGBA"))
    return paper

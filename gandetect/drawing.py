"""Pictures for people: heat maps over what they speak of, and contact sheets; Pillow does the drawing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gandetect.errors import InputError
from gandetect.readers.pictures import require_pillow

if TYPE_CHECKING:
    from PIL.Image import Image

TILE = 144
"""Height and width of a picture on a contact sheet, in pixels."""

_CAPTION = 18  # pixels of height
_GAP = 6
_PAPER, _INK = (255, 255, 255), (20, 20, 20)

# From hardly any heat to the most: colours of "inferno" in matplotlib (S. van der Walt, N. Smith, 2015; CC0), and how
# opaque they are.
_HEAT = ((87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
_OPACITY = (0.35, 0.65)
_DIMMED = 0.7  # else a bright picture would hide the brightest heat


def _spread(values: ArrayLike) -> NDArray[np.uint8]:
    """Return 256 values between the given ones, evenly spaced, for each column."""
    given = np.array(values, dtype=float)
    places = np.linspace(0, 1, len(given))
    columns = [np.interp(np.linspace(0, 1, 256), places, column) for column in given.reshape(len(given), -1).T]
    return np.stack(columns, axis=-1).round().astype(np.uint8)


_COLOURS = _spread(_HEAT)  # (256, 3)
_OPACITIES = _spread(255 * np.array(_OPACITY))[:, 0]


def resize_heatmap(heatmap: ArrayLike, height: int, width: int) -> NDArray[np.float32]:
    """Bring a heat map from the model's size to a picture's own.

    Parameters
    ----------
    heatmap : array-like of shape (model height, model width)
        The heat map.
    height, width : int
        The picture's size in pixels.

    Returns
    -------
    ndarray of float32 of shape (height, width)
        Interpolated linearly; averaged over what a smaller pixel covers.

    Raises
    ------
    InputError
        It is not one heat map, or there is no such size.
    MissingExtraError
        Pillow is not installed.
    """
    values = np.asarray(heatmap, dtype=np.float32)
    if values.ndim != 2 or not values.size or height < 1 or width < 1:
        raise InputError(
            "Expected one heat map of shape (height, width) and the size of its picture, found shape "
            f"{values.shape} and {height} x {width}; resize heat maps one by one."
        )
    require_pillow()
    from PIL import Image

    image = Image.fromarray(values)
    return np.array(image.resize((width, height), Image.Resampling.BILINEAR))


def draw_overlay(pixels: NDArray[np.uint8], heatmap: ArrayLike, threshold: float, hottest: float) -> NDArray[np.uint8]:
    """Draw a heat map over its picture.

    The scale is the same for every picture: on one without an anomaly nothing is drawn.

    Parameters
    ----------
    pixels : ndarray of uint8 of shape (height, width, 1 or 3)
        The picture.
    heatmap : array-like of shape (any height, any width)
        Its heat map.
    threshold : float
        Heat from which on something is drawn; a line runs around it.
    hottest : float
        Heat of the brightest colour, above `threshold`.

    Returns
    -------
    ndarray of uint8 of shape (height, width, 3)
        The picture in a somewhat darker grey, with the heat in colour.
    """
    from PIL import Image

    height, width, _ = pixels.shape
    heat = resize_heatmap(heatmap, height, width)
    hot = heat >= threshold
    levels = (255 * ((heat - threshold) / (hottest - threshold)).clip(0, 1)).round().astype(np.uint8)
    colours = Image.fromarray(levels)
    colours.putpalette(_COLOURS.tobytes())
    opacity = Image.fromarray(np.where(hot, _OPACITIES[levels], np.uint8(0)))
    drawn = np.array(Image.composite(colours.convert("RGB"), _dimmed(pixels), opacity))
    drawn[_edge(hot)] = _COLOURS[-1]
    return drawn


def fit_tile(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring a picture to the size of a tile on a contact sheet, its sides in proportion.

    Parameters
    ----------
    pixels : ndarray of uint8 of shape (height, width, 1 or 3)
        A picture of any size; where it is enlarged, its pixels stay visible as such.

    Returns
    -------
    ndarray of uint8 of shape (new height, new width, 3)
        The larger side is `TILE`.
    """
    from PIL import Image

    height, width, channels = pixels.shape
    scale = TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    return np.array(image.resize(size, how).convert("RGB"))


@dataclass(frozen=True)
class Cell:
    """A part of a contact sheet: pictures side by side under a caption.

    Parameters
    ----------
    caption : str
        One line; what does not fit is cut off.
    pictures : sequence of ndarray of uint8 of shape (height, width, 1 or 3)
        Of any sizes.
    """

    caption: str
    pictures: Sequence[NDArray[np.uint8]]


def draw_sheet(cells: Sequence[Cell], n_columns: int) -> NDArray[np.uint8]:
    """Draw a contact sheet.

    Parameters
    ----------
    cells : sequence of Cell
        At least one; from left to right, then downwards.
    n_columns : int
        Cells in a row.

    Returns
    -------
    ndarray of uint8 of shape (height, width, 3)
    """
    from PIL import Image

    width = max(len(cell.pictures) for cell in cells) * (TILE + _GAP) + _GAP
    height = TILE + _CAPTION + _GAP
    n_rows = -(-len(cells) // n_columns)
    sheet = Image.new("RGB", (min(n_columns, len(cells)) * width, n_rows * height + _GAP), _PAPER)
    for position, cell in enumerate(cells):
        row, column = divmod(position, n_columns)
        sheet.paste(_draw_cell(cell, width, height), (column * width, row * height))
    return np.array(sheet)


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG file of a picture of shape (height, width, 3)."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _draw_cell(cell: Cell, width: int, height: int) -> Image:
    from PIL import Image, ImageDraw

    drawn = Image.new("RGB", (width, height), _PAPER)
    ImageDraw.Draw(drawn).text((_GAP, _GAP), cell.caption, fill=_INK)
    for position, pixels in enumerate(cell.pictures):
        tile = Image.fromarray(fit_tile(pixels))
        left = _GAP + position * (TILE + _GAP) + (TILE - tile.width) // 2
        drawn.paste(tile, (left, _CAPTION + _GAP + (TILE - tile.height) // 2))
    return drawn


def _dimmed(pixels: NDArray[np.uint8]) -> Image:
    """Return a picture in a somewhat darker grey, as an image of three channels."""
    from PIL import Image

    grey = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("L")
    return grey.point([round(_DIMMED * value) for value in range(256)]).convert("RGB")


def _edge(hot: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the hot pixels next to one that is not."""
    around = np.pad(hot, 1, mode="edge")
    return hot & ~(around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:])

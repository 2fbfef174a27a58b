"""A sheet that shows how the training went: real pictures, what becomes of them, and what the generators draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gandetect import Scorer
from gandetect.drawing import Cell, as_png, draw_sheet
from gandetect.readers.images import ImageReader
from gandetect_cli.terminal import counted

Image = NDArray[np.uint8]

N_REAL = 8
"""Real pictures on the sheet."""


def draw_training_sheet(model: bytes, reader: ImageReader, imagined: Image) -> bytes:
    """Draw the sheet.

    Parameters
    ----------
    model : bytes
        The model file.
    reader : ImageReader
        What it was trained on; pictures from its first chunk are shown.
    imagined : ndarray of uint8 of shape (members, n_images, height, width, channels)
        What the generators drew.

    Returns
    -------
    bytes
        A PNG file.
    """
    images = next(iter(reader)).arrays
    chosen = np.unique(np.linspace(0, len(images) - 1, N_REAL).astype(int))
    real = [images[i] for i in chosen]
    scorer = Scorer(model)
    again = [scorer(picture[np.newaxis], ["reconstruction"])["reconstruction"][0] for picture in real]
    again = [picture.round().clip(0, 255).astype(np.uint8) for picture in again]
    cells = [Cell(f"{counted(len(real), 'picture')} learned from", real), Cell("reconstructed", again)]
    cells += [Cell(f"drawn by generator {number}", list(drawn)) for number, drawn in enumerate(imagined, 1)]
    return as_png(draw_sheet(cells, 1))

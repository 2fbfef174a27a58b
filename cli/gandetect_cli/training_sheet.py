"""A sheet that shows how the training went: real pictures, what becomes of them, and what the generators draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gandetect import Scorer
from gandetect.drawing import Cell, as_png, draw_sheet
from gandetect.image_schema import images_of
from gandetect_cli.terminal import counted

Image = NDArray[np.uint8]

N_REAL = 8
"""Real pictures on the sheet."""


def draw_training_sheet(model: bytes, real: Sequence[Image], folders: Sequence[str], imagined: Image) -> bytes:
    """Draw the sheet.

    Parameters
    ----------
    model : bytes
        The model file.
    real : sequence of ndarray of uint8 of shape (height, width, channels)
        Pictures that it was trained on, of any sizes.
    folders : sequence of str
        The folder of each.
    imagined : ndarray of uint8 of shape (members, n_images, height, width, channels)
        What the generators drew.

    Returns
    -------
    bytes
        A PNG file.
    """
    scorer = Scorer(model)
    schema = images_of(scorer.schema)
    each = [schema.raw(picture[np.newaxis], [folder]) for picture, folder in zip(real, folders, strict=True)]
    again = [scorer(one, ["reconstruction"])["reconstruction"][0] for one in each]
    again = [picture.round().clip(0, 255).astype(np.uint8) for picture in again]
    cells = [Cell(f"{counted(len(real), 'picture')} learned from", real), Cell("reconstructed", again)]
    cells += [Cell(f"drawn by generator {number}", list(drawn)) for number, drawn in enumerate(imagined, 1)]
    return as_png(draw_sheet(cells, 1))

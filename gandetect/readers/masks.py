"""Find and read the masks that say where a picture is anomalous, in the layout of MVTec AD."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError
from gandetect.readers.pictures import SUFFIXES, read_picture


def find_mask(path: Path) -> Path | None:
    """Return the mask of a picture ``test/KIND/NAME.png``, or None where there is none.

    It is ``ground_truth/KIND/NAME_mask.png``, or the same without ``_mask``, with any suffix of a picture.
    """
    kind = (path if path.parent.parent.name else path.absolute()).parent
    if kind.parent.name != "test":
        return None
    folder = kind.parent.with_name("ground_truth") / kind.name
    names = (f"{path.stem}{ending}{suffix}" for ending in ("_mask", "") for suffix in sorted(SUFFIXES))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_mask(path: Path, height: int, width: int) -> NDArray[np.bool_]:
    """Read a mask: anomalous where it is not black.

    Parameters
    ----------
    path : Path
        A picture.
    height, width : int
        Size that the mask must have, in pixels.

    Returns
    -------
    ndarray of bool of shape (height, width)

    Raises
    ------
    FileAccessError
        If the file cannot be opened.
    InputError
        If it is no picture, or of another size.
    """
    mask = read_picture(path).any(axis=2)
    if mask.shape != (height, width):
        raise InputError(
            f"{path}: expected a mask of {width:,} x {height:,} pixels like its picture, found "
            f"{mask.shape[1]:,} x {mask.shape[0]:,}; draw it anew or remove it."
        )
    return mask

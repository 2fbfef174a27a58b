"""Find and read the masks that say where a picture is anomalous, in the layouts of MVTec AD and MVTec LOCO AD [1]_.

.. [1] P. Bergmann, K. Batzner, M. Fauser, D. Sattlegger, C. Steger, "Beyond dents and scratches: logical constraints in
   unsupervised anomaly detection and localization", International Journal of Computer Vision 130, 2022.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError
from gandetect.readers.pictures import SUFFIXES, read_picture
from gandetect.readers.sources import list_images


def find_mask(path: Path) -> Path | None:
    """Return the mask of a picture ``test/KIND/NAME.png``, or None where there is none.

    It is ``ground_truth/KIND/NAME_mask.png``, or the same without ``_mask``, with any suffix of a picture; or else the
    folder ``ground_truth/KIND/NAME``, whose pictures are the mask together.
    """
    kind = (path if path.parent.parent.name else path.absolute()).parent
    if kind.parent.name != "test":
        return None
    folder = kind.parent.with_name("ground_truth") / kind.name
    names = (f"{path.stem}{ending}{suffix}" for ending in ("_mask", "") for suffix in sorted(SUFFIXES))
    whole = next((folder / name for name in names if os.path.isfile(folder / name)), None)
    return whole or (folder / path.stem if os.path.isdir(folder / path.stem) else None)


def read_mask(path: Path, height: int, width: int) -> NDArray[np.bool_]:
    """Read a mask: anomalous where it is not black, or where one of its pictures is not.

    Parameters
    ----------
    path : Path
        A picture, or a folder of pictures.
    height, width : int
        Size that the mask must have, in pixels.

    Returns
    -------
    ndarray of bool of shape (height, width)

    Raises
    ------
    FileAccessError
        If a file or the folder cannot be opened.
    InputError
        If one is no picture, or of another size, or the folder holds none.
    """
    if not os.path.isdir(path):
        return _read_part(path, height, width)
    parts = [entry.path for entry in list_images(path)]
    if not parts:
        raise InputError(f"{path}: expected the pictures of a mask, found none; draw them or remove the folder.")
    mask = np.zeros((height, width), dtype=np.bool_)
    for part in parts:
        mask |= _read_part(part, height, width)
    return mask


def _read_part(path: Path, height: int, width: int) -> NDArray[np.bool_]:
    mask = read_picture(path).any(axis=2)
    if mask.shape != (height, width):
        raise InputError(
            f"{path}: expected a mask of {width:,} x {height:,} pixels like its picture, found "
            f"{mask.shape[1]:,} x {mask.shape[0]:,}; draw it anew or remove it."
        )
    return mask

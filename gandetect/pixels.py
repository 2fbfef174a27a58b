"""How well heat maps find defects, against masks: pixel AUROC and AUPRO, in bounded memory.

Pixels are counted in bins of their scores, each one part in 4,096 wide: what falls into one bin counts as equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import label
from sklearn.metrics import auc

from gandetect.errors import InputError

FPR_LIMIT = 0.3
"""Largest false-positive rate that AUPRO looks at."""

# Of a single-precision number: its sign, its exponent and the first 12 bits behind the point.
_BITS = 21
_NEIGHBOURS = np.ones((3, 3), dtype=int)  # pixels that touch at a corner belong together


@dataclass(frozen=True)
class PixelEvaluation:
    """How heat maps compare with masks.

    Parameters
    ----------
    n_images, n_regions : int
        Pictures, and defects on them: connected regions of their masks.
    auroc : float
        Area under the receiver operating characteristic of all pixels.
    aupro : float
        Area under the per-region overlap, up to a false-positive rate of `FPR_LIMIT`, from 0 to 1 [1]_: every region
        counts alike, however large it is.

    References
    ----------
    .. [1] P. Bergmann, K. Batzner, M. Fauser, D. Sattlegger, C. Steger, "The MVTec Anomaly Detection Dataset",
       International Journal of Computer Vision 129 (2021), section 5.2.
    """

    n_images: int
    n_regions: int
    auroc: float
    aupro: float


class PixelEvaluator:
    """Compares heat maps with masks, picture by picture."""

    def __init__(self) -> None:
        self._n_images = 0
        self._n_regions = 0
        # By bin: normal pixels, anomalous pixels, and the shares of the regions that fell into it.
        self._normal, self._anomalous, self._overlap = np.zeros((3, 2**_BITS))

    def add(self, heatmap: ArrayLike, mask: ArrayLike) -> None:
        """Count one picture.

        Parameters
        ----------
        heatmap : array-like of shape (height, width)
            The higher, the more anomalous; at the mask's size, see `gandetect.resize_heatmap`.
        mask : array-like of bool of shape (height, width)
            Where the picture is anomalous; nowhere on a normal one.

        Raises
        ------
        InputError
            They are no arrays of numbers, differ in shape, or the heat map holds NaN.
        """
        try:
            scores, anomalous = np.asarray(heatmap, dtype=np.float32), np.asarray(mask, dtype=bool)
        except (TypeError, ValueError, OverflowError):
            raise InputError(
                "Expected a heat map and a mask as arrays of numbers, found others; pass two of one height and width."
            ) from None
        if scores.ndim != 2 or scores.shape != anomalous.shape:
            raise InputError(
                f"Expected a heat map and a mask of one height and width, found shapes {scores.shape} and "
                f"{anomalous.shape}; resize the heat map with gandetect.resize_heatmap."
            )
        if np.isnan(scores).any():
            raise InputError("Expected numbers in the heat map, found NaN; score the picture again.")
        bins = _bins(scores)
        regions, n_regions = label(anomalous, structure=_NEIGHBOURS)
        share = 1 / np.maximum(np.bincount(regions.ravel(), minlength=n_regions + 1), 1)
        np.add.at(self._normal, bins[~anomalous], 1)
        np.add.at(self._anomalous, bins[anomalous], 1)
        np.add.at(self._overlap, bins[anomalous], share[regions[anomalous]])
        self._n_images += 1
        self._n_regions += n_regions

    def result(self) -> PixelEvaluation:
        """Compare what was counted so far.

        Returns
        -------
        PixelEvaluation

        Raises
        ------
        InputError
            There are no normal pixels, or no anomalous ones.
        """
        if not self._normal.any() or not self._anomalous.any():
            raise InputError(
                "Expected both normal and anomalous pixels to compare with, found one kind only; "
                "add pictures with masks."
            )
        used = np.flatnonzero(self._normal + self._anomalous)[::-1]
        fpr, tpr, overlap = (_shares(counts[used]) for counts in (self._normal, self._anomalous, self._overlap))
        aupro = _area_up_to(fpr, overlap, FPR_LIMIT) / FPR_LIMIT
        return PixelEvaluation(self._n_images, self._n_regions, float(auc(fpr, tpr)), aupro)


def _bins(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return numbers from 0 to 2 ** _BITS - 1 in the order of the scores."""
    bits = (scores + np.float32(0)).view(np.uint32)  # the sum makes one zero of two
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(2**31))
    return ordered >> np.uint32(32 - _BITS)


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return which share of all is counted up to each place, from 0 to 1."""
    sums = np.cumsum(counts)
    return np.append(0.0, sums / sums[-1])


def _area_up_to(x: NDArray[np.float64], y: NDArray[np.float64], limit: float) -> float:
    """Return the area under a rising line from 0 to `limit`."""
    inside = x <= limit
    return float(auc(np.append(x[inside], limit), np.append(y[inside], np.interp(limit, x, y))))

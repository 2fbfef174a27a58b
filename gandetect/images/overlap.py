"""Tells how many training images show, at least in part, what another one shows.

Each member of an ensemble is judged by images that it never saw. Cuts of one photograph, frames of one film and the
same piece photographed twice are nearly seen all the same, so p-values promise too much for a piece that is new.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

COMPARED_SIDE = 128
"""Pixels per side of the images that are compared, or up to twice as many."""

MAX_COMPARED = 256
"""Images that are compared with one another, drawn at random if there are more."""

PEAK = 0.15
"""Correlation from which two images share a part: of two, 128 x 128, with nothing in common it is at most 0.07."""

STANDS_OUT = 3.0
"""How many times the upper quartile of an image's correlations a shared part exceeds: parts of one design, and pictures
that vary slowly, are as alike with many others."""


def overlapping_share(samples: Floats, seed: int) -> float:
    """Return the share of images that share a part with another one, 0 to 1; of many images, with one that was drawn.

    Parts are found wherever they lie, but not turned or enlarged, by phase correlation (Kuglin and Hines, 1975) of what
    differs from the mean of all images. Where every image overlaps most others, as frames of one scene do, none is
    counted: pictures of one design look the same.

    Parameters
    ----------
    samples : array of shape (n, channels, height, width)
        Training images.
    seed : int
        Draws those that are compared.
    """
    chosen = np.random.default_rng(seed).permutation(len(samples))[:MAX_COMPARED]
    correlations = _phase_correlations(_small(samples[chosen]))
    np.fill_diagonal(correlations, np.nan)
    usual = np.nanquantile(correlations, 0.75, axis=1)
    return float((np.nanmax(correlations, axis=1) > np.maximum(PEAK, STANDS_OUT * usual)).mean())


def _small(samples: Floats) -> NDArray[np.float64]:
    """Return grey images, (n, height, width), whose pixels are means of as many as leave enough of them."""
    n, _, *size = samples.shape
    (height, down), (width, right) = ((side // step, step) for side in size if (step := max(1, side // COMPARED_SIDE)))
    grey = samples.mean(1, dtype=np.float64)[:, : height * down, : width * right]
    small: NDArray[np.float64] = grey.reshape(n, height, down, width, right).mean((2, 4))
    return small


def _phase_correlations(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the highest value of each pair's phase correlation, (n, n): 1 for images that are the same but moved."""
    differing = images - images.mean(0)
    differing -= differing.mean((1, 2), keepdims=True)
    fading = np.outer(*(np.hanning(side + 2)[1:-1] for side in images.shape[1:]))
    spectra = np.fft.rfft2(differing * fading).astype(np.complex64)
    spectra /= np.maximum(np.abs(spectra), 1e-6)
    highest = np.ones((len(images), len(images)))
    for number, own in enumerate(spectra[:-1]):
        shared = np.fft.irfft2(spectra[number + 1 :] * own.conj(), images.shape[1:])
        highest[number, number + 1 :] = highest[number + 1 :, number] = shared.max((1, 2))
    return highest

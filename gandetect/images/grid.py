"""How features of normal images are spread: at each position of a grid, and in each folder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float32]

MAX_IMAGES = 1000
"""Images that a normal distribution is fitted on, at most, where all folders have at least `FOLDER_IMAGES`."""

FOLDER_IMAGES = 20
"""Images of each folder that are kept in any case, as far as it has so many."""

RIDGE = 0.02
"""Share of the features' mean variance that is added to the variance in every direction."""

COMMON = 0.1
"""Share of the common covariance in that of each block."""

PRIOR = 20
"""Images of all folders that count in how those of a folder are spread, beside its own."""

MAX_AXES = 32
"""Directions at most in which a folder's images are spread in a way of their own."""


def thinned(numbers: NDArray[np.int64], folders: NDArray[np.int64], n_sharing: int) -> NDArray[np.int64]:
    """Leave out so many images, evenly in each folder, that not too many are left.

    Parameters
    ----------
    numbers : array of shape (n_chosen,)
        Numbers of the images to choose from.
    folders : array of shape (n,)
        The folder of every image, chosen or not.
    n_sharing : int
        How many folders share `MAX_IMAGES`; 1 where each may keep as many of its own.

    Returns
    -------
    array of shape (n_kept,)
        In the same order.
    """
    most, own = max(FOLDER_IMAGES, MAX_IMAGES // n_sharing), folders[numbers]
    each = (np.flatnonzero(own == folder) for folder in np.unique(own))
    kept = np.sort(np.concatenate([places[:: -(-len(places) // most)] for places in each]))
    left: NDArray[np.int64] = numbers[kept]
    return left


def means_of(features: Floats, folders: NDArray[np.int64], n_folders: int) -> NDArray[np.float64]:
    """Return the mean in each folder, (folders, ...), of features of shape (n, ...)."""
    return np.stack([features[folders == own].mean(0, dtype=np.float64) for own in range(n_folders)])


def whitening_of(deviations: Floats, blocks: int) -> Floats:
    """Return what whitens deviations of shape (n, height, width, n_features), block by block.

    Free texture, too, is not the same at all positions once a network has seen it: the network pads its borders.

    Returns
    -------
    array of shape (blocks, blocks, n_features, n_features)
    """
    _, height, width, n_features = deviations.shape
    cut = deviations.reshape(-1, blocks, height // blocks, blocks, width // blocks, n_features)
    each = cut.transpose(1, 3, 0, 2, 4, 5).reshape(blocks, blocks, -1, n_features)
    with threadpool_limits(1):  # the last bits depend on the number of threads
        own = each.swapaxes(-1, -2) @ each / each.shape[2]  # (blocks, blocks, n_features, n_features)
        covariance = (1 - COMMON) * own + COMMON * own.mean((0, 1))
        ridge = RIDGE * max(np.trace(own.mean((0, 1))) / n_features, 1e-6) * np.eye(n_features)
        inverse = np.linalg.inv(np.linalg.cholesky(covariance.astype(np.float64) + ridge))
    return np.asarray(inverse.swapaxes(-1, -2), dtype=np.float32)


def own_axes_of(white: Floats, folders: NDArray[np.int64], n_folders: int) -> Floats:
    """Return the directions in which the images of each folder vary most, the longer the less they count there.

    ``white - white @ axes.T @ axes`` is as long as what the folder's own covariance whitens, but for a factor that all
    images of the folder have in common. That covariance leans on the one of all folders as on `PRIOR` images more, and
    beside these directions it is that one.

    Parameters
    ----------
    white : array of shape (n, n_features)
        Whitened deviations from the mean of each image's folder.
    folders : array of shape (n,)
        Numbers of the folders.
    n_folders : int
        How many there are.

    Returns
    -------
    array of shape (n_folders, n_axes, n_features)
        All zero where a folder has too few images for so many.
    """
    return np.stack([_axes_of(white[folders == own].astype(np.float64)) for own in range(n_folders)]).astype(np.float32)


def _axes_of(own: NDArray[np.float64]) -> NDArray[np.float64]:
    with threadpool_limits(1):  # the last bits depend on the number of threads
        squares, vectors = np.linalg.eigh(own.T @ own)
    squares, vectors = squares[-MAX_AXES:].clip(0), vectors[:, -MAX_AXES:]
    kept = np.sqrt(PRIOR / (squares + PRIOR))
    axes: NDArray[np.float64] = (np.sqrt(1 - kept) * vectors).T
    return axes

"""How features of normal images are spread at each position of a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float32]

MAX_IMAGES = 1000
"""Images that a normal distribution is fitted on, at most."""

RIDGE = 0.02
"""Share of the features' mean variance that is added to the variance in every direction."""

COMMON = 0.1
"""Share of the common covariance in that of each block."""


def thinned(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out so many, evenly, that not too many are left."""
    return numbers[:: -(-len(numbers) // MAX_IMAGES)]


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

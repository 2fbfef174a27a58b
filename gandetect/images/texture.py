"""What the texture of normal images is like: in which directions whole images vary, and how each part varies beside.

In these directions, principal components (H. Hotelling, 1933), light, sharpness and pose differ from image to image,
and kinds of normal images from one another. What an image shows in them is no news; what it shows beside them is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.texture import Texture, add_energies
from gandetect.images.ensemble import ImageRows
from gandetect.images.grid import means_of, thinned, whitening_of
from gandetect.scorer import open_session, run_in_chunks

Floats = NDArray[np.float32]

MAX_AXES, IMAGES_PER_AXIS = 64, 4
"""Directions at most, and images that each takes."""

BLOCKS = 8
"""Blocks per side of the grid of cells with a covariance of their own."""


def energies_of(pixels: Floats) -> Floats:
    """Return the energies of images, (n, n_filters, height, width)."""
    builder, shape = GraphBuilder(), pixels.shape[1:]
    energies = add_energies(builder, builder.input("pixels", np.float32, ["n", *shape]), shape)
    builder.output("energies", energies, np.float32, ["n", None, None, None])
    session = open_session(builder.build())
    return run_in_chunks(session, ["energies"], {"pixels": pixels}, chunk_size=64)["energies"]


def fit_texture(energies: Floats, rows: ImageRows, chosen: NDArray[np.int64]) -> Texture:
    """Fit it on the energies of the training images that are chosen by their numbers."""
    chosen = thinned(chosen, rows.folders, rows.n_folders)
    own, folders = energies[chosen], rows.folders[chosen]
    mean = means_of(own, folders, rows.n_folders).astype(np.float32)
    with threadpool_limits(1):  # the last bits depend on the number of threads
        deviations = (own - mean[folders]).reshape(len(own), -1)
        axes = _axes(deviations)
        left: Floats = np.subtract(deviations, (deviations @ axes.T) @ axes, dtype=np.float32).reshape(own.shape)
        whitening = whitening_of(np.moveaxis(left, 1, 3), BLOCKS)
    return Texture(mean, axes, whitening)


def _axes(deviations: Floats) -> Floats:
    """Return the directions of most variance, (n_axes, n_entries); where nothing varies they are shorter than one."""
    n_axes = max(1, min(MAX_AXES, len(deviations) // IMAGES_PER_AXIS))
    squares, vectors = np.linalg.eigh((deviations @ deviations.T).astype(np.float64))
    largest = squares[-n_axes:] + 1e-6 * max(squares.mean(), 1e-6)
    return np.asarray((vectors[:, -n_axes:] / np.sqrt(largest)).T, dtype=np.float32) @ deviations

"""Images that several tests share: grey digits, and a texture with and without a stain."""

from functools import cache

import numpy as np
from sklearn.datasets import load_digits

from gandetect.images.fitting import fit_images


def digits(*wanted):
    """Return scikit-learn's digits of some classes as uint8 images of 8 x 8 pixels."""
    images, classes = load_digits(return_X_y=True)
    chosen = images[np.isin(classes, wanted)].reshape(-1, 8, 8, 1)
    return np.round(chosen * (255 / 16)).astype(np.uint8)


def textures(n, stained=False, side=128, seed=0):
    """Return colour images of stripes and noise, with a bright square or without."""
    random = np.random.default_rng([seed, n, stained])
    stripes = 100 + 40 * np.sin(np.arange(side) / 3)[None, None, :, None]
    images = stripes + random.normal(0, 10, (n, side, side, 3))
    if stained:
        images[:, 40:60, 70:90] += 90
    return images.clip(0, 255).astype(np.uint8)


@cache
def fitted(detector):
    """Return a model file for images, trained for a moment."""
    if detector == "whole":
        return fit_images(digits(0), n_steps=40)
    return fit_images(textures(16), n_steps=12)

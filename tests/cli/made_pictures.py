"""Pictures for the model of `small_image_model`: middle grey, with squares that differ from it."""

import numpy as np
from PIL import Image
from small_image_model import MIDDLE


def put(path, pixels):
    """Write a picture, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def square(value, side=8):
    """A picture of 32 x 48 pixels with a square whose brightness differs from middle grey, and its mask."""
    pixels, mask = np.full((32, 48), MIDDLE, np.uint8), np.zeros((32, 48), np.uint8)
    pixels[8 : 8 + side, 24 : 24 + side] = MIDDLE + value
    mask[8 : 8 + side, 24 : 24 + side] = 255
    return pixels, mask

"""What a model for images takes, and how its manifest says so."""

import numpy as np
import pytest

from gandetect.errors import InputError
from gandetect.image_schema import IMAGE_INPUT, ImageSchema

GREY = ImageSchema(32, 32, 1)


def test_a_batch_of_any_size_passes_unchanged():
    images = np.zeros((3, 50, 70, 1), np.uint8)
    assert GREY.feeds(images)[IMAGE_INPUT] is images


def test_another_number_of_channels_is_refused():
    message = "Expected images with 1 channel, as the model was trained on, found 3; convert them first."
    with pytest.raises(InputError, match=f"^{message}$"):
        GREY.feeds(np.zeros((1, 8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 8, 8, 1), np.float32),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((2, 0, 8, 1), np.uint8),
        np.zeros((2, 8, 8), np.uint8),
        [np.zeros((8, 8, 1), np.uint8), np.zeros((9, 8, 1), np.uint8)],
    ],
)
def test_what_is_no_batch_of_images_is_refused(images):
    with pytest.raises(InputError, match=r"^Expected uint8 images of shape \(n, height, width, channels\), found "):
        GREY.feeds(images)


def test_large_images_go_through_in_small_chunks():
    small, large = (np.broadcast_to(np.uint8(0), (9, side, side, 1)) for side in (32, 4000))
    assert GREY.chunk_size({IMAGE_INPUT: small}) > 100
    assert GREY.chunk_size({IMAGE_INPUT: large}) == 2


@pytest.mark.parametrize("sizes", [(32, 32, 2), (4, 32, 1), (32, 2000, 3)])
def test_sizes_that_no_model_has_are_refused(sizes):
    with pytest.raises(ValueError, match=r"^no model has images of "):
        ImageSchema(*sizes)

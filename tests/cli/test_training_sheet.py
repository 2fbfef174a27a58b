"""The sheet of a training: a row of real pictures, one of their reconstructions, and one for every generator."""

import io

import numpy as np
from made_pictures import put, square
from PIL import Image
from small_image_model import image_model

from gandetect.readers.images import ImageReader
from gandetect_cli.training_sheet import draw_training_sheet


def test_every_row_shows_what_its_caption_says(tmp_path):
    for number in range(20):
        put(tmp_path / f"{number:02d}.png", square(5 * number, side=16)[0][:, 16:48])
    imagined = np.stack([np.full((8, 16, 16, 1), value, np.uint8) for value in (10, 200)])
    reader = ImageReader(tmp_path)
    sheet = np.asarray(Image.open(io.BytesIO(draw_training_sheet(image_model(), reader, imagined))))
    assert sheet.shape == (4 * 168 + 6, 8 * 150 + 6, 3)
    tiles = sheet[: 4 * 168].reshape(4, 168, -1, 3)[:, 24:, 6:]  # rows of tiles, of 144 pixels and a gap of 6
    inside = tiles[:, 72].reshape(4, 8, 150, 3)[:, :, 72, 0].astype(int)
    assert inside[0, 0] == 128
    assert inside[0, -1] == 128 + 5 * 19
    assert (np.diff(inside[0]) > 0).all()
    assert (np.abs(inside[1] - (inside[0] - 128)) <= 2).all()  # the small model "reconstructs" the distance to 128
    assert (inside[2] == 10).all()
    assert (inside[3] == 200).all()


def test_few_pictures_are_shown_once_each(tmp_path):
    for number in range(3):
        put(tmp_path / f"{number}.png", square(number)[0])
    imagined = np.zeros((1, 2, 16, 16, 1), np.uint8)
    sheet = Image.open(io.BytesIO(draw_training_sheet(image_model(), ImageReader(tmp_path), imagined)))
    assert sheet.size == (3 * 150 + 6, 3 * 168 + 6)

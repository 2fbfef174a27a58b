"""The sheet of a training: a row of real pictures, one of their reconstructions, and one for every generator."""

import io

import numpy as np
from made_pictures import square
from PIL import Image
from small_image_model import image_model

from gandetect_cli.training_sheet import draw_training_sheet


def test_every_row_shows_what_its_caption_says():
    real = [square(10 * number, side=16)[0][:, 16:48, np.newaxis] for number in range(8)]
    imagined = np.stack([np.full((8, 16, 16, 1), value, np.uint8) for value in (10, 200)])
    sheet = np.asarray(Image.open(io.BytesIO(draw_training_sheet(image_model(), real, [""] * 8, imagined))))
    assert sheet.shape == (4 * 168 + 6, 8 * 150 + 6, 3)
    tiles = sheet[: 4 * 168].reshape(4, 168, -1, 3)[:, 24:, 6:]  # rows of tiles, of 144 pixels and a gap of 6
    inside = tiles[:, 72].reshape(4, 8, 150, 3)[:, :, 72, 0].astype(int)
    assert inside[0].tolist() == [128 + 10 * number for number in range(8)]
    assert (np.abs(inside[1] - (inside[0] - 128)) <= 2).all()  # the small model "reconstructs" the distance to 128
    assert (inside[2] == 10).all()
    assert (inside[3] == 200).all()

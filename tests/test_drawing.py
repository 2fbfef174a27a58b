"""What is drawn is where the heat is, at the picture's own size, and nothing is drawn where there is none."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from gandetect import InputError, MissingExtraError
from gandetect.drawing import TILE, Cell, as_png, draw_overlay, draw_sheet, resize_heatmap

COLOUR = np.random.RandomState(0).randint(0, 256, (60, 90, 3)).astype(np.uint8)


def is_coloured(drawn):
    return (drawn.max(axis=2).astype(int) - drawn.min(axis=2)) > 10


def hot_corner(side=10):
    """A heat map that is hot in its lower right quarter."""
    heatmap = np.zeros((side, side))
    heatmap[side // 2 :, side // 2 :] = 5
    return heatmap


def test_a_heat_map_gets_the_pictures_size_and_keeps_its_place():
    resized = resize_heatmap(hot_corner(), 60, 90)
    assert (resized.shape, resized.dtype) == ((60, 90), np.float32)
    assert (resized[40:, 60:] == 5).all()
    assert (resized[:20] == 0).all()
    assert (resized[:, :30] == 0).all()
    assert 0 < resized[30, 60] < 5  # linear in between


def test_a_smaller_picture_averages_its_heat_map():
    heatmap = np.zeros((64, 64))
    heatmap[30, 30] = 64
    assert resize_heatmap(heatmap, 8, 8).sum() == pytest.approx(1, rel=0.2)


@pytest.mark.parametrize("heatmap", [np.zeros((1, 8, 8)), np.zeros(8), np.zeros((0, 8))])
def test_only_one_heat_map_at_a_time_is_resized(heatmap):
    with pytest.raises(InputError, match=r"^Expected one heat map .*, found shape .* and 8 x 8; resize"):
        resize_heatmap(heatmap, 8, 8)


def test_a_heat_map_gets_no_size_without_pixels():
    with pytest.raises(InputError, match=r"^Expected one heat map .* and 0 x 8; "):
        resize_heatmap(hot_corner(), 0, 8)


def test_without_pillow_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'gandetect\[images\]'"):
        resize_heatmap(hot_corner(), 8, 8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(60, 90), (8, 8), (300, 7), (1, 1)])
def test_an_overlay_has_the_pictures_size(shape, channels):
    drawn = draw_overlay(np.zeros((*shape, channels), np.uint8), hot_corner(), 1, 10)
    assert (drawn.shape, drawn.dtype) == ((*shape, 3), np.uint8)


def test_colour_is_where_the_heat_is_and_only_there():
    drawn = is_coloured(draw_overlay(COLOUR, hot_corner(), 3, 10))
    assert drawn[40:, 60:].all()
    assert not drawn[:25].any()
    assert not drawn[:, :40].any()


def test_below_the_threshold_nothing_is_drawn_on_a_grey_picture():
    grey = COLOUR[..., :1]
    drawn = draw_overlay(grey, hot_corner(), 5.1, 10)
    assert not is_coloured(drawn).any()
    assert np.abs(drawn - 0.7 * grey).max() <= 0.5 + 1e-9


def test_more_heat_is_brighter_and_heat_beyond_the_scale_is_as_the_hottest():
    black = np.zeros((20, 20, 1), np.uint8)
    inner = [draw_overlay(black, np.full((4, 4), heat), 1, 5)[10, 10].astype(int).sum() for heat in (1, 2, 3, 4, 5, 50)]
    assert inner[:5] == sorted(set(inner[:5]))
    assert inner[4] == inner[5]


def test_a_line_runs_around_the_heat():
    heatmap = np.zeros((60, 90))
    heatmap[20:40, 30:50] = 2
    drawn = draw_overlay(np.zeros((60, 90, 1), np.uint8), heatmap, 1, 10)
    inside = drawn[30, 40]
    assert (drawn[20, 30:50] == (252, 255, 164)).all()
    assert (drawn[20:40, 49] == (252, 255, 164)).all()
    assert not (inside == (252, 255, 164)).all()
    assert not drawn[19].any()


def tile(sheet, row, column, n_pictures=1):
    """The place of a cell's first picture, from the tile size and what the other parts of a sheet take."""
    width, height = n_pictures * (TILE + 6) + 6, TILE + 24
    return sheet[row * height + 24 :, column * width + 6 :][:TILE, :TILE]


def test_a_sheet_shows_every_picture_at_its_place():
    pictures = [np.full((30, 30, 3), (40 * i, 200 - 30 * i, 7), np.uint8) for i in range(5)]
    sheet = draw_sheet([Cell(f"picture {i}", [pixels]) for i, pixels in enumerate(pictures)], 3)
    for i, pixels in enumerate(pictures):
        assert (tile(sheet, i // 3, i % 3) == pixels[0, 0]).all()
    assert (tile(sheet, 1, 2) == 255).all()  # nothing there


def test_pictures_of_a_cell_stand_side_by_side_under_the_caption():
    black, white = np.zeros((9, 9, 1), np.uint8), np.full((9, 9, 3), 255, np.uint8)
    sheet = draw_sheet([Cell("a caption", [white, black])], 1)
    assert (tile(sheet, 0, 0, 2) == 255).all()
    assert (tile(sheet[:, TILE + 6 :], 0, 0, 2) == 0).all()
    assert (sheet[:20] < 100).any()  # ink
    blank = draw_sheet([Cell("", [white, black])], 1)
    assert (blank[:20] == 255).all()


def test_pictures_keep_their_proportions_on_a_sheet():
    wide = np.zeros((10, 40, 1), np.uint8)
    shown = tile(draw_sheet([Cell("", [wide])], 1), 0, 0)
    rows, columns = np.flatnonzero((shown == 0).any(axis=(1, 2))), np.flatnonzero((shown == 0).any(axis=(0, 2)))
    assert (len(columns), len(rows)) == (TILE, TILE // 4)
    assert abs(rows.mean() - (TILE - 1) / 2) <= 0.5


def test_enlarged_pixels_stay_visible_as_such():
    checkers = (np.indices((8, 8)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    assert set(np.unique(tile(draw_sheet([Cell("", [checkers])], 1), 0, 0))) == {0, 255}


def test_a_long_caption_or_one_in_other_letters_changes_no_size():
    pixels = np.zeros((9, 9, 1), np.uint8)
    shape = draw_sheet([Cell("", [pixels])], 1).shape
    assert draw_sheet([Cell("wide " * 100, [pixels])], 1).shape == shape
    assert draw_sheet([Cell("größe 名前 😀", [pixels])], 1).shape == shape


def test_a_png_holds_the_very_pixels():
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(as_png(COLOUR)))), COLOUR)

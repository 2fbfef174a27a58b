"""Each kind of picture becomes grey or RGB by one rule; what is no whole picture is refused in one sentence."""

import os
import re
import struct
import sys
import warnings
import zlib

import numpy as np
import pytest
from crafted_pictures import noise, png, replaced, saved, tiff
from PIL import Image, ImageFile

from gandetect.errors import FileAccessError, InputError, MissingExtraError
from gandetect.readers.pictures import read_picture

RGB = noise()
GREY = RGB[..., 0]
ALPHA = noise(seed=1)[..., 0]
DEEP = np.random.RandomState(2).randint(0, 2**16, (9, 12)).astype(np.uint16)
EXIF_TAG = 0x0112


def read(content, channels=None):
    """Read a picture from its bytes."""
    path = read.folder / "picture.png"  # the name says nothing: the content counts
    path.write_bytes(content)
    return read_picture(path, channels)


@pytest.fixture(autouse=True)
def folder(tmp_path):
    read.folder = tmp_path


def on_white(pixels, alpha):
    share = alpha[..., None].astype(float) / 255
    return share * pixels + (1 - share) * 255


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})],
)
def test_lossless_formats_give_the_very_pixels(kind, options):
    assert np.array_equal(read(saved(RGB, kind, **options)), RGB)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG"])
def test_grey_stays_one_channel(kind):
    pixels = read(saved(np.full((9, 12), 77, np.uint8), kind))
    assert pixels.shape == (9, 12, 1)
    assert (abs(pixels.astype(int) - 77) <= 1).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_give_about_the_same_pixels(kind):
    smooth = np.add.outer(np.arange(40), np.arange(50))[..., None].repeat(3, axis=2).astype(np.uint8) * 2
    pixels = read(saved(smooth, kind, quality=95))
    assert pixels.dtype == np.uint8
    assert abs(pixels.astype(float) - smooth).mean() < 3


def with_palette(colours):
    image = Image.fromarray(GREY % 4)
    image.putpalette(np.ravel(colours).tolist())
    return image


COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [10, 20, 30]], np.uint8)
GREYS = np.array([[0, 0, 0], [90, 90, 90], [200, 200, 200], [255, 255, 255]], np.uint8)


def test_a_palette_of_colours_becomes_rgb():
    assert np.array_equal(read(saved(with_palette(COLOURS))), COLOURS[GREY % 4])


def test_a_palette_of_greys_is_grey():
    assert np.array_equal(read(saved(with_palette(GREYS))), GREYS[GREY % 4][..., :1])


def test_black_and_white_is_grey():
    pixels = read(saved(Image.fromarray(GREY > 127)))
    assert np.array_equal(pixels[..., 0], np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_of_16_bits_the_high_byte_counts(kind):
    assert np.array_equal(read(saved(DEEP, kind))[..., 0], DEEP >> 8)


def test_of_16_bits_in_colour_the_high_byte_counts():
    values = np.random.RandomState(3).randint(0, 2**16, (5, 7, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    assert np.array_equal(read(png(7, 5, rows, bits=16, colour=2)), values >> 8)


def test_dark_pictures_of_16_bits_are_not_stretched():
    assert read(saved(DEEP // 16)).max() <= 15


def test_what_is_transparent_lies_on_white():
    pixels = read(saved(np.dstack([RGB, ALPHA])))
    assert pixels.shape == (9, 12, 3)
    assert abs(pixels - on_white(RGB, ALPHA)).max() <= 1


def test_transparent_grey_stays_grey():
    pixels = read(saved(np.dstack([GREY, ALPHA])))
    assert pixels.shape == (9, 12, 1)
    assert abs(pixels - on_white(GREY[..., None], ALPHA)).max() <= 1


def test_a_transparent_colour_of_a_palette_lies_on_white():
    pixels = read(saved(with_palette(COLOURS), transparency=1))
    assert (pixels[GREY % 4 == 1] == 255).all()
    assert np.array_equal(pixels[GREY % 4 == 3], COLOURS[GREY % 4][GREY % 4 == 3])


def test_cmyk_becomes_rgb():
    image = Image.new("CMYK", (12, 9), (0, 255, 255, 0))
    assert np.array_equal(read(saved(image, "TIFF")), np.broadcast_to(np.uint8([255, 0, 0]), (9, 12, 3)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_that_a_camera_noted_is_applied(kind, orientation):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 200  # the upper left quarter is bright
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: np.rot90(upright.swapaxes(0, 1), 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[EXIF_TAG] = orientation
    pixels = read(saved(np.ascontiguousarray(stored), kind, exif=exif))
    assert pixels.shape == upright.shape
    assert np.array_equal(pixels > 100, upright > 100)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_of_several_pages_the_first_counts(kind):
    others = [Image.fromarray(noise(seed=7))]
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(read(saved(RGB, kind, save_all=True, append_images=others, **options)), RGB)


def test_several_pictures_in_one_camera_file_give_the_first():
    pixels = read(
        saved(np.full((8, 8, 3), 9, np.uint8), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    )
    assert (abs(pixels.astype(int) - 9) <= 1).all()


def test_grey_fits_three_channels():
    assert np.array_equal(read(saved(GREY), channels=3), GREY[..., None].repeat(3, axis=2))


def test_colour_that_is_grey_in_fact_fits_one_channel():
    assert np.array_equal(read(saved(GREY[..., None].repeat(3, axis=2)), channels=1), GREY[..., None])


def test_colours_do_not_fit_one_channel():
    with pytest.raises(InputError) as caught:
        read(saved(RGB), channels=1)
    assert str(caught.value).endswith(
        "picture.png: expected a grey picture, as those are that the model learns from, found colours; "
        "convert it to grey, or fit with pictures in colour."
    )


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (40, 1, 3)])
def test_pictures_may_be_one_pixel_wide(shape):
    assert read(saved(noise(*shape))).shape == shape


WHOLE = saved(RGB)
DAMAGED = "expected a whole picture, found a damaged or truncated file ("
UNKNOWN = "expected a PNG, JPEG, BMP, TIFF or WebP picture, found none of these; save it in one of these formats"
TOO_LARGE = r"expected a picture of at most 67,108,864 pixels, found "
SIZE = struct.pack(">II", 12, 9)
WIDE_TAGS = [(256, 4, 1, 60000), (257, 4, 1, 60000), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1)]

HOSTILE = {
    "empty file": (b"", "expected a PNG, JPEG, BMP, TIFF or WebP picture, found an empty file; save it"),
    "text": (b"not a picture\n", UNKNOWN),
    "a web page": (b"<!doctype html><p>404", UNKNOWN),
    "vector graphics": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', UNKNOWN),
    "another format": (saved(RGB, "GIF"), UNKNOWN),
    "PostScript, which other readers would run": (saved(RGB, "EPS"), UNKNOWN),
    "an icon": (saved(RGB, "ICO"), UNKNOWN),
    "a zip archive": (b"PK\x03\x04" + b"\0" * 40, UNKNOWN),
    "zeros": (b"\0" * 200, UNKNOWN),
    "the signature alone": (WHOLE[:8], UNKNOWN),
    "the header alone": (WHOLE[:33], UNKNOWN),
    "half a PNG": (WHOLE[: len(WHOLE) // 2], DAMAGED),
    "a PNG without its end": (WHOLE[:-12], DAMAGED),
    "half a JPEG": (saved(RGB, "JPEG")[:-150], DAMAGED),
    "a JPEG without its end": (saved(RGB, "JPEG")[:-2], DAMAGED),
    "half a BMP": (saved(RGB, "BMP")[:200], DAMAGED),
    "half a TIFF": (saved(RGB, "TIFF")[:200], None),
    "half a packed TIFF": (saved(RGB, "TIFF", compression="tiff_lzw")[:-60], None),
    "half a WebP": (saved(RGB, "WEBP")[:-50], None),
    "a wrong checksum": (replaced(WHOLE, WHOLE[50:54], b"\0\1\2\3"), DAMAGED),
    "no pixels in it": (png(12, 9), DAMAGED),
    "no width": (png(0, 9), None),
    "no height": (png(12, 0), None),
    "an unknown kind of PNG": (png(12, 9, bits=3, colour=5), None),
    "a palette that is not there": (png(12, 9, b"\0" * 13 * 9, colour=3), None),
    "a bomb of 13,000 x 13,000": (png(13_000, 13_000), TOO_LARGE),
    "a bomb that Pillow refuses itself": (png(60_000, 60_000), TOO_LARGE + "many more"),
    "a bomb that Pillow lets pass": (png(9_000, 9_000), TOO_LARGE + "9,000 x 9,000; scale it down"),
    "a size near two to the thirty-first": (png(2**31 - 1, 2**31 - 1), None),
    "a PNG whose size was raised": (replaced(WHOLE, SIZE, struct.pack(">II", 8_000, 8_000)), UNKNOWN),
    "a bomb as TIFF": (tiff(WIDE_TAGS), TOO_LARGE),
    "a TIFF whose strips lie beyond the file": (tiff([(256, 4, 1, 9), (257, 4, 1, 9), *WIDE_TAGS[2:]]), None),
    "a TIFF whose directory is itself the next": (b"II*\0\x08\0\0\0\0\0\x08\0\0\0", None),
    "a bomb as BMP": (
        replaced(saved(RGB, "BMP"), struct.pack("<II", 12, 9), struct.pack("<II", 30_000, 30_000)),
        TOO_LARGE,
    ),
    "a bomb of compressed text": (
        png(1, 1, b"\0\0", more=[(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 10**8))]),
        None,
    ),
    "32 bits a value": (saved(DEEP.astype(np.int32), "TIFF"), "expected whole numbers of 8 or 16 bits"),
    "fractions": (saved(DEEP.astype(np.float32), "TIFF"), "expected whole numbers of 8 or 16 bits"),
}
"""Content and what is said of it after the name; None where the libraries' releases differ."""


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_and_broken_files_are_refused_in_one_sentence(case):
    content, sentence = HOSTILE[case]
    with pytest.raises(InputError) as caught:
        read(content)
    message = str(caught.value)
    assert message.startswith(f"{read.folder / 'picture.png'}: {sentence or 'expected a '}")
    assert "; " in message
    assert message.endswith(".")
    assert "\n" not in message
    assert "<_io" not in message  # no Python objects


def test_there_are_at_least_25_hostile_files():
    assert len(HOSTILE) >= 25


def test_a_bomb_takes_no_memory():
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for case in ("a bomb of 13,000 x 13,000", "a bomb that Pillow lets pass", "a bomb as TIFF", "a bomb as BMP"):
        with pytest.raises(InputError):
            read(HOSTILE[case][0])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes


FORMATS = {
    "PNG": WHOLE,
    "JPEG": saved(RGB, "JPEG"),
    "BMP": saved(noise(9, 12), "BMP"),
    "TIFF": saved(RGB, "TIFF"),
    "TIFF packed": saved(RGB, "TIFF", compression="tiff_lzw"),
    "WebP": saved(RGB, "WEBP"),
    "WebP lossless": saved(RGB, "WEBP", lossless=True),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_cut_anywhere_is_refused(kind):
    whole = FORMATS[kind]
    # The last four bytes of a PNG file are the checksum of nothing.
    end = len(whole) - 4 if kind == "PNG" else len(whole)
    for length in {*range(0, end, 7), *range(end - 20, end)}:
        with pytest.raises(InputError):
            read(whole[:length])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_with_a_byte_changed_is_read_or_refused_and_nothing_else(kind):
    whole = FORMATS[kind]
    for position in range(0, len(whole), 5):
        content = bytearray(whole)
        content[position] ^= 0x91
        try:
            pixels = read(bytes(content))
        except InputError as error:
            assert str(error).endswith(".")  # noqa: PT017
        else:
            assert pixels.dtype == np.uint8
            assert pixels.shape[2] in (1, 3)


def test_a_library_that_lets_truncated_files_pass_elsewhere_changes_nothing(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for kind in ("PNG", "JPEG"):
        with pytest.raises(InputError):
            read(FORMATS[kind][:-30])


def test_a_missing_file_a_folder_and_an_impossible_name_are_told_apart(tmp_path):
    for path, found in [
        (tmp_path / "none.png", "expected a file, found none; check the path."),
        (tmp_path, "expected a file, found a folder; name a file in it."),
        (tmp_path / "a\0b.png", "expected a file to read, found an error"),
        (tmp_path / ("x" * 5000), "expected a file to read, found an error"),
    ]:
        with pytest.raises(FileAccessError, match=re.escape(found)):
            read_picture(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="found a device or a pipe; name a file"):
        read_picture(tmp_path / "pipe.png")


def test_reading_shows_no_warning_and_leaves_the_filters_alone():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff"  # a directory that ends too early
        read(saved(RGB, "JPEG", exif=exif))
        before = list(warnings.filters)
        read(WHOLE)
        assert list(warnings.filters) == before


def test_without_pillow_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError) as caught:
        read(WHOLE)
    assert str(caught.value) == (
        "Expected the package pillow to read pictures, found none; install it with: pip install 'gandetect[images]'"
    )

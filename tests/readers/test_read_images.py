"""A source gives every picture that can be read, in order and in bounded chunks, and says of the others why not."""

import io
import os
import sys

import numpy as np
import pytest
from crafted_pictures import noise, png, saved

from gandetect.errors import FileAccessError, InputError, MissingExtraError
from gandetect.readers import images
from gandetect.readers.images import ImageReader
from gandetect.readers.sources import is_image_source


def put(path, content=None):
    """Write a picture, or other content, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(saved(noise(seed=len(path.name))) if content is None else content)
    return path


def names(reader):
    return [entry.name for chunk in reader for entry in chunk.entries]


def folders(reader):
    return [entry.folder for chunk in reader for entry in chunk.entries]


@pytest.fixture
def mvtec(tmp_path):
    for name in (
        *("train/good/000.png", "train/good/001.png"),
        *("test/good/000.png", "test/crack/000.png", "test/crack/001.png"),
        "ground_truth/crack/000_mask.png",
    ):
        put(tmp_path / "bottle" / name)
    put(tmp_path / "bottle/readme.txt", b"about it")
    return tmp_path / "bottle"


def test_a_folder_is_read_in_the_order_of_names_with_what_is_below(tmp_path):
    for name in ("b.png", "a.PNG", "c.jpeg", "below/d.webp", "below/deeper/a.tif", "a.bmp"):
        put(tmp_path / name)
    reader = ImageReader(tmp_path)
    assert names(reader) == ["a.PNG", "a.bmp", "b.png", "below/d.webp", "below/deeper/a.tif", "c.jpeg"]
    assert folders(reader) == ["", "", "", "below", "below/deeper", ""]
    assert len(reader) == 6
    assert reader.unreadable == {}


def test_pixels_belong_to_their_names(tmp_path):
    for number in range(5):
        put(tmp_path / f"{number}.png", saved(np.full((number + 1, 3), number, np.uint8)))
    for chunk in ImageReader(tmp_path):
        for entry, pixels in zip(chunk.entries, chunk.arrays, strict=True):
            assert pixels.shape == (int(entry.name[0]) + 1, 3, 1)
            assert (pixels == int(entry.name[0])).all()


def test_hidden_and_other_files_are_passed_over(tmp_path):
    for name in ("a.png", "._a.png", ".thumbnails/a.png", "notes.txt", "Thumbs.db"):
        put(tmp_path / name)
    reader = ImageReader(tmp_path)
    assert names(reader) == ["a.png"]
    assert reader.n_passed_over == 2


def test_the_layout_of_mvtec_has_two_parts(mvtec):
    train = ImageReader(mvtec, part="train")
    assert names(train) == ["train/good/000.png", "train/good/001.png"]
    assert folders(train) == ["good", "good"]
    test = ImageReader(mvtec, part="test")
    assert names(test) == ["test/crack/000.png", "test/crack/001.png", "test/good/000.png"]
    assert folders(test) == ["crack", "crack", "good"]


def test_what_cannot_be_looked_at_is_no_other_part_of_the_layout(mvtec):
    (mvtec / "notes").symlink_to(300 * "a")
    assert len(ImageReader(mvtec, part="train")) == 2


def test_a_folder_for_validation_is_a_part_of_the_layout(mvtec):
    put(mvtec / "validation/good/000.png")
    assert names(ImageReader(mvtec, part="train")) == ["train/good/000.png", "train/good/001.png"]
    assert len(ImageReader(mvtec, part="test")) == 3


def test_without_a_folder_of_good_ones_all_of_train_is_read(tmp_path):
    put(tmp_path / "train/a.png")
    assert names(ImageReader(tmp_path, part="train")) == ["train/a.png"]


def test_a_folder_of_products_in_that_layout_has_their_parts(mvtec):
    for name in ("train/good/7.png", "test/hole/8.png"):
        put(mvtec.parent / "cable" / name)
    put(mvtec.parent / "loose/9.png")
    reader = ImageReader(mvtec.parent, part="train")
    expected = ["bottle/train/good/000.png", "bottle/train/good/001.png", "cable/train/good/7.png", "loose/9.png"]
    assert names(reader) == expected
    assert [entry.product for chunk in reader for entry in chunk.entries] == ["bottle", "bottle", "cable", "loose"]
    test = ImageReader(mvtec.parent, part="test")
    assert names(test)[-2:] == ["cable/test/hole/8.png", "loose/9.png"]
    assert len(ImageReader(mvtec.parent)) == 9


def test_the_product_of_a_picture_without_a_folder_below_is_the_one_that_holds_it(tmp_path):
    put(tmp_path / "bottle/1.png")
    for source in (tmp_path / "bottle", [tmp_path / "bottle/1.png"], tmp_path / "bottle/1.png"):
        assert [entry.product for chunk in ImageReader(source) for entry in chunk.entries] == ["bottle"]


def test_pictures_of_products_that_are_refused_are_left_out_and_reported(tmp_path):
    for name in ("bottle/1.png", "bolt/2.png"):
        put(tmp_path / name)

    def require(product):
        if product != "bottle":
            raise InputError(f"Expected a bottle, found {product!r}.")

    reader = ImageReader(tmp_path, require_product=require)
    assert names(reader) == ["bottle/1.png"]
    assert reader.unreadable == {"bolt/2.png": "bolt/2.png: expected a bottle, found 'bolt'."}


@pytest.mark.parametrize("other", ["picture.png", "holidays/picture.png"])
def test_a_folder_called_test_among_other_pictures_is_no_layout(mvtec, other):
    put(mvtec / other)
    assert len(ImageReader(mvtec, part="test")) == 7


def test_a_part_that_is_not_there_leaves_the_whole_folder(tmp_path):
    put(tmp_path / "train/good/a.png")
    assert names(ImageReader(tmp_path, part="test")) == ["train/good/a.png"]


BROKEN = {
    "bomb.png": png(13_000, 13_000),
    "cut.jpg": saved(noise(40, 40), "JPEG")[:-400],
    "empty.png": b"",
    "text.png": b"hello\n",
}


def test_broken_files_are_reported_and_the_good_ones_read(tmp_path):
    for name, content in (BROKEN | {"good.png": None, "a good one.png": None}).items():
        put(tmp_path / name, content)
    (tmp_path / "gone.png").symlink_to("nowhere")
    put(tmp_path / "folder.png" / "inside.png")
    reader = ImageReader(tmp_path)
    assert names(reader) == ["a good one.png", "folder.png/inside.png", "good.png"]
    assert sorted(reader.unreadable) == sorted([*BROKEN, "gone.png"])
    for name, sentence in reader.unreadable.items():
        assert sentence.startswith(f"{tmp_path / name}: expected ")
        assert sentence.endswith(".")


def test_a_second_reading_gives_and_reports_the_same(tmp_path):
    for name, content in (BROKEN | {"good.png": None}).items():
        put(tmp_path / name, content)
    reader = ImageReader(tmp_path)
    first, problems = names(reader), dict(reader.unreadable)
    assert (names(reader), reader.unreadable) == (first, problems)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        ImageReader(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: expected pictures (PNG, JPEG, BMP, TIFF or WebP), found none among 0 files; "
        "name a folder that holds some."
    )


def test_a_folder_without_a_single_readable_picture_is_refused(tmp_path):
    for name, content in BROKEN.items():
        put(tmp_path / name, content)
    with pytest.raises(InputError) as caught:
        list(ImageReader(tmp_path))
    assert str(caught.value).startswith(
        f"{tmp_path}: expected at least one picture that can be read, found none among 4; here is what is wrong with "
        f"the first: {tmp_path / 'bomb.png'}: expected a picture of at most 67,108,864 pixels"
    )


def test_a_folder_that_cannot_be_looked_into_is_reported(tmp_path, monkeypatch):
    put(tmp_path / "a.png")
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    reader = ImageReader(tmp_path)
    assert names(reader) == ["a.png"]
    assert reader.unreadable == {
        str(tmp_path / "locked"): f"{tmp_path / 'locked'}: expected a folder to look into, "
        "found an error (Permission denied); check its permissions."
    }


def test_links_to_folders_are_not_followed_round_in_circles(tmp_path):
    put(tmp_path / "a.png")
    (tmp_path / "round").symlink_to(tmp_path)
    assert names(ImageReader(tmp_path)) == ["a.png"]


def test_a_name_that_is_no_text_is_shown_as_some(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.png"
    with open(path, "wb") as file:  # noqa: PTH123  (a Path takes no bytes)
        file.write(saved(noise()))
    (name,) = names(ImageReader(tmp_path))
    assert name == "\\xff.png"
    assert name.encode()


@pytest.mark.parametrize("kind", ["list", "stream", "file"])
def test_a_list_keeps_its_order_and_reports_what_is_missing(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "b.png")
    put(tmp_path / "a.data")  # in a list the content counts, not the name
    listed = ["b.png", "gone.png", str(tmp_path / "a.data"), "b.png", "."]
    text = "".join(f"{name}\r\n" for name in listed).encode() + b"\n"
    source = {"list": listed, "stream": io.BytesIO(text), "file": put(tmp_path / "list.txt", text)}[kind]
    reader = ImageReader(source)
    assert names(reader) == ["b.png", str(tmp_path / "a.data"), "b.png"]
    assert reader.unreadable == {
        "gone.png": "gone.png: expected a file, found none; check the path.",
        ".": ".: expected a file, found a folder; name a file in it.",
    }
    assert (
        reader.name == {"list": "the list of pictures", "stream": "<stdin>", "file": str(tmp_path / "list.txt")}[kind]
    )


def test_a_list_of_nothing_is_refused():
    with pytest.raises(InputError, match=r"^<stdin>: expected names of pictures"):
        ImageReader(io.BytesIO(b"\n"))
    with pytest.raises(InputError, match=r"^the list of pictures: expected pictures"):
        ImageReader([])


def test_one_picture_is_a_source(tmp_path):
    path = put(tmp_path / "a.png")
    assert names(ImageReader(path)) == [str(path)]


def test_an_array_is_a_source_without_pillow(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "require_pillow", lambda: pytest.fail("Pillow was asked for"))
    values = np.stack([noise(seed=seed) for seed in range(5)])
    np.save(tmp_path / "set.npy", values)
    reader = ImageReader(tmp_path / "set.npy")
    assert len(reader) == 5
    assert names(reader) == [f"set.npy[{number}]" for number in range(5)]
    assert np.array_equal([pixels for chunk in reader for pixels in chunk.arrays], values)


@pytest.mark.parametrize("stored", ["folder", "array"])
def test_pictures_of_other_channels_are_left_out_and_reported(tmp_path, stored):
    grey = noise()[..., :1].repeat(3, axis=2)
    if stored == "folder":
        put(tmp_path / "0.png", saved(noise()))
        put(tmp_path / "1.png", saved(grey))
        reader = ImageReader(tmp_path, channels=1)
    else:
        np.save(tmp_path / "set.npy", [noise(), grey])
        reader = ImageReader(tmp_path / "set.npy", channels=1)
    (chunk,) = reader
    assert [pixels.shape for pixels in chunk.arrays] == [(9, 12, 1)]
    ((name, sentence),) = reader.unreadable.items()
    assert "0" in name
    assert "expected a grey picture, as those are that the model learns from, found colours; " in sentence


def test_chunks_are_bounded_in_bytes_and_in_number(tmp_path):
    np.save(tmp_path / "set.npy", np.zeros((10, 9, 12), np.uint8))
    sizes = [len(chunk.arrays) for chunk in ImageReader(tmp_path / "set.npy", chunk_bytes=300)]
    assert sizes == [3, 3, 3, 1]
    assert [len(chunk.arrays) for chunk in ImageReader(tmp_path / "set.npy", chunk_images=4)] == [4, 4, 2]


def test_a_damaged_array_is_no_source_to_go_on_with(tmp_path):
    np.save(tmp_path / "set.npy", np.zeros((10, 9, 12), np.uint8))
    content = (tmp_path / "set.npy").read_bytes()
    (tmp_path / "set.npy").write_bytes(content[:-50])
    with pytest.raises(InputError, match="expected 10 pictures, found the end of the file after 9"):
        list(ImageReader(tmp_path / "set.npy"))


@pytest.mark.parametrize("name", ["none", "table.csv", "x" * 5000, "a\0b"])
def test_a_source_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(FileAccessError, match="expected a folder or a file of pictures, found none; check the path"):
        ImageReader(tmp_path / name)


@pytest.mark.parametrize("name", ["table.csv", "photo.heic"])
def test_something_else_is_no_source(tmp_path, name):
    put(tmp_path / name)
    with pytest.raises(InputError, match="expected a folder, a picture, an array"):
        ImageReader(tmp_path / name)


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(FileAccessError, match="expected a file, found none"):
        ImageReader(tmp_path / "none.txt")


def test_pictures_are_told_from_tables_by_name(tmp_path):
    for name, expected in {"a.png": True, "b.NPY": True, "c.csv": False, "-": False, "x" * 5000: False}.items():
        assert is_image_source(tmp_path / name) is expected
    assert is_image_source(tmp_path)
    for text, expected in {b"a.png\n": True, b"./b c.JPG\r\nx": True, b"a,b.png\n": False, b"\0": False}.items():
        assert is_image_source(put(tmp_path / "list.txt", text)) is expected


def test_without_pillow_a_folder_is_not_taken_for_broken(tmp_path, monkeypatch):
    put(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'gandetect\[images\]'"):
        ImageReader(tmp_path)

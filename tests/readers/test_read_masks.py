"""A mask is found where MVTec AD's layout has it, and read only where it fits its picture."""

from pathlib import Path

import numpy as np
import pytest
from crafted_pictures import saved

from gandetect.errors import InputError
from gandetect.readers.masks import find_mask, read_mask


@pytest.fixture
def put(tmp_path):
    def write(name, content=b""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("name", ["7_mask.png", "7.png", "7.bmp", "7_mask.tiff"])
def test_the_mask_stands_in_ground_truth_under_the_pictures_name(put, name):
    picture, mask = put("set/test/crack/7.jpg"), put(f"set/ground_truth/crack/{name}")
    assert find_mask(picture) == mask


def test_a_mask_may_be_a_folder_whose_pictures_are_it_together(put):
    one, other = np.zeros((2, 5, 8), np.uint8)
    one[0, 0], other[4, 7] = 255, 1
    picture = put("set/test/logical/7.png")
    mask = put("set/ground_truth/logical/7/000.png", saved(one)).parent
    put("set/ground_truth/logical/7/001.png", saved(other))
    assert find_mask(picture) == mask
    assert np.array_equal(read_mask(mask, 5, 8), one + other > 0)


def test_every_picture_of_a_mask_has_to_fit_and_one_has_to_be_there(put):
    with pytest.raises(InputError) as caught:
        read_mask(put("logical/7/notes.txt").parent, 5, 8)
    assert str(caught.value).endswith(
        "logical/7: expected the pictures of a mask, found none; draw them or remove the folder."
    )
    put("logical/7/000.png", saved(np.ones((5, 8), np.uint8)))
    folder = put("logical/7/001.png", saved(np.ones((8, 5), np.uint8))).parent
    with pytest.raises(InputError, match=r"001.png: expected a mask of 8 x 5 pixels like its picture, found 5 x 8"):
        read_mask(folder, 5, 8)


def test_a_folder_that_cannot_be_looked_into_holds_no_mask(put):
    picture = put("set/test/crack/7.jpg")
    put("set/ground_truth/hole/8.png").parent.with_name("crack").symlink_to(300 * "a")
    assert find_mask(picture) is None


def test_other_pictures_have_no_mask(put):
    picture = put("set/test/crack/7.jpg")
    for name in ("crack/8_mask.png", "hole/7_mask.png", "crack/7_mask.txt"):
        put(f"set/ground_truth/{name}")
    assert find_mask(picture) is None
    put("set/ground_truth/crack/7_mask.png")
    assert find_mask(put("set/train/crack/7.jpg")) is None


@pytest.mark.parametrize("name", ["/7.png", "/test/7.png", "7.png"])
def test_a_picture_in_hardly_any_folder_has_no_mask(name, monkeypatch):
    monkeypatch.chdir("/")
    assert find_mask(Path(name)) is None


def test_a_relative_path_finds_its_mask_from_any_folder(put, monkeypatch, tmp_path):
    put("set/test/crack/7.jpg")
    mask = put("set/ground_truth/crack/7_mask.png")
    monkeypatch.chdir(tmp_path / "set" / "test")
    assert find_mask((tmp_path / "set/test/crack/7.jpg").relative_to(tmp_path / "set/test")) == mask


@pytest.mark.parametrize("values", [(0, 255), (0, 1)])
def test_what_is_not_black_is_anomalous(put, values):
    drawn = np.random.RandomState(0).randint(0, 2, (5, 8)).astype(bool)
    path = put("mask.png", saved(np.where(drawn, values[1], values[0]).astype(np.uint8)))
    assert np.array_equal(read_mask(path, 5, 8), drawn)


def test_a_mask_of_another_size_is_refused(put):
    path = put("mask.png", saved(np.zeros((5, 8), np.uint8)))
    with pytest.raises(InputError) as caught:
        read_mask(path, 8, 5)
    assert str(caught.value) == (
        f"{path}: expected a mask of 5 x 8 pixels like its picture, found 8 x 5; draw it anew or remove it."
    )

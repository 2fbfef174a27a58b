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

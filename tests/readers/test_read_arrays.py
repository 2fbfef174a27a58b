"""An array file gives its pictures one after the other, or one sentence says why not."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from crafted_pictures import noise

from gandetect.errors import FileAccessError, InputError
from gandetect.readers import arrays
from gandetect.readers.arrays import as_bytes, find_array
from gandetect.readers.files import open_file
from gandetect.readers.images import ImageReader

IMAGES = np.stack([noise(seed=seed) for seed in range(5)])


def written(values, **options):
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


def read(path):
    return np.stack([as_bytes(values) for values in find_array(path).read()])


@pytest.fixture
def failure(tmp_path):
    def read_content(content, suffix=".npy"):
        path = tmp_path / f"pictures{suffix}"
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: expected ")
        assert message.endswith(".")
        return message.removeprefix(f"{path}: ")

    return read_content


@pytest.mark.parametrize("suffix", ["npy", "npz", "packed.npz", "NPY"])
def test_bytes_come_back_as_they_are(tmp_path, suffix):
    path = tmp_path / f"pictures.{suffix}"
    if suffix == "npz":
        np.savez(path, digits=IMAGES, labels=np.arange(5))
    elif suffix == "packed.npz":
        np.savez_compressed(path, IMAGES)
    else:
        path.write_bytes(written(IMAGES))
    assert np.array_equal(read(path), IMAGES)


def test_grey_pictures_need_no_axis_of_channels(tmp_path):
    np.save(tmp_path / "grey.npy", IMAGES[..., 0])
    assert np.array_equal(read(tmp_path / "grey.npy"), IMAGES[..., :1])


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_of_16_bits_the_high_byte_counts(tmp_path, order):
    values = (np.arange(5 * 9 * 12).reshape(5, 9, 12) * 97).astype(order)
    np.save(tmp_path / "deep.npy", values)
    assert np.array_equal(read(tmp_path / "deep.npy")[..., 0], values // 256)


def test_yes_and_no_are_white_and_black(tmp_path):
    np.save(tmp_path / "mask.npy", IMAGES[..., 0] > 127)
    assert np.array_equal(read(tmp_path / "mask.npy")[..., 0], np.where(IMAGES[..., 0] > 127, 255, 0))


def test_of_several_arrays_the_one_named_images_counts(tmp_path):
    np.savez(tmp_path / "set.npz", images=IMAGES, masks=IMAGES[..., 0] > 0)
    assert np.array_equal(read(tmp_path / "set.npz"), IMAGES)


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint32, np.float16, np.float64, ">f4"])
def test_whole_numbers_of_any_type_are_bytes(tmp_path, dtype):
    np.save(tmp_path / "numbers.npy", IMAGES.astype(dtype))
    assert np.array_equal(read(tmp_path / "numbers.npy"), IMAGES)


def test_fractions_count_only_where_there_are_no_integers(tmp_path):
    np.savez(tmp_path / "set.npz", pictures=IMAGES, maps=IMAGES / 255)
    assert np.array_equal(read(tmp_path / "set.npz"), IMAGES)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (0.5, "expected whole numbers as pixel values, found fractions; scale to 0 to 255 and round."),
        (256, "expected pixel values from 0 to 255, or of the type uint16, found float64 from 0 to 256; scale them."),
        (-1, "expected pixel values from 0 to 255, or of the type uint16, found float64 from -1 to 0; scale them."),
        (np.nan, "expected pixel values from 0 to 255, or of the type uint16, found float64 from nan to nan; scale "),
    ],
)
def test_a_picture_of_other_numbers_is_named_and_the_others_are_read(tmp_path, changed, sentence):
    values = np.zeros((3, 9, 12))
    values[1, 4, 5] = changed
    np.save(tmp_path / "numbers.npy", values)
    reader = ImageReader(tmp_path / "numbers.npy")
    assert [entry.name for chunk in reader for entry in chunk.entries] == ["numbers.npy[0]", "numbers.npy[2]"]
    assert reader.unreadable["numbers.npy[1]"].startswith(f"numbers.npy[1]: {sentence}")


def test_bytes_that_are_stored_in_16_bits_are_not_taken_for_black():
    assert not as_bytes(np.zeros((4, 5), np.uint16)).any()
    with pytest.raises(InputError, match=r"^Expected 16-bit pixel values up to 65,535, .*, found none above 255; "):
        as_bytes(IMAGES.astype(np.uint16))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (IMAGES.astype(complex), "complex128 of shape (5, 9, 12, 3)"),
        (IMAGES.astype(np.longdouble), f"{np.dtype(np.longdouble)} of shape (5, 9, 12, 3)"),
        (IMAGES[0, 0], "uint8 of shape (12, 3)"),
        (IMAGES[0], "uint8 of shape (9, 12, 3), which one picture has (values[None] is an array of it)"),
        (IMAGES[0, :, :, :1], "uint8 of shape (9, 12, 1), which one picture has (values[None] is an array of it)"),
        (np.zeros((5, 9, 12, 4), np.uint8), "uint8 of shape (5, 9, 12, 4)"),
        (np.asfortranarray(IMAGES), "an array in Fortran's order"),
        (IMAGES[:0], "0 pictures of 9 x 12 pixels"),
        (IMAGES[:, :0], "5 pictures of 0 x 12 pixels"),
    ],
)
def test_an_array_of_anything_else_is_refused(failure, values, found):
    sentence = failure(written(values))
    assert sentence == (
        "expected pictures as numbers of shape (n, height, width) or (n, height, width, 1 or 3), "
        f"found {found}; write them to a file of their own with numpy.save."
    )


def test_several_arrays_are_not_chosen_from(failure):
    file = io.BytesIO()
    np.savez(file, X_train=IMAGES, X_test=IMAGES)
    assert failure(file.getvalue(), ".npz") == (
        "expected one array of pictures, or one named 'images', found 'X_train', 'X_test'; "
        "write them to a file of their own with numpy.save."
    )


def test_an_archive_without_pictures_says_what_it_holds(failure):
    file = io.BytesIO()
    np.savez(file, x=IMAGES[0, 0])
    assert "found 'x' (uint8 of shape (12, 3));" in failure(file.getvalue(), ".npz")
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()
    assert "found none;" in failure(file.getvalue(), ".npz")


def test_an_archive_of_thousands_of_arrays_is_opened_once_and_the_first_are_named(failure, monkeypatch):
    opened = []
    monkeypatch.setattr(arrays, "open_file", lambda path: opened.append(path) or open_file(path))
    file = io.BytesIO()
    np.savez(file, *np.zeros((1000, 2, 2), np.uint8))
    sentence = failure(file.getvalue(), ".npz")
    assert "'arr_6' (uint8 of shape (2, 2)), 'arr_7' (uint8 of shape (2, 2)), ... (1000 in all);" in sentence
    assert len(opened) == 1


class Harmful:
    def __reduce__(self):
        return pytest.fail, ("an object was unpickled",)


def test_nothing_is_ever_unpickled(failure):
    objects = np.array([Harmful()], dtype=object)
    assert "found object of shape (1,)" in failure(written(objects, allow_pickle=True))
    assert "damaged" in failure(pickle.dumps(Harmful()))


@pytest.mark.parametrize("length", [0, 5, 60, 128, 129, 500, -1])
def test_a_file_that_is_cut_is_refused(failure, length):
    assert "get the file again" in failure(written(IMAGES)[:length])
    file = io.BytesIO()
    np.savez_compressed(file, IMAGES)
    assert "get the file again" in failure(file.getvalue()[:length], ".npz")


def test_a_changed_byte_in_an_archive_is_found(failure):
    file = io.BytesIO()
    np.savez(file, IMAGES)
    content = bytearray(file.getvalue())
    content[-400] ^= 1  # among the pixels of the last picture
    assert "Bad CRC-32" in failure(bytes(content), ".npz")


def header(shape):
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("shape", [(5, 10**9, 10**9), (5, 2**63, 2**63, 3), (5, -1, 9), (-5, 9, 9)])
def test_a_header_that_promises_too_much_takes_no_memory(failure, shape):
    assert "pixels; write them" in failure(header(shape))


def test_pictures_are_promised_that_are_not_there(failure):
    assert "expected 1000000000000 pictures, found the end of the file after 1;" in failure(
        header((10**12, 9, 12)) + b"\0" * 200
    )


def test_a_header_with_code_is_refused(failure):
    assert "damaged" in failure(header("__import__('os').getpid()"))


def test_a_missing_file_is_named(tmp_path):
    for suffix in ("npy", "npz"):
        with pytest.raises(FileAccessError, match="expected a file, found none"):
            find_array(tmp_path / f"none.{suffix}")

"""The sample pictures that ship with the repository."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

DATA = Path(__file__).parents[1] / "data"
SAMPLES = ("digit_pictures", "surfaces")
DEFECTS = ("blob", "scratch", "stain")
SIZE = {"digit_pictures": (8, 8), "surfaces": (128, 128, 3)}


def files(root):
    """Return the pictures of the samples below a folder, by their path in it."""
    return sorted(p.relative_to(root) for sample in SAMPLES for p in (root / sample).rglob("*.*"))


def pixels(path):
    return np.asarray(Image.open(path)).astype(int)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    subprocess.run([sys.executable, DATA / "make_pictures.py", folder], check=True)
    return folder


def test_script_writes_every_picture_and_nothing_else(written):
    assert files(written) == files(DATA)


def test_script_writes_the_committed_pixels(written):
    for name in files(DATA):
        difference = np.abs(pixels(written / name) - pixels(DATA / name))
        # Releases of the JPEG library round differently.
        assert difference.max() <= (8 if name.suffix == ".jpg" else 0), name


def test_pictures_are_small():
    sizes = [(DATA / name).stat().st_size for name in files(DATA)]
    assert max(sizes) < 20_000
    assert sum(sizes) < 1_200_000


@pytest.mark.parametrize("sample", SAMPLES)
def test_readme_counts_the_pictures(sample):
    names = [name.parts[1:3] for name in files(DATA) if name.parts[0] == sample]
    n_train, n_good = names.count(("train", "good")), names.count(("test", "good"))
    n_new = sum(part == "test" for part, _ in names)
    row = f"| `{sample}` | {n_train} | {n_good} | {n_new - n_good} | "
    assert row in (DATA / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_picture_is_there_twice_and_all_have_one_size(sample):
    found = [pixels(DATA / n) for n in files(DATA) if n.parts[0] == sample and n.parts[1] != "ground_truth"]
    assert {picture.shape for picture in found} == {SIZE[sample]}
    assert len({picture.tobytes() for picture in found}) == len(found)


def test_digits_are_in_the_folders_of_their_names():
    digits = load_digits()
    label = {image.tobytes(): target for image, target in zip(digits.images.astype(int), digits.target, strict=True)}
    for name in files(DATA):
        if name.parts[0] == "digit_pictures":
            values = (pixels(DATA / name) * 16 / 255).round().astype(int)
            assert label[values.tobytes()] == int(name.parts[2].replace("good", "3"))


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_mask_covers_what_its_defect_changed(kind):
    normal = np.concatenate([pixels(p) for p in sorted((DATA / "surfaces" / "train" / "good").iterdir())])
    masks = sorted((DATA / "surfaces" / "ground_truth" / kind).iterdir())
    assert len(masks) == 8
    for path in masks:
        mask = pixels(path)
        assert set(np.unique(mask)) == {0, 255}
        assert 20 < (mask > 0).sum() < 4000
        picture = pixels(DATA / "surfaces" / "test" / kind / f"{path.name[:3]}.jpg")
        distance = np.abs(picture - normal.mean(axis=(0, 1))).mean(axis=2)
        assert distance[mask > 0].mean() > 1.15 * distance[mask == 0].mean(), path

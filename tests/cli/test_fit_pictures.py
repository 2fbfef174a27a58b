"""``gandetect fit FOLDER``: pictures in, a model file out that the other commands take."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from made_backbones import backbone_file, few_altered
from made_pictures import put
from PIL import Image

from gandetect import read_model

DIGITS = Path(__file__).parents[2] / "data" / "digit_pictures"
STEPS = ("--steps", 3)
FOR_TABLES = {
    "--label-column": "a",
    "--known-anomalies": "a=b",
    "--kind": "a=number",
    "--drop": "a",
    "--columns": "a",
    "--delimiter": ",",
    "--decimal": ".",
    "--on-error": "skip",
    "--max-rows": 9,
}


@pytest.fixture
def photos(tmp_path):
    """Return a folder with a few normal digits."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in sorted((DIGITS / "train" / "good").iterdir())[:24]:
        shutil.copy(path, folder)
    return folder


def test_a_folder_becomes_a_model_that_every_command_takes(cli):
    fitted = cli("fit", DIGITS, *STEPS)
    assert fitted.code == 0
    assert f"{DIGITS}: learning from " in fitted.err
    assert " pictures judged by the whole detector at 32 x 32 pixels\n" in fitted.err
    assert "next: gandetect score NEW_FOLDER\n" in fitted.err
    scored = cli("score", DIGITS)
    rows = list(csv.DictReader(io.StringIO(scored.out)))
    assert list(rows[0]) == ["image", "anomaly_score", "p_value", "is_anomaly"]
    assert len(rows) == len(list((DIGITS / "test").rglob("*.png")))
    assert cli("verify").out.startswith("OK: gandetect.onnx: ")
    assert "32" in cli("inspect").out
    assert json.loads(cli("evaluate", DIGITS, "--json").out)["auroc"] > 0.7


def test_a_warning_tells_of_pieces_that_were_photographed_twice(cli, tmp_path):
    for number in range(8):
        piece = np.random.default_rng(number).integers(0, 256, (150, 150), dtype=np.uint8)
        put(tmp_path / "pieces" / f"{number}.png", piece[:140, :140])
        put(tmp_path / "pieces" / f"{number}_moved.png", piece[10:, 10:])
    result = cli("fit", tmp_path / "pieces", *STEPS, "--json")
    sentence = (
        "100 % of the pictures show, at least in part, what another one shows, so normal pictures of other pieces"
    )
    assert f"warning: {sentence}" in result.err
    summary = json.loads(result.out)
    assert any(warning.startswith(sentence) for warning in summary["warnings"])
    assert summary["training"]["overlapping_share"] == 1
    assert "  overlapping_share: 1\n" in cli("inspect").out


@pytest.mark.parametrize(("n_levels", "warned"), [(2, True), (200, False)])
def test_a_warning_tells_of_16_bits_of_which_little_is_left(cli, tmp_path, n_levels, warned):
    values = np.random.default_rng(0).integers(29_000, 29_000 + 256 * n_levels, (20, 16, 16)).astype(np.uint16)
    values[:, 0, 0] = np.arange(20) % 2 * 65_535  # one pixel is broken
    for number, picture in enumerate(np.pad(values, ((0, 0), (0, 32), (0, 32)), mode="reflect")):
        put(tmp_path / "thermal" / f"{number}.png", picture)
    result = cli("fit", "thermal", *STEPS, "--json")
    sentence = "nearly all pixels of the pictures have values from 113 to 115, of 0 to 255, so little can be learned; "
    assert (f"warning: {sentence}" in result.err) is warned
    assert any(warning.startswith(sentence) for warning in json.loads(result.out)["warnings"]) is warned


def test_black_and_white_is_no_lack_of_contrast(cli, tmp_path):
    np.save(tmp_path / "ink.npy", np.random.default_rng(0).random((20, 16, 16)) < 0.01)
    assert "nearly all pixels" not in cli("fit", "ink.npy", *STEPS).err


def test_a_broken_picture_is_named_and_the_others_are_learned_from(cli, photos):
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (photos / "text.png").write_text("no picture")
    result = cli("fit", photos, *STEPS, "--json")
    assert result.code == 0
    assert "2 pictures could not be read and left out\n" in result.err
    summary = json.loads(result.out)
    assert summary["pictures"]["learned"] == 24
    assert sorted(summary["pictures"]["unreadable"]) == ["broken.png", "text.png"]
    assert summary["image"] == {"height": 32, "width": 32, "channels": 1}


def test_an_array_file_is_learned_from(cli, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    assert cli("fit", "images.npy", *STEPS, "-o", "m.onnx").code == 0
    assert read_model(tmp_path / "m.onnx")[1]["image"]["channels"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(
            ((name, value), f"Expected no {name} with a model for pictures, found one; leave it out: it is for tables.")
            for name, value in FOR_TABLES.items()
        ),
        (("--detector", "both"), "Invalid value for '--detector': 'both' is not one of 'auto', 'whole', 'patch'"),
        (("--effort", "huge"), "Invalid value for '--effort': 'huge' is not one of 'low', 'default', 'high'"),
    ],
)
def test_options_that_do_not_fit_are_refused(cli, photos, arguments, message):
    result = cli("fit", photos, *arguments)
    assert result.code == 2
    assert message in result.err
    assert not list(photos.parent.glob("*.onnx"))


def test_a_detector_is_for_pictures_only(cli, tmp_path, numbers):
    (tmp_path / "table.csv").write_text(numbers)
    result = cli("fit", "table.csv", "--detector", "whole")
    assert result.code == 2
    assert "Expected no --detector with a model for tables, found one; leave it out: it is for pictures." in result.err


def test_a_backbone_is_for_pictures_only(cli, tmp_path, numbers):
    (tmp_path / "table.csv").write_text(numbers)
    result = cli("fit", "table.csv", "--backbone", "resnet18")
    assert result.code == 2
    assert "Expected no --backbone with a model for tables, found one; leave it out: it is for pictures." in result.err


def test_a_backbone_becomes_a_part_of_the_model_and_is_named(cli, photos, tmp_path):
    with few_altered():
        result = cli("fit", photos, "--backbone", backbone_file(tmp_path / "b.onnx"), *STEPS, "--sheet", "s.png")
    assert result.code == 0
    assert "24 pictures judged by the maps detector on those of sha256:" in result.err
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.size[0] > 128
    name = read_model(tmp_path / "gandetect.onnx")[1]["backbone"]["name"]
    assert f"backbone\n  mean: [0.0, 0.0, 0.0]\n  name: {name}\n" in cli("inspect").out
    assert cli("verify").code == 0
    (tmp_path / "b.onnx").unlink()
    assert cli("score", photos).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--backbone", "no.onnx"), 4, "Cannot read the backbone 'no.onnx': No such file or directory; "),
        (
            ("--backbone", "text.onnx"),
            2,
            "found no ONNX in 'text.onnx'; export the backbone again, or name another one.",
        ),
        (
            ("--backbone", "text.onnx", "--detector", "whole"),
            2,
            "Expected the detector 'patch' or 'auto' with a backbone",
        ),
    ],
)
def test_a_backbone_that_is_none_is_one_sentence(cli, photos, tmp_path, arguments, code, message):
    (tmp_path / "text.onnx").write_text("no network")
    result = cli("fit", photos, *arguments)
    assert result.code == code
    assert message in result.err
    assert "Traceback" not in result.err


def test_without_timm_the_command_that_installs_it_is_named(cli, photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    result = cli("fit", photos, "--backbone", "resnet18")
    assert result.code == 2
    assert "; pip install 'gandetect[backbone]', or name an ONNX file.\n" in result.err


def test_one_picture_is_too_few(cli, photos):
    for path in list(photos.iterdir())[1:]:
        path.unlink()
    result = cli("fit", photos)
    assert result.code == 2
    assert result.err.endswith("Expected at least 8 images to fit, found 1; add normal images.\n")


def test_where_pictures_are_too_few_the_broken_ones_are_named(cli, photos):
    for path in list(photos.iterdir())[1:]:
        path.write_text("no picture")
    result = cli("fit", photos)
    assert result.code == 2
    assert "could not be read and left out" in result.err
    assert "Expected at least 8 images to fit, found 1; add normal images.\n" in result.err


def test_an_empty_folder_is_one_sentence(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    result = cli("fit", "empty")
    assert result.code == 2
    assert "expected pictures (PNG, JPEG, BMP, TIFF or WebP), found none" in result.err


def test_an_empty_folder_is_told_before_anything_heavy_is_loaded(start, tmp_path, not_installed):
    (tmp_path / "empty").mkdir()
    process = start("fit", "empty", code=not_installed("torch"))
    _, err = process.communicate()
    assert process.returncode == 2
    assert b"found none among 0 files; name a folder that holds some.\n" in err


def test_a_warning_tells_of_masks_and_anomalies_among_what_is_learned_from(cli, photos, tmp_path):
    for name in ("train/good/1.png", "test/crack/1.png", "ground_truth/crack/1_mask.png", "test/good/1.png"):
        put(tmp_path / "parts" / name, np.full((32, 32), 99, np.uint8))
    photos.rename(tmp_path / "parts/more")  # no part of MVTec AD's layout: all is learned from
    sentence = (
        "warning: 3 of the 28 pictures to learn from are in folders called 'ground_truth', 'test', where MVTec AD's "
        "layout has anomalies and masks: if so here, stop and name the folder of normal pictures alone (.../train)\n"
    )
    assert sentence in cli("fit", "parts", *STEPS).err
    (tmp_path / "parts/more").rename(tmp_path / "parts/train/good/more")
    assert "to learn from are in" not in cli("fit", "parts", *STEPS).err


def test_a_sheet_shows_the_training(cli, photos, tmp_path):
    result = cli("fit", photos, *STEPS, "--sheet", "training.png")
    assert result.code == 0
    assert "drew training.png: real, reconstructed and generated pictures\n" in result.err
    sheet = Image.open(tmp_path / "training.png")
    n_members = read_model(tmp_path / "gandetect.onnx")[1]["training"]["settings"]["n_members"]
    assert sheet.size == (8 * 150 + 6, (2 + n_members) * 168 + 6)
    first = Image.open(sorted(photos.iterdir())[0]).resize((144, 144), Image.Resampling.NEAREST)
    assert np.array_equal(np.asarray(sheet)[24:168, 6:150, 0], np.asarray(first))


def test_a_sheet_that_cannot_be_written_is_told_before_the_work(cli, photos):
    result = cli("fit", photos, "--sheet", "none/training.png")
    assert result.code == 4
    assert result.err.startswith("gandetect: Cannot write 'none/training.png': ")
    assert result.err.count("\n") == 1


def test_a_sheet_is_for_pictures_only(cli, tmp_path, numbers):
    (tmp_path / "table.csv").write_text(numbers)
    result = cli("fit", "table.csv", "--sheet", "training.png")
    assert result.code == 2
    assert "Expected no --sheet with a model for tables, found one; leave it out: it is for pictures." in result.err


def test_a_list_of_names_is_learned_from(cli, start, photos, tmp_path):
    names = "".join(f"photos/{path.name}\n" for path in sorted(photos.iterdir())).encode()
    (tmp_path / "names.txt").write_bytes(names)
    assert cli("fit", "names.txt", *STEPS, "-o", "list.onnx").code == 0
    process = start("fit", "-", *STEPS, "-o", "pipe.onnx")
    _, err = process.communicate(names)
    assert process.returncode == 0, err
    assert b"the list of pictures: learning from 24 pictures\n" in err
    assert (tmp_path / "pipe.onnx").read_bytes() == (tmp_path / "list.onnx").read_bytes()
    process = start("fit", "-", *STEPS, "-o", "nul.onnx")
    _, err = process.communicate(names.replace(b"\n", b"\0"))
    assert process.returncode == 0, err
    (tmp_path / "nul.txt").write_bytes(names.replace(b"\n", b"\0"))
    assert cli("fit", "nul.txt", *STEPS, "-o", "nul.onnx").code == 0


@pytest.mark.usefixtures("stopping")
def test_an_interrupted_fit_of_pictures_goes_on_with_resume_to_the_same_bytes(cli, photos, tmp_path):
    command = ["fit", photos, "--steps", 10, "-o", "m.onnx"]
    stopped = cli(*command)
    assert stopped.code == 143
    assert "interrupted; the same command with --resume goes on from m.onnx.checkpoint\n" in stopped.err
    assert not (tmp_path / "m.onnx").exists()
    new = photos / "new.png"
    Image.new("L", (8, 8), 200).save(new)
    other = cli(*command, "--resume")
    assert other.code == 2
    assert "found one with other data; repeat the interrupted fit exactly" in other.err
    new.unlink()
    resumed = cli(*command, "--resume")
    assert resumed.code == 0
    assert "resuming from m.onnx.checkpoint\n" in resumed.err
    assert {path.name for path in tmp_path.iterdir()} == {"m.onnx", "photos"}
    assert cli(*command, "-o", "once.onnx").code == 0
    assert (tmp_path / "m.onnx").read_bytes() == (tmp_path / "once.onnx").read_bytes()


def test_a_table_of_text_is_no_list(cli, tmp_path, numbers):
    (tmp_path / "table.txt").write_text(numbers)
    result = cli("fit", "table.txt", "--steps", 2)
    assert result.code == 0
    assert read_model(tmp_path / "gandetect.onnx")[1]["modality"] == "table"


# --- given the folder -------------------------------------------------------------------------------------------------


@pytest.fixture
def products(tmp_path):
    """Return a folder with two products, digits upright and turned, and a model of them."""
    for product, turns in (("upright", 0), ("turned", 1)):
        for kind, part in (("good", "train"), ("good", "test")):
            folder = tmp_path / "products" / product / part / kind
            folder.mkdir(parents=True)
            for path in sorted((DIGITS / "train" / "good").iterdir())[:16]:
                Image.open(path).rotate(90 * turns).save(folder / path.name)
    return tmp_path / "products"


def test_one_model_learns_several_products_and_judges_each_picture_given_its_folder(cli, products):
    result = cli("fit", products, "--given", "folder", *STEPS, "--sheet", "training.png")
    assert result.code == 0
    assert "given the folder: turned 16, upright 16\n" in result.err
    assert "given their folder: turned, upright\n" in cli("inspect").out
    assert cli("verify").code == 0
    (products / "unheard of").mkdir()
    shutil.copy(next((products / "upright/test/good").iterdir()), products / "unheard of/1.png")
    scored = cli("score", products)
    rows = list(csv.DictReader(io.StringIO(scored.out)))
    assert [row["image"].split("/")[0] for row in rows] == ["turned"] * 16 + ["upright"] * 16
    sentence = (
        "unheard of/1.png: expected one of the folders that the model was trained on, 'turned', 'upright', found "
        "'unheard of'; move its pictures to the right one, or fit again with normal pictures of it."
    )
    assert sentence in scored.err
    one = cli("score", products / "upright/test/good")
    assert one.code == 2
    assert "expected one of the folders that the model was trained on, 'turned', 'upright', found 'good'" in one.err


def test_products_are_evaluated_together(cli, products):
    assert cli("fit", products, "--given", "folder", *STEPS).code == 0
    for path in sorted((products / "upright/test/good").iterdir())[:6]:
        (products / "turned/test/wrong").mkdir(exist_ok=True)
        shutil.copy(path, products / "turned/test/wrong")
    found = json.loads(cli("evaluate", products, "--json").out)
    assert found["n_images"] == 38
    assert found["kinds"]["wrong"]["n_images"] == 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("size", "Expected --given folder for pictures, found 'size'; their folder is all that is known of them."),
        ("folder", "Expected images in two folders or more, one for each product, found 'photos'; sort them, or fit "),
    ],
)
def test_what_cannot_be_given_is_refused(cli, photos, given, message):
    result = cli("fit", photos, "--given", given, *STEPS)
    assert result.code == 2
    assert message in result.err

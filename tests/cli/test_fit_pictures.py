"""``gandetect fit FOLDER``: pictures in, a model file out that the other commands take."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gandetect import read_model

DIGITS = Path(__file__).parents[2] / "data" / "digit_pictures"
STEPS = ("--steps", 3)


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
        (("--kind", "a=number"), "Expected no --kind with a model for pictures, found one; leave it out: "),
        (("--drop", "a"), "Expected no --drop with a model for pictures, found one; leave it out: "),
        (("--detector", "both"), "Expected detector to be one of 'whole', 'patch', found 'both'."),
        (("--effort", "huge"), "Expected effort to be one of 'low', 'default', 'high', found 'huge'."),
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


def test_one_picture_is_too_few(cli, photos):
    for path in list(photos.iterdir())[1:]:
        path.unlink()
    result = cli("fit", photos)
    assert result.code == 2
    assert result.err.endswith("Expected at least 8 images to fit, found 1; add normal images.\n")


def test_an_empty_folder_is_one_sentence(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    result = cli("fit", "empty")
    assert result.code == 2
    assert "expected pictures (PNG, JPEG, BMP, TIFF or WebP), found none" in result.err

"""`gandetect evaluate` on a folder: the folders are the labels, the masks say where the defects are."""

import json
import shutil

import numpy as np
import pytest
from made_pictures import put, square
from sklearn.metrics import roc_auc_score
from small_image_model import MIDDLE, image_model

from gandetect import evaluation
from gandetect_cli.evaluate_pictures import auroc


@pytest.fixture
def model(tmp_path):
    (tmp_path / "gandetect.onnx").write_bytes(image_model())


@pytest.fixture
def parts(tmp_path):
    """Ten normal pictures, one of which is flagged; four deep holes, three of which are; two light spots, not found."""
    root = tmp_path / "parts"
    for number in range(10):
        put(root / f"test/good/{number}.png", square(number * 2 + 3)[0])
    for number, value in enumerate((60, 50, 40, 1)):
        pixels, mask = square(value)
        put(root / f"test/hole/{number}.png", pixels)
        put(root / f"ground_truth/hole/{number}_mask.png", mask)
    for number in range(2):
        put(root / f"test/spot/{number}.png", square(-number)[0])
    return root


def evaluated(cli, *arguments):
    result = cli("evaluate", "parts", "--json", *arguments)
    assert result.code == 0, result.err
    return json.loads(result.out), result.err


@pytest.mark.usefixtures("model")
def test_folders_are_the_labels(cli, parts):
    summary, err = evaluated(cli)
    assert (summary["n_images"], summary["n_anomalies"]) == (16, 6)
    scores = [2 * n + 3 for n in range(10)] + [60, 50, 40, 1, 0, 1]
    labels = [0] * 10 + [1] * 6
    assert summary["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    assert summary["kinds"]["hole"]["n_images"] == 4
    assert summary["kinds"]["hole"]["n_flagged"] == 3
    assert summary["kinds"]["hole"]["auroc"] == pytest.approx(roc_auc_score([0] * 10 + [1] * 4, scores[:14]))
    assert summary["kinds"]["spot"] == {"n_images": 2, "n_flagged": 0, "auroc": 0.0}
    assert summary["flagged_among_normal"] == pytest.approx(0.1)
    assert "16 pictures scored, 4 anomalies (25.0 %) at a false-alarm rate of 0.05\n" in err


@pytest.mark.usefixtures("model")
def test_intervals_are_drawn_for_all_kinds_together_only(cli, parts, monkeypatch):
    drawn = []
    monkeypatch.setattr(evaluation, "average_precision_interval", lambda *given: drawn.append(given) or (0, 1))
    assert len(evaluated(cli)[0]["kinds"]) == 2
    assert len(drawn) == 1


def test_the_auroc_of_a_kind_is_scikit_learns_with_ties():
    random = np.random.default_rng(0)
    for n_anomalous, n_normal in ((1, 1), (5, 40), (40, 5)):
        anomalous, normal = (random.integers(0, 9, n).astype(np.float32) for n in (n_anomalous, n_normal))
        labels = [1] * n_anomalous + [0] * n_normal
        expected = roc_auc_score(labels, np.concatenate([anomalous, normal]))
        assert auroc(anomalous, normal) == pytest.approx(expected, abs=1e-12)


@pytest.mark.usefixtures("model")
def test_masks_are_compared_at_the_pictures_own_size(cli, parts):
    summary, err = evaluated(cli)
    assert summary["pixels"]["n_images"] == 14
    assert summary["pixels"]["n_regions"] == 4
    assert summary["pixels"]["auroc"] > 0.98
    assert summary["pixels"]["aupro"] > 0.9
    assert "2 anomalous pictures without a mask left out of the pixels\n" in err


@pytest.mark.usefixtures("model")
def test_masks_in_folders_as_mvtec_loco_has_them_are_found(cli, parts):
    expected = evaluated(cli)[0]["pixels"]
    for path in sorted((parts / "ground_truth/hole").iterdir()):
        (path.parent / path.stem.removesuffix("_mask")).mkdir()
        path.rename(path.parent / path.stem.removesuffix("_mask") / "000.png")
    assert evaluated(cli)[0]["pixels"] == expected


@pytest.mark.usefixtures("model")
def test_heat_in_the_wrong_place_is_told(cli, parts):
    for path in (parts / "ground_truth/hole").iterdir():
        put(path, np.flip(square(9)[1]))  # the mask is where nothing is
    assert evaluated(cli)[0]["pixels"]["auroc"] < 0.8


@pytest.mark.usefixtures("model")
def test_people_get_tables(cli, parts):
    lines = cli("evaluate", "parts").out.splitlines()
    assert lines[0] == "16 pictures, 6 anomalies among them"
    assert [line.split("  ")[0] for line in lines[1:5]] == ["AUROC", "average precision", "pixel AUROC", "AUPRO"]
    assert lines[4].endswith(" up to a false-positive rate of 0.3, over 4 defects")
    assert lines[5] == "normal pictures flagged at a false-alarm rate of 0.05: 1 of 10 (10.0 %)"
    assert lines[7].split() == ["kind", "pictures", "flagged", "AUROC"]
    assert lines[8].split()[:3] == ["hole", "4", "3"]
    assert lines[11].startswith("false-alarm rate  pictures flagged")


@pytest.mark.usefixtures("model")
def test_without_masks_nothing_is_said_of_pixels(cli, parts):
    for path in (parts / "ground_truth/hole").iterdir():
        path.unlink()
    summary, err = evaluated(cli)
    assert summary["pixels"] is None
    assert "mask" not in err
    assert "no masks found in ground_truth: nothing is said of pixels\n" in cli("evaluate", "parts").out


@pytest.mark.usefixtures("model")
def test_broken_pictures_and_masks_are_named_and_the_others_compared(cli, parts):
    (parts / "test/good/broken.png").write_bytes(b"no picture")
    put(parts / "ground_truth/hole/0_mask.png", np.zeros((5, 5), np.uint8))
    summary, err = evaluated(cli)
    assert summary["n_images"] == 16
    assert summary["pixels"]["n_regions"] == 3
    assert "warning: parts/test/good/broken.png: expected a PNG, JPEG, BMP, TIFF or WebP picture, found" in err
    assert "1 picture could not be read and left out\n" in err
    assert "warning: parts/ground_truth/hole/0_mask.png: expected a mask of 48 x 32 pixels like its picture" in err


@pytest.mark.usefixtures("model")
def test_folders_of_ones_own_are_labels_too(cli, parts):
    (parts / "test").rename(parts.parent / "own")
    result = cli("evaluate", "own", "--json")
    assert json.loads(result.out)["n_anomalies"] == 6


@pytest.mark.usefixtures("model")
def test_pictures_in_no_folder_have_no_label(cli, parts):
    result = cli("evaluate", "parts/test/good")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "gandetect: parts/test/good: expected pictures in folders that are named by what they show, 'good' for normal "
        "ones, found some in no such folder; move them.\n"
    )


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("other", "found"),
    [
        ("test/ok", "found only 'hole', 'ok', 'spot'; call the folder of normal pictures 'good'.\n"),
        ("elsewhere", "found only 'hole', 'spot'; call the folder of normal pictures 'good'.\n"),
    ],
)
def test_without_a_folder_of_good_ones_nothing_is_scored(cli, parts, tmp_path, other, found):
    (parts / "test/good").rename((parts if other != "elsewhere" else tmp_path) / other)
    result = cli("evaluate", "parts")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "gandetect: parts: expected pictures in folders that are named by what they show, 'good' for normal ones, "
        f"{found}"
    )


@pytest.mark.usefixtures("model")
def test_good_ones_alone_cannot_be_compared(cli, parts):
    for kind in (parts / "test").iterdir():
        if kind.name != "good":
            shutil.rmtree(kind)
    result = cli("evaluate", "parts")
    assert (result.code, result.out) == (2, "")
    assert result.err.endswith("normal ones, found only 'good'; add folders of anomalous pictures.\n")


@pytest.mark.usefixtures("model")
def test_where_all_good_ones_are_broken_nothing_is_compared(cli, parts):
    for path in (parts / "test/good").iterdir():
        path.write_text("no picture")
    result = cli("evaluate", "parts")
    assert result.code == 2
    assert "Expected both normal data and anomalies to compare with, found only anomalies" in result.err


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("option", ["--label-column", "--anomaly", "--delimiter"])
def test_labels_of_tables_mean_nothing_to_pictures(cli, parts, option):
    result = cli("evaluate", "parts", option, "x")
    assert result.code == 2
    sentence = f"Expected no {option} with a model for pictures, found one; leave it out: it is for tables."
    assert result.err == f"gandetect: {sentence}\n"


def test_a_table_needs_its_column_of_labels(cli, machines_new, small_model):
    result = cli("evaluate", machines_new, "-m", small_model)
    assert result.code == 2
    assert result.err == (
        "gandetect: Expected --label-column COLUMN with a model that was fitted without labels, found none; add it.\n"
    )


@pytest.mark.usefixtures("model")
def test_pictures_of_many_sizes_are_scored_each_by_itself(cli, tmp_path):
    values = {}
    for number in range(12):
        side, values[number] = 16 * (1 + number % 3), 5 * number
        kind = "good" if number % 2 else "odd"
        put(tmp_path / f"parts/{kind}/{number}.png", np.full((side, side), MIDDLE + values[number], np.uint8))
    summary, _ = evaluated(cli)
    expected = roc_auc_score([number % 2 == 0 for number in values], list(values.values()))
    assert summary["auroc"] == pytest.approx(expected)


@pytest.mark.usefixtures("model")
def test_colour_for_a_grey_model_is_left_out_and_named(cli, parts):
    put(parts / "test/good/colour.png", np.random.RandomState(0).randint(0, 256, (32, 48, 3)).astype(np.uint8))
    summary, err = evaluated(cli)
    assert summary["n_images"] == 16
    assert "colour.png: expected a grey picture, as those are that the model learns from, found colours" in err


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(("source", "code"), [("empty", 2), ("none.csv", 4), ("nowhere", 4)])
def test_what_holds_no_pictures_is_refused(cli, tmp_path, source, code):
    (tmp_path / "empty").mkdir()
    result = cli("evaluate", source)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(f"gandetect: {source}: expected ")
    assert result.err.count("\n") == 1

"""`gandetect score` on pictures: a table with their names, and a folder of heat maps that people can look at."""

import csv
import io
import json

import numpy as np
import pytest
from made_pictures import put, square
from PIL import Image
from small_image_model import MIDDLE, image_model

VALUES = {"a.png": 3, "b.png": 60, "below/c.png": 40, "d.png": 1}
"""Pictures and how much their squares differ from the rest: from 20 on they are flagged."""


@pytest.fixture(autouse=True)
def model(tmp_path):
    # A heat of 3 is one normal pixel in a thousand; the small model's heat is a difference in brightness.
    (tmp_path / "gandetect.onnx").write_bytes(image_model())


@pytest.fixture
def photos(tmp_path):
    for name, value in VALUES.items():
        put(tmp_path / "photos" / name, square(value)[0])
    return tmp_path / "photos"


def rows(result):
    return list(csv.DictReader(io.StringIO(result.out)))


def is_coloured(path):
    drawn = np.asarray(Image.open(path)).astype(int)
    assert drawn.ndim == 3
    return drawn.max(axis=2) - drawn.min(axis=2) > 10


def test_every_picture_is_a_row(cli, photos):
    result = cli("score", "photos")
    assert result.code == 0
    assert [(row["image"], round(float(row["anomaly_score"]), 3), row["is_anomaly"]) for row in rows(result)] == [
        ("a.png", 3, "false"),
        ("b.png", 60, "true"),
        ("below/c.png", 40, "true"),
        ("d.png", 1, "false"),
    ]
    assert result.err == "4 pictures scored, 2 anomalies (50.0 %) at a false-alarm rate of 0.05\n"


def test_files_that_are_not_named_like_pictures_are_counted(cli, photos):
    (photos / "a.png").rename(photos / "a.gif")
    (photos / "below" / "d").write_bytes((photos / "d.png").read_bytes())
    result = cli("score", "photos")
    assert [row["image"] for row in rows(result)] == ["b.png", "below/c.png", "d.png"]
    passed_over = "2 files passed over: the name does not end as that of a PNG, JPEG, BMP, TIFF or WebP picture\n"
    assert result.err.endswith(passed_over)


def test_json_lines_hold_the_names(cli, photos):
    lines = [json.loads(line) for line in cli("score", "photos", "--json").out.splitlines()]
    score, p_value = pytest.approx(60), pytest.approx(1 / 21)
    assert lines[1] == {"image": "b.png", "anomaly_score": score, "p_value": p_value, "is_anomaly": True}


def test_the_options_of_rows_work_for_pictures(cli, photos, tmp_path):
    result = cli("score", "photos", "--only-anomalies", "--prefix", "x_", "--fail-on-anomalies", "-o", "out.csv")
    assert (result.code, result.out) == (3, "")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["image", "b.png", "below/c.png"]
    assert lines[0].endswith("x_is_anomaly")
    assert [row["is_anomaly"] for row in rows(cli("score", "photos", "--alpha", "0.9"))] == ["true"] * 3 + ["false"]


def test_a_false_discovery_rate_reads_the_pictures_twice(cli, photos):
    result = cli("score", "photos", "--fdr", "0.2")
    assert [row["is_anomaly"] for row in rows(result)] == ["false", "true", "true", "false"]
    assert "a false discovery rate of 0.2, which flags p-values up to 0.0476" in result.err


def test_pictures_are_called_so_where_none_can_be_flagged(cli, photos):
    sentence = "a false discovery rate of 0.01: of 4 pictures at least 20 would have to share the smallest p-value"
    assert sentence in cli("score", "photos", "--fdr", "0.01").err
    assert "1e-09, which no picture can reach: " in cli("score", "photos", "--false-alarm-rate", "1e-9").err


def test_names_may_come_through_a_pipe(cli, photos):
    result = cli("score", "-", stdin=b"photos/b.png\nphotos/none.png\nphotos/a.png\n")
    assert [row["image"] for row in rows(result)] == ["photos/b.png", "photos/a.png"]
    assert "warning: photos/none.png: expected a file, found none; check the path.\n" in result.err
    assert "1 picture could not be read and left out\n" in result.err


def test_names_may_have_nul_bytes_after_them(cli, photos, tmp_path):
    (photos / "a.png").rename(photos / "two\nlines.png")
    names = b"photos/b.png\0photos/two\nlines.png\0"
    assert [row["image"] for row in rows(cli("score", "-", stdin=names))] == ["photos/b.png", "photos/two\nlines.png"]
    (tmp_path / "names.txt").write_bytes(names)
    assert len(rows(cli("score", "names.txt"))) == 2


@pytest.mark.parametrize("names", [b"", b"\n\n"])
def test_a_list_without_names_is_told_from_a_folder_without_pictures(cli, names):
    sentence = "<stdin>: expected names of pictures, one on each line, found none; check what wrote the list."
    assert cli("score", "-", stdin=names) == (2, "", f"gandetect: {sentence}\n")


def test_one_picture_that_is_not_there_is_a_file_that_cannot_be_opened(cli):
    for command in ("score", "evaluate", "fit"):
        sentence = "gandetect: none.png: expected a file, found none; check the path.\n"
        assert cli(command, "none.png") == (4, "", sentence)


def test_an_array_is_scored_picture_by_picture(cli, tmp_path):
    np.save(tmp_path / "set.npy", np.stack([square(value)[0] for value in (5, 70)]))
    assert [(row["image"], row["is_anomaly"]) for row in rows(cli("score", "set.npy"))] == [
        ("set.npy[0]", "false"),
        ("set.npy[1]", "true"),
    ]


def test_of_many_broken_pictures_some_are_named_and_all_counted(cli, photos):
    for number in range(25):
        (photos / f"broken{number}.png").write_bytes(b"no picture")
    result = cli("score", "photos")
    assert len(rows(result)) == 4
    assert result.err.count("warning: ") == 10
    assert "25 pictures could not be read and left out\n" in result.err


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_nothing_to_score_is_one_sentence_and_writes_nothing(cli, tmp_path, content):
    (tmp_path / "photos").mkdir()
    if content:
        (tmp_path / "photos" / "text.png").write_bytes(content)
    result = cli("score", "photos", "-o", "out.csv", "--heatmaps", "maps")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("gandetect: photos: expected ")
    assert result.err.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()
    assert not (tmp_path / "maps").exists()


def test_heat_maps_are_drawn_where_the_squares_are(cli, photos, tmp_path):
    result = cli("score", "photos", "--heatmaps", "maps", "-q")
    assert result.code == 0
    assert sorted(path.relative_to(tmp_path / "maps").as_posix() for path in (tmp_path / "maps").rglob("*.*")) == [
        "a.png.heatmap.png",
        "b.png.heatmap.png",
        "below/c.png.heatmap.png",
        "d.png.heatmap.png",
        "most-anomalous.png",
    ]
    hot = is_coloured(tmp_path / "maps/b.png.heatmap.png")
    assert hot.shape == (32, 48)
    assert hot[8:16, 24:32].all()
    assert not hot[:4].any()
    assert not hot[:, :18].any()
    assert not is_coloured(tmp_path / "maps/d.png.heatmap.png").any()  # heat 1: a tenth of the normal pixels have more


def test_the_rate_of_pixels_says_what_is_hot(cli, photos, tmp_path):
    cli("score", "photos", "--heatmaps", "maps", "--pixel-false-alarm-rate", "0.2")
    assert is_coloured(tmp_path / "maps/d.png.heatmap.png")[10, 26]


def test_raw_maps_are_numbers_at_the_pictures_own_size(cli, photos, tmp_path):
    cli("score", "photos", "--heatmaps", "maps", "--raw-maps", "--only-anomalies")
    assert not (tmp_path / "maps/a.png.heatmap.npy").exists()
    heat = np.load(tmp_path / "maps/b.png.heatmap.npy", allow_pickle=False)
    assert (heat.shape, heat.dtype) == ((32, 48), np.float32)
    assert heat[11, 28] == pytest.approx(60, abs=3)
    assert heat[0, 0] == pytest.approx(0, abs=1e-3)


def test_the_sheet_begins_with_the_most_anomalous(cli, photos, tmp_path):
    result = cli("score", "photos", "--heatmaps", "maps")
    assert "4 heat maps in maps, the most anomalous on most-anomalous.png\n" in result.err
    sheet = np.asarray(Image.open(tmp_path / "maps/most-anomalous.png")).astype(int)
    # The picture's tile is 144 x 96 pixels, in the middle of its place; the square is three times its size there.
    first = sheet[24 + 24 + 36, 6 + 90]
    assert (first == MIDDLE + 60).all()


def test_only_so_many_pictures_are_on_the_sheet(cli, tmp_path):
    for number in range(30):
        put(tmp_path / f"photos/{number:02d}.png", square(number)[0])
    cli("score", "photos", "--heatmaps", "maps")
    sheet = np.asarray(Image.open(tmp_path / "maps/most-anomalous.png")).astype(int)
    assert sheet.shape == (8 * 168 + 6, 3 * 306, 3)
    last = sheet[7 * 168 + 24 + 24 + 36, 2 * 306 + 6 + 90]
    assert (last == MIDDLE + 6).all()  # the 24th of 29, 28, ...


def test_names_from_elsewhere_stay_inside_the_folder(cli, photos, tmp_path):
    names = ["photos/b.png", "photos/../photos/b.png", str(photos / "b.png"), "./photos/b.png"]
    cli("score", "-", "--heatmaps", "maps", stdin="\n".join(names).encode())
    drawn = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.heatmap.png"))
    inside = (tmp_path / "photos").relative_to("/").as_posix()
    assert drawn == sorted(
        [
            "maps/photos/b.png.heatmap.png",
            "maps/photos/photos/b.png.heatmap.png",
            f"maps/{inside}/b.png.heatmap.png",
            "maps/photos/b.png~2.heatmap.png",
        ]
    )


@pytest.mark.parametrize("folder", ["photos", "photos/maps", "photos/../photos/maps"])
def test_heat_maps_are_not_drawn_among_the_pictures(cli, photos, folder):
    before = sorted(photos.rglob("*"))
    result = cli("score", "photos", "--heatmaps", folder)
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"gandetect: Expected a folder for heat maps that is not inside the pictures, found {folder!r} in 'photos': "
        "the next run would score what this one drew; name another folder.\n"
    )
    assert sorted(photos.rglob("*")) == before


@pytest.mark.parametrize("is_link", [False, True])
def test_a_folder_that_cannot_be_made_is_named(cli, photos, tmp_path, is_link):
    (tmp_path / "maps").symlink_to("maps") if is_link else (tmp_path / "maps").write_bytes(b"a file")
    result = cli("score", "photos", "--heatmaps", "maps", "-o", "out.csv")
    assert result.code == 4
    assert result.err.startswith("gandetect: Cannot create the folder 'maps': ")
    assert not (tmp_path / "out.csv").exists()


def test_colours_of_a_model_for_colours_are_drawn_in_grey(cli, photos, tmp_path):
    (tmp_path / "gandetect.onnx").write_bytes(image_model(3))
    colour = np.zeros((20, 30, 3), np.uint8) + np.uint8([MIDDLE + 2, MIDDLE, MIDDLE - 2])
    put(photos / "colour.png", colour)
    result = cli("score", "photos", "--heatmaps", "maps")
    assert len(rows(result)) == 5  # grey pictures fit a model for colours
    assert not is_coloured(tmp_path / "maps/colour.png.heatmap.png").any()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--explain", "2"],
            "Expected no --explain with a model for pictures, found one; leave it out: it is for tables.",
        ),
        (
            ["--on-error", "skip"],
            "Expected no --on-error with a model for pictures, found one; leave it out: it is for tables.",
        ),
        (["--raw-maps"], "Expected --heatmaps FOLDER with --raw-maps, found none; say where the maps are to go."),
        (
            ["--pixel-false-alarm-rate", "0.01"],
            "Expected --heatmaps FOLDER with --pixel-false-alarm-rate, found none; say where the maps are to go.",
        ),
        (
            ["--heatmaps", "maps", "--pixel-false-alarm-rate", "2"],
            "Expected a false-alarm rate of pixels between 0 and 1, found 2.0.",
        ),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(cli, photos, arguments, sentence):
    assert cli("score", "photos", *arguments) == (2, "", f"gandetect: {sentence}\n")


@pytest.mark.parametrize("option", ["--heatmaps", "--pixel-false-alarm-rate"])
def test_a_model_for_tables_draws_no_heat_maps(cli, machines_new, small_model, option):
    result = cli("score", machines_new, "-m", small_model, option, "0.001")
    sentence = f"Expected no {option} with a model for tables, found one; leave it out: it is for pictures."
    assert result == (2, "", f"gandetect: {sentence}\n")


def test_scoring_pictures_loads_no_heavy_package(start, photos):
    heavy = {"torch", "sklearn", "scipy", "pandas", "onnx"}
    code = f"import sys, atexit; atexit.register(lambda: print({heavy} & {{*sys.modules}}))"
    out, _ = start("score", "photos", "--heatmaps", "maps", code=code).communicate()
    assert out.decode().splitlines()[-1] == "set()"


def test_inspect_says_what_pictures_a_model_takes(cli):
    assert "\npictures of any size, grey, judged at 16 x 16 pixels\n" in cli("inspect").out


def test_a_table_for_a_model_for_pictures_is_named_as_such(cli, machines_new):
    result = cli("score", machines_new)
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"gandetect: {machines_new}: expected pictures, which the model is for, found another kind of file; name a "
        "folder of pictures, or score a table with a model for tables.\n"
    )


def test_pictures_for_a_model_for_tables_are_named_as_such(cli, photos, small_model):
    result = cli("score", "photos", "--model", small_model)
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "gandetect: photos: expected a table, found a folder; name a file in it, or score pictures with a model for "
        "pictures.\n"
    )


def test_many_anomalous_pictures_are_warned_of(cli, tmp_path):
    for number in range(60):
        put(tmp_path / f"photos/{number}.png", square(100)[0])
    result = cli("score", "photos")
    assert (
        "warning: 100.0 % of the pictures have a p-value of at most 0.05, where pictures like the training pictures "
        "have about 5 %: there are many anomalies, or the data have changed; look at some with --heatmaps FOLDER.\n"
    ) in result.err


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        (("explain", "photos"), "gandetect score --heatmaps FOLDER draws where pictures are anomalous."),
        (("drift", "photos"), "gandetect score warns where too many pictures have small p-values."),
        (
            ("report", "gandetect.onnx"),
            "gandetect inspect says what it learned, score --heatmaps FOLDER draws what it finds.",
        ),
    ],
)
def test_what_is_for_tables_says_what_pictures_have_instead(cli, command, instead):
    result = cli(*command)
    assert result.code == 2
    assert result.err == f"gandetect: Expected a model for tables, found one for pictures; {instead}\n"

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from gandetect.export import pictures
from gandetect_cli import export
from gandetect_cli.export import Teaching
from gandetect_cli.progress import ProgressBar
from gandetect_cli.terminal import Reporter


def test_export_writes_a_variant_that_verify_accepts_and_says_how_it_compares(cli, small_model):
    result = cli("export", small_model, "--storage", "fp16", "-o", "half.onnx")
    assert result.code == 0
    assert result.out.startswith("half.onnx: ")
    assert re.search(r"compared on \d golden rows and 10,000 made rows: \d+ flags? changed, rank", result.out)
    assert cli("verify", "half.onnx").code == 0
    assert "\nexport\n  core: False\n  flags_changed: " in cli("inspect", "half.onnx").out


def test_export_gives_the_comparison_as_json(cli, small_model):
    found = json.loads(cli("export", small_model, "--storage", "fp16", "-o", "half.onnx", "--json").out)
    assert found["model"] == "half.onnx"
    assert found["n_bytes"][1] < found["n_bytes"][0]


def test_export_writes_a_core_model_with_its_encoding_beside_it(cli, small_model):
    result = cli("export", small_model, "--core", "-o", "core.onnx")
    assert result.code == 0
    assert result.out.startswith("core.onnx and core.encoding.json: ")
    assert cli("verify", "core.onnx").code == 0
    assert "for encoded rows, format 1" in cli("inspect", "core.onnx").out
    spec = json.loads(Path("core.encoding.json").read_text(encoding="utf-8"))
    assert spec["model_sha256"] == hashlib.sha256(Path("core.onnx").read_bytes()).hexdigest()


def test_export_writes_no_core_model_where_its_encoding_cannot_be_written(cli, small_model):
    Path("core.encoding.json").mkdir()
    result = cli("export", small_model, "--core", "-o", "core.onnx")
    assert result.code == 4
    assert "core.encoding.json" in result.err
    assert not Path("core.onnx").exists()


@pytest.mark.parametrize("output", ["", "."])
def test_export_writes_no_core_model_under_a_name_that_is_none(output, cli, small_model):
    result = cli("export", small_model, "--core", "-o", output)
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith(f"gandetect: Cannot write '{output}': ")
    assert not list(Path().iterdir())


def test_export_from_a_variant_is_refused_as_such_also_with_rows_to_teach_with(cli, small_model, machines_train):
    assert cli("export", small_model, "--core", "-o", "core.onnx").code == 0
    for options in ((), ("--data", machines_train)):
        result = cli("export", "core.onnx", "--distill", *options, "-o", "small.onnx")
        assert result.code == 2
        sentence = "Expected an original model file, found a variant already; export from its original."
        assert result.err == f"gandetect: {sentence}\n"


def test_export_without_a_variant_or_with_rows_that_nothing_is_taught_with_is_refused(cli, small_model):
    shutil.copy(small_model, "gandetect.onnx")
    result = cli("export", "-o", "small.onnx")
    assert result.code == 2
    assert "found none; pass storage='fp16', distill=True or core=True (--storage fp16, --distill or" in result.err
    result = cli("export", "--storage", "fp16", "--data", "rows.csv", "-o", "small.onnx")
    assert result.code == 2
    assert "Expected --distill together with --data, found --data alone; add --distill." in result.err


def test_teaching_says_on_stderr_how_far_it_is_also_where_no_bar_is_drawn(capsys):
    teaching = Teaching(Reporter(quiet=False), ProgressBar("teaching", quiet=True))
    for done in range(1, 101):
        teaching(done, 100)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "teaching the ensemble to one small network, in 100 steps\nabout 0 s to go\ntaught in 0 s; comparing\n"
    )


def test_the_encoding_of_a_core_model_is_never_written_over_the_rows_to_teach_with(cli, small_model):
    Path("small.encoding.json").write_text("a,b\n1,2\n")
    result = cli(
        *("export", small_model, "--distill", "--core"), *("--data", "small.encoding.json", "-o", "small.onnx")
    )
    assert result.code == 2
    assert "Expected an output that is not the input, found 'small.encoding.json' for both" in result.err
    assert Path("small.encoding.json").read_text() == "a,b\n1,2\n"


def test_a_variant_goes_to_a_file(cli, small_model):
    result = cli("export", small_model, "--storage", "fp16", "-o", "-")
    sentence = "Expected --output to name a file, found '-': a variant does not go to a pipe."
    assert result == (2, "", f"gandetect: {sentence}\n")
    assert not Path("-").exists()


DIGIT_PICTURES = Path(__file__).parents[2] / "models" / "digit_pictures.onnx"


def test_export_that_saves_nothing_is_refused(cli, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_FRESH", 32)
    result = cli("export", DIGIT_PICTURES, "--storage", "fp16", "-o", "half.onnx")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"gandetect: {DIGIT_PICTURES}: expected weights that --storage fp16 saves at least 3 % of the file with, found "
        "hardly any that do not take half the space already; go on with this file: nothing was written.\n"
    )
    assert not Path("half.onnx").exists()


def test_export_speaks_of_pictures_where_the_model_is_for_them(cli, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_FRESH", 32)
    monkeypatch.setattr(export, "LEAST_SAVED", -1)
    result = cli("export", DIGIT_PICTURES, "--storage", "fp16", "-o", "half.onnx")
    assert result.code == 0
    assert "compared on 4 golden pictures and 38 made pictures: 0 flags changed, rank correlation 1.0000" in result.out
    assert (
        "\nlargest differences: anomaly_score 0, realness 0, reconstruction_error 0, heatmap 0\none picture "
        in result.out
    )
    assert re.search(r" (us|ms), batches [\d,]+ pictures/s instead of [\d,]+\n$", result.out)
    assert cli("verify", "half.onnx").code == 0
    assert (
        cli("score", DIGIT_PICTURES.parents[1] / "data" / "digit_pictures" / "test", "--model", "half.onnx").code == 0
    )


def test_export_of_pictures_offers_nothing_but_storage(cli):
    for options in (["--distill"], ["--core"], ["--distill", "--data", "rows.csv"]):
        result = cli("export", DIGIT_PICTURES, *options, "-o", "small.onnx")
        assert result.code == 2
        assert "found one for pictures; use storage='fp16' alone (--storage fp16), which makes" in result.err

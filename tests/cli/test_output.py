"""What a command reads it never writes over."""

import shutil

import pytest

COMMANDS = {
    "fit": ["fit", "new.csv", "-o", "./new.csv"],
    "score": ["score", "new.csv", "-m", "model.onnx", "-o", "./new.csv"],
    "score, its model": ["score", "new.csv", "-m", "model.onnx", "-o", "./model.onnx"],
    "explain": ["explain", "new.csv", "-m", "model.onnx", "-o", "./new.csv"],
    "explain, its model": ["explain", "new.csv", "-m", "model.onnx", "-o", "./model.onnx"],
    "report": ["report", "model.onnx", "new.csv", "-o", "./new.csv"],
    "report, its model": ["report", "model.onnx", "-o", "./model.onnx"],
    "export": ["export", "model.onnx", "--distill", "--data", "new.csv", "-o", "./new.csv"],
    "export, its model": ["export", "model.onnx", "--storage", "fp16", "-o", "./model.onnx"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_never_writes_over_what_it_reads(cli, small_model, machines_new, tmp_path, command):
    before = {"new.csv": machines_new.read_bytes(), "model.onnx": small_model.read_bytes()}
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    *_, output = arguments = COMMANDS[command]
    sentence = f"Expected an output that is not the input, found {output!r} for both; choose another name."
    assert cli(*arguments) == (2, "", f"gandetect: {sentence}\n")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_name_for_the_same_file_is_the_same_file(cli, small_model, machines_new, tmp_path):
    shutil.copy(machines_new, "new.csv")
    (tmp_path / "link.csv").hardlink_to("new.csv")
    result = cli("score", "new.csv", "-m", small_model, "-o", "link.csv")
    assert "Expected an output that is not the input, found 'link.csv' for both" in result.err
    assert (tmp_path / "new.csv").read_bytes() == machines_new.read_bytes()


@pytest.mark.parametrize("data", ["photos", "names.txt"])
def test_a_sheet_never_takes_the_place_of_what_is_learned_from(cli, tmp_path, data):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "first.png").write_bytes(b"a picture")
    (tmp_path / "names.txt").write_text("photos/first.png\n")
    sheet = "photos/first.png" if data == "photos" else data
    result = cli("fit", data, "--sheet", sheet)
    sentence = f"Expected a sheet that is not among the pictures, found {sheet!r} in {data!r}; name a file elsewhere."
    assert result == (2, "", f"gandetect: {sentence}\n")
    assert (tmp_path / "photos" / "first.png").read_bytes() == b"a picture"
    assert (tmp_path / "names.txt").read_text() == "photos/first.png\n"


def test_standard_input_is_no_file_that_an_output_could_be(cli, small_model, machines_new, tmp_path):
    (tmp_path / "-").write_bytes(b"a file of that name")
    result = cli("score", "-", "-m", small_model, stdin=machines_new.read_bytes())
    assert result.code == 0
    assert (tmp_path / "-").read_bytes() == b"a file of that name"

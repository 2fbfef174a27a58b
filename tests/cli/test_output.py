"""What a command reads it never writes over."""

import shutil

import pytest

COMMANDS = {
    "fit": ["fit", "new.csv", "-o", "./new.csv"],
    "fit, its network": ["fit", "new.csv", "--backbone", "model.onnx", "-o", "./model.onnx"],
    "fit, its sheet": ["fit", "photos", "--backbone", "model.onnx", "--sheet", "./model.onnx"],
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


@pytest.mark.parametrize("output", ["both.onnx", "./both.onnx", "link.onnx"])
@pytest.mark.parametrize("there", [True, False])
def test_a_model_and_a_sheet_are_two_files(cli, tmp_path, output, there):
    (tmp_path / "link.onnx").symlink_to("both.onnx")
    if there:
        (tmp_path / "both.onnx").write_bytes(b"old")
    result = cli("fit", "photos", "-o", "both.onnx", "--sheet", output)
    sentence = f"Expected outputs in files of their own, found {output!r} for two; choose another name."
    assert result == (2, "", f"gandetect: {sentence}\n")
    assert (tmp_path / "both.onnx").exists() == there


def test_a_checkpoint_never_takes_the_place_of_what_is_learned_from(cli, numbers, tmp_path):
    (tmp_path / "m.checkpoint").write_text(numbers)
    result = cli("fit", "m.checkpoint", "-o", "m")
    assert "Expected an output that is not the input, found 'm.checkpoint' for both" in result.err
    assert (tmp_path / "m.checkpoint").read_text() == numbers


AMONG = "Expected a sheet that is not among the pictures, found {name!r} in {data!r}; name a file elsewhere."
ITSELF = "Expected an output that is not the input, found {name!r} for both; choose another name."


@pytest.mark.parametrize(
    ("data", "option", "name", "sentence"),
    [
        ("photos", "--sheet", "photos/train/good/first.png", AMONG),
        ("photos", "--sheet", "photos/new.png", AMONG),
        ("photos", "-o", "photos/train/good/first.png", ITSELF),
        ("photos", "-o", "photos/test/crack/first.png", ITSELF),
        ("names.txt", "--sheet", "names.txt", ITSELF),
        ("names.txt", "--sheet", "photos/train/good/first.png", ITSELF),
    ],
)
def test_no_output_takes_the_place_of_a_picture(cli, tmp_path, data, option, name, sentence):
    pictures = [tmp_path / "photos" / part / "first.png" for part in ("train/good", "test/crack")]
    for path in pictures:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"a picture")
    (tmp_path / "names.txt").write_text("photos/train/good/first.png\n")
    result = cli("fit", data, option, name)
    assert result == (2, "", f"gandetect: {sentence.format(name=name, data=data)}\n")
    assert [path.read_bytes() for path in pictures] == [b"a picture"] * 2
    assert (tmp_path / "names.txt").read_text() == "photos/train/good/first.png\n"


def test_standard_input_is_no_file_that_an_output_could_be(cli, small_model, machines_new, tmp_path):
    (tmp_path / "-").write_bytes(b"a file of that name")
    result = cli("score", "-", "-m", small_model, stdin=machines_new.read_bytes())
    assert result.code == 0
    assert (tmp_path / "-").read_bytes() == b"a file of that name"

"""Each kind of input that cannot be used is one sentence and its exit code, and leaves every file as it was."""

import hashlib
import re
import shutil
from types import SimpleNamespace

import pytest

OLD = b"the old model"
ROWS = "".join(f"{i % 7},{i % 5}\n" for i in range(40))

TABLES = {
    "empty file": ("", "data.csv: expected a table with column names, found an empty file"),
    "header without rows": ("a,b\n", "data.csv: expected rows below the column names, found none"),
    "ragged line": (f"a,b\n{ROWS}1,2,3\n", "data.csv, line 42: expected 2 fields as in the header, found 3"),
    "short line": (f"a,b\n1\n{ROWS}", "data.csv, line 2: expected 2 fields as in the header, found 1"),
    "duplicate names": (f"a,a\n{ROWS}", "data.csv, line 1: expected different column names, found 'a'"),
    "no names": (ROWS, "data.csv, line 1: expected column names, found only numbers"),
    "latin-1": (f"a,ü\n{ROWS}".encode("latin-1"), "data.csv, line 1: expected UTF-8, found the byte 0xFC"),
    "utf-16": (
        f"a,b\n{ROWS}".encode("utf-16"),
        "data.csv, line 1: expected UTF-8, found the byte order mark of UTF-16",
    ),
    "text among numbers": (f"a,b\n{ROWS}oops,1\n", "data.csv, line 42: expected a number in column 'a'"),
    "too few rows": ("a,b\n1,2\n3,4\n", "data.csv: expected at least 8 rows to fit, found 2"),
}


@pytest.mark.parametrize("case", TABLES)
def test_fit_refuses_a_bad_table_and_keeps_the_old_model(cli, tmp_path, case):
    content, sentence = TABLES[case]
    (tmp_path / "data.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "gandetect.onnx").write_bytes(OLD)
    result = cli("fit", "data.csv", "-q")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"gandetect: {sentence}")
    assert result.err.count("\n") == 1
    assert result.err.endswith(".\n") or result.err.endswith("`.\n")
    assert {path.name for path in tmp_path.iterdir()} == {"data.csv", "gandetect.onnx"}
    assert (tmp_path / "gandetect.onnx").read_bytes() == OLD


def test_fit_names_a_missing_file_and_keeps_the_old_model(cli, tmp_path):
    (tmp_path / "gandetect.onnx").write_bytes(OLD)
    result = cli("fit", "data.csv")
    assert result == (4, "", "gandetect: data.csv: expected a file, found none; check the path.\n")
    assert (tmp_path / "gandetect.onnx").read_bytes() == OLD


def scored(cli, small_model, tmp_path, text):
    (tmp_path / "new.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "out.csv").write_bytes(b"old answers")
    result = cli("score", "new.csv", "-m", small_model, "-o", "out.csv")
    assert result.out == ""
    assert {path.name for path in tmp_path.iterdir()} == {"new.csv", "out.csv"}
    assert (tmp_path / "out.csv").read_bytes() == b"old answers"
    return result


def test_score_names_a_missing_column_and_keeps_the_old_answers(cli, small_model, machines_new, tmp_path):
    text = machines_new.read_text().replace(",tool,", ",instrument,", 1)
    result = scored(cli, small_model, tmp_path, text)
    assert result.code == 2
    assert result.err.startswith(
        "gandetect: new.csv: expected the columns of the training data, found none named 'tool' among 'job_id', "
    )


def test_score_keeps_the_old_answers_when_the_last_line_is_bad(cli, small_model, machines_new, tmp_path):
    header, *lines = machines_new.read_text().splitlines(keepends=True)
    result = scored(cli, small_model, tmp_path, header + "".join(lines * 5) + "J-1,x\n")
    assert result.code == 2
    assert result.err == (
        "gandetect: new.csv, line 1262: expected 16 fields as in the header, found 2; "
        "add what is missing, mend the line, or pass --on-error skip.\n"
    )


@pytest.mark.parametrize("case", ["empty file", "duplicate names", "latin-1", "utf-16", "ragged line"])
def test_score_refuses_a_bad_table_and_keeps_the_old_answers(cli, small_model, tmp_path, case):
    content, sentence = TABLES[case]
    result = scored(cli, small_model, tmp_path, content)
    assert result.code == 2
    if case != "ragged line":  # its columns are not the model's, which comes first
        assert result.err.startswith(f"gandetect: {sentence.replace('data.csv', 'new.csv')}")
    assert result.err.count("\n") == 1


def newer(model):
    """Return a model whose manifest says that it was written by a later version, with the right digest."""
    model = model.replace(b'"format":1,', b'"format":9,')
    (digest,) = re.findall(rb"gandetect\.sha256\x12\x40([0-9a-f]{64})", model)
    return model.replace(digest, hashlib.sha256(model.replace(digest, b"0" * 64)).hexdigest().encode())


def damaged(model):
    middle = len(model) // 2
    return model[:middle] + bytes([model[middle] ^ 1]) + model[middle + 1 :]


MODELS = {
    "not a model": (
        lambda model: b"a,b\n1,2\n",
        "Expected a model file written by gandetect, found that 'bad.onnx' is",
    ),
    "empty": (lambda model: b"", "Expected a model file written by gandetect, found no manifest in 'bad.onnx'"),
    "newer format": (newer, "'bad.onnx' was written by a newer gandetect (format 9, this one reads up to 1)"),
    "damaged": (damaged, "Expected a whole model file, found that the content of 'bad.onnx' does not match its digest"),
    "cut short": (lambda model: model[:-100], "Expected a "),
}


@pytest.mark.parametrize("case", MODELS)
@pytest.mark.parametrize("verb", ["score", "inspect", "verify", "evaluate"])
def test_a_file_that_is_no_usable_model_is_refused(cli, small_model, machines_new, tmp_path, case, verb):
    spoil, sentence = MODELS[case]
    (tmp_path / "bad.onnx").write_bytes(spoil(small_model.read_bytes()))
    arguments = {
        "score": [machines_new, "-m", "bad.onnx", "-o", "out.csv"],
        "evaluate": [machines_new, "-m", "bad.onnx", "--label-column", "label"],
    }
    result = cli(verb, *arguments.get(verb, ["bad.onnx"]))
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"gandetect: {sentence}")
    assert result.err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"bad.onnx"}


@pytest.mark.parametrize("verb", ["score", "inspect", "verify"])
def test_a_missing_model_is_named(cli, machines_new, verb):
    arguments = [machines_new] if verb == "score" else []
    result = cli(verb, *arguments)
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("gandetect: Cannot read the model file 'gandetect.onnx': No such file or directory")


LONG = 300 * "a"
LONG_NAMES = {
    "fit": ["fit", LONG],
    "fit, its model": ["fit", "new.csv", "-o", LONG],
    "score": ["score", LONG, "-m", "model.onnx"],
    "score, its model": ["score", "new.csv", "-m", LONG],
    "score, its answers": ["score", "new.csv", "-m", "model.onnx", "-o", LONG],
    "report": ["report", "model.onnx", LONG],
}


@pytest.mark.parametrize("command", LONG_NAMES)
def test_a_path_that_cannot_be_looked_at_is_named(cli, small_model, machines_new, tmp_path, command):
    shutil.copy(machines_new, tmp_path / "new.csv")
    shutil.copy(small_model, tmp_path / "model.onnx")
    result = cli(*LONG_NAMES[command])
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("gandetect: ")
    assert "File name too long" in result.err


@pytest.mark.parametrize("command", ["fit", "score"])
def test_a_closed_standard_input_cannot_be_read(cli, small_model, monkeypatch, command):
    options = ["-m", small_model] if command == "score" else []
    monkeypatch.setattr("gandetect_cli.source.sys", SimpleNamespace(stdin=None))
    result = cli(command, "-", *options)
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("gandetect: ")
    assert "<stdin>" in result.err


def test_a_model_for_standard_output_tries_no_file(cli, monkeypatch):
    def refuse(path):
        raise AssertionError(path)

    monkeypatch.setattr("gandetect_cli.learning.require_writable", refuse)
    result = cli("fit", "-", "-o", "-", "--steps", 2, stdin=b"a\n")
    assert result.err.startswith("gandetect: <stdin>: expected rows below the column names")

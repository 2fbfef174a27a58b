"""A model file that was renamed, cut, altered or made by others: what we say, and what ONNX Runtime does alone."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from gandetect import ModelFileError, Scorer
from gandetect.model_file import DIGEST_KEY, DIGEST_PLACEHOLDER, seal
from gandetect_cli.main import main

ROOT = Path(__file__).parents[2]
MODEL = (ROOT / "models" / "machines.onnx").read_bytes()
ROWS = json.loads((ROOT / "docs" / "edge" / "rows.json").read_text(encoding="utf-8"))
WEIGHTS = "weights.bin"


def largest_initializer(model):
    return max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))


def edited(edit):
    """Return the model after an edit by someone who knows how to seal it."""
    model = onnx.load_model_from_string(MODEL)
    edit(model)
    (digest,) = (entry for entry in model.metadata_props if entry.key == DIGEST_KEY)
    digest.value = DIGEST_PLACEHOLDER
    return seal(model.SerializeToString(deterministic=True))


def put_weights_elsewhere(model):
    tensor = largest_initializer(model)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=WEIGHTS)


def use_another_operator(model):
    (last,) = (node for node in model.graph.node if list(node.output) == ["realness"])
    last.op_type = "Softsign"


def with_a_byte_altered(position):
    return MODEL[:position] + bytes([MODEL[position] ^ 0x40]) + MODEL[position + 1 :]


IN_THE_WEIGHTS = MODEL.index(largest_initializer(onnx.load_model_from_string(MODEL)).raw_data) + 3

BAD = {
    "empty": (b"", "found no manifest in '{}'"),
    "cut in the middle": (MODEL[: len(MODEL) // 2], "that ends beyond the end of its message in '{}'"),
    "cut by a byte": (MODEL[:-1], "that ends beyond the end of its message in '{}'"),
    "a byte more": (MODEL + b"\0", "found field number 0"),
    "a byte of the weights altered": (
        with_a_byte_altered(IN_THE_WEIGHTS),
        "the content of '{}' does not match its digest",
    ),
    "external data": (edited(put_weights_elsewhere), "found external data (the name of another file) in '{}'"),
    "another operator": (edited(use_another_operator), "found the operator 'Softsign' in '{}'"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(largest_initializer(onnx.load_model_from_string(MODEL)).raw_data)
    (tmp_path / "new.csv").write_bytes((ROOT / "data" / "machines" / "new.csv").read_bytes())
    return tmp_path


@pytest.mark.parametrize("case", BAD)
def test_every_bad_file_is_one_sentence_and_nothing_on_stdout(case, folder, capsys):
    content, message = BAD[case]
    (folder / "bad.onnx").write_bytes(content)
    with pytest.raises(ModelFileError) as refused:
        Scorer("bad.onnx")
    assert message.format("bad.onnx") in str(refused.value)
    for command in (["score", "new.csv", "--model", "bad.onnx"], ["verify", "bad.onnx"], ["inspect", "bad.onnx"]):
        assert main(command) == 2
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", f"gandetect: {refused.value}\n")


@pytest.mark.parametrize("position", range(0, len(MODEL), len(MODEL) // 60))
def test_a_byte_altered_anywhere_is_noticed(position):
    with pytest.raises(ModelFileError):
        Scorer(with_a_byte_altered(position))


def test_the_name_of_the_file_does_not_matter(folder):
    (folder / "another name.bin").write_bytes(MODEL)
    assert Scorer("another name.bin").verify() <= 1e-5


# --- what the page says of ONNX Runtime alone ------------------------------------------------------------------------


def alone(content, **changes):
    """Return the answers of ONNX Runtime without us."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    types = {"tensor(double)": np.float64, "tensor(string)": object}
    feeds = {i.name: np.array(ROWS[i.name], types[i.type]) for i in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    feeds = {name: values for name, values in (feeds | changes).items() if values is not None}
    return dict(zip(names, session.run(names, feeds), strict=True))


def test_the_runtime_alone_answers_wrongly_from_altered_weights():
    right, wrong = alone(MODEL), alone(with_a_byte_altered(IN_THE_WEIGHTS))
    assert any((right[name] != wrong[name]).any() for name in right)


def test_the_runtime_alone_opens_the_files_that_a_model_names(folder):
    answers, expected = alone(BAD["external data"][0]), alone(MODEL)
    np.testing.assert_array_equal(answers["anomaly_score"], expected["anomaly_score"])


def test_the_runtime_alone_runs_any_operator():
    assert (alone(BAD["another operator"][0])["realness"] != alone(MODEL)["realness"]).any()


@pytest.mark.parametrize("case", ["empty", "cut in the middle", "cut by a byte"])
def test_the_runtime_alone_refuses_a_file_that_was_cut(case):
    with pytest.raises(Exception, match=r"ModelProto|[Pp]rotobuf"):
        alone(BAD[case][0])


@pytest.mark.parametrize("speed", [np.zeros(3, np.float32), np.zeros((3, 1)), np.array(["1", "2", "3"], dtype=object)])
def test_the_runtime_alone_refuses_another_type_or_rank(speed):
    with pytest.raises(Exception, match=r"Unexpected input data type|Invalid rank for input: speed_rpm"):
        alone(MODEL, speed_rpm=speed)


def test_the_runtime_alone_refuses_rows_without_a_column():
    with pytest.raises(ValueError, match=r"Required inputs \(\['speed_rpm'\]\) are missing"):
        alone(MODEL, speed_rpm=None)


def test_the_runtime_alone_refuses_columns_of_different_lengths_unless_they_make_up_for_each_other():
    two, four = np.zeros(2), np.zeros(4)
    with pytest.raises(Exception, match="Reshape"):
        alone(MODEL, speed_rpm=two)
    assert len(alone(MODEL, speed_rpm=two, feed_mm_min=four)["anomaly_score"]) == 3


def test_the_runtime_alone_makes_text_of_what_is_none():
    """None becomes 'None', an unknown category, where '' would be a missing value."""
    materials = np.array([None, "steel", "steel"], dtype=object)
    taken, missing, unknown = (
        alone(MODEL, material=np.array([first, *materials[1:]], dtype=object))["anomaly_score"][0]
        for first in (None, "", "None")
    )
    assert taken == unknown != missing

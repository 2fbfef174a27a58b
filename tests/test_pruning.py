"""Cutting a model down to some of its outputs."""

import onnx
import pytest
from small_model import model

from gandetect.model_file import seal
from gandetect.pruning import prune
from gandetect.tensor_names import OUTPUTS

MODEL = seal(model().SerializeToString())


def kept(*outputs):
    return onnx.load_model_from_string(prune(MODEL, outputs)).graph


def test_only_the_nodes_that_an_output_needs_are_kept():
    graph = kept("reconstruction_error")
    assert [value.name for value in graph.output] == ["reconstruction_error"]
    assert {"Sigmoid", "LessOrEqual", "Unsqueeze"}.isdisjoint(node.op_type for node in graph.node)
    assert {"LabelEncoder", "Where", "Abs"} <= {node.op_type for node in graph.node}


def test_nodes_behind_an_output_that_is_needed_on_the_way_are_kept():
    assert len(kept("is_anomaly").node) > len(kept("p_value").node) > len(kept("realness").node)


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_is_left_is_a_valid_model_with_all_its_inputs(name):
    onnx.checker.check_model(onnx.load_model_from_string(prune(MODEL, [name])))
    whole = onnx.load_model_from_string(MODEL).graph
    assert [value.name for value in kept(name).input] == [value.name for value in whole.input]


def test_with_all_outputs_nothing_changes():
    assert prune(MODEL, OUTPUTS) == MODEL


@pytest.mark.parametrize("size", [1, 127, 128, 300, 20_000])
def test_graphs_of_every_size_are_written_as_protobuf_asks(size):
    whole = model()
    whole.graph.doc_string = "x" * size
    data = whole.SerializeToString()
    assert prune(data, OUTPUTS) == data

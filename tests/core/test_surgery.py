"""Finished models taken apart and saved again."""

from __future__ import annotations

import numpy as np
import onnx

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.surgery import OpenModel
from gandetect.scorer import open_session


def differences():
    """Return a model of two inputs whose names are numbers, with a label and a default."""
    builder = GraphBuilder()
    one, other = (builder.input(name, np.float32, ["n"]) for name in ("0", "2"))
    factor = builder.optional_input("factor", np.array([3], dtype=np.float32))
    difference = builder.labelled(builder.node("Sub", one, other), "difference")
    clipped = builder.node("Clip", difference, "", builder.floats(1))
    builder.output("answer", builder.node("Mul", clipped, factor), np.float32, ["n"])
    return builder.build()


def test_a_model_without_labels_answers_the_same_and_its_inner_names_are_numbers_that_no_input_has():
    model = differences()
    bare = OpenModel(model).saved({}, labelled=False)
    feeds = {"0": np.array([1, 2, 9], dtype=np.float32), "2": np.array([3, 1, 2], dtype=np.float32)}
    answers = [open_session(each).run(None, feeds)[0] for each in (model, bare)]
    np.testing.assert_array_equal(*answers, strict=True)
    np.testing.assert_array_equal(answers[0], [-6, 3, 3])
    graph = onnx.load_model_from_string(bare).graph
    assert [value.name for value in graph.input] == ["0", "2", "factor"]
    assert [(node.op_type, list(node.input), list(node.output)) for node in graph.node] == [
        ("Sub", ["0", "2"], ["3"]),
        ("Clip", ["3", "", "1"], ["4"]),
        ("Mul", ["4", "factor"], ["5"]),
        ("Identity", ["5"], ["answer"]),
    ]

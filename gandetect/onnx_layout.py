"""The part of ONNX that may occur in files: every message with its fields, as `gandetect.wire` reads them.

Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from gandetect.wire import DATA, DOUBLES, FLOAT, FLOATS, FORBIDDEN, INT, INTEGERS, INTS, SPAN, TEXT, Layout, Rule


def _many(name: str, kind: str) -> Rule:
    return Rule(name, kind, many=True)


def _forbidden(name: str) -> Rule:
    return Rule(name, FORBIDDEN)


_DOC = Rule("doc_string", TEXT)

LAYOUT: Layout = {
    "ModelProto": {
        1: Rule("ir_version", INT),
        2: Rule("producer_name", TEXT),
        3: Rule("producer_version", TEXT),
        4: Rule("domain", TEXT),
        5: Rule("model_version", INT),
        6: _DOC,
        7: Rule("graph", "GraphProto"),
        8: _many("opset_import", "OperatorSetIdProto"),
        14: _many("metadata_props", "StringStringEntryProto"),
        20: _forbidden("training information"),
        25: _forbidden("a function"),
    },
    "OperatorSetIdProto": {1: Rule("domain", TEXT), 2: Rule("version", INT)},
    "StringStringEntryProto": {1: Rule("key", TEXT), 2: Rule("value", SPAN)},
    "GraphProto": {
        1: _many("node", "NodeProto"),
        2: Rule("name", TEXT),
        5: _many("initializer", "TensorProto"),
        10: _DOC,
        11: _many("input", "ValueInfoProto"),
        12: _many("output", "ValueInfoProto"),
        13: _many("value_info", "ValueInfoProto"),
        15: _forbidden("a sparse tensor"),
    },
    "NodeProto": {
        1: _many("input", TEXT),
        2: _many("output", TEXT),
        3: Rule("name", TEXT),
        4: Rule("op_type", TEXT),
        5: _many("attribute", "AttributeProto"),
        6: _DOC,
        7: Rule("domain", TEXT),
    },
    "AttributeProto": {
        1: Rule("name", TEXT),
        2: Rule("f", FLOAT),
        3: Rule("i", INT),
        4: Rule("s", DATA),
        5: Rule("t", "TensorProto"),
        6: _forbidden("a subgraph"),
        7: _many("floats", FLOATS),
        8: _many("ints", INTEGERS),
        9: _many("strings", DATA),
        10: _forbidden("a list of tensors"),
        11: _forbidden("a list of subgraphs"),
        13: _DOC,
        20: Rule("type", INT),
        21: _forbidden("a reference to a function's attribute"),
        22: _forbidden("a sparse tensor"),
        23: _forbidden("a list of sparse tensors"),
    },
    "TensorProto": {
        1: _many("dims", INTS),
        2: Rule("data_type", INT),
        4: _many("float_data", FLOATS),
        5: _many("int32_data", INTEGERS),
        6: _many("string_data", DATA),
        7: _many("int64_data", INTEGERS),
        8: Rule("name", TEXT),
        9: Rule("raw_data", DATA),
        10: _many("double_data", DOUBLES),
        12: _DOC,
        13: _forbidden("external data (the name of another file)"),
        14: Rule("data_location", INT),
    },
    "ValueInfoProto": {1: Rule("name", TEXT), 2: Rule("type", "TypeProto"), 3: _DOC},
    "TypeProto": {1: Rule("tensor_type", "TypeProto.Tensor")},
    "TypeProto.Tensor": {1: Rule("elem_type", INT), 2: Rule("shape", "TensorShapeProto")},
    "TensorShapeProto": {1: _many("dim", "TensorShapeProto.Dimension")},
    "TensorShapeProto.Dimension": {1: Rule("dim_value", INT), 2: Rule("dim_param", TEXT)},
}
"""Every field of ONNX that a model file may hold; fields that are forbidden anyway have a name for the message."""

_NOTES = {"GraphProto": 16, "NodeProto": 9, "TensorProto": 16, "ValueInfoProto": 4}
"""Fields in which other writers of ONNX keep notes; nothing of them gets into a model file."""

BACKBONE_LAYOUT: Layout = {
    message: {**rules, **({_NOTES[message]: _many("metadata_props", DATA)} if message in _NOTES else {})}
    for message, rules in LAYOUT.items()
}
"""Every field of ONNX that the file of a backbone may hold."""

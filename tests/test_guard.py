"""The guard against hostile graphs: everything that gandetect does not write is refused before a runtime sees it."""

import re
from pathlib import Path

import numpy as np
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from small_model import SCHEMA, chunk, model, parsed, sealed, varint

from gandetect import guard
from gandetect.column import Column, Kind
from gandetect.errors import InputError, ModelFileError
from gandetect.guard import BACKBONE_OPERATORS, OPERATORS, check_backbone, check_graph
from gandetect.model_file import read_model, seal
from gandetect.schema import Schema

EMPTY_GRAPH = helper.make_graph([], "g", [], [])
TENSOR = numpy_helper.from_array(np.zeros(2, np.float32), "gandetect/w")


def external(tensor, location="../../etc/passwd"):
    """Return a tensor whose data are in another file."""
    result = TensorProto()
    result.CopyFrom(tensor)
    result.ClearField("raw_data")
    result.data_location = TensorProto.EXTERNAL
    result.external_data.add(key="location", value=location)
    return result


def located_elsewhere():
    result = TensorProto()
    result.CopyFrom(TENSOR)
    result.data_location = TensorProto.EXTERNAL
    return result


def named_elsewhere():
    result = external(TENSOR)
    result.ClearField("data_location")
    return result


def tensor(dims, data_type=TensorProto.FLOAT):
    return TensorProto(name="gandetect/w", dims=dims, data_type=data_type)


def node(operator, domain="", **attributes):
    return lambda m: m.graph.node.append(
        helper.make_node(operator, ["amount"], ["gandetect/x"], domain=domain, **attributes)
    )


def attribute(name, kind, **fields):
    """Return an edit that adds an Identity with an attribute that the operator does not have."""

    def edit(m):
        added = m.graph.node.add(op_type="Identity", input=["amount"], output=["gandetect/x"])
        added.attribute.add(name=name, type=kind, **fields)

    return edit


def initializer(value):
    return lambda m: m.graph.initializer.append(value)


def constant(value):
    return node("Constant", value=value)


def input_type(position, **changes):
    return lambda m: [setattr(m.graph.input[position].type.tensor_type, key, value) for key, value in changes.items()]


def input_shape(position, shape):
    def edit(m):
        value = m.graph.input[position]
        value.CopyFrom(helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, shape))

    return edit


def swap(values):
    first, second = values[0], values[1]
    first.name, second.name = second.name, first.name


ITEM_BYTES = {
    "FLOAT": 4,
    "UINT8": 1,
    "INT32": 4,
    "INT64": 8,
    "STRING": 32,
    "BOOL": 1,
    "FLOAT16": 2,
    "DOUBLE": 8,
}
SPARSE = helper.make_sparse_tensor(TENSOR, numpy_helper.from_array(np.arange(2)), [9])
FUNCTION = helper.make_function("local", "F", ["x"], ["y"], [], [helper.make_opsetid("", 18)])
SEQUENCE = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, ["n"]))

HOSTILE = {
    # Other files
    "external initializer": (initializer(external(TENSOR)), "external data"),
    "external initializer, hard link": (initializer(external(TENSOR, "weights.bin")), "external data"),
    "external constant": (constant(external(TENSOR)), "external data"),
    "external by location alone": (initializer(located_elsewhere()), "data are in another file"),
    "external by location alone, constant": (constant(located_elsewhere()), "data are in another file"),
    "external by name alone": (initializer(named_elsewhere()), "external data"),
    "external in a list of tensors": (attribute("t", 9, tensors=[external(TENSOR)]), "a list of tensors"),
    "external in a sparse initializer": (lambda m: m.graph.sparse_initializer.append(SPARSE), "a sparse tensor"),
    "sparse constant": (attribute("sparse_value", 11, sparse_tensor=SPARSE), "a sparse tensor"),
    "sparse list": (attribute("s", 12, sparse_tensors=[SPARSE]), "a list of sparse tensors"),
    "external in an attribute of a listed operator": (attribute("t", 4, t=external(TENSOR)), "external data"),
    # Code in code
    "loop": (node("Loop", body=EMPTY_GRAPH), "a subgraph"),
    "branch": (node("If", then_branch=EMPTY_GRAPH, else_branch=EMPTY_GRAPH), "a subgraph"),
    "scan": (node("Scan", body=EMPTY_GRAPH, num_scan_inputs=1), "a subgraph"),
    "subgraph in a listed operator": (attribute("body", 5, g=EMPTY_GRAPH), "a subgraph"),
    "subgraph declared as a number": (attribute("body", 2, g=EMPTY_GRAPH), "a subgraph"),
    "list of subgraphs": (attribute("bodies", 10, graphs=[EMPTY_GRAPH]), "a list of subgraphs"),
    "graph type without a graph": (attribute("body", 5), "an attribute of type 5 in an operator Identity"),
    "attribute without a type": (attribute("body", 0), "an attribute of type 0"),
    "type attribute": (attribute("type", 13, tp=SEQUENCE), "field 14 of AttributeProto"),
    "function": (lambda m: m.functions.append(FUNCTION), "a function"),
    "attribute of a function": (attribute("to", 2, ref_attr_name="to"), "a reference to a function's attribute"),
    "overload": (lambda m: setattr(m.graph.node[0], "overload", "x"), "field 8 of NodeProto"),
    "training information": (lambda m: m.training_info.add(), "training information"),
    # Operators
    "loop without body": (node("Loop"), "the operator 'Loop'"),
    "foreign domain": (node("Add", "com.microsoft"), "an operator of the domain 'com.microsoft'"),
    "python operator": (node("PyOp", "ai.onnx.contrib"), "an operator of the domain 'ai.onnx.contrib'"),
    "foreign import": (
        lambda m: m.opset_import.add(domain="com.evil", version=1),
        "operators of the domain 'com.evil'",
    ),
    "alias of the core domain": (node("Add", "ai.onnx"), "an operator of the domain 'ai.onnx'"),
    "listed in the other domain": (node("LabelEncoder"), "the operator 'LabelEncoder'"),
    "unlisted in the other domain": (
        node("TreeEnsembleRegressor", "ai.onnx.ml"),
        "the operator 'TreeEnsembleRegressor'",
    ),
    "unlisted": (node("RandomNormal", shape=[2]), "the operator 'RandomNormal'"),
    "unlisted, allocates": (node("ConstantOfShape"), "the operator 'ConstantOfShape'"),
    "unlisted, sequence": (node("SequenceConstruct"), "the operator 'SequenceConstruct'"),
    "batch-dependent": (node("DynamicQuantizeLinear"), "the operator 'DynamicQuantizeLinear'"),
    "no operator": (node(""), "the operator ''"),
    "case": (node("add"), "the operator 'add'"),
    "zero byte": (node("Add\0"), r"the operator 'Add\\x00'"),
    "terminal codes": (node("\x1b]0;x\x07"), r"the operator '\\x1b\]0;x\\x07'"),
    "long name": (node("A" * 10**6), "the operator 'A{60}[.]{3}'"),
    # Size
    "nodes": (lambda m: [m.graph.node.add(op_type="Neg") for _ in range(20_000)], "20016 nodes .at most 20000"),
    "messages": (lambda m: [m.graph.node.add() for _ in range(200_000)], "more than 200000 messages"),
    "fields": (lambda m: m.graph.node[0].output.extend([""] * 1_000_000), "more than 1000000 fields"),
    "dimensions": (initializer(tensor([1] * 9)), "a tensor of 9 dimensions"),
    "packed dimensions": (initializer(tensor([2**62] * 500_000)), "a tensor of 500000 dimensions"),
    "huge tensor": (initializer(tensor([2**40])), "tensors that need more than 256 MB"),
    "huge constant": (constant(tensor([2**20, 2**20])), "tensors that need more than 256 MB"),
    "huge tensors together": (lambda m: m.graph.initializer.extend([tensor([2**25])] * 3), "more than 256 MB"),
    "huge strings": (initializer(tensor([2**24], TensorProto.STRING)), "more than 256 MB"),
    "negative size": (initializer(tensor([-1])), "tensors that need more than 256 MB"),
    "tensor type": (initializer(tensor([1], TensorProto.COMPLEX128)), "a tensor of type 15"),
    "tensor without a type": (initializer(tensor([1], 0)), "a tensor of type 0"),
    "tensor type from the future": (initializer(tensor([1], 1000)), "a tensor of type 1000"),
    "segment": (
        lambda m: m.graph.initializer[0].segment.CopyFrom(TensorProto.Segment(begin=1)),
        "field 3 of TensorProto",
    ),
    # Inputs and outputs
    "no graph": (lambda m: m.ClearField("graph"), "no graph"),
    "input renamed": (
        lambda m: setattr(m.graph.input[0], "name", "other"),
        "inputs that are not those",
    ),
    "input missing": (lambda m: m.graph.input.pop(0), "inputs that are not those"),
    "input twice": (lambda m: m.graph.input.append(m.graph.input[0]), "inputs that are not those"),
    "input more": (lambda m: m.graph.input.add(name="more"), "inputs that are not those"),
    "inputs in another order": (lambda m: swap(m.graph.input), "inputs that are not those"),
    "input of another type": (input_type(0, elem_type=TensorProto.FLOAT), "inputs that are not those"),
    "input without a type": (
        lambda m: m.graph.input[0].ClearField("type"),
        "inputs that are not those",
    ),
    "input without a shape": (input_shape(0, None), "inputs that are not those"),
    "input of a fixed size": (input_shape(0, [1]), "inputs that are not those"),
    "input of two dimensions": (input_shape(1, ["n", "m"]), "inputs that are not those"),
    "sequence input": (lambda m: m.graph.input[0].type.CopyFrom(SEQUENCE), "field 4 of TypeProto"),
    "column with a default": (
        initializer(numpy_helper.from_array(np.zeros(2), "amount")),
        "a default other than alpha",
    ),
    "alpha without a default": (lambda m: m.graph.initializer.pop(0), "or alpha without one"),
    "alpha of another type": (input_type(4, elem_type=TensorProto.DOUBLE), "inputs that are not those"),
    "alpha for each row": (input_shape(4, ["n"]), "inputs that are not those"),
    "alpha before the columns": (lambda m: m.graph.input.insert(0, m.graph.input.pop()), "inputs that are not"),
    "output missing": (lambda m: m.graph.output.pop(), "outputs other than anomaly_score, p_value"),
    "output more": (lambda m: m.graph.output.add(name="more"), "outputs other than"),
    "outputs in another order": (lambda m: swap(m.graph.output), "outputs other than"),
    # Fields that are never written
    "metadata of a node": (lambda m: m.graph.node[0].metadata_props.add(key="k"), "field 9 of NodeProto"),
    "metadata of a graph": (lambda m: m.graph.metadata_props.add(key="k"), "field 16 of GraphProto"),
    "device": (lambda m: m.configuration.add(name="d"), "field 26 of ModelProto"),
    "annotation": (lambda m: m.graph.quantization_annotation.add(tensor_name="t"), "field 14 of GraphProto"),
}


@pytest.mark.parametrize(("edit", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_models_are_refused(edit, message):
    proto = model()
    edit(proto)
    with pytest.raises(
        ModelFileError, match=f"found .*{message}.* in the given bytes; do not use this file, get it again"
    ):
        read_model(seal(proto.SerializeToString()))


OF_ANY_GRAPH = {name: HOSTILE[name] for name in [*HOSTILE][: [*HOSTILE].index("input renamed")]}


@pytest.mark.parametrize(("edit", "message"), OF_ANY_GRAPH.values(), ids=OF_ANY_GRAPH)
def test_backbones_are_refused_what_model_files_are(edit, message):
    proto = model()
    edit(proto)
    with pytest.raises(InputError, match=f"found .*{message}.* in 'b.onnx'; export the backbone again"):
        check_backbone(proto.SerializeToString(), "'b.onnx'", folded=True)


def around(graph=b"", tensor=b"", node=b"", value=b""):
    """Return a model with raw bytes appended to its graph, to a tensor, to a node or to an input that they are in."""
    proto = model()
    content = proto.graph.SerializeToString() + graph
    for number, data in ((5, tensor), (1, node), (11, value)):
        content += chunk(number, data) if data else b""
    proto.ClearField("graph")
    return sealed(chunk(7, content) + proto.SerializeToString())


LONG_NEGATIVE = b"\xff" * 9 + b"\x01"
CRAFTED = {
    "second graph, merged by parsers": (
        sealed(model().SerializeToString() + chunk(7, b"")),
        "graph twice in one Model",
    ),
    "second operator, the last wins": (around(node=chunk(4, b"Loop") + chunk(4, b"Add")), "op_type twice"),
    "second location": (around(tensor=b"\x70\x01\x70\x00"), "data_location twice in one TensorProto"),
    "location cut to 32 bits": (around(tensor=b"\x70" + varint(1 << 32 | 1)), "data are in another file"),
    "location zero when cut": (around(tensor=b"\x70" + varint(1 << 32)), "data are in another file"),
    "location negative": (around(tensor=b"\x70" + LONG_NEGATIVE), "data are in another file"),
    "location in another wire type": (around(tensor=b"\x72\x01\x01"), "wire type 2 for data_location"),
    "tensor type cut to 32 bits": (around(tensor=b"\x10" + varint(1 << 32 | 1)), "a tensor of type"),
    "number longer than needed": (around(tensor=b"\x70\x81\x80\x00"), "written longer than needed"),
    "field number longer than needed": (around(tensor=b"\xf0\x80\x00\x01"), "written longer than needed"),
    "number beyond 64 bits": (around(tensor=b"\x70" + b"\xff" * 9 + b"\x7f"), "too large"),
    "group": (around(graph=b"\x0b\x0c"), "wire type 3"),
    "wire type 6": (around(graph=b"\x0e"), "wire type 6"),
    "end of a group": (around(graph=b"\x0c"), "wire type 4"),
    "unknown field": (around(graph=chunk(1000, b"x")), "field 1000 of GraphProto"),
    "field 0": (around(graph=b"\x00\x00"), "field number 0"),
    "text not UTF-8": (around(node=chunk(4, b"\xff")), "text at byte .* that is not UTF-8"),
    "name not UTF-8": (around(node=chunk(1, b"\xff") + chunk(4, b"Neg")), "text at byte .* that is not UTF-8"),
    "overlong UTF-8": (around(node=chunk(4, b"\xc1\x81dd")), "text at byte .* that is not UTF-8"),
    "length beyond the message": (around(node=b"\x22\x7f"), "ends beyond the end of its message"),
    "length beyond the file": (around(node=b"\x22" + varint(1 << 62)), "ends beyond the end of its message"),
    "float beyond the message": (around(node=chunk(5, b"\x15\x00")), "ends beyond the end of its message"),
    "packed numbers cut short": (around(tensor=chunk(1, b"\x80")), "ends beyond the end of its message"),
    "no number after its field": (around(tensor=b"\x70"), "ends beyond the end of its message"),
    "node as a number": (around(graph=b"\x08\x01"), "wire type 0 for node in GraphProto"),
    "nested types": (around(value=chunk(2, chunk(4, chunk(1, b"") * 1000))), "field 4 of TypeProto"),
}


@pytest.mark.parametrize(("data", "message"), CRAFTED.values(), ids=CRAFTED)
def test_bytes_that_parsers_read_differently_are_refused(data, message):
    with pytest.raises(
        ModelFileError, match=f"found .*{message}.* in the given bytes; do not use this file, get it again"
    ):
        read_model(data)


def test_a_model_without_alpha_is_accepted():
    proto = model()
    proto.graph.input.pop()
    read_model(seal(proto.SerializeToString()))


def test_what_writers_of_onnx_add_by_themselves_is_accepted():
    proto = model()
    proto.producer_version, proto.doc_string, proto.model_version = "1", "about", 3
    proto.graph.doc_string = proto.graph.node[0].doc_string = proto.graph.node[0].name = "about"
    proto.graph.value_info.append(helper.make_tensor_value_info("gandetect/logit", TensorProto.FLOAT, ["n"]))
    proto.graph.initializer.append(helper.make_tensor("gandetect/packed", TensorProto.INT64, [3], [1, -1, 2**40]))
    proto.graph.initializer.append(helper.make_tensor("gandetect/text", TensorProto.STRING, [1], [b"\xff"]))
    for kind in (TensorProto.DOUBLE, TensorProto.FLOAT, TensorProto.INT32):
        proto.graph.initializer.append(helper.make_tensor(f"gandetect/{kind}", kind, [2], [1, 2]))
    more = {"text": "x", "floats": [0.5, 2.0], "strings": ["a", "b"], "number": 0.5}
    proto.graph.node.append(helper.make_node("Neg", ["amount"], ["gandetect/x"], **more))
    proto.graph.node[-1].attribute[0].doc_string = proto.graph.initializer[0].doc_string = "about"
    proto.graph.input[0].doc_string = "about"
    check_graph(parsed(proto.SerializeToString()).SerializeToString(), SCHEMA)


def test_the_model_is_named_as_the_caller_says():
    with pytest.raises(ModelFileError, match=r"found no graph in 'm\.onnx'; do not use this file"):
        check_graph(b"", SCHEMA, "'m.onnx'")


def test_inputs_are_compared_with_the_schema_that_is_given():
    with pytest.raises(ModelFileError, match="inputs that are not those"):
        check_graph(model().SerializeToString(), Schema((Column("amount", Kind.NUMBER),)))


def test_a_model_may_have_exactly_the_largest_size(monkeypatch):
    data = model().SerializeToString()
    monkeypatch.setattr(guard, "MAX_BYTES", len(data))
    check_graph(data, SCHEMA)
    monkeypatch.setattr(guard, "MAX_BYTES", len(data) - 1)
    with pytest.raises(ModelFileError, match="found more than 0 MB in the model"):
        check_graph(data, SCHEMA)


def test_a_model_may_have_exactly_the_largest_number_of_nodes():
    proto = model()
    for _ in range(20_000 - len(proto.graph.node)):
        proto.graph.node.add(op_type="Neg")
    check_graph(proto.SerializeToString(), SCHEMA)


@pytest.mark.parametrize(("name", "n_bytes"), ITEM_BYTES.items())
def test_tensors_may_declare_exactly_the_largest_size(name, n_bytes):
    proto = model()
    for more, message in ((0, "or alpha without one"), (1, "tensors that need more than 256 MB")):
        del proto.graph.initializer[:]
        del proto.graph.node[:]
        proto.graph.initializer.append(tensor([2**28 // n_bytes + more], TensorProto.DataType.Value(name)))
        with pytest.raises(ModelFileError, match=message):
            check_graph(proto.SerializeToString(), SCHEMA)


def test_listed_operators_have_neither_bodies_nor_randomness_nor_state():
    risky = {
        "Loop",
        "If",
        "Scan",
        "SequenceMap",
        "RandomNormal",
        "RandomUniform",
        "Multinomial",
        "Bernoulli",
        "Optional",
    }
    assert not risky & OPERATORS[""]
    assert set(OPERATORS) == {"", "ai.onnx.ml"}


def test_no_operator_is_listed_that_no_graph_of_ours_has_but_those_of_backbones_and_constants():
    rooms = Path(guard.__file__).parent.joinpath("graph").glob("*.py")
    written = set(re.findall(r'"([A-Z][A-Za-z0-9]+)"', "".join(room.read_text() for room in rooms)))
    assert OPERATORS[""] | OPERATORS["ai.onnx.ml"] <= written | BACKBONE_OPERATORS | {"Constant"}
    assert not written & BACKBONE_OPERATORS


def test_attribute_types_that_hold_graphs_are_not_allowed():
    allowed = {AttributeProto.AttributeType.Name(number) for number in guard._ATTRIBUTE_TYPES}
    assert allowed == {"FLOAT", "INT", "STRING", "TENSOR", "FLOATS", "INTS", "STRINGS"}

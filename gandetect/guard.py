"""The guard: refuses all that gandetect does not write into a model, before ONNX Runtime sees the bytes.

A model file is untrusted input, and ONNX Runtime does what a model says: it opens files that external data name, runs
loops and allocates tensors of any declared size. What may occur is listed, operators here and fields in
`gandetect.onnx_layout`; everything else is refused, also fields of ONNX that are harmless or not yet invented, because
no file of ours holds them. The guard bounds the file, not the computation: listed operators can still be combined into
a graph that needs much memory or time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gandetect import wire
from gandetect.errors import InputError, ModelFileError
from gandetect.modality import ALPHA, Modality
from gandetect.onnx_layout import BACKBONE_LAYOUT, LAYOUT
from gandetect.wire import Message, RefusedError

MAX_BYTES = 256 * 2**20
"""Largest model file, and largest sum of the sizes that its tensors declare, in bytes."""

MAX_NODES = 20_000
"""Most nodes in a graph."""

MAX_RANK = 8
"""Most dimensions of a tensor."""

_CORE_OPERATORS = """
    Abs Add And ArgMax Asinh AveragePool Cast Clip Concat Constant Conv ConvTranspose Cos Div Equal Exp Flatten Floor
    Gather GatherElements Gemm GlobalAveragePool Greater GreaterOrEqual Identity IsNaN LeakyRelu Less LessOrEqual Log
    MatMul Max Min Mul Neg Or Pad ReduceL1 ReduceMax ReduceMean ReduceSum ReduceSumSquare Relu Reshape Resize Round
    Shape Sigmoid Sin Slice Split Sqrt Squeeze Sub Tanh TopK Transpose Unsqueeze Where
"""

_BACKBONE_OPERATORS = """
    BatchNormalization Elu Erf HardSigmoid HardSwish InstanceNormalization LayerNormalization MaxPool PRelu Pow Softplus
"""

BACKBONE_OPERATORS = frozenset(_BACKBONE_OPERATORS.split())
"""Operators that occur in convolutional networks that were trained elsewhere, and in nothing else that a file holds."""

FOLDED_OPERATORS = frozenset({"Ceil", "ConstantOfShape"})
"""Operators by which exporters write the margins of a padding: taken in a backbone's file, never in a model file."""

OPERATORS = {
    "": frozenset(_CORE_OPERATORS.split()) | BACKBONE_OPERATORS,
    "ai.onnx.ml": frozenset({"LabelEncoder"}),
}
"""Operators that a graph may use, by domain."""

FLOAT_TYPE, BYTE_TYPE, STRING_TYPE, DOUBLE_TYPE = 1, 2, 8, 11
"""ONNX's numbers for the types of graph inputs."""

_INPUT_TYPES: dict[type, int] = {
    np.uint8: BYTE_TYPE,
    str: STRING_TYPE,
    np.float32: FLOAT_TYPE,
    np.float64: DOUBLE_TYPE,
}

_ITEM_BYTES = {FLOAT_TYPE: 4, BYTE_TYPE: 1, 6: 4, 7: 8, STRING_TYPE: 32, 9: 1, 10: 2, DOUBLE_TYPE: 8}
"""Types that a tensor may have (also uint8, int32, int64, bool, float16), with the memory that an element takes."""

_ATTRIBUTE_TYPES = frozenset({1, 2, 3, 4, 6, 7, 8})
"""Float, int, string, tensor; floats, ints, strings: no graph among them."""


def check_graph(model: bytes, schema: Modality, name: str = "the model") -> None:
    """Refuse a model that holds anything but what gandetect writes.

    Parameters
    ----------
    model : bytes
        A serialized ONNX ModelProto.
    schema : Schema, ImageSchema or CoreSchema
        What the model's manifest promises: its inputs, in order, and then, optionally, `ALPHA`, a float of shape ()
        with a default; its outputs, in order.
    name : str
        What messages call the model.

    Raises
    ------
    ModelFileError
        The model is larger, refers to other files, has subgraphs, functions, operators or domains that are not listed,
        declares too much memory, does not fit the schema, or is not ONNX at all.
    """
    try:
        _check_interface(_checked_graph(model, LAYOUT), schema)
    except RefusedError as found:
        raise ModelFileError(
            f"Expected only what gandetect writes into a model file, found {found} in {name}; do not use this file, "
            "get it again from where the model was trained."
        ) from None


def check_backbone(model: bytes, name: str, *, folded: bool = False) -> tuple[int, int] | None:
    """Refuse an ONNX file that may not become a part of a model file, and return the size of its pictures, if fixed.

    Parameters
    ----------
    model : bytes
        A serialized ONNX ModelProto of a convolutional network: float pictures (n, 3, height, width) in.
    name : str
        What messages call the file.
    folded : bool
        Whether all that is constant has been computed, so that `FOLDED_OPERATORS` have no place any more.

    Returns
    -------
    tuple of int or None
        Height and width of the pictures; None where any may come.

    Raises
    ------
    InputError
        The file holds what `check_graph` refuses, or has another input.
    """
    try:
        return _picture_size(_checked_graph(model, BACKBONE_LAYOUT, frozenset() if folded else FOLDED_OPERATORS))
    except RefusedError as found:
        what = found if model.startswith(ONNX_START) else "no ONNX"
        raise InputError(
            "Expected an ONNX file with convolutional operators only, from float pictures (n, 3, height, width) to "
            f"feature maps, found {what} in {name}; export the backbone again, or name another one."
        ) from None


ONNX_START = b"\x08"
"""Field 1, the version of ONNX: what writers of ONNX files begin with."""


def _checked_graph(model: bytes, layout: wire.Layout, also: frozenset[str] = frozenset()) -> Message:
    """Decode a model and refuse what no graph may hold, whatever it computes."""
    if len(model) > MAX_BYTES:
        raise RefusedError(f"more than {MAX_BYTES >> 20} MB")
    content = wire.decode(model, layout, "ModelProto")
    graph: Message | None = content["graph"]
    if graph is None:
        raise RefusedError("no graph")
    _check_domains(content["opset_import"])
    _check_nodes(graph["node"], also)
    _check_tensors(graph)
    return graph


def _picture_size(graph: Message) -> tuple[int, int] | None:
    """Check that a graph takes one batch of float pictures, and return their fixed size, if they have one."""
    stored = {tensor["name"] for tensor in graph["initializer"]}
    inputs = [_signature(value) for value in graph["input"] if value["name"] not in stored]
    if len(inputs) != 1:
        raise RefusedError(f"{len(inputs)} inputs")
    _, kind, shape = inputs[0]
    if kind != FLOAT_TYPE or shape is None or len(shape) != 4 or shape[0] or shape[1] not in (0, 3):
        sizes = "no sizes" if shape is None else f"sizes ({', '.join(str(size or 'any') for size in shape)})"
        raise RefusedError(f"an input of type {kind} with {sizes}")
    height, width = shape[2:]
    if not height and not width:
        return None
    if height % 16 or width % 16 or not (height and width):
        raise RefusedError(f"pictures of {height or 'any'} x {width or 'any'} pixels, no multiples of 16,")
    return height, width


def _check_domains(imports: list[Message]) -> None:
    for entry in imports:
        if entry["domain"] not in OPERATORS:
            raise RefusedError(f"operators of the domain {shown(entry['domain'])}")


def _check_nodes(nodes: list[Message], also: frozenset[str]) -> None:
    if len(nodes) > MAX_NODES:
        raise RefusedError(f"{len(nodes)} nodes (at most {MAX_NODES} are allowed)")
    for node in nodes:
        domain, operator = node["domain"], node["op_type"]
        if domain not in OPERATORS:
            raise RefusedError(f"an operator of the domain {shown(domain)}")
        if operator not in OPERATORS[domain] | also:
            raise RefusedError(f"the operator {shown(operator)}")
        for attribute in node["attribute"]:
            if attribute["type"] not in _ATTRIBUTE_TYPES:
                raise RefusedError(f"an attribute of type {attribute['type']} in an operator {operator}")


def _check_tensors(graph: Message) -> None:
    """Check initializers and the tensors in attributes: all data inside, and sizes that can be allocated."""
    attributes = (attribute for node in graph["node"] for attribute in node["attribute"])
    tensors = [*graph["initializer"], *(attribute["t"] for attribute in attributes if attribute["t"])]
    if any(tensor["data_location"] != 0 for tensor in tensors):
        raise RefusedError("a tensor whose data are in another file")
    for tensor in tensors:
        if len(tensor["dims"]) > MAX_RANK:
            raise RefusedError(f"a tensor of {len(tensor['dims'])} dimensions")
        if tensor["data_type"] not in _ITEM_BYTES:
            raise RefusedError(f"a tensor of type {tensor['data_type']}")
    n_bytes = sum(_ITEM_BYTES[tensor["data_type"]] * math.prod(tensor["dims"]) for tensor in tensors)
    if n_bytes > MAX_BYTES:
        raise RefusedError(f"tensors that need more than {MAX_BYTES >> 20} MB")


def _check_interface(graph: Message, schema: Modality) -> None:
    """Check the names, types and shapes of inputs, which of them have defaults, and the names of outputs."""
    inputs = [_signature(value) for value in graph["input"]]
    promised = [(name, _INPUT_TYPES[dtype], tuple(size or 0 for size in shape)) for name, dtype, shape in schema.inputs]
    alpha = (ALPHA, FLOAT_TYPE, ())
    if not promised or inputs not in (promised, [*promised, alpha]):
        raise RefusedError("inputs that are not those of its manifest")
    defaults = {tensor["name"] for tensor in graph["initializer"]} & {name for name, _, _ in inputs}
    if defaults != ({ALPHA} if alpha in inputs else set()):
        raise RefusedError(f"an input with a default other than {ALPHA}, or {ALPHA} without one")
    outputs = [value["name"] for value in graph["output"]]
    if outputs != list(schema.outputs):
        raise RefusedError(f"outputs other than {', '.join(schema.outputs)}")


def _signature(value: Message) -> tuple[str, int, tuple[int, ...] | None]:
    """Return name, element type and sizes of a graph input, 0 where any size may come; no sizes are None."""
    tensor = (value["type"] or {}).get("tensor_type")
    if tensor is None or tensor["shape"] is None:
        return value["name"], 0, None
    return value["name"], tensor["elem_type"], tuple(size["dim_value"] for size in tensor["shape"]["dim"])


def shown(name: Any) -> str:
    """Return a name from a file for a message: control characters escaped, and never long."""
    name = str(name)
    return repr(name if len(name) <= 60 else f"{name[:60]}...")

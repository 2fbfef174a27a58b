"""A model file small enough to be taken apart byte by byte, and the ways to take it apart."""

import hashlib
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gandetect.column import Column, Kind, Role
from gandetect.manifest import manifest_json
from gandetect.modality import ALPHA
from gandetect.model_file import DIGEST_KEY, DIGEST_PLACEHOLDER, MANIFEST_KEY
from gandetect.schema import Schema
from gandetect.tensor_names import OUTPUTS

SCHEMA = Schema(
    (
        Column("amount", Kind.NUMBER),
        Column("row id", Kind.ID, Role.LEFT_OUT, reason="every value is different"),
        Column("colour", Kind.CATEGORY, summary={"values": ["red", "grün"]}),
        Column("score at", Kind.TIME),
        Column("p_value", Kind.YES_NO),
    )
)
SHAPES = {"contributions": ["n", 4], "expected_numbers": ["n", 2], "expected_levels": ["n", 2, 2]}


def manifest(**changes):
    return {
        "format": 1,
        "modality": "table",
        "gandetect_version": "0.1.0",
        "columns": SCHEMA.to_json(),
        "training": {
            "n_rows": 100,
            "seed": 0,
            "contamination": "auto",
            "settings": {"loss": "logistic", "n_steps": 1, "n_members": 2},
            "named": True,
            "n_known_anomalies": 0,
            "trimmed_share": 0.0,
        },
        "calibration": {"n": 20, "alpha": 0.05, "threshold": None, "critical_score": 1.5},
        "health": {},
        "golden": {"inputs": {"amount": [1.5, None]}, "outputs": {}},
    } | changes


def model(manifest_text=None):
    """Return a ModelProto that computes all outputs from all inputs, with the placeholder in place of its digest."""
    inputs = [
        helper.make_tensor_value_info("amount", TensorProto.DOUBLE, ["n"]),
        helper.make_tensor_value_info("colour", TensorProto.STRING, ["n"]),
        helper.make_tensor_value_info("score at", TensorProto.DOUBLE, ["n"]),
        helper.make_tensor_value_info("column/p_value", TensorProto.STRING, ["n"]),
        helper.make_tensor_value_info(ALPHA, TensorProto.FLOAT, []),
    ]
    constants = {
        ALPHA: np.array(0.05, np.float32),
        "gandetect/one": np.array(1, np.float32),
        "gandetect/columns": np.array([1], np.int64),
        "gandetect/spread": np.full((1, 4), 0.25, np.float32),
        "gandetect/two": np.zeros((1, 2), np.float32),
        "gandetect/levels": np.array([[["red", ""], ["yes", "no"]]] * 3, dtype=object),
        "gandetect/known": np.array([0.5, 0.25, 0], np.float32),
    }
    encoder = {"keys_strings": ["red", "grün"], "values_int64s": [0, 1], "default_int64": 2}
    half = numpy_helper.from_array(np.array(0.5), "gandetect/half value")
    nodes = [
        helper.make_node("Constant", [], ["gandetect/half"], value=half),
        helper.make_node("IsNaN", ["amount"], ["gandetect/missing"]),
        helper.make_node("Where", ["gandetect/missing", "gandetect/half", "amount"], ["gandetect/filled"]),
        helper.make_node("Cast", ["gandetect/filled"], ["gandetect/samples"], to=TensorProto.FLOAT),
        helper.make_node("LabelEncoder", ["colour"], ["gandetect/code"], domain="ai.onnx.ml", **encoder),
        helper.make_node("Gather", ["gandetect/known", "gandetect/code"], ["gandetect/category"]),
        helper.make_node("Add", ["gandetect/samples", "gandetect/category"], ["gandetect/logit"]),
        helper.make_node("Sigmoid", ["gandetect/logit"], ["realness"]),
        helper.make_node("Sub", ["gandetect/one", "realness"], ["anomaly_score"]),
        helper.make_node("Sub", ["gandetect/one", "anomaly_score"], ["p_value"]),
        helper.make_node("LessOrEqual", ["p_value", ALPHA], ["is_anomaly"]),
        helper.make_node("Abs", ["gandetect/logit"], ["reconstruction_error"]),
        helper.make_node("Unsqueeze", ["realness", "gandetect/columns"], ["gandetect/column"]),
        helper.make_node("Mul", ["gandetect/column", "gandetect/spread"], ["contributions"]),
        helper.make_node("Add", ["gandetect/column", "gandetect/two"], ["expected_numbers"]),
        helper.make_node("Gather", ["gandetect/levels", "gandetect/code"], ["expected_levels"]),
    ]
    types = {
        "is_anomaly": TensorProto.BOOL,
        "expected_levels": TensorProto.STRING,
    }
    outputs = [
        helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), SHAPES.get(name, ["n"]))
        for name in OUTPUTS
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "gandetect", inputs, outputs, initializers)
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    result = helper.make_model(graph, opset_imports=imports, ir_version=8, producer_name="gandetect")
    text = manifest_json(manifest()) if manifest_text is None else manifest_text
    helper.set_model_props(result, {MANIFEST_KEY: text, DIGEST_KEY: DIGEST_PLACEHOLDER})
    return result


def sealed(data):
    """Seal as an attacker would: any bytes that hold the placeholder, protobuf or not."""
    data = data if isinstance(data, bytes) else data.SerializeToString()
    before, _, after = data.rpartition(DIGEST_PLACEHOLDER.encode())
    return before + hashlib.sha256(data).hexdigest().encode() + after if before else data


def with_manifest(**changes):
    return sealed(model(json.dumps(manifest(**changes), ensure_ascii=False, sort_keys=True, separators=(",", ":"))))


def varint(number):
    """Encode a number as protobuf does."""
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])


def chunk(number, data):
    """Encode a field that holds bytes or a message."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def parsed(data):
    return onnx.load_model_from_string(data)

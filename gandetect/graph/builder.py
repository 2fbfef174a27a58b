"""Puts an ONNX model together node by node. Same calls, same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from gandetect.modality import INTERNAL_PREFIX

OPSET = 18
IR_VERSION = 8
ML_OPSET = 3

OPSETS = {"": OPSET, "ai.onnx.ml": ML_OPSET}
"""Versions of the operators, by domain."""

Dim = int | str | None


class GraphBuilder:
    """Collects nodes, constants, inputs and outputs; tensors are known by their names.

    Internal tensors get names with a reserved prefix, so that no column's name can meet one of them. Those with a label
    can be found in the finished model by `gandetect.graph.surgery`.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, str, tuple[int, ...], bytes], onnx.TensorProto] = {}
        self._defaults: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._output_start: str | None = None

    def input(self, name: str, dtype: type[np.generic] | type[str], shape: Sequence[Dim]) -> str:
        """Declare an input and return its name."""
        self._inputs.append(helper.make_tensor_value_info(name, _element_type(dtype), list(shape)))
        return name

    def optional_input(self, name: str, default: NDArray[Any]) -> str:
        """Declare an input with a default value and return its name."""
        self._defaults.append(numpy_helper.from_array(default, name))
        return self.input(name, default.dtype.type, default.shape)

    def output(self, name: str, tensor: str, dtype: type[np.generic] | type[str], shape: Sequence[Dim]) -> None:
        """Declare that a tensor leaves the graph under `name`."""
        if self._output_start is None:
            self._nodes.append(helper.make_node("Identity", [tensor], [name]))
        else:
            bounds = self._output_start, self.ints([2**31]), self.ints([0])
            self._nodes.append(helper.make_node("Slice", [tensor, *bounds], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, _element_type(dtype), list(shape)))

    def start_outputs_at(self, start: str) -> None:
        """Let outputs that are declared from now on leave out what stands before an index along axis 0, (1,)."""
        self._output_start = start

    def constant(self, value: ArrayLike, dtype: type[np.generic], label: str = "") -> str:
        """Return the name of a constant; equal constants without a label are stored once."""
        array = np.asarray(value, dtype=dtype)
        return self._stored(array, array.tobytes(), label)

    def floats(self, value: ArrayLike, label: str = "") -> str:
        """Return the name of a float32 constant."""
        return self.constant(value, np.float32, label)

    def halves(self, value: ArrayLike) -> str:
        """Return the name of a float32 tensor that is stored in float16: half the file, and as fast once loaded."""
        return self.node("Cast", self.constant(value, np.float16), to=1)

    def ints(self, value: ArrayLike) -> str:
        """Return the name of an int64 constant."""
        return self.constant(value, np.int64)

    def texts(self, values: Sequence[str]) -> str:
        """Return the name of a constant that holds strings, (n,)."""
        return self._stored(np.array(values, dtype=object), repr(list(values)).encode())

    def _stored(self, array: NDArray[Any], content: bytes, label: str = "") -> str:
        key = (label, array.dtype.str, array.shape, content)
        if key not in self._constants:
            name = INTERNAL_PREFIX + (label or f"constant_{len(self._constants)}")
            self._constants[key] = numpy_helper.from_array(array, name)
        return self._constants[key].name

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return that output's name."""
        return self.node_of(operator, inputs, 1, domain, **attributes)[0]

    def node_of(
        self, operator: str, inputs: Sequence[str], n_outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node and return the names of its outputs."""
        outputs = [f"{INTERNAL_PREFIX}{operator}_{len(self._nodes)}_{i}" for i in range(n_outputs)]
        self._nodes.append(helper.make_node(operator, inputs, outputs, domain=domain, **attributes))
        return outputs

    def labelled(self, tensor: str, label: str) -> str:
        """Name a tensor, so that it can be found in the finished model; the runtime drops such a node at load."""
        self._nodes.append(helper.make_node("Identity", [tensor], [f"{INTERNAL_PREFIX}{label}"]))
        return f"{INTERNAL_PREFIX}{label}"

    def build(self, metadata: Mapping[str, str] | None = None, domains: Iterable[str] = OPSETS) -> bytes:
        """Return the serialized model.

        Parameters
        ----------
        metadata : mapping of str to str, optional
            Goes into the model's ``metadata_props``.
        domains : iterable of str
            Of the operators.
        """
        graph = helper.make_graph(
            self._nodes, "gandetect", self._inputs, self._outputs, [*self._defaults, *self._constants.values()]
        )
        opsets = [helper.make_opsetid(domain, OPSETS[domain]) for domain in domains]
        model = helper.make_model(graph, ir_version=IR_VERSION, opset_imports=opsets, producer_name="gandetect")
        helper.set_model_props(model, dict(metadata or {}))
        serialized: bytes = model.SerializeToString(deterministic=True)
        return serialized


def _element_type(dtype: type[np.generic] | type[str]) -> int:
    if dtype is str:
        return int(TensorProto.STRING)
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

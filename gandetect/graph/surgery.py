"""Takes finished models apart, and puts other parts into them; labelled tensors are where it cuts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from gandetect.errors import ModelFileError
from gandetect.graph.linear import AXES
from gandetect.modality import INTERNAL_PREFIX

SMALLEST_HALVED = 256
"""Smaller tensors stay in single precision: there is nothing to be saved."""

HALVED = ("memory", AXES, "evidence/heights")
"""Labels of constants that half precision changes as little as it does unlabelled weights."""


class OpenModel:
    """A model that can be read and changed at its labels.

    Parameters
    ----------
    model : bytes
        A serialized ONNX ModelProto, as the graph builder makes it.
    """

    def __init__(self, model: bytes) -> None:
        self._model = onnx.load_model_from_string(model)
        self._graph = self._model.graph

    def constant(self, label: str) -> NDArray[Any]:
        """Return a labelled constant.

        Raises
        ------
        ModelFileError
            There is none of this label.
        """
        return np.array(numpy_helper.to_array(self._tensor(label)))

    def set_constant(self, label: str, value: NDArray[Any]) -> None:
        """Replace a labelled constant."""
        self._tensor(label).CopyFrom(numpy_helper.from_array(value, INTERNAL_PREFIX + label))

    def computed(self, name: str) -> NDArray[Any]:
        """Return a tensor, by its whole name, that is computed from constants alone."""
        nodes, used = self.needed([name], [])
        constants = [tensor for tensor in self._graph.initializer if tensor.name in used]
        result = helper.make_value_info(name, onnx.TypeProto())
        model = helper.make_model(
            helper.make_graph(nodes, "constant", [], [result], constants), opset_imports=self._model.opset_import
        )
        (value,) = cast(list[Any], ReferenceEvaluator(model).run(None, {}))
        return np.asarray(value)

    @property
    def constants(self) -> dict[str, NDArray[Any]]:
        """All constants and defaults by their whole names."""
        return {tensor.name: np.array(numpy_helper.to_array(tensor)) for tensor in self._graph.initializer}

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, those with defaults as well."""
        return [value.name for value in self._graph.input]

    def texts(self, input_name: str) -> list[str]:
        """Return the levels that the encoder of an input of strings knows."""
        (encoder,) = (n for n in self._graph.node if n.op_type == "LabelEncoder" and n.input[0] == input_name)
        (keys,) = (attribute.strings for attribute in encoder.attribute if attribute.name == "keys_strings")
        return [key.decode() for key in keys]

    def excerpt(self, inputs: Mapping[str, int], outputs: Sequence[str]) -> bytes:
        """Return the part of the graph between labelled tensors as a model of its own.

        Parameters
        ----------
        inputs : mapping of str to int
            Labels of float32 tensors of shape (n, width), and their widths; none: the model's own inputs.
        outputs : sequence of str
            Labels of float32 tensors.
        """
        given, wanted = ([INTERNAL_PREFIX + label for label in labels] for labels in (inputs, outputs))
        nodes, used = self.needed(wanted, given)
        constants = [tensor for tensor in self._graph.initializer if tensor.name in used]
        sources = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
            for name, width in zip(given, inputs.values(), strict=True)
        ] or [value for value in self._graph.input if value.name in used]
        graph = helper.make_graph(
            nodes,
            "excerpt",
            sources,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in wanted],
            constants,
        )
        model = helper.make_model(graph, ir_version=self._model.ir_version, opset_imports=self._model.opset_import)
        serialized: bytes = model.SerializeToString(deterministic=True)
        return serialized

    def replace(self, parts: bytes, labels: Sequence[str]) -> bytes:
        """Let another model compute labelled tensors; what only they needed goes.

        Parameters
        ----------
        parts : bytes
            A model whose inputs are labelled tensors of this one, and whose outputs have the labels' names.
        labels : sequence of str
            What `parts` computes.

        Returns
        -------
        bytes
            The new model, without metadata.
        """
        graph = onnx.load_model_from_string(parts).graph
        names = {INTERNAL_PREFIX + label for label in labels}
        own = [node for node in self._graph.node if not names & set(node.output)]
        first = next(i for i, node in enumerate(own) if names & set(node.input))
        # Nodes of the new part get names of their own.
        inner = {name: f"{name}/new" for node in graph.node for name in node.output if name not in names}
        inner |= {tensor.name: f"{tensor.name}/new" for tensor in graph.initializer}
        for node in graph.node:
            node.input[:] = [inner.get(name, name) for name in node.input]
            node.output[:] = [inner.get(name, name) for name in node.output]
        for tensor in graph.initializer:
            tensor.name = inner[tensor.name]
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        del model.graph.node[:], model.graph.initializer[:]
        model.graph.node.extend([*own[:first], *graph.node, *own[first:]])
        model.graph.initializer.extend([*self._graph.initializer, *graph.initializer])
        return OpenModel(model.SerializeToString()).saved({})

    def saved(self, metadata: Mapping[str, str], *, labelled: bool = True) -> bytes:
        """Return the model with only what its outputs need, and with other metadata.

        Parameters
        ----------
        metadata : mapping of str to str
            Takes the place of the model's own.
        labelled : bool, default=True
            Keep labels and telling names; without them a file is some kilobytes smaller, and nothing can take it apart.
        """
        nodes, used = self.needed([output.name for output in self._graph.output], [])
        inputs = {value.name for value in self._graph.input}
        constants = [tensor for tensor in self._graph.initializer if tensor.name in used | inputs]
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        del model.graph.node[:], model.graph.initializer[:], model.metadata_props[:]
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(constants)
        if not labelled:
            _number(model.graph)
        helper.set_model_props(model, dict(metadata))
        serialized: bytes = model.SerializeToString(deterministic=True)
        return serialized

    def halve(self, smallest: int = SMALLEST_HALVED) -> None:
        """Store large weights in half precision; the runtime turns them back when it loads the model.

        Labelled constants stay, but for `HALVED`: others are steps and units in which small errors would show.

        Parameters
        ----------
        smallest : int
            Constants of fewer numbers stay, too.
        """
        casts = []
        for tensor in self._graph.initializer:
            label = tensor.name.removeprefix(INTERNAL_PREFIX)
            if tensor.data_type != TensorProto.FLOAT or not (label.startswith("constant_") or label in HALVED):
                continue
            values = numpy_helper.to_array(tensor)
            if values.size < smallest or np.abs(values).max() > np.finfo(np.float16).max:
                continue
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}/half"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
        nodes = [*casts, *self._graph.node]
        del self._graph.node[:]
        self._graph.node.extend(nodes)

    def needed(self, outputs: Sequence[str], given: Sequence[str]) -> tuple[list[onnx.NodeProto], set[str]]:
        """Return the nodes that outputs need where some tensors are given, and the names of all that is used."""
        used, nodes = set(outputs), []
        for node in reversed(self._graph.node):
            if used.difference(given) & set(node.output):
                nodes.append(node)
                used |= set(node.input)
        return nodes[::-1], used

    def _tensor(self, label: str) -> onnx.TensorProto:
        tensor: onnx.TensorProto
        for tensor in self._graph.initializer:
            if tensor.name == INTERNAL_PREFIX + label:
                return tensor
        raise ModelFileError(
            f"Expected a model file with the labelled parts that an export starts from, found no {label!r}; "
            "fit the model again with this version of gandetect."
        )


def _number(graph: onnx.GraphProto) -> None:
    """Call tensors that only the graph itself knows by numbers; nodes that do nothing but name one go."""
    public = {value.name for value in (*graph.input, *graph.output)}
    numbers = (name for name in map(str, itertools.count()) if name not in public)
    new: dict[str, str] = {
        "": "",
        **{name: name for name in public},
    }  # an empty name stands for an input that is left out

    def renamed(name: str) -> str:
        if name not in new:
            new[name] = next(numbers)
        return new[name]

    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    nodes = []
    for node in graph.node:
        node.input[:] = map(renamed, node.input)
        if node.op_type == "Identity" and node.output[0] not in public:
            new[node.output[0]] = node.input[0]
        else:
            node.output[:] = map(renamed, node.output)
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)

"""Says what a finished model for tables says in the words of hosts that know little: core operators, single precision.

The encoding stays outside: the one input holds encoded rows. Behind it everything is computed in float32; whole numbers
only say where something stands. Operators that small hosts lack are said with others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import NodeProto, TensorProto, helper

from gandetect.core_schema import FEATURES
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.surgery import OpenModel
from gandetect.modality import INTERNAL_PREFIX
from gandetect.tensor_names import DEFAULT_OUTPUTS

_OPERATORS = """
    Abs Add ArgMax Cast Clip Concat Div Exp Gather Greater Identity Less LessOrEqual Log MatMul Mul Neg Pad ReduceMax
    ReduceMean ReduceSum Relu Reshape Sigmoid Split Sqrt Sub Transpose
"""

OPERATORS = frozenset(_OPERATORS.split())
"""All that a core graph is made of, of ONNX's own domain; no operator has a graph of its own."""

FEW_ENTRIES = 4
"""Samples of so few entries are compared with every code, entry by entry."""


def core_graph(model: OpenModel, sample_dim: int, n_columns: int, n_features: int) -> OpenModel:
    """Return the part of a model behind its encoding, with core operators only.

    Parameters
    ----------
    model : OpenModel
        A model for tables.
    sample_dim, n_columns, n_features : int
        Entries of a sample, columns, and those of them that are judged.

    Returns
    -------
    OpenModel
        Its input `FEATURES` holds, next to each other, samples (n, sample_dim), presence (n, n_columns), excess
        (n, n_columns) and the largest growth (n, 1). Its outputs are those that come without being asked for. The
        false-alarm rate is a constant.
    """
    builder = GraphBuilder()
    sizes = [sample_dim, n_columns, n_columns, 1]
    features = builder.input(FEATURES, np.float32, ["n", sum(sizes)])
    parts = builder.node_of("Split", [features, builder.ints(sizes)], len(sizes), axis=1)
    largest = builder.node("ReduceMax", parts[2], builder.ints([1]), keepdims=1)
    labels = [INTERNAL_PREFIX + label for label in ("samples", "present", "excess", "growth", "largest_excess")]
    translation = _Translation(builder, model, dict(zip(labels, [*parts, largest], strict=True)))
    for node in model.needed(DEFAULT_OUTPUTS, labels)[0]:
        translation.add(node)
    for name in DEFAULT_OUTPUTS:
        shape: list[int | str] = ["n", n_features] if name == "contributions" else ["n"]
        builder.output(name, translation.tensor(name), np.bool_ if name == "is_anomaly" else np.float32, shape)
    return OpenModel(OpenModel(builder.build(domains=[""])).saved({}))


class _Translation:
    """A graph that is being said in other words.

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    model : OpenModel
        Has the old graph.
    names : dict of str to str
        Tensors of the old graph, and what they are called in the new one.
    """

    def __init__(self, builder: GraphBuilder, model: OpenModel, names: dict[str, str]) -> None:
        self.builder = builder
        self.constants = model.constants
        self._model = model
        self._names = names
        self._fixed = set(self.constants)
        """Tensors that are computed from constants alone."""
        self._doubles: dict[str, str | None] = {}
        """Tensors in double precision, and the old name of the samples that they are computed from, if they are."""
        self._codes: dict[str, str] = {}
        """The old name of the codes that samples are multiplied with, by that of the samples."""

    def tensor(self, name: str) -> str:
        """Return the new name of a tensor."""
        if name not in self._names:
            value = self.constants[name]
            store = self.builder.ints if value.dtype == np.int64 else self.builder.floats
            self._names[name] = store(value)
        return self._names[name]

    def add(self, node: NodeProto) -> None:
        """Add what a node of the old graph computes."""
        if self._fixed.issuperset(node.input):
            self._fixed.update(node.output)
        doubles = {name: self._doubles[name] for name in node.input if name in self._doubles}
        if doubles and node.op_type != "Cast":
            samples = next(filter(None, doubles.values()), None)
            self._doubles[node.output[0]] = samples
            if samples and node.op_type == "MatMul":
                self._codes[samples] = node.input[1]
        elif node.op_type in _WORDS:
            new = _WORDS[node.op_type](self, node)
            if new:
                self._names[node.output[0]] = new
        else:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            inputs = [self.tensor(name) for name in node.input]
            outputs = self.builder.node_of(node.op_type, inputs, len(node.output), **attributes)
            self._names |= dict(zip(node.output, outputs, strict=True))

    def same(self, node: NodeProto) -> str:
        """Leave a node out that changes nothing."""
        return self.tensor(node.input[0])

    def second(self, node: NodeProto) -> str:
        """Leave out what asks whether an `alpha` is given, which is so without a rule of the model's own only."""
        return self.tensor(node.input[1])

    def cast(self, node: NodeProto) -> str:
        """Compute in single precision: only the distance to the memory ever needed another."""
        (name,), (to,) = node.input, (attribute.i for attribute in node.attribute)
        if to == TensorProto.DOUBLE:
            self._doubles[node.output[0]] = None if name in self._fixed else name
        elif samples := self._doubles.get(name):
            return self._recalled(samples)
        elif name in self.constants:
            self.constants[node.output[0]] = self.constants[name].astype(np.float32)
        else:
            return self.builder.node("Cast", self.tensor(name), to=TensorProto.FLOAT)
        return ""

    def _recalled(self, samples: str) -> str:
        """Return the squared distance of samples, called so in the old graph, to the nearest code, (members, n, 1).

        In single precision a product is good enough to find the code, but not to tell how far it is. With few entries
        codes stand so close to each other that it does not even find it.
        """
        # Twice each code, and an entry of its own that belongs to the product.
        node, codes = self.builder.node, self._model.computed(self._codes[samples])[:, :-1].swapaxes(1, 2) / 2
        n_members, n_codes, width = codes.shape
        half_lengths = np.square(codes, dtype=np.float64).sum(2)[:, None] / 2  # (members, 1, n_codes)
        codes = np.pad(codes, ((0, 0), (0, 0), (0, 1)), constant_values=1.0)  # as the samples, which end with a one
        seen = self.tensor(samples)
        if width <= FEW_ENTRIES:
            rows = node("Reshape", seen, self.builder.ints([n_members, -1, 1, width + 1]))
            nearness = node("Neg", self._squared_distance(rows, self.builder.floats(codes[:, None]), axis=3))
            return node("Neg", node("ReduceMax", nearness, self.builder.ints([2]), keepdims=1))
        stored = self.builder.floats(codes)
        product = node("MatMul", seen, node("Transpose", stored, perm=[0, 2, 1]))
        near = node("Sub", product, self.builder.floats(half_lengths))
        nearest = node("Cast", node("ArgMax", near, axis=2, keepdims=0), to=TensorProto.FLOAT)
        index = node("Add", nearest, self.builder.floats(n_codes * np.arange(n_members)[:, None]))
        rows = node("Reshape", stored, self.builder.ints([n_members * n_codes, width + 1]))
        code = node("Gather", rows, node("Cast", index, to=TensorProto.INT32), axis=0)
        return self._squared_distance(seen, code, axis=2, keepdims=1)

    def _squared_distance(self, one: str, other: str, axis: int, keepdims: int = 0) -> str:
        apart = self.builder.node("Sub", one, other)
        square = self.builder.node("Mul", apart, apart)
        return self.builder.node("ReduceSum", square, self.builder.ints([axis]), keepdims=keepdims)

    def gather(self, node: NodeProto) -> str:
        """Turn computed places into whole numbers."""
        data, places = (self.tensor(name) for name in node.input)
        if node.input[1] not in self.constants:
            places = self.builder.node("Cast", places, to=TensorProto.INT32)
        return self.builder.node("Gather", data, places, axis=node.attribute[0].i)

    def larger(self, node: NodeProto) -> str:
        """Say ``max(a, b)`` as ``b + relu(a - b)``."""
        one, other = (self.tensor(name) for name in node.input)
        beyond = self.builder.node("Relu", self.builder.node("Sub", one, other))
        return self.builder.node("Add", other, beyond)

    def smaller(self, node: NodeProto) -> str:
        """Say ``min(a, b)`` as a clip, b being a constant: a difference from b would cost a small a its digits."""
        lowest = self.builder.floats(np.finfo(np.float32).min)
        return self.builder.node("Clip", self.tensor(node.input[0]), lowest, self.tensor(node.input[1]))

    def asinh(self, node: NodeProto) -> str:
        """Say ``asinh(x)`` as ``log(x + sqrt(x^2 + 1))``: x is never negative."""
        x, add = self.tensor(node.input[0]), self.builder.node
        root = add("Sqrt", add("Add", add("Mul", x, x), self.builder.floats(1.0)))
        return add("Log", add("Add", x, root))

    def reduce_l1(self, node: NodeProto) -> str:
        """Add up absolute values."""
        absolute = self.builder.node("Abs", self.tensor(node.input[0]))
        return self.builder.node("ReduceSum", absolute, self.tensor(node.input[1]), keepdims=node.attribute[0].i)


_WORDS: dict[str, Callable[[_Translation, NodeProto], str]] = {
    "And": _Translation.second,
    "Asinh": _Translation.asinh,
    "Cast": _Translation.cast,
    "Gather": _Translation.gather,
    "Identity": _Translation.same,
    "Max": _Translation.larger,
    "Min": _Translation.smaller,
    "Or": _Translation.second,
    "ReduceL1": _Translation.reduce_l1,
}
"""How operators are said that are no core operators, or do something else here."""

"""Small convolutional networks as ONNX files, with weights drawn from a seed."""

from contextlib import contextmanager

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from gandetect.images import maps as image_maps

CHANNELS = 4


def backbone_file(
    path,
    *,
    operator="Relu",
    inputs=(),
    attributes=None,
    shape=("n", 3, "height", "width"),
    kind=TensorProto.FLOAT,
    metadata=None,
    opset=18,
    stride=4,
    seed=0,
):
    """Write a network with two maps: convolution, operator, convolution; return the path.

    `inputs` are further constant inputs of the operator.
    """
    random = np.random.default_rng(seed)

    def stored(name, *sizes):
        return numpy_helper.from_array(random.normal(0, 0.3, sizes).astype(np.float32), name)

    constants = [stored("first", CHANNELS, 3, 4, 4), stored("second", 6, CHANNELS, 2, 2)]
    more = [numpy_helper.from_array(np.asarray(value, np.float32), f"more_{i}") for i, value in enumerate(inputs)]
    nodes = [
        helper.make_node("Conv", ["pictures", "first"], ["seen"], strides=[stride, stride]),
        helper.make_node(operator, ["seen", *(tensor.name for tensor in more)], ["changed"], **(attributes or {})),
        helper.make_node("Add", ["seen", "changed"], ["fine"]),  # whatever shape the operator leaves
        helper.make_node("Conv", ["fine", "second"], ["coarse"], strides=[2, 2]),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, None, None]) for name in MAPS]
    pictures = helper.make_tensor_value_info("pictures", kind, shape)
    graph = helper.make_graph(nodes, "network", [pictures], outputs, [*constants, *more])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    path.write_bytes(model.SerializeToString())
    return path


MAPS = "fine", "coarse"


@contextmanager
def few_altered():
    """Alter fewer pictures, to be faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_maps, "N_ALTERED", 16)
        yield

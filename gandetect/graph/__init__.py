"""The ONNX graph: a builder, and the parts that it is put together from."""

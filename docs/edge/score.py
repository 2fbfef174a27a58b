"""Score rows with a model file: ONNX Runtime and numpy, nothing else.

    python score.py MODEL.onnx ROWS.json > answers.json

ROWS.json holds a list of values for each input by its name: null for a missing number, "" for a missing text;
pictures and encoded rows are lists in lists; optionally one number for alpha, the false-alarm rate. answers.json holds
a flat list for each output by its name.
"""

import json
import sys

import numpy as np
import onnxruntime

model, rows = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.log_severity_level = 3  # else it warns of alpha, an input with a default, which is on purpose
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

with open(rows, encoding="utf-8") as file:  # noqa: PTH123
    values = json.load(file)
types = {
    "tensor(double)": np.float64,
    "tensor(string)": object,
    "tensor(uint8)": np.uint8,  # pictures
    "tensor(float)": np.float32,  # alpha, encoded rows
}
inputs = [*session.get_inputs(), *session.get_overridable_initializers()]  # the latter is alpha
# numpy takes None for NaN where numbers are asked for.
feeds = {i.name: np.array(values[i.name], types[i.type]) for i in inputs if i.name in values}
names = [output.name for output in session.get_outputs()]
answers = dict(zip(names, session.run(names, feeds), strict=True))
json.dump({name: array.ravel().tolist() for name, array in answers.items()}, sys.stdout)

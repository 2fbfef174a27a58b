"""What model files of every modality record of themselves."""

import json

import numpy as np

from gandetect.record import answers_as_json


def test_answers_are_written_in_few_digits_and_read_as_the_same_single_precision():
    values = np.random.default_rng(0).gamma(1, size=(50, 3)).astype(np.float32) ** 5
    extremes = np.array([0, 0.1, 1e-45, np.finfo(np.float32).max], dtype=np.float32)
    written = json.dumps(answers_as_json({"a": values, "b": extremes, "c": values > 1}))
    read = json.loads(written)
    np.testing.assert_array_equal(np.array(read["a"], np.float32), values)
    np.testing.assert_array_equal(np.array(read["b"], np.float32), extremes)
    assert read["b"][1] == 0.1
    assert read["c"] == (values > 1).tolist()

"""A million rows at once, and none: never more than a chunk in one run of ONNX Runtime, and never fewer than two."""

import numpy as np
import pytest
from small_model import model

from gandetect.modality import CHUNK_ROWS
from gandetect.model_file import seal
from gandetect.scorer import Scorer, run_in_chunks

N_ROWS = 1_000_000
FEW = {
    "amount": np.array([1.5, np.nan, -3.0, 1e308]),
    "colour": np.array(["red", "", "unheard of", "grün"], dtype=object),
    "score at": np.array([0.0, 1.7e9, np.nan, -1e12]),
    "p_value": np.array(["yes", "no", "", "perhaps"], dtype=object),
}


def test_a_million_rows_have_the_answers_of_their_few_kinds():
    scorer = Scorer(seal(model().SerializeToString()))
    answers = scorer({name: np.tile(values, N_ROWS // 4) for name, values in FEW.items()}, ["anomaly_score", "p_value"])
    for name, values in scorer(FEW, ["anomaly_score", "p_value"]).items():
        np.testing.assert_array_equal(answers[name].reshape(-1, 4), np.broadcast_to(values, (N_ROWS // 4, 4)))


class Recorder:
    """Stands in for a session and remembers how many rows each run has."""

    def __init__(self):
        self.lengths = []

    def run(self, outputs, feeds, *_):
        (values,) = feeds.values()
        self.lengths.append(len(values))
        return [values]


def test_no_run_has_more_rows_than_a_chunk():
    session = Recorder()
    run_in_chunks(session, ["x"], {"x": np.zeros(N_ROWS)})
    assert max(session.lengths) == CHUNK_ROWS
    assert sum(session.lengths) == N_ROWS


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, dtype=object)])
def test_no_run_is_empty_and_none_is_of_one_row(values):
    """Up to ONNX Runtime 1.30 some operators divide by the number of rows, which ends the process."""
    session = Recorder()
    for n_rows in (0, 1):
        rows = np.resize(np.array([""], dtype=object) if values.dtype == object else 7, (n_rows, *values.shape[1:]))
        answers = run_in_chunks(session, ["x"], {"x": rows.astype(values.dtype)})
        assert answers["x"].shape == rows.shape
    assert session.lengths == [2, 2]


def test_no_rows_have_no_answers():
    scorer = Scorer(seal(model().SerializeToString()))
    answers = scorer({name: values[:0] for name, values in FEW.items()})
    assert all(len(values) == 0 for values in answers.values())
    assert answers["contributions"].shape == (0, 4)

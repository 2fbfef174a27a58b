"""A million rows at once: the answers of a few, many times, and never more than a chunk in one run."""

import numpy as np
from small_model import model

from gandetect.model_file import seal
from gandetect.schema import CHUNK_ROWS
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

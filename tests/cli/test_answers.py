"""How answers become text."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gandetect.readers.tables import Chunk, Form
from gandetect.schema import Schema
from gandetect_cli.answers import Csv, Scored, Shared, answer_columns

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
LIKELY = st.floats(0, 100, width=32) | st.decimals(0, 1000, places=3, allow_nan=False).map(np.float32)


def scored(values, form=None, **columns):
    columns = {name: np.array(texts, dtype=object) for name, texts in columns.items()}
    chunk = Chunk(tuple(columns), columns, range(len(values)), form or Form())
    answers = {"anomaly_score": values, "p_value": values, "is_anomaly": values > 1}
    return Scored(chunk, np.arange(len(values)), {}, answers)


@settings(deadline=None)
@given(hnp.arrays(np.float32, st.integers(0, 40), elements=FLOATS) | hnp.arrays(np.float32, 40, elements=LIKELY))
@example(np.array([1e-13, 9.999999e-14, 999999.94, 1e6, 1e-45, -0.0, 3.4028235e38, 16777216], dtype=np.float32))
@example((2.0 ** np.arange(-40, 20)).astype(np.float32))
def test_scores_show_as_many_digits_as_tell_them_apart(values):
    shown = answer_columns(scored(values), Schema(()), 0, "")["anomaly_score"]
    assert np.array_equal(np.array(shown, dtype=np.float32), values)
    assert list(map(repr, shown)) == [repr(float(str(value))) for value in values]


def test_fields_are_quoted_where_they_have_to_be():
    texts = ["plain", "a;b", 'say "x"', "two\nlines", "carriage\rreturn", "a,b", ""]
    values = np.full(len(texts), 0.5, dtype=np.float32)
    chosen = scored(values, Form(";", "\r\n"), text=texts, other=["1"] * len(texts))
    lines = Csv().rows(chosen, {"answer": [0.5] * len(texts)}).decode()
    quoted = ["plain", '"a;b"', '"say ""x"""', '"two\nlines"', '"carriage\rreturn"', "a,b", ""]
    assert lines == "".join(f"{text};1;0.5\r\n" for text in quoted)


def test_numbers_that_rows_share_are_written_as_if_each_row_had_its_own():
    own = [1e-05, 0.25, 1e-05, 1.0]
    shared = Shared(own)
    chunk = Chunk(("x",), {"x": np.array(["a"] * 4, dtype=object)}, range(2, 6), Form(), ["a"] * 4)
    scored = Scored(chunk, np.arange(4), {}, {})
    for layout in (Csv(), Csv(decimal=","), Csv(safe=True)):
        assert layout.rows(scored, {"p_value": shared}) == layout.rows(scored, {"p_value": own})
    assert Csv(decimal=",").rows(scored, {"p_value": shared}).startswith(b'a,1e-05\na,"0,25"\n')

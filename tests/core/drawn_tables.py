"""Tables of any kind for property tests: ordinary, extreme and constant columns."""

import numpy as np
from hypothesis import strategies as st
from made_tables import EXTREMES, STRANGE

from gandetect.column import NUMERIC, Column, Kind
from gandetect.schema import Schema


def raw(kind, values):
    return np.array(values, dtype=np.float64 if kind in NUMERIC else object)


numbers = st.one_of(st.floats(), st.sampled_from(EXTREMES), st.floats(-1e3, 1e3))
offsets = st.builds(lambda offset, spread: offset + spread, st.sampled_from([1e9, -1e15]), st.floats(-1, 1))
times = st.one_of(st.floats(-1e10, 1e10), st.sampled_from([np.nan, np.inf, 0.0, -0.0, 1.6e9]))
words = st.one_of(st.sampled_from(STRANGE), st.text(max_size=4).filter(lambda text: "\x00" not in text))


def columns_of(elements, n_rows):
    constant = st.builds(lambda value: [value] * n_rows, elements)
    return st.one_of(st.lists(elements, min_size=n_rows, max_size=n_rows), constant)


@st.composite
def tables(draw):
    """Draw a schema, training columns and columns to score."""
    n_training, n_scored = draw(st.integers(1, 30)), draw(st.integers(1, 9))
    sources = {"n": (Kind.NUMBER, numbers), "o": (Kind.NUMBER, offsets), "t": (Kind.TIME, times)}
    sources |= {"c": (Kind.CATEGORY, words), "y": (Kind.YES_NO, st.sampled_from(["yes", "no", ""]))}
    names = draw(st.lists(st.sampled_from("notcy"), min_size=1, max_size=4))
    chosen = {f"{name}{i}": sources[name] for i, name in enumerate(names)}
    schema = Schema(tuple(Column(name, kind) for name, (kind, _) in chosen.items()))
    training, scored = (
        {name: raw(kind, draw(columns_of(elements, n))) for name, (kind, elements) in chosen.items()}
        for n in (n_training, n_scored)
    )
    return schema, training, scored

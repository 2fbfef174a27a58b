"""Samples are read back into what was encoded, and predicted blocks into likelihoods of levels."""

import numpy as np
from made_tables import DAY, MIXED, mixed_rows

from gandetect.column import Column, Kind
from gandetect.schema import Schema
from gandetect.tables.decoding import decode, level_likelihood
from gandetect.tables.encoding_fitting import fit_encoding
from gandetect.tables.partial_graphs import run_encoding


def test_decoding_gives_back_what_was_encoded():
    encoding, columns = fit_encoding(mixed_rows(400), MIXED), mixed_rows(100, seed=3)
    samples, there, *_ = run_encoding(columns, MIXED, encoding)
    decoded = decode(encoding, samples.astype(np.float64))
    present = dict(zip(columns, there.T == 1, strict=True))
    for name in ("amount", "price"):
        known = present[name]
        np.testing.assert_allclose(decoded[name][known], columns[name][known], rtol=1e-5)
    for name in ("colour", "active"):
        frequent = present[name] & (columns[name] != "mauve")
        np.testing.assert_array_equal(decoded[name][frequent], columns[name][frequent])
    hours = (decoded["opened"] - columns["opened"] + DAY / 2) % DAY - DAY / 2
    assert np.abs(hours).max() <= 1
    assert set(decoded["no word"]) == {""}


def test_decoding_never_leaves_the_range_of_floats():
    schema = Schema((Column("c", Kind.NUMBER),))
    encoding = fit_encoding({"c": np.array([-1.7e308, 1.7e308, 1e308])}, schema)
    assert np.isfinite(decode(encoding, np.array([[1e9], [-1e9]]))["c"]).all()


def test_the_block_of_a_frequent_level_makes_it_certain_and_rare_ones_share_what_theirs_says():
    values = np.array(["a"] * 500 + ["b"] * 300 + ["c"] * 200 + ["d", "e"], dtype=object)
    encoding = fit_encoding({"x": values}, Schema((Column("x", Kind.CATEGORY),))).columns["x"]
    names, weight, bias = level_likelihood(encoding)
    likelihood = encoding.block[:-1] @ weight + bias
    for position, level in enumerate(encoding.levels[:3]):
        np.testing.assert_allclose(likelihood[position], [name == level for name in names], atol=1e-9)
    # The two rare levels share an entry: each of them is as likely as the other.
    assert sorted(names) == ["a", "b", "c", "d"]
    np.testing.assert_allclose(likelihood[-2:, names.index("d")], 0.5)


def test_one_entry_tells_the_likelihoods_of_two_levels():
    values = np.array(["yes"] * 60 + ["no"] * 40, dtype=object)
    encoding = fit_encoding({"x": values}, Schema((Column("x", Kind.YES_NO),))).columns["x"]
    names, weight, bias = level_likelihood(encoding)
    likelihood = np.zeros((1, 1)) @ weight + bias  # an entry of 0 is the mean of the training rows
    np.testing.assert_allclose([likelihood[0, names.index(level)] for level in ("yes", "no")], [0.6, 0.4])

"""Planted anomalies are what they claim to be."""

import numpy as np
import pytest
from made_tables import MIXED, by_column, mixed_rows, numbers

from gandetect.column import Column, Kind
from gandetect.schema import Schema
from gandetect.tables.encoding_fitting import fit_encoding
from gandetect.tables.planting import plant


def line(n_rows=2000):
    """Make two numbers of which the second is nearly the first."""
    random = np.random.default_rng(0)
    x = random.normal(size=n_rows)
    return by_column(np.column_stack([x, x + 0.1 * random.normal(size=n_rows)]))


def planted_on(columns, schema, n_planted=500):
    rows = np.arange(n_planted)
    return plant(columns, fit_encoding(columns, schema), rows, seed=0)


def test_each_kind_is_what_its_name_says():
    columns = line()
    planted = planted_on(columns, numbers(2))
    X = {kind: np.column_stack(list(rows.values())) for kind, rows in planted.items()}
    assert list(X) == ["local", "global", "dependency", "cluster"]
    difference = {kind: np.std(rows[:, 1] - rows[:, 0]) for kind, rows in X.items()}
    # Local: the same shape with 5 times its covariance.
    assert np.var(X["local"][:, 0]) == pytest.approx(5, rel=0.25)
    assert difference["local"] == pytest.approx(0.1 * 5**0.5, rel=0.2)
    # Global: uniform in a box a tenth larger than the data.
    low, high = columns["x0"].min(), columns["x0"].max()
    assert np.ptp(X["global"][:, 0]) == pytest.approx(1.1 * (high - low), rel=0.05)
    # Dependency: every value occurs, but not together.
    assert np.isin(X["dependency"][:, 0], columns["x0"]).all()
    assert abs(np.corrcoef(X["dependency"].T)[0, 1]) < 0.15
    # Cluster: as tight as the data, and elsewhere.
    assert difference["cluster"] == pytest.approx(0.1, rel=0.3)
    together = np.linalg.inv(np.cov(np.column_stack(list(columns.values())).T))
    centre = X["cluster"].mean(0)
    assert centre @ together @ centre == pytest.approx(25, rel=0.3)


def test_planted_rows_keep_what_a_kind_leaves_alone_and_what_is_missing():
    columns = mixed_rows(300)
    planted = planted_on(columns, MIXED, 100)
    for kind in ("local", "cluster"):
        for name in ("colour", "at", "status", "city"):
            np.testing.assert_array_equal(planted[kind][name], columns[name][:100])
        np.testing.assert_array_equal(np.isnan(planted[kind]["amount"]), np.isnan(columns["amount"][:100]))
        assert (planted[kind]["price"] != columns["price"][:100]).all()
    assert set(planted["global"]["colour"]) <= set(columns["colour"]) - {""}


def test_whole_numbers_stay_whole():
    columns = by_column(np.random.default_rng(0).poisson(20, (300, 2)))
    for rows in planted_on(columns, numbers(2), 100).values():
        assert all((values == np.rint(values)).all() for values in rows.values())


def test_a_table_of_words_has_no_kinds_that_need_numbers():
    schema = Schema((Column("colour", Kind.CATEGORY), Column("active", Kind.YES_NO)))
    columns = {column.name: mixed_rows(100)[column.name] for column in schema.columns}
    assert list(planted_on(columns, schema, 50)) == ["global", "dependency"]


def test_a_kind_that_changes_nothing_is_left_out():
    times = Schema((Column("at", Kind.TIME),))
    assert planted_on({"at": mixed_rows(100)["at"]}, times, 50) == {}
    assert planted_on(by_column(np.full((100, 2), 5.0)), numbers(2), 50) == {}

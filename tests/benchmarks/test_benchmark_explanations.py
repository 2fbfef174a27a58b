"""The benchmark of explanations replaces what it says and counts hits; that of given columns makes what it says."""

import numpy as np
import pytest
from explanations import Table, precision, replaced, z_scores
from given import hours, regions

from gandetect.column import Column, Kind
from gandetect.schema import Schema


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    columns = {f"x{i}": np.where(random.random(300) < 0.1, np.nan, random.normal(size=300)) for i in range(5)}
    columns["colour"] = random.choice(["red", "green", ""], 300).astype(object)
    kinds = [Kind.NUMBER] * 5 + [Kind.CATEGORY]
    schema = Schema(tuple(Column(name, kind) for name, kind in zip(columns, kinds, strict=True)))
    return Table("made", schema, columns, columns)


def test_one_to_three_cells_of_a_row_are_taken_from_others_and_marked(table):
    columns, mask = replaced(table, 200, seed=0)
    assert set(mask.sum(1)) <= {1, 2, 3}
    for position, name in enumerate(columns):
        taken = columns[name][mask[:, position]]
        assert np.isin(taken, table.normal[name]).all()
        assert (taken == taken).all()


def test_precision_is_the_share_of_replaced_columns_among_as_many_most_to_blame():
    mask = np.array([[True, False, False], [True, True, False]])
    assert precision(np.array([[0.9, 0.1, 0.0], [0.5, 0.1, 0.4]]), mask) == pytest.approx(0.75)
    assert precision(np.array([[0.0, 0.1, 0.9], [0.0, 0.0, 1.0]]), mask) == pytest.approx(0.25)


def test_z_scores_are_high_for_what_is_far_or_rare_and_none_for_missing(table):
    rows = {name: values[:2].copy() for name, values in table.normal.items()}
    rows["x0"], rows["x1"] = np.array([9.0, 0.0]), np.array([np.nan, 0.0])
    scores = z_scores(table, rows)
    assert scores[0, 0] > 5 > scores[1, 0]
    assert scores[0, 1] == 0


@pytest.mark.parametrize("make", [regions, hours])
def test_given_tables_have_anomalies_among_new_rows_only(make):
    train, none = make(500, 0, 0)
    new, some = make(500, 0.1, 1)
    assert not none.any()
    assert 0.05 < some.mean() < 0.2
    assert list(train) == list(new)

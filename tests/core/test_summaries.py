"""What a model file remembers of training values is short, and JSON whatever they are."""

import numpy as np
from drawn_tables import raw, tables
from hypothesis import given, settings

from gandetect.column import Column, Kind
from gandetect.manifest import manifest_json
from gandetect.schema import Schema
from gandetect.tables.summaries import MAX_LEVELS, column_summaries


def summary(kind, values):
    return column_summaries({"c": raw(kind, values)}, Schema((Column("c", kind),)))["c"]


@settings(max_examples=60, deadline=None)
@given(tables())
def test_summaries_of_any_table_are_json(table):
    schema, training, _ = table
    assert manifest_json(column_summaries(training, schema))


def test_of_numbers_the_share_of_missing_ones_and_seven_quantiles_are_remembered():
    found = summary(Kind.NUMBER, [*range(101), np.nan, np.inf, -np.inf])
    assert found == {"missing": round(3 / 104, 6), "quantiles": [0.0, 5.0, 25.0, 50.0, 75.0, 95.0, 100.0]}


def test_quantiles_of_huge_values_stay_finite():
    assert np.isfinite(summary(Kind.NUMBER, [-1.7e308, 1.7e308])["quantiles"]).all()


def test_of_a_category_all_levels_are_known_and_the_shares_of_the_most_frequent_ones():
    values = [f"rare {i:02d}" for i in range(40)] + ["often"] * 60 + [""] * 25
    found = summary(Kind.CATEGORY, values)
    assert found["missing"] == 0.2
    assert found["levels"]["often"] == 0.6
    assert len(found["levels"]) == MAX_LEVELS
    assert set(found["known"]) == set(values) - {""}


def test_a_column_without_any_value_is_all_missing():
    assert summary(Kind.TIME, [np.nan] * 3) == {"missing": 1.0, "quantiles": []}
    assert summary(Kind.CATEGORY, [""] * 3) == {"missing": 1.0, "levels": {}, "known": []}

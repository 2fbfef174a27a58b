"""New rows against what a model file remembers: what moved is named, chance is not called drift."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gandetect import DriftMonitor, InputError, ModelFileError, Scorer
from gandetect.column import Column, Kind
from gandetect.distribution import Distribution, remembered
from gandetect.schema import Schema


def remembering(column, values, generated=None):
    known = {"known": sorted(set(values) - {""})} if values.dtype == object else {}
    column = replace(column, summary=known)
    generated = values if generated is None else generated
    stored = json.loads(json.dumps(remembered(column, values, generated), allow_nan=False))
    return replace(column, summary=known | {"distribution": stored})


def texts(*values):
    return np.array(values, dtype=object)


class WithoutModel(Scorer):
    """What a monitor asks of a scorer."""

    def __init__(self, n_rows, schema):
        self.manifest, self.schema = {"calibration": {"n": n_rows, "alpha": 0.05}}, schema


def monitor(n_rows, **columns):
    kinds = {True: Kind.CATEGORY, False: Kind.NUMBER}
    schema = Schema(tuple(remembering(Column(n, kinds[v.dtype == object]), v) for n, v in columns.items()))
    return DriftMonitor(WithoutModel(n_rows, schema))


def test_a_number_is_counted_in_tenths_of_its_training_rows_and_beyond_both_ends():
    values = np.arange(1, 101, dtype=float)
    bins = Distribution.of(remembering(Column("a", Kind.NUMBER), values))
    assert sum(bins.training[1:-2]) == pytest.approx(1)
    assert bins.training[1:-2] == pytest.approx([0.1] * 10, abs=0.011)
    counts = dict(zip(bins.labels, bins.count(np.array([0.5, 1, 100, 100.5, np.nan, np.inf, 7, 8])), strict=True))
    assert {label: count for label, count in counts.items() if count} == {
        bins.labels[0]: 1,
        bins.labels[1]: 3,
        bins.labels[10]: 1,
        bins.labels[11]: 1,
        "missing": 2,
    }
    assert bins.labels[11] == "above 100"


@pytest.mark.parametrize(("start", "step"), [(13.4, 1e-5), (1_700_000_000, 1), (-50, 1)])
def test_bins_of_numbers_close_to_each_other_have_as_many_digits_as_tell_them_apart(start, step):
    inner = Distribution.of(remembering(Column("a", Kind.NUMBER), start + step * np.arange(100.0))).labels[1:-2]
    assert all(low != high for low, high in (label.split(" to ") for label in inner))
    assert len(set(inner)) == len(inner)


@pytest.mark.parametrize("value", [5.0, 0.0, -1e308, 1.7976931348623157e308])
def test_a_constant_has_a_bin_of_its_own(value):
    bins = Distribution.of(remembering(Column("a", Kind.NUMBER), np.full(20, value)))
    assert sum(bins.training) == pytest.approx(1)
    assert max(bins.training) == 1


def test_a_category_is_counted_by_level_with_the_unknown_apart():
    values = texts(*"aaabbc", "", *(f"rare {i}" for i in range(20)))
    bins = Distribution.of(remembering(Column("a", Kind.CATEGORY), values))
    counts = dict(zip(bins.labels, bins.count(texts("a", "a", "b", "rare 19", "new", "")).tolist(), strict=True))
    assert {label: count for label, count in counts.items() if count} == {
        "a": 2,
        "b": 1,
        "other known levels": 1,
        "unknown levels": 1,
        "missing": 1,
    }


def test_a_time_is_counted_by_its_time_of_day_so_that_later_dates_are_no_change():
    bins = Distribution.of(remembering(Column("at", Kind.TIME), np.array([0.0, 4 * 3600, np.nan])))
    late = 86_400 * 20_000
    assert bins.count(np.array([late + 10.0, late - 1, np.nan])).tolist() == [1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert bins.labels[1] == "03 to 06 h"


def test_columns_without_values_are_counted_as_missing():
    for kind, values in ((Kind.NUMBER, np.full(3, np.nan)), (Kind.CATEGORY, texts("", "", ""))):
        bins = Distribution.of(remembering(Column("a", kind), values))
        assert bins.count(values)[-1] == 3
        assert bins.training[-1] == 1


def test_generated_rows_are_counted_in_the_same_bins():
    random = np.random.default_rng(0)
    bins = Distribution.of(remembering(Column("a", Kind.NUMBER), random.normal(size=500), random.normal(9, size=500)))
    assert bins.generated[-2] > 0.99
    assert bins.training[-2] == 0


@pytest.mark.parametrize(
    "summary",
    [
        {},
        *(
            {"distribution": stored}
            for stored in (
                *({}, [], {"levels": 3}, {"edges": ["x"]}, {"edges": [1, 2]}, {"edges": [1, 2], "training": [1]}),
                {"edges": [1, 2], "training": [0, 1, 0, 0], "generated": [1]},
            )
        ),
    ],
)
def test_a_summary_that_says_nothing_is_an_error(summary):
    with pytest.raises(
        ModelFileError, match=r"^Expected the model file to say how the values of column 'a' are spread"
    ):
        Distribution.of(Column("a", Kind.NUMBER, summary=summary))


def test_rows_like_the_training_rows_have_not_drifted():
    random = np.random.default_rng(0)
    for seed in range(20):
        training = {"a": random.normal(size=400), "b": random.choice(texts(*"xyz"), 400)}
        watch = monitor(400, **training)
        random = np.random.default_rng(seed)
        for _ in range(4):
            rows = {"a": random.normal(size=100), "b": random.choice(texts(*"xyz"), 100)}
            watch.add(rows, random.uniform(size=100))
        found = watch.result(tolerance=0)
        assert not found.drifted
        assert found.n_rows == 400


def test_a_column_that_moved_is_named_first_with_what_changed():
    random = np.random.default_rng(0)
    watch = monitor(1000, still=random.normal(size=1000), moved=random.normal(size=1000))
    watch.add({"still": random.normal(size=1000), "moved": random.normal(2, size=1000)}, random.uniform(size=1000))
    found = watch.result()
    assert [(column.column, column.drifted) for column in found.columns] == [("moved", True), ("still", False)]
    first = found.columns[0]
    assert first.by_chance < 0.25 < first.shift
    assert first.gained == "1.311 to 2.875: 10.0 % -> 56.1 %"
    assert not watch.result(tolerance=0.99).drifted


def test_too_many_small_p_values_are_drift():
    random = np.random.default_rng(0)
    watch = monitor(1000, a=random.normal(size=1000))
    rows = {"a": random.normal(size=1000)}
    watch.add(rows, random.uniform(size=1000) ** 2)
    found = watch.result()
    assert found.too_many_flagged
    assert found.drifted
    assert found.flagged == pytest.approx(0.05**0.5, abs=0.05)


def test_no_rows_have_not_drifted():
    assert not monitor(100, a=np.arange(100.0)).result().drifted


@pytest.mark.parametrize(
    ("rows", "p_values", "sentence"),
    [
        ({}, [0.5], "Expected the columns that the model learns from, found no 'a', 'b' among "),
        ({"a": ["x"], "b": ["x"]}, [0.5], "Expected numbers in column 'a', found "),
        ({"a": [1.0], "b": [None]}, [0.5], "Expected text in column 'b', found other values"),
        ({"a": [1.0, 2.0], "b": ["x", "y"]}, [0.5], "Expected a p-value for each of 2 rows, found 1."),
        ({"a": [1.0], "b": ["x"]}, [1.5], "Expected p-values from 0 to 1, one for each row, found others"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_not_counted(rows, p_values, sentence):
    watch = monitor(50, a=np.arange(50.0), b=texts(*"xy" * 25))
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}"):
        watch.add(rows, p_values)
    assert [counts.sum() for counts in watch.counts.values()] == [0, 0]
    assert watch.result().n_rows == 0


def test_lists_are_counted_like_arrays():
    watch = monitor(50, a=np.arange(50.0), b=texts(*"xy" * 25))
    watch.add({"a": [1.0, np.nan], "b": ["x", ""]}, [0.5, 0.1])
    assert [counts[-1] for counts in watch.counts.values()] == [1, 1]


@pytest.mark.parametrize("tolerance", [np.nan, -0.1, 1.1, "0.1", None])
def test_a_tolerance_that_is_no_share_is_refused(tolerance):
    sentence = f"Expected a tolerance between 0 and 1, a share of the rows, found {tolerance!r}."
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        monitor(50, a=np.arange(50.0)).result(tolerance)


def test_a_model_for_pictures_is_refused():
    model = Path(__file__).parents[1] / "models" / "digit_pictures.onnx"
    with pytest.raises(InputError, match=r"^Expected a model for tables, found one for pictures; name "):
        DriftMonitor(Scorer(model))

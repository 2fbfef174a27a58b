"""Callers choose the kinds and roles of columns, and are told what they got wrong."""

import json

import pytest
from found_schemas import column_of, failure, schema_of

from gandetect.column import Kind, Role
from gandetect.errors import InputError
from gandetect.schema import Schema


@pytest.mark.parametrize("kind", ["number", "yes/no", "category", "time", "id", "text"])
def test_a_forced_kind_wins(kind):
    column = column_of([f"word{i}" for i in range(30)], kinds={"x": kind})
    assert column.kind == kind
    assert column.role is (Role.LEFT_OUT if kind in ("id", "text") else Role.FEATURE)


def test_a_forced_time_takes_the_format_that_reads_most():
    assert column_of(["31.01.2026", "01.02.2026", "soon"], kinds={"x": "time"}).time_format == "%d.%m.%Y"
    assert column_of(["2026-01-31", "soon"], kinds={"x": "time"}).time_format == ""
    assert failure(["01/02/2026"], kinds={"x": "time"}) == (
        "data, line 2: expected times in column 'x', found '01/02/2026'; day and month cannot be told apart: "
        "pass --kind 'x=time:%d/%m/%Y' or --kind 'x=time:%m/%d/%Y'."
    )


@pytest.mark.parametrize("kind", ["nmber", "", "empty", "Number"])
def test_an_unknown_kind_is_refused(kind):
    assert failure(["1"], kinds={"x": kind}) == (
        "data: expected one of the kinds 'number', 'yes/no', 'category', 'time', 'time:FORMAT', 'id', 'text' for "
        f"column 'x', found {kind!r}; pass one of them."
    )


@pytest.mark.parametrize("time_format", ["", "ISO", "%d/%Q", "%"])
def test_an_unknown_time_format_is_refused(time_format):
    assert failure(["1"], kinds={"x": f"time:{time_format}"}) == (
        f"data: expected a time format such as %d/%m/%Y %H:%M for column 'x', found {time_format!r}; "
        "pass one that datetime.strptime knows."
    )


def test_a_refused_column_may_be_dropped_or_be_the_label():
    refused = ["1"] * 10 + ["abc"]
    assert column_of(refused, drop=["x"]).role is Role.LEFT_OUT
    assert column_of(refused, only=["other"]).reason == "not among the columns asked for"
    assert column_of(refused, label="x").role is Role.LABEL


def test_only_and_drop_and_label_choose_features():
    columns = {name: ["1", "2"] for name in "abcd"}
    schema = schema_of(columns, only=["a", "b", "d"], drop=["b"], label="d")
    assert [(column.name, column.role) for column in schema.columns] == [
        ("a", Role.FEATURE),
        ("b", Role.LEFT_OUT),
        ("c", Role.LEFT_OUT),
        ("d", Role.LABEL),
    ]


@pytest.mark.parametrize(
    "options", [{"kinds": {"y": "id"}}, {"drop": ["y"]}, {"only": ["y"]}, {"label": "y"}, {"drop": ["y", "y"]}]
)
def test_an_unknown_column_is_refused(options):
    assert failure(["1"], name="x", **options) == (
        "data: expected names of its columns 'x', 'other', found 'y'; mend the name."
    )


def test_no_feature_left_is_refused():
    with pytest.raises(InputError) as caught:
        schema_of({"a": ["1"], "b": [""], "c": ["1"]}, drop=["a"], label="c", name="train.csv")
    assert str(caught.value) == (
        "train.csv: expected at least one column to learn from, found none ('a': dropped on request, "
        "'b': every value is missing, 'c': label); choose a column's kind with --kind COLUMN=category, "
        "or keep more columns."
    )


@pytest.mark.parametrize(("name", "delimiter"), [("a b c", True), ("a^b^c", True), ("a,b", True), ("a", False)])
def test_what_may_be_several_columns_in_one_is_told_of_another_delimiter(name, delimiter):
    with pytest.raises(InputError) as caught:
        schema_of({name: [f"x{i} y" for i in range(30)]})
    assert ("pass --delimiter if something else stands between its fields, choose" in str(caught.value)) == delimiter


def test_unknown_options_are_refused():
    assert failure(["1"], decimal=";") == "data: expected the decimal mark '.' or ',', found ';'; pass one of them."
    assert failure(["1"], on_error="no") == "Expected on_error to be one of 'fail', 'skip', 'missing', found 'no'."


def test_numbers_may_stand_for_missing_values_in_all_columns_or_in_one():
    columns = {"a": ["1.5", "-99", "2"] * 9, "b": ["-99", "-99.0", "?"] * 9, "c": ["x", "-99", "y"] * 9}
    schema = schema_of(columns, missing={"": [-99.0], "a": [2.0]})
    assert [column.missing for column in schema.columns] == [(-99.0, 2.0), (-99.0,), ()]
    assert [column.kind for column in schema.columns] == [Kind.NUMBER, Kind.EMPTY, Kind.CATEGORY]
    assert schema["b"].reason == "every value is missing"
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    assert schema.to_json()[1] == {
        **{"name": "b", "kind": "empty", "role": "left out", "input": "b"},
        **{"reason": "every value is missing", "missing": [-99.0]},
    }

"""Text becomes the value that it stands for, by the schema and nothing else."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandetect.column import Column, Kind, Role
from gandetect.errors import InputError
from gandetect.readers.values import (
    BLANKS,
    MISSING,
    parse_column,
    parse_columns,
    parse_number,
    parse_numbers,
    parse_times,
)
from gandetect.schema import Schema


def texts(*values):
    return np.array(values, dtype=object)


NUMBERS = {
    "0": 0.0,
    "-0": -0.0,
    "1": 1.0,
    "+1": 1.0,
    "007": 7.0,
    "1.5": 1.5,
    "1.": 1.0,
    ".5": 0.5,
    "-.5e-3": -0.0005,
    "1e5": 1e5,
    "1E+05": 1e5,
    " 1 ": 1.0,
    "\t1": 1.0,
    "1e308": 1e308,
    "5e-324": 5e-324,
    "1e-400": 0.0,
    "1e400": math.inf,
    "inf": math.inf,
    "-Infinity": -math.inf,
    "INF": math.inf,
    "9007199254740993": 9007199254740992.0,
    "123456789012345678901234567890": 1.2345678901234568e29,
}
NO_NUMBERS = [
    "abc", "1_000", "\u0661", "\uff11", "1\n", "\x0b1", "\xa01", "0x10", "1e", "e5", ".", "+", "--1", "1 2", "1,5",
    "1,234", "1.234,5", "1.2.3", "NAN", "+nan", "-nan", "infi", "\u0131nf", "1d5", "1f", "True", "12%", "$1", "1e5.0",
]  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_read(text):
    values, unreadable = parse_numbers(texts(text))
    assert values[0] == NUMBERS[text]
    assert math.copysign(1, values[0]) == math.copysign(1, NUMBERS[text])
    assert not unreadable[0]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_other_texts_are_no_numbers(text):
    values, unreadable = parse_numbers(texts(text))
    assert math.isnan(values[0])
    assert unreadable[0]


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.TIME, Kind.YES_NO])
@pytest.mark.parametrize("text", sorted(MISSING))
def test_missing_tokens_are_missing_where_the_vocabulary_is_closed(kind, text):
    values, unreadable = parse_column(texts(text, f" {text}\t"), Column("x", kind))
    assert list(map(str, values)) == (["", ""] if kind is Kind.YES_NO else ["nan", "nan"])
    assert not unreadable.any()


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([*NUMBERS, *NO_NUMBERS, *MISSING])
        | st.text("0123456789.eE+-_ \t\n,infa\uff11\u0661", max_size=8)
        | st.floats(allow_nan=False).map(repr),
        max_size=6,
    ),
    st.sampled_from([".", ","]),
)
def test_a_column_reads_as_its_values_do_one_by_one(column, decimal):
    values, unreadable = parse_numbers(texts(*column), decimal)
    for text, value, odd in zip(column, values, unreadable, strict=True):
        text = text.strip(BLANKS)
        alone = None if text in MISSING else parse_number(text, decimal)
        assert odd == (alone is None and text not in MISSING)
        assert math.isnan(value) if alone is None else value == alone


def test_decimal_comma():
    values, unreadable = parse_numbers(texts("1,5", "-2", ",5", "1,5e3", "1.5", "1.234,5", "1,2,3"), ",")
    assert list(values[:4]) == [1.5, -2.0, 0.5, 1500.0]
    assert list(unreadable) == [False] * 4 + [True] * 3


def test_a_long_field_takes_no_long_time():
    _, unreadable = parse_numbers(texts("1" * 1_000_000 + "x"))
    assert unreadable[0]


TIMES = {
    "1970-01-01": 0.0,
    "1970-01-02": 86400.0,
    "1969-12-31": -86400.0,
    "1970-01-01T00:01": 60.0,
    "1970-01-01 00:01:02": 62.0,
    "1970-01-01T00:00:00Z": 0.0,
    "1970-01-01T00:00:00 Z": 0.0,
    "1970-01-01T01:00:00+01:00": 0.0,
    "1970-01-01T01:00:00+0100": 0.0,
    "1969-12-31T19:00-05:00": 0.0,
    "1970-01-01T00:00:00.5": 0.5,
    "1970-01-01T00:00:00,25": 0.25,
    "1969-12-31T23:59:59.75": -0.25,
    "1970-01-01T00:00:00.123456789": 0.123456789,
    "2000-02-29": 951782400.0,
    "0001-01-01": -62135596800.0,
    "9999-12-31T23:59:59Z": 253402300799.0,
    "0001-01-01T00:00:00+10:00": -62135632800.0,
    " 1970-01-01 ": 0.0,
}
NO_TIMES = [
    "2023-02-29", "1970-13-01", "1970-01-32", "0000-01-01", "10000-01-01", "-0001-01-01", "1970-1-1", "19700101",
    "1970-01", "1970-W01-1", "1970-01-01T24:00:00", "1970-01-01T00:60:00", "1970-01-01T00:00:60", "1970-01-01T00",
    "1970-01-01T00:00:00+25:00", "1970-01-01T00:00:00.", "1970-01-01T00:00.5", "1970-01-01x", "1970-01-01Z", "12:00",
    "\uff11970-01-01", "1970-01-01\n", "1970-01-01  00:00", "1970-01-01T00:00:00.1234567890", "01/01/1970", "now", "0",
]  # fmt: skip


@pytest.mark.parametrize("text", TIMES)
def test_iso_times_are_read_as_utc_seconds(text):
    values, unreadable = parse_times(texts(text))
    assert values[0] == TIMES[text]
    assert not unreadable[0]


@pytest.mark.parametrize("text", NO_TIMES)
def test_other_texts_are_no_iso_times(text):
    values, unreadable = parse_times(texts(text))
    assert math.isnan(values[0])
    assert unreadable[0]


def test_times_in_another_format():
    column = texts("31/01/1970 00:00", "01/02/1970 00:00", "", "1970-01-01", "\u0661/01/1970 00:00")
    values, unreadable = parse_times(column, "%d/%m/%Y %H:%M")
    assert list(values[:2]) == [30 * 86400.0, 31 * 86400.0]
    assert list(unreadable) == [False, False, False, True, True]
    assert parse_times(texts("1970-01-01 02 +0200"), "%Y-%m-%d %H %z")[0][0] == 0.0


@pytest.mark.parametrize("time_format", ["%d%d", "%", "%Q", "("])
def test_a_format_that_none_is_reads_nothing(time_format):
    assert list(parse_times(texts("01", "("), time_format)[1][:1]) == [True]


def test_yes_no_words_become_one_of_two():
    column = texts("t", "T", "true", "TRUE", "Yes", "y", "on", "1", " yes ", "f", "False", "NO", "n", "Off", "0")
    values, unreadable = parse_column(column, Column("x", Kind.YES_NO))
    assert list(values) == ["yes"] * 9 + ["no"] * 6
    assert not unreadable.any()


def test_other_words_in_a_yes_no_column_stay_what_they_are():
    values, unreadable = parse_column(texts("maybe", "2", " Perhaps"), Column("x", Kind.YES_NO))
    assert list(values) == ["maybe", "2", " Perhaps"]
    assert not unreadable.any()


def test_categories_stay_as_written():
    values, _ = parse_column(texts("NA", " a", "A", "", "?", "007", "nan"), Column("x", Kind.CATEGORY))
    assert list(values) == ["NA", " a", "A", "", "?", "007", "nan"]


SCHEMA = Schema(
    (
        Column("n", Kind.NUMBER),
        Column("when", Kind.TIME),
        Column("word", Kind.CATEGORY),
        Column("key", Kind.ID, Role.LEFT_OUT, "an id"),
        Column("label", Kind.CATEGORY, Role.LABEL),
    )
)
TABLE = {
    "extra": texts("x", "y", "z"),
    "word": texts("a", "b", "c"),
    "when": texts("1970-01-01", "never", "1970-01-02"),
    "n": texts("1", "two", "3"),
}
LINES = [2, 5, 6]


def test_features_are_found_by_name_and_others_ignored():
    parsed = parse_columns(TABLE | {"n": texts("1", "", "3"), "when": texts("", "", "?")}, LINES, SCHEMA)
    assert list(parsed.columns) == ["n", "when", "word"]
    assert [values.dtype for values in parsed.columns.values()] == [np.float64, np.float64, object]
    assert parsed.problems == 0
    assert parsed.keep.all()


def test_an_unreadable_field_fails_with_its_line():
    with pytest.raises(InputError) as caught:
        parse_columns(TABLE, LINES, SCHEMA, name="new.csv")
    assert str(caught.value) == (
        "new.csv, line 5: expected a number in column 'n', found 'two'; "
        "mend the field, or pass --on-error skip or --on-error missing."
    )


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        (
            Column("x", Kind.NUMBER, decimal=",", grouping=".", suffix=" kg"),
            "1,5 g",
            "a number such as '1.234,5 kg' in column 'x', found '1,5 g'",
        ),
        (Column("x", Kind.NUMBER, decimal=","), "1.5", "a number with the decimal mark ',' in column 'x', found '1.5'"),
        (Column("x", Kind.TIME), "now", "a time written as ISO 8601 (2026-01-31T12:00:00Z) in column 'x', found 'now'"),
        (Column("x", Kind.TIME, time_format="%d.%m.%Y"), "1", "a time written as %d.%m.%Y in column 'x', found '1'"),
        (Column("x\n", Kind.NUMBER), "\x1b[1m", r"a number in column 'x\n', found '\x1b[1m'"),
        (Column("x", Kind.NUMBER), "z" * 50, f"a number in column 'x', found '{'z' * 40}'..."),
    ],
)
def test_the_message_says_what_was_expected(column, text, message):
    with pytest.raises(InputError) as caught:
        parse_columns({column.name: texts(text)}, [7], Schema((column,)))
    assert str(caught.value) == (
        f"data, line 7: expected {message}; mend the field, or pass --on-error skip or --on-error missing."
    )


def test_the_first_bad_line_is_reported_whatever_its_column():
    table = TABLE | {"n": texts("1", "2", "three")}
    with pytest.raises(InputError, match=r"line 5: expected a time .* in column 'when', found 'never'"):
        parse_columns(table, LINES, SCHEMA)


def test_skip_drops_the_row_from_every_column():
    parsed = parse_columns(TABLE, LINES, SCHEMA, on_error="skip")
    assert list(parsed.keep) == [True, False, True]
    assert list(parsed.columns["n"]) == [1.0, 3.0]
    assert list(parsed.columns["word"]) == ["a", "c"]
    assert parsed.problems == 2


def test_missing_keeps_the_row():
    parsed = parse_columns(TABLE, LINES, SCHEMA, on_error="missing")
    assert parsed.keep.all()
    assert np.array_equal(parsed.columns["n"], [1.0, np.nan, 3.0], equal_nan=True)
    assert np.array_equal(parsed.columns["when"], [0.0, np.nan, 86400.0], equal_nan=True)
    assert parsed.problems == 2


def test_a_missing_column_is_named():
    with pytest.raises(InputError) as caught:
        parse_columns({"n": texts("1"), "other": texts("1")}, [2], SCHEMA, name="new.csv")
    assert str(caught.value) == (
        "new.csv: expected the columns of the training data, found none named 'when', 'word' among 'n', 'other'; "
        "add what is missing or mend the names."
    )


@pytest.mark.parametrize("alike", ["When", " when", "WHEN_"])
def test_a_name_that_is_almost_that_of_a_missing_column_is_named(alike):
    with pytest.raises(InputError) as caught:
        parse_columns({**dict.fromkeys("abcdefghij", texts("1")), "n": texts("1"), alike: texts("1")}, [2], SCHEMA)
    assert str(caught.value).endswith(f"... (12 in all); add what is missing or mend the names, such as {alike!r}.")


def test_an_unknown_choice_is_refused():
    with pytest.raises(InputError, match="Expected on_error to be one of 'fail', 'skip', 'missing', found 'ignore'"):
        parse_columns(TABLE, LINES, SCHEMA, on_error="ignore")


def test_a_table_without_rows_stays_one():
    parsed = parse_columns({name: texts() for name in TABLE}, [], SCHEMA)
    assert [values.shape for values in parsed.columns.values()] == [(0,)] * 3
    assert parsed.keep.shape == (0,)

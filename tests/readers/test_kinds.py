"""The kind of a column follows from its text by the documented rules."""

import uuid

import numpy as np
import pytest
from found_schemas import column_of, failure, schema_of
from hypothesis import given, settings
from hypothesis import strategies as st

from gandetect.column import YES_NO_PAIRS, Kind, Role
from gandetect.errors import InputError
from gandetect.readers.column_values import ColumnValues
from gandetect.readers.kinds import texts_among_numbers
from gandetect.readers.schemas import find_schema
from gandetect.readers.values import parse_column, parse_columns

SHUFFLED = [str(i * 37 % 101) for i in range(1, 31)]
KINDS = {
    "whole numbers": (["1", "2", "2"], Kind.NUMBER),
    "decimals": (["1.5", "-2e3", "+.5"], Kind.NUMBER),
    "numbers with missing values": (["1", "?", "", "NA", "nan", " - ", "#N/A", "n/a", "<NA>"], Kind.NUMBER),
    "digits 0 and 1": (["0", "1", "1"], Kind.NUMBER),
    "infinite numbers": (["1", "inf", "-Infinity"], Kind.NUMBER),
    "one constant number": (["3"] * 30, Kind.NUMBER),
    "all different decimals": ([str(i + 0.5) for i in range(30)], Kind.NUMBER),
    "all different whole numbers in no order": (SHUFFLED, Kind.NUMBER),
    "few consecutive numbers": ([str(i) for i in range(10)], Kind.NUMBER),
    "numbers beyond 2**53 that repeat": ([str(10**29)] * 30, Kind.NUMBER),
    "leading zeros with decimals": (["00", "0.5", "12.5"], Kind.NUMBER),
    "leading zeros": (["007", "008", "7"], Kind.CATEGORY),
    "one leading zero": (["0123", *["123"] * 99], Kind.CATEGORY),
    "leading zeros and text": (["007"] * 50 + ["A1"], Kind.CATEGORY),
    "true and false": (["true", "FALSE", "True"], Kind.YES_NO),
    "t and f and missing": (["t", "f", "?", ""], Kind.YES_NO),
    "yes alone": (["yes", "yes"], Kind.YES_NO),
    "n alone": (["N"], Kind.YES_NO),
    "on and off": (["on", "off"], Kind.YES_NO),
    "mixed pairs": (["yes", "f"], Kind.CATEGORY),
    "yes, no and maybe": (["yes", "no", "maybe"], Kind.CATEGORY),
    "words": (["a", "b", "a"], Kind.CATEGORY),
    "words and NA": (["a", "NA", "?"], Kind.CATEGORY),
    "one constant word": (["ok"] * 30, Kind.CATEGORY),
    "some numbers": (["1"] * 8 + ["a", "b"], Kind.CATEGORY),
    "nine numbers and a word": (["1"] * 9 + ["a"], Kind.CATEGORY),
    "fewer than 90 % numbers": (["1"] * 89 + ["a"] * 11, Kind.CATEGORY),
    "few different words": ([f"w{i}" for i in range(19)], Kind.CATEGORY),
    "half of the words different": ([f"w{i}" for i in range(15)] * 2, Kind.CATEGORY),
    "nothing": (["", ""], Kind.EMPTY),
    "only missing tokens": (["NA", "?", " "], Kind.EMPTY),
    "dates": (["2026-01-31", "2026-02-01"], Kind.TIME),
    "times with zones and missing": (["2026-01-31T12:00:00Z", "2026-01-31 13:00+02:00", "-", "NaT"], Kind.TIME),
    "all different times": ([f"2026-01-{i:02}" for i in range(1, 31)], Kind.TIME),
    "impossible dates": (["2026-02-30", "2026-02-31"], Kind.CATEGORY),
    "clock times": (["12:00", "12:30"], Kind.CATEGORY),
    "single words, all different": ([f"user{i}@example.com" for i in range(20)], Kind.ID),
    "codes, all different": ([f"{i:05}" for i in range(0, 60, 3)], Kind.ID),
    "UUIDs": ([str(uuid.UUID(int=i * 7)) for i in range(20)], Kind.ID),
    "30-digit numbers, all different": ([str(10**29 + i * 17) for i in range(20)], Kind.ID),
    "400-digit numbers, all different": ([str(10**400 + i) for i in range(20)], Kind.ID),
    "consecutive numbers": ([str(i) for i in range(100, 120)], Kind.ID),
    "consecutive numbers with a gap": ([str(i) for i in [*range(100, 115), *range(116, 125)]], Kind.NUMBER),
    "sentences": ([f"this is note {i}" for i in range(20)], Kind.TEXT),
    "more than half of the words different": ([f"w{i}" for i in range(16)] + ["w0"] * 14, Kind.TEXT),
    "hexadecimal": (["0x1F", "0x2A"], Kind.CATEGORY),
    "digits of other scripts": (["\u0661", "\u0662"], Kind.CATEGORY),
    "underscores": (["1_000", "2_000"], Kind.CATEGORY),
    "versions": (["1.2.3", "1.2.4"], Kind.CATEGORY),
}


@pytest.mark.parametrize("case", KINDS)
def test_kind_is_found(case):
    values, kind = KINDS[case]
    column = column_of(values)
    assert column.kind is kind
    left_out = kind in (Kind.ID, Kind.TEXT, Kind.EMPTY)
    assert column.role is (Role.LEFT_OUT if left_out else Role.FEATURE)
    assert bool(column.reason) == left_out


@pytest.mark.parametrize(
    "name",
    ["id", "ID", "record id", "customerId", "userID", "IDNumber", "order_no", "Serial-Nr", "row.index", "guid", "Key"],
)
def test_different_whole_numbers_are_an_id_if_the_name_says_so(name):
    column = column_of(SHUFFLED, name)
    assert (column.kind, column.role) == (Kind.ID, Role.LEFT_OUT)
    assert column.reason == "every value is different: an id"


@pytest.mark.parametrize("name", ["width", "idle", "nose", "keyboard", "recorded", "paid", "noise"])
def test_an_id_word_inside_another_word_means_nothing(name):
    assert column_of(SHUFFLED, name).kind is Kind.NUMBER


def test_an_id_name_alone_makes_no_id():
    assert column_of([*SHUFFLED, SHUFFLED[0]], "id").kind is Kind.NUMBER
    assert column_of([f"{i}.5" for i in range(30)], "id").kind is Kind.NUMBER


@pytest.mark.parametrize("name", ["Unnamed: 0", "__index_level_0__"])
def test_the_index_of_a_data_frame_is_an_id_however_short(name):
    assert column_of(["0", "1", "2"], name).kind is Kind.ID
    assert column_of(["0", "2", "1"], name).kind is Kind.NUMBER
    assert column_of(SHUFFLED, name).kind is Kind.ID  # of rows that were drawn from a data frame


def test_a_sample_of_rows_shows_a_counter_by_the_places_of_its_rows():
    places = np.flatnonzero(np.random.default_rng(0).random(200) < 0.3)

    def found(values, rows):
        columns = {
            "x": np.array([str(value) for value in values], dtype=object),
            "other": np.array(["1.5"] * len(rows)),
        }
        return find_schema(columns, range(len(rows)), rows=rows)["x"].kind

    assert found(500 + places, places) is Kind.ID
    assert found(500 + places, np.arange(len(places))) is Kind.NUMBER
    assert found(500 + np.arange(len(places)), places) is Kind.NUMBER


def test_a_counter_with_a_missing_value_goes_on_behind_it():
    values = [str(i) for i in range(30)]
    assert column_of([*values[:9], "", *values[10:]]).kind is Kind.ID


def test_reasons_are_words():
    columns = {
        "count": [str(i) for i in range(30)],
        "note": [f"a b {i}" for i in range(30)],
        "empty": [""] * 30,
        "gone": ["1"] * 30,
        "kept": ["1"] * 30,
        "forced": ["1"] * 30,
    }
    schema = schema_of(columns, drop=["gone"], kinds={"forced": "text"})
    assert {column.name: column.reason for column in schema.columns} == {
        "count": "it counts the rows: an id",
        "note": "more than half of its values are different: free text",
        "empty": "every value is missing",
        "gone": "dropped on request",
        "kept": "",
        "forced": "chosen as text",
    }


def test_a_column_of_numbers_with_a_few_words_is_refused():
    assert failure(["1"] * 50 + ["abc"] + ["2"] * 49, name="x") == (
        "data, line 52: expected a number in column 'x', as 99 of its 100 values are, found 'abc'; mend the field, or "
        "pass --on-error skip, --on-error missing or --kind 'x=category'."
    )
    assert "as 90 of its 100 values are" in failure([*["1"] * 90, *["a"] * 10, *["?"] * 50])
    assert "as 10 of its 11 values are" in failure([*["1"] * 10, " b"])


def test_free_text_of_numbers_for_the_most_part_says_how_to_read_them():
    words = [f"{i}.5 kg" for i in range(30)] + ["#DIV/0!"] * 10
    assert column_of(words).reason == (
        "more than half of its values are different: free text; 30 of its 40 values are numbers: to learn from them "
        "pass --kind 'x=number' and --on-error missing"
    )
    assert column_of(words, kinds={"x": "number"}, on_error="missing").suffix == " kg"
    assert column_of([f"{i:03}" for i in range(30)] + ["000"]).reason.endswith(": free text")  # codes


def test_what_is_left_out_but_may_hold_several_numbers_says_what_to_do():
    assert column_of([f"1{i}/{i}" for i in range(30)]).reason == (
        "every value is different: an id; to learn from what may be several numbers in one field put each into a "
        "column of its own"
    )
    assert column_of([f"{i}h 5m" for i in range(30)]).reason == (
        "more than half of its values are different: free text; to learn from what may be durations write them as "
        "numbers in one unit, such as minutes"
    )
    assert column_of([f"{i}.5 {'kB' if i % 3 else 'MB'}" for i in range(30)]).reason == (
        "more than half of its values are different: free text; to learn from what may be numbers in several units or "
        "currencies write them in one"
    )


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        ([f"{i % 10}" for i in range(51)] + ["a", "b"] * 24, ["a", "b"]),
        ([f"{i % 20} kg" for i in range(30)] + ["heavy"] * 9, ["heavy"]),
        ([f"{i % 10}" for i in range(50)] + ["a", "b"] * 25, []),
        ([f"{i % 9}" for i in range(80)] + ["a", "b"] * 10, []),
        ([f"{i % 10:03}" for i in range(80)] + ["a", "b"] * 10, []),
        ([f"{i % 10}" for i in range(80)] + ["NA", ""] * 10, []),
    ],
)
def test_texts_among_numbers_are_those_that_are_none_in_a_column_of_numbers_for_the_most_part(values, odd):
    found = texts_among_numbers(ColumnValues("x", np.array(values, dtype=object), ".", np.arange(len(values))))
    assert found.tolist() == odd


def test_a_column_of_times_with_a_few_words_is_refused():
    assert failure(["2026-01-31"] * 10 + ["2026-02-30"]) == (
        "data, line 12: expected a time in column 'x', as 10 of its 11 values are, found '2026-02-30'; mend the field, "
        "or pass --on-error skip, --on-error missing or --kind 'x=category'."
    )


@pytest.mark.parametrize("on_error", ["skip", "missing"])
def test_a_few_words_are_left_to_the_parser_on_request(on_error):
    assert column_of(["1"] * 10 + ["abc"], on_error=on_error).kind is Kind.NUMBER
    assert column_of(["2026-01-31"] * 10 + ["never"], on_error=on_error).kind is Kind.TIME


DECIMAL_MARK = (
    "data, line {0}: expected numbers with the decimal mark {1!r} in column 'x', found {2}; {3} --kind 'x=category'."
)
SEPARATORS = "write numbers without separators, or pass"
EITHER = "pass --decimal '.' if so, else --decimal ',' or"


@pytest.mark.parametrize(
    ("values", "decimal", "line", "found", "remedy"),
    [
        (["1,5", "2,25"], ".", 2, "'1,5'", "pass --decimal ',' or"),
        (["1", "?", "-1,5e3"], ".", 4, "'-1,5e3'", "pass --decimal ',' or"),
        (["1,234", "2,5"], ".", 3, "'2,5'", "pass --decimal ',' or"),
        (["1.5", "2"], ",", 2, "'1.5'", "pass --decimal '.' or"),
        (["457,48", "1.212,50"], ".", 2, "'457,48'", "pass --decimal ',' or"),
        (["1,212.50", "457.48"], ",", 2, "'1,212.50'", "pass --decimal '.' or"),
        (["12", "1,234"], ".", 3, "'1,234', perhaps with thousands separators", EITHER),
        (["1,234", "-12,345"], ".", 2, "'1,234', perhaps with thousands separators", EITHER),
        (["123,456", "654,321"], ".", 2, "'123,456', perhaps with thousands separators", SEPARATORS),
        ([f"{i},25 €" for i in range(20)], ".", 2, "'0,25 €'", "pass --decimal ',' or"),
        ([f"$1,{i}" for i in range(200, 220)], ".", 2, "'$1,200', perhaps with thousands separators", EITHER),
    ],
)
def test_other_marks_in_numbers_are_refused(values, decimal, line, found, remedy):
    assert failure(values, kinds={"other": "category"}, decimal=decimal) == DECIMAL_MARK.format(
        line, decimal, found, remedy
    )


def test_the_decimal_mark_is_stored_with_numbers():
    schema = schema_of({"x": ["1,5", "2"], "y": ["a", "b"]}, decimal=",")
    assert [(column.kind, column.decimal) for column in schema.columns] == [(Kind.NUMBER, ","), (Kind.CATEGORY, ".")]


WORDS = st.sampled_from(
    ["1", "2.5", "007", "", "?", "NA", "a", "b c", "t", "f", "yes", "2026-01-31", "31/12/2026", "1,5", "1e400", "\x00"]
) | st.text(max_size=4)


@settings(deadline=None, max_examples=50)
@given(st.lists(WORDS, min_size=1, max_size=40), st.sampled_from(["fail", "skip", "missing"]))
def test_what_was_found_can_be_read(values, on_error):
    columns = {"x": np.array(values, dtype=object), "other": np.array(["1"] * len(values), dtype=object)}
    lines = range(len(values))
    try:
        schema = find_schema(columns, lines, on_error=on_error)
    except InputError:
        return
    parsed = parse_columns(columns, lines, schema, on_error=on_error)
    assert parsed.problems == 0 or on_error != "fail"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(YES_NO_PAIRS).flatmap(st.sampled_from), min_size=1, max_size=5))
def test_yes_no_needs_one_pair(words):
    one_pair = any(set(words) <= set(pair) for pair in YES_NO_PAIRS)
    assert (column_of(words).kind is Kind.YES_NO) == one_pair


def test_a_few_other_texts_among_numbers_with_a_unit_are_refused_or_missing():
    values = [f"{i} kg" for i in range(30)] + ["12 g"]
    assert failure(values) == (
        "data, line 32: expected a number in column 'x', as 30 of its 31 values are, found '12 g'; mend the field, "
        "or pass --on-error skip, --on-error missing or --kind 'x=category'."
    )
    assert column_of(values, on_error="missing").suffix == " kg"


def test_numbers_with_a_unit_may_be_taken_as_categories():
    assert column_of([f"{i} kg" for i in range(30)], kinds={"x": "category"}).kind is Kind.CATEGORY


def test_free_text_is_told_from_numbers_with_other_marks_by_a_few_values(monkeypatch):
    n_tried = []

    def counting(texts, column):
        n_tried.append(len(texts))
        return parse_column(texts, column)

    monkeypatch.setattr("gandetect.readers.kinds.parse_column", counting)
    assert column_of(f"note no. {i}" for i in range(5000)).kind is Kind.TEXT
    assert sum(n_tried) < 1000
    assert column_of([*(f"{i},5" for i in range(200)), *(f"text {i}" for i in range(200))]).kind is Kind.TEXT

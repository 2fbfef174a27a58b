"""Numbers with a unit or thousands separators are read as numbers, and only where nothing else is possible."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandetect.column import Column, Kind, Role
from gandetect.errors import InputError
from gandetect.readers.number_forms import find_decimal
from gandetect.readers.schemas import find_schema
from gandetect.readers.values import parse_column, parse_number


def found(*words, decimal=".", **options):
    columns = {"x": np.array(words, dtype=object), "other": np.array(["1"] * len(words), dtype=object)}
    return find_schema(columns, range(len(words)), decimal=decimal, **options)["x"]


def read(column, *words):
    """Return values, None for those that cannot be read."""
    values, unreadable = parse_column(np.array(words, dtype=object), column)
    return [None if odd else float(value) for value, odd in zip(values, unreadable, strict=True)]


UNITS = [
    "${}",
    "$ {}",
    "{} €",
    "{}€",
    "EUR {}",
    "{}%",
    "{} %",
    "{} kg",
    "{}ms",
    "{} km/h",
    "{} °C",
    "{} m²",
    "{}\u00a0€",
]


UNITS_WITH_DIGITS = [
    "m3",
    "m3/h",
    "m/s2",
    "kWh/m2",
    "W/m2K",
    "min-1",
    "\u00b5m",
    "s^-2",
    "kg*m2",
    "1/min",
    "l/100km",
    "A3",
]


@pytest.mark.parametrize("unit", UNITS_WITH_DIGITS)
@pytest.mark.parametrize(("numbers", "decimal"), [("{}.25", "."), ("1.{:03},5", ",")])
def test_a_unit_may_have_digits_where_a_blank_stands_before_it(unit, numbers, decimal):
    words = [f"{numbers.format(i)} {unit}" for i in range(100, 130)]
    column = found(*words, decimal=decimal)
    assert column.kind is Kind.NUMBER
    values = [i + 0.25 if decimal == "." else 1000.5 + i for i in range(100, 130)]
    assert read(column, *words) == values
    assert read(column, f"7 {unit}", f"7 {unit}4", f"7 2{unit}") == [7.0, None, None]


def test_digits_of_a_unit_are_not_taken_from_the_number():
    column = found(*(f"{2 * i} 1/min" for i in range(30)))
    assert read(column, "10 1/min", "101/min") == [10.0, None]


@pytest.mark.parametrize(
    "form",
    ["{}m3", "{} 1/2", "{} 3", "2026-01-{} 10h30", "10:{} h24", "{} A{}", "{}-20 m3", "{} Jan-2026", "{} to 9kg"],
)
def test_codes_dates_times_and_ranges_are_no_numbers_with_a_unit(form):
    assert found(*(form.format(i, i) for i in range(10, 50))).kind is not Kind.NUMBER


@pytest.mark.parametrize("form", ["0061{:05}AAA", "INV {:06}", "{:04} A"])
def test_whole_numbers_with_leading_zeros_are_codes_with_letters_around_them_too(form):
    words = [form.format(7 * i) for i in range(40)]
    assert found(*words * 2).kind is Kind.CATEGORY
    assert found(*words).role is Role.LEFT_OUT
    assert found(*(f"{i:03}.5 kg" for i in range(40))).kind is Kind.NUMBER
    assert found(*words, kinds={"x": "number"}).kind is Kind.NUMBER


@pytest.mark.parametrize("form", ["INV {}", "{}A", "{} min"])
def test_numbers_with_letters_that_count_the_rows_are_an_id(form):
    words = [form.format(i) for i in range(1000, 1040)]
    column = found(*words)
    assert (column.kind, column.reason) == (Kind.ID, "it counts the rows: an id")
    assert found(*words[::-1]).kind is Kind.NUMBER
    assert found(*(form.format(f"{i}.5") for i in range(40))).kind is Kind.NUMBER


@pytest.mark.parametrize("form", UNITS)
def test_numbers_with_a_unit_are_numbers(form):
    column = found(*(form.format(i / 4) for i in range(40)))
    assert column.kind is Kind.NUMBER
    bare, negative, missing = form.format("2.5").replace(" ", ""), f"-{form.format(3)}", "n.a."
    assert read(column, form.format("2.5"), bare, negative, form.format("+7e2")) == [2.5, 2.5, -3.0, 700.0]
    assert read(column, missing, "2.5", form.format("x"), form.format(""), f"{form.format(1)}x") == [None] * 5
    assert math.isnan(read(column, " NA ")[0])


@pytest.mark.parametrize("form", ["{}", "{} €", "$ {}", "EUR {}"])
@pytest.mark.parametrize("negative", ["{}-", "({})", "\u2212{}"])
def test_negative_numbers_are_read_as_bookkeepers_write_them(form, negative):
    column = found(*((negative if i % 3 else "{}").format(form.format(f"{i}.25")) for i in range(40)))
    assert column.kind is Kind.NUMBER
    assert read(column, negative.format(form.format("2.50"))) == [-2.5]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["273,92-", "90,02", "1.234,50-"], [-273.92, 90.02, -1234.5]),
        (["(1.234)", "(2.234.567)", "5"], [-1234.0, -2234567.0, 5.0]),
        (["\u22125", "7", "1e\u22122"], [-5.0, 7.0, 0.01]),
    ],
)
def test_negative_numbers_may_have_a_decimal_comma_and_separators(words, values):
    column = found(*words, decimal=",")
    assert column.kind is Kind.NUMBER
    assert read(column, *words) == values


@pytest.mark.parametrize("form", ["{}", "₹{}", "Rs. {}", "Rs {}"])
def test_separators_may_stand_as_in_india(form):
    words = [form.format(f"{i},{i + 10},{i + 500}") for i in range(1, 31)]
    column = found(*words, form.format("90,000"))
    assert column.kind is Kind.NUMBER
    values = [100_000.0 * i + 1000 * (i + 10) + i + 500 for i in range(1, 31)]
    assert read(column, *words) == values
    assert read(column, *map(form.format, ["1,23,45,678.5", "1,234,567", "700", "1,23,45", "123,45,678", "12,34"])) == [
        12345678.5,
        1234567.0,
        700.0,
        None,
        None,
        None,
    ]


def test_in_other_columns_the_separators_of_india_need_decimals_and_a_comma():
    assert read(found(*(f"{i}.5" for i in range(30))), "1,23,456.5", "1,23,456") == [123456.5, None]
    assert found(*(f"1.23.{i}" for i in range(456, 496)), decimal=",").kind is not Kind.NUMBER


@pytest.mark.parametrize("sign", ["US$", "A$ ", "R$"])
def test_a_dollar_may_have_letters_before_it(sign):
    column = found(*(f"{sign}{i}.50" for i in range(40)))
    assert (column.kind, column.prefix) == (Kind.NUMBER, sign)


@pytest.mark.parametrize("form", ["$({})", " $ ({})", "EUR ({})", "($ {})"])
def test_a_currency_may_stand_before_the_brackets_of_what_is_negative(form):
    plain = form.replace("(", "").replace(")", "")
    gains = [plain.format(f"{i},{100 + i}.50") for i in range(1, 31)]
    for words in (gains, [*gains, form.format("1,234.50")]):
        column = found(*words)
        assert column.kind is Kind.NUMBER
        assert read(column, form.format("1,234.50"), plain.format("1,234.50")) == [-1234.5, 1234.5]
    assert read(column, form.format("500")) == [-500.0 if form[0] != "(" else None]
    assert read(column, "CHF (500.00)", "12 (500.00)", "$-(500.00)", "$()", "500.00)") == [None] * 5


@pytest.mark.parametrize("words", [["1-", "2-", "3"], ["(1)", "(2)", "3"], ["-1.5-", "2.5"], ["(-1.5)", "2.5"]])
def test_grades_notes_and_double_signs_are_no_numbers(words):
    assert found(*words * 20).kind is Kind.CATEGORY


@pytest.mark.parametrize("pairs", [["(1,3)", "(2,5)"], ["(640,480)", "(800,600)"]])
def test_pairs_in_brackets_are_no_negative_numbers(pairs):
    assert found(*pairs * 20).kind is Kind.CATEGORY
    assert find_decimal({"pair": np.array(pairs, dtype=object)}) == "."


def test_numbers_with_the_minus_behind_them_show_a_decimal_comma():
    assert find_decimal({"amount": np.array(["273,92-", "90,02"], dtype=object)}) == ","


@pytest.mark.parametrize(("price", "decimal"), [("5.-", "."), ("5,-", ","), ("(5.)", ".")])
def test_a_price_without_cents_is_not_negative(price, decimal):
    assert found(*[price, "7" + price[1:]] * 20, decimal=decimal).kind is Kind.CATEGORY
    assert parse_number(price, decimal) is None


@pytest.mark.parametrize("suffix", ["", " kg"])
def test_a_lone_minus_sign_is_no_number_and_not_missing_either(suffix):
    column = found(*(f"\u2212{i}.5{suffix}" for i in range(30)))
    assert parse_column(np.array(["\u2212", "-"], dtype=object), column)[1].tolist() == [True, False]


@pytest.mark.parametrize("form", ["A{}", "{}-x", "v{} kg", "x", "{}:{}", "{} {}"])
def test_other_words_with_numbers_are_none(form):
    assert found(*(form.format(i + 10, i + 10) for i in range(40))).kind is not Kind.NUMBER


def test_few_different_numbers_with_a_word_are_categories():
    assert found(*["5 kg", "10 kg", "20 kg"] * 20).kind is Kind.CATEGORY


@pytest.mark.parametrize("unit", ["kg", "m3/h"])
def test_few_different_numbers_with_a_unit_are_numbers_where_the_caller_says_so(unit):
    words = [f"5 {unit}", f"10 {unit}"] * 20
    assert read(found(*words, kinds={"x": "number"}), *words[:2]) == [5.0, 10.0]
    assert found("5", "10", f"7 {unit}", kinds={"x": "number"}).suffix == ""


def test_a_unit_is_the_same_in_the_whole_column():
    assert found(*(f"{i} {'kg' if i % 2 else 'g'}" for i in range(40))).kind is not Kind.NUMBER


@pytest.mark.parametrize(
    ("words", "decimal", "values"),
    [
        (["1,234.5", "12"], ".", [1234.5, 12.0]),
        (["1.234,5", "-12"], ",", [1234.5, -12.0]),
        (["1,234,567", "12,345", "950"], ".", [1234567.0, 12345.0, 950.0]),
        (["1 234", "950", "12 000"], ".", [1234.0, 950.0, 12000.0]),
        (["1'234.50", "950.25"], ".", [1234.5, 950.25]),
        (["1\u202f234,50", "950"], ",", [1234.5, 950.0]),
    ],
)
def test_thousands_separators_that_can_be_nothing_else_are_read(words, decimal, values):
    column = found(*words, decimal=decimal)
    assert column.kind is Kind.NUMBER
    assert read(column, *words) == values


@pytest.mark.parametrize(
    "words",
    [
        ["192.168.100.200", "192.168.100.201"],
        ["555 123 456", "555 987 654"],
        ["1,23,45.5", "12"],
        ["1 234,5", "12"],
        ["2026 11 26"],
    ],
)
def test_other_groups_of_digits_are_no_numbers(words):
    assert found(*words).kind is not Kind.NUMBER


@pytest.mark.parametrize(("mark", "decimal"), [(",", "."), (".", ",")])
@pytest.mark.parametrize("unit", ["", " kg"])
def test_a_named_decimal_mark_leaves_the_other_one_for_thousands(mark, decimal, unit):
    words = [f"{i}{mark}010{unit}" for i in range(1, 40)]
    column = found(*words, f"950{unit}", decimal=decimal, is_decimal_certain=True)
    assert (column.kind, column.grouping) == (Kind.NUMBER, mark)
    assert read(column, *words[:2], f"12{mark}345{unit}") == [1010.0, 2010.0, 12345.0]


@pytest.mark.parametrize("words", [["1,23", "2,345"], ["123,456", "654,321"]])
def test_a_named_decimal_mark_makes_no_thousands_of_other_digits(words):
    with pytest.raises(InputError, match="decimal mark"):
        found(*words, is_decimal_certain=True)


@pytest.mark.parametrize(("decimal", "unit"), [(".", ""), (",", ""), (".", " kg"), (",", "%")])
def test_thousands_are_read_where_no_training_value_had_any_if_decimals_show_what_separates_them(decimal, unit):
    words = [f"{i}{decimal}25{unit}" for i in range(40)]
    column = found(*words, decimal=decimal)
    other = "," if decimal == "." else "."
    large, unclear = f"1{other}234{other}567{decimal}5{unit}", f"1{other}234{unit}"
    assert read(column, large, f"-{large}", unclear, words[7]) == [1234567.5, -1234567.5, None, 7.25]


@pytest.mark.parametrize("unit", ["", " mg/l"])
@pytest.mark.parametrize("sign", ["<", "> ", "<=", "≥"])
def test_values_beyond_a_limit_are_the_limit(sign, unit):
    words = [f"{i},5{unit}" for i in range(40)]
    column = found(*words, f"{sign}0,5{unit}", decimal=",")
    assert column.kind is Kind.NUMBER
    assert read(column, f"{sign}0,5{unit}", f"{sign}-3{unit}", words[7]) == [0.5, -3.0, 7.5]
    assert read(column, f"<<1{unit}", "<", f"1<{unit}", "<NaN>") == [None] * 4


@pytest.mark.parametrize("words", [["<5", ">=5"], ["<18", "18", ">65"], ["<1", "<2", "<3", "4", "5", "6"]])
def test_groups_that_are_called_by_their_limits_are_categories(words):
    assert found(*words * 20).kind is Kind.CATEGORY


@pytest.mark.parametrize("word", ["1,23", "12,34.5", "1,2345", "1,234,56", ",234", "1,234.", "1 234"])
def test_separators_stand_between_thousands_only(word):
    column = Column("x", Kind.NUMBER, grouping=",")
    assert (read(column, word) == [None]) == (word != "1,234.")


FORMS = st.builds(
    lambda decimal, others, prefix, suffix: Column(
        "x", Kind.NUMBER, decimal=decimal, grouping=others[decimal], prefix=prefix, suffix=suffix
    ),
    st.sampled_from(".,"),
    st.fixed_dictionaries({".": st.sampled_from(["", ",", " ", "'"]), ",": st.sampled_from(["", ".", " "])}),
    st.sampled_from(["", "$", "EUR "]),
    st.sampled_from(["", " kg", "%"]),
)


@settings(deadline=None)
@given(FORMS, st.integers(-(10**9), 10**9), st.integers(0, 99))
def test_what_is_written_in_a_form_is_read_back(column, whole, hundredths):
    number = f"{whole:,}.{hundredths:02}".replace(",", "_").replace(".", column.decimal).replace("_", column.grouping)
    sign, digits = ("-", number[1:]) if whole < 0 else ("", number)
    assert read(column, f"{sign}{column.prefix}{digits}{column.suffix}") == [float(f"{whole}.{hundredths:02}")]
    assert read(column, column.written(f"{whole}.{hundredths:02}")) == [float(f"{whole}.{hundredths:02}")]


def test_a_long_field_takes_no_long_time():
    column = Column("x", Kind.NUMBER, grouping=",", suffix=" kg")
    assert read(column, "1" * 1_000_000, "1,111" * 100_000, f"1{',111' * 100_000} g") == [None] * 3


@pytest.mark.parametrize(
    ("columns", "decimal"),
    [
        ([["1,5", "2"], ["3", "4"]], ","),
        ([["1,5", "2"], ["a", "1.5"]], ","),
        ([["1,5", "2"], ["31.12.2026", "1.1.2026"]], ","),
        ([["1,5 kg"] + [f"{i} kg" for i in range(20)], [""]], ","),
        ([["1.234,5", "?"]], ","),
        ([["1,5", "2"], ["1.5"]], "."),
        ([["1,234", "1,5 or 2"], ["3"]], "."),
        ([["1,5", "2"], ["(1,234.50)"]], "."),  # brackets around no pair
        ([["1", "2"]], "."),
        ([[""]], "."),
    ],
)
def test_a_decimal_comma_is_found_where_nothing_speaks_for_a_point(columns, decimal):
    assert find_decimal({str(i): np.array(words, dtype=object) for i, words in enumerate(columns)}) == decimal

"""What is doubtful about a training table is said before anything is learned from it."""

import numpy as np
import pytest

from gandetect_cli.doubts import doubts, doubts_of_kinds, doubts_of_marks

NUMBERS = np.random.default_rng(0).normal(size=30)


def words(*values):
    return np.array(values, dtype=object)


def test_nothing_is_said_of_a_table_that_can_be_learned_from():
    assert doubts({"a": NUMBERS, "b": words(*"ab" * 15), "c": np.ones(30)}, 30) == []


@pytest.mark.parametrize(
    "values", [np.full(30, 7.0), np.full(30, np.nan), words(*"x" * 30), words(*[""] * 30), words("", *"x" * 29)]
)
def test_a_table_in_which_nothing_varies_teaches_nothing(values):
    (sentence,) = doubts({"a": values, "b": np.ones(30)}, 30)
    assert sentence == "no column varies: there is nothing to learn but these values, so add rows that differ"


def test_columns_of_few_rows_that_may_be_ids_are_named():
    short = {
        "id": np.arange(9.0) + 1000,
        "user": words(*"abcdefghi"),
        "level": words(*"aabbccdde"),
        "v": NUMBERS[:9],
        "at": 3600 * np.arange(9.0),
    }
    first, second = doubts(short, 9)
    assert first == (
        "every value of 'id', 'user' is different, but 9 rows are too few to tell ids and free text from categories: "
        "leave such columns out with --drop"
    )
    assert second == "with 9 rows no p-value is below 0.1: add rows if you can"


def test_names_that_are_measurements_are_no_names():
    (sentence,) = doubts({"5.1": NUMBERS, "-3": NUMBERS, "2026": NUMBERS, "setosa": NUMBERS}, 30)
    assert sentence == (
        "columns are called '5.1', '-3': if the table has no line of names, its first row was taken for it, so put the "
        "names above it"
    )


def test_clocks_and_counters_are_named_for_new_rows_lie_beyond_them():
    meter = np.repeat(np.cumsum(np.abs(NUMBERS)), [1, 1, 2] * 10)
    sorted_levels, swings = np.arange(40.0) // 10, np.sin(np.arange(40.0))
    table = {"meter": meter, "at": 2500 * np.arange(40.0), "levels": sorted_levels, "swings": swings}
    (sentence,) = doubts(table, 40, times={"at"})
    assert sentence == (
        "in every quarter of the rows most values of 'meter' are beyond all before: if that is a clock or a counter, "
        "new rows lie beyond all that is learned and will be flagged, so leave it out with --drop"
    )


@pytest.mark.parametrize("order", ["oldest first", "newest first"])
def test_a_clock_is_one_with_ties_gaps_and_late_rows(order):
    minutes = np.repeat(1.7e12 + 60_000 * np.arange(50.0), 4)  # four devices report every minute
    late = minutes.copy()
    late[[20, 30]] = late[[30, 20]]
    gap = np.append(np.nan, minutes[1:])
    step = 1 if order == "oldest first" else -1
    (sentence,) = doubts({"a": minutes[::step], "b": late[::step], "c": gap[::step]}, 200)
    assert "most values of 'a', 'b', 'c' are beyond all before" in sentence


def test_a_number_that_may_stand_for_a_missing_value_is_named_with_what_to_pass():
    marked = np.append(NUMBERS, [-9999.0, -9999.0])
    rare, heavy = np.append(NUMBERS, [NUMBERS[0], -9999.0]), np.append(NUMBERS, [9.0, 9.0])
    levels = np.repeat([0.0, 1.0, 2.0, 90.0], 8)
    table = {"t": marked, "u": 3 * marked / 3, "rare": rare, "heavy": heavy, "levels": levels}
    (sentence,) = doubts(table, 32)
    assert sentence == (
        "'t', 'u' hold -9999 again and again, far beyond all other numbers there: if it stands for a missing value "
        "pass --missing -9999"
    )
    mostly = np.append(NUMBERS, np.full(300, -999.25))
    assert doubts({"v": mostly}, 330)[0].startswith("'v' holds -999.25 again and again")


def test_codes_of_surveys_are_named_beside_few_answers_and_only_in_the_columns_that_hold_them():
    answers = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 12)
    coded = np.append(answers, [98.0, 98.0, 99.0, 99.0])
    table = {
        "q1": coded,
        "q2": coded[::-1],
        "smokes": np.append(answers % 2, [9.0, 9.0, 9.0, 9.0]),
        "once": np.append(answers, [1.0, 2.0, 3.0, 99.0]),
        "age": np.append(np.tile(np.arange(67.0, 97.0), 2), [99.0, 41.0, 42.0, 43.0]),
        "two": np.repeat([1.0, 99.0], 32),
    }
    assert doubts(table, 64) == [
        f"{holders} {number} again and again, far beyond all other numbers there: if it stands for a missing value "
        f"pass --missing {option}"
        for holders, number, option in (
            ("'q1', 'q2' hold", 98, "98"),
            ("'q1', 'q2' hold", 99, "'q1=99' --missing 'q2=99'"),
            ("'smokes' holds", 9, "9"),
        )
    ]


def test_a_counter_that_starts_anew_again_and_again_is_no_counter_to_leave_out():
    assert doubts({"uptime": np.arange(300.0) % 100}, 300) == []


def test_categories_that_move_on_are_named_but_not_those_of_which_many_are_rare():
    batch = words(*(f"b{i // 3}" for i in range(60)))
    rare = words(*(f"r{i}" if i % 3 == 0 else "a" for i in range(60)))
    few = words(*("setosa", "versicolor", "virginica") * 20)
    table = {
        "batch": batch,
        "rare": rare,
        "sorted": np.sort(few),
        "back": np.tile(batch[:30], 2),
        "v": np.tile(NUMBERS, 2),
    }
    (sentence,) = doubts(table, 60)
    assert sentence == (
        "in every quarter of the rows most values of 'batch' are new ones: if that goes on, as with dates and batches, "
        "many new rows will be flagged for it, so leave it out with --drop"
    )


def test_enough_rows_tell_ids_by_themselves():
    assert not any("too few to tell" in doubt for doubt in doubts({"user": words(*map(str, range(20)))}, 20))


MIXED = [f"{i % 12}.5" for i in range(80)] + ["off", "err"] * 10


def test_numbers_among_other_texts_are_named_with_what_to_pass():
    (sentence,) = doubts_of_kinds({"temp": words(*MIXED, "NA", ""), "level": words(*"abc" * 30)}, ".")
    assert sentence == (
        "20 of the 100 values of 'temp' are no numbers, such as 'off', 'err', so it is learned as a category: to learn "
        "from its numbers pass --kind 'temp=number' and --on-error missing, or mend the others"
    )
    commas = words(*(text.replace(".", ",") for text in MIXED))
    assert doubts_of_kinds({"temp": commas}, ",") == [sentence]
    assert doubts_of_kinds({"temp": commas}, ".") == []


@pytest.mark.parametrize(
    ("form", "found", "remedy"),
    [
        ("{0}h {1}m", "durations, such as '0h 1m',", "write them as numbers in one unit, such as minutes"),
        ("PT{0}H{1}M", "durations, such as 'PT0H1M',", "write them as numbers in one unit, such as minutes"),
        ("{1}°{0}'N", 'degrees, minutes and seconds, such as "1°0\'N",', "write them as numbers of degrees"),
        ("1{1}/{0}", "several numbers in one field, such as '11/0',", "put each into a column of its own"),
        ("{1}.5 x {0} cm", "several numbers in one field, such as '1.5 x 0 cm',", "put each into a column of its own"),
        ("5{0}.1, 1{1}.5", "several numbers in one field, such as '50.1, 11.5',", "put each into a column of its own"),
        ("{1}.{0} {2}", "numbers in several units or currencies, such as '1.0 g',", "write them in one"),
        ("{3}{1}.{0}", "numbers in several units or currencies, such as 'EUR 1.0',", "write them in one"),
    ],
)
def test_texts_that_hold_several_numbers_or_units_are_named(form, found, remedy):
    levels = [form.format(i % 5, i + 1, ["g", "kg"][i % 2], ["EUR ", "USD "][i % 2]) for i in range(20)]
    (sentence,) = doubts_of_kinds({"x": words(*levels * 3)}, ".")
    assert sentence == (
        f"'x' may hold {found} and is learned as a category, in which no value is larger than another: {remedy}, or "
        "leave it out with --drop"
    )
    assert doubts_of_kinds({"x": words(*levels[:19] * 3), "y": words(*levels[:-1], "north")}, ".") == []


@pytest.mark.parametrize("form", ["{}A", "0{}/512", "{}{}", "10.0.0.{}", "{}-12", "A{}/3"])
def test_codes_addresses_and_ranges_are_not_several_numbers(form):
    assert doubts_of_kinds({"x": words(*[form.format(i, "AB"[i % 2]) for i in range(20, 50)] * 3)}, ".") == []


def test_few_numbers_with_a_unit_are_named_with_what_to_pass():
    (sentence,) = doubts_of_kinds({"Na": words(*[f"{i} mmol" for i in range(130, 145)] * 4)}, ".")
    assert sentence == (
        "'Na' holds 15 different numbers with a unit, so few that it is learned as a category: to learn from them as "
        "numbers pass --kind 'Na=number'"
    )
    rates, codes = words(*[f"{i} %" for i in range(9)] * 9), words(*[f"{i:02} A" for i in range(15)] * 4)
    assert doubts_of_kinds({"rate": rates, "code": codes}, ".") == []


@pytest.mark.parametrize(("decimal", "other"), [(".", ","), (",", ".")])
@pytest.mark.parametrize("form", ["{}", "-{}", "{} €"])
def test_a_mark_that_may_separate_thousands_is_doubted(form, decimal, other):
    inhabitants = [f"{i}{decimal}{100 + i}" for i in range(1, 30)] + ["987", "654", "321", "0"]
    first = form.format(f"1{decimal}101")
    sentences = doubts_of_marks({"n": words(*map(form.format, inhabitants), ""), "a": words(*"123" * 30)}, decimal)
    assert sentences == [
        f"all numbers of 'n' have three digits behind the {decimal!r}, such as {first!r}, or are whole "
        f"and below 1000: if it separates thousands pass --decimal {other!r}, else --decimal {decimal!r}"
    ]
    for odd in ("1000", f"0{decimal}125", f"1{decimal}5", f"1{decimal}1250", f"1234{decimal}125"):
        assert doubts_of_marks({"n": words(*map(form.format, [*inhabitants, odd]))}, decimal) == []
    assert doubts_of_marks({"n": words(*map(form.format, inhabitants[:-2]))}, decimal) == []  # of which two are small


def test_fit_doubts_a_mark_only_where_none_is_named(cli):
    rows = [f"{i}.{100 + i}" for i in range(1, 30)] + ["987", "654", "321"]
    table = "n;m\n" + "".join(f"{row};{i % 7}\n" for i, row in enumerate(rows))
    assert "if it separates thousands pass --decimal ','" in cli("fit", "-", "--steps", 1, stdin=table.encode()).err
    for mark in ".,":
        assert "thousands" not in cli("fit", "-", "--steps", 1, "--decimal", mark, stdin=table.encode()).err


def test_fit_warns_of_numbers_among_other_texts_unless_the_kind_was_chosen(cli):
    table = "v,temp\n" + "".join(f"{i * 37 % 101},{text}\n" for i, text in enumerate(MIXED))
    said = "warning: 20 of the 100 values of 'temp' are no numbers"
    as_given = cli("fit", "-", "--steps", 1, "--given", "temp", stdin=table.encode())
    assert said in as_given.err
    chosen = cli("fit", "-", "--steps", 1, "--kind", "temp=category", stdin=table.encode())
    assert "are no numbers" not in chosen.err
    as_numbers = cli("fit", "-", "--steps", 1, "--kind", "temp=number", "--on-error", "missing", stdin=table.encode())
    assert "20 fields could not be read: taken as missing" in as_numbers.err
    assert "are no numbers" not in as_numbers.err


def test_fit_warns(cli):
    table = "id,v\n" + "".join(f"u{i},1\n" for i in range(9))
    result = cli("fit", "-", "--steps", 1, stdin=table.encode())
    assert result.code == 0
    assert "warning: every value of 'id' is different, but 9 rows are too few to tell" in result.err
    constant = cli("fit", "-", "--steps", 1, stdin=("a,b\n" + "1,x\n" * 30).encode())
    assert "warning: no column varies: there is nothing to learn but these values" in constant.err

"""Times are found in every documented format; what only a person can read is left out, with what to pass."""

import numpy as np
import pytest
from found_schemas import column_of

from gandetect.column import Kind, Role
from gandetect.readers.time_forms import TIME_FORMATS
from gandetect.readers.values import parse_times


@pytest.mark.parametrize("time_format", TIME_FORMATS)
def test_every_documented_time_format_is_found(time_format):
    numbers = {"%d": "31", "%m": "01", "%Y": "2026", "%y": "26", "%H": "13", "%M": "05", "%S": "59"}
    numbers |= {"%b": "Jan", "%I": "1", "%p": "PM", "%z": "+0100", "%a": "Sat", "%f": "250"}
    text = time_format
    for directive, number in numbers.items():
        text = text.replace(directive, number)
    column = column_of([text, "", text])
    assert (column.kind, column.role, column.time_format) == (Kind.TIME, Role.FEATURE, time_format)


@pytest.mark.parametrize("form", ["2026-01-{:02} 07:24:00{} UTC", "{:02}.01.2026 07:24:00{}"])
def test_utc_may_be_named_and_seconds_may_have_a_fraction(form):
    column = column_of([form.format(day, ".5") for day in range(1, 31)])
    assert (column.kind, column.role) == (Kind.TIME, Role.FEATURE)
    times, unreadable = parse_times(np.array([form.format(day, ".5") for day in (1, 2)]), column.time_format)
    assert not unreadable.any()
    assert times.tolist() == [1767252240.5, 1767252240.5 + 86400]


@pytest.mark.parametrize(
    ("form", "time_format"), [("2026-01-{:02}T07:24", ""), ("{:02}.01.2026 07:24", "%d.%m.%Y %H:%M")]
)
def test_a_column_of_times_for_the_most_part_says_how_they_are_read(form, time_format):
    values = [form.format(day) for day in range(1, 32)] + ["0000-00-00 00:00"] * 20
    column = column_of(values)
    assert column.reason == (
        "more than half of its values are different: free text; 31 of its 51 values are times: to learn from them pass "
        "--kind 'x=time' and --on-error missing"
    )
    column = column_of(values, kinds={"x": "time"}, on_error="missing")
    assert (column.role, column.time_format) == (Role.FEATURE, time_format)
    words = column_of(["soon", *(f"on day {i}" for i in range(40)), "2026-01-31"])
    assert words.reason == "more than half of its values are different: free text"


@pytest.mark.parametrize(("clock", "time_format"), [("", "%Y%m%d"), ("130559", "%Y%m%d%H%M%S")])
def test_whole_numbers_that_are_all_dates_are_times(clock, time_format):
    values = [f"2026{month:02}{day:02}{clock}" for month in (1, 12) for day in range(1, 32)]
    for some in (values, values[:31], values[:1] + values[-1:], [*values, "", "NA"]):
        column = column_of(some, "id")
        assert (column.kind, column.role, column.time_format) == (Kind.TIME, Role.FEATURE, time_format)
    assert column_of(values, kinds={"x": "time"}).time_format == time_format
    assert column_of(values, kinds={"x": "number"}).kind is Kind.NUMBER
    for other in ("20260230", "20261301", "2026121", "99991231", "18991231", "20260101.5"):
        assert column_of([*values, other + clock]).kind is Kind.NUMBER
    assert column_of(values[:1] * 20).reason.startswith("its times are of less than a day")


def test_dates_whose_day_and_month_may_be_swapped_are_left_out():
    column = column_of(["01/02/2026", "03/04/2026"])
    assert (column.kind, column.role) == (Kind.TIME, Role.LEFT_OUT)
    assert column.reason == (
        "day and month cannot be told apart: pass --kind 'x=time:%d/%m/%Y' or --kind 'x=time:%m/%d/%Y'"
    )
    assert column_of(["01/02/2026"], kinds={"x": "time:%d/%m/%Y"}).role is Role.FEATURE


@pytest.mark.parametrize(
    "values",
    [
        ["2026-01-01", "02.01.2026", "01/03/2026"] * 20,
        ["13/01/2026", "01/13/2026"],
        ["2026-01-01 07:24", "27-Nov-2026", ""],
    ],
)
def test_times_in_several_formats_are_left_out(values):
    column = column_of(values)
    assert (column.kind, column.role) == (Kind.TIME, Role.LEFT_OUT)
    assert column.reason == (
        "times in several formats: write all of them in one, such as 2026-01-31, or pass --kind 'x=category'"
    )
    assert column_of(values, kinds={"x": "category"}).role is Role.FEATURE
    assert column_of([*values, "soon"] * 2).kind is Kind.CATEGORY


@pytest.mark.parametrize("options", [{}, {"kinds": {"x": "time"}}])
def test_one_odd_value_among_many_does_not_try_every_format_on_all(monkeypatch, options):
    n_tried = []

    def counting(texts, *form):
        n_tried.append(len(texts))
        return parse_times(texts, *form)

    for room in ("time_forms", "schemas"):
        monkeypatch.setattr(f"gandetect.readers.{room}.parse_times", counting)
    days = [f"{i % 28 + 1:02}.{i % 12 + 1:02}.{1900 + i}" for i in range(8000)]
    column = column_of([*days, "soon"], on_error="missing", **options)
    assert column.time_format == ("%d.%m.%Y" if options else "")
    assert sum(n_tried) < 20 * len(days)


def test_a_log_of_part_of_a_day_says_nothing_of_other_hours():
    minutes = [f"2026-01-31T{i // 60:02}:{i % 60:02}" for i in range(1440)]
    column = column_of(minutes[:1380])
    assert (column.kind, column.role) == (Kind.TIME, Role.LEFT_OUT)
    assert column.reason == (
        "its times are of less than a day, and other hours would be unusual: to learn from them pass --kind 'x=time'"
    )
    assert column_of(minutes[:1380], kinds={"x": "time"}).role is Role.FEATURE
    assert column_of([*minutes[:1380], "soon"], on_error="missing").reason == column.reason
    assert column_of([*minutes, "soon"], on_error="missing").role is Role.FEATURE
    assert column_of(["01/02/2026 12:00"] * 20).reason.startswith("day and month cannot be told apart")
    assert column_of(minutes[:1381]).role is Role.FEATURE  # what was done all day, such as one day's payments
    assert column_of(minutes[:19]).role is Role.FEATURE  # too few to tell


@pytest.mark.parametrize("clock", ["%H:%M", "%H:%M:%S"])
def test_what_may_be_times_of_day_or_durations_is_left_to_the_caller(clock):
    words = [clock.replace("%H", str(i)).replace("%M", "07").replace("%S", "00") for i in range(24)]
    for values, taken_for in ((words, "an id"), ([*words, words[0]], "free text")):
        assert column_of(values).reason.endswith(
            f"{taken_for}; if these are times of day pass --kind 'x=time:{clock}', durations have to be written as "
            "numbers"
        )
    assert column_of(words, kinds={"x": f"time:{clock}"}).role is Role.FEATURE
    for more, asked in (("25:00:00", True), ("0:53:24.0000000", True), ("25:60", False)):
        assert ("or durations write them as numbers, in seconds" in column_of([*words, more]).reason) == asked


@pytest.mark.parametrize("clock", ["%H:%M", "%H:%M:%S"])
def test_many_different_times_of_day_are_no_category(clock):
    words = [clock.replace("%H", str(i % 20)).replace("%M", "07").replace("%S", "00") for i in range(60)]
    column = column_of(words)
    assert (column.kind, column.role) == (Kind.TIME, Role.LEFT_OUT)
    assert column.reason == (
        f"they may be times of day or durations; if these are times of day pass --kind 'x=time:{clock}', durations "
        "have to be written as numbers"
    )
    assert column_of([word for word in words if not word.startswith("7")]).kind is Kind.CATEGORY  # of few shifts


@pytest.mark.parametrize(
    ("written", "formats"),
    [
        ("{day:02}.{month:02}.26", ["%d.%m.%y", "%y.%m.%d"]),
        ("{day:02}.{month:02}.99", ["%d.%m.%y"]),
        ("{month}/{day}/26", ["%m/%d/%y"]),
        ("{day:02}/{month:02}/26 13:05", ["%d/%m/%y %H:%M", "%y/%m/%d %H:%M"]),
    ],
)
@pytest.mark.parametrize("often", [1, 3])
def test_what_may_be_dates_with_a_year_of_two_digits_is_left_to_the_caller(written, formats, often):
    values = [written.format(day=day, month=month) for month in (1, 12) for day in range(1, 32)] * often
    column = column_of(values)
    assert (column.kind, column.role) == (Kind.TIME, Role.LEFT_OUT)
    kinds = [*(f"time:{form}" for form in formats), "category"]
    choice = " or ".join(f"--kind 'x={kind}'" for kind in kinds)
    assert column.reason == f"they may be dates with a year of two digits: pass {choice}"
    assert column_of(values, kinds={"x": kinds[0]}).role is Role.FEATURE


@pytest.mark.parametrize("written", ["1.{}.10", "01.{}.45", "{}.13.26"])
def test_versions_and_few_codes_are_no_dates(written):
    assert column_of([written.format(i) for i in range(10, 29 if "13" in written else 13)] * 20).kind is Kind.CATEGORY

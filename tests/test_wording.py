"""A value is said in words as people of the table write it: with its unit, its digits, its day of the week."""

from dataclasses import replace

import numpy as np
import pytest

from gandetect.column import Column, Kind
from gandetect.wording import is_expected, reason, training_in_words, value_in_words

AMOUNT = Column("amount", Kind.NUMBER, summary={"quantiles": [1.0, 120.0, 300.0, 410.0, 600.0, 900.0, 1000.0]})
PRICE = replace(AMOUNT, decimal=",", grouping=".", prefix="€ ")
COUNTRY = Column("country", Kind.CATEGORY, summary={"known": ["DE", "FR", "IT"]})
CONSTANT, HUGE = (
    Column("x", Kind.NUMBER, summary={"quantiles": quantiles}) for quantiles in ([7.0] * 7, [-1e308] * 3 + [1e308] * 4)
)
STATUS = Column("status", Kind.NUMBER, summary={"quantiles": [200.0] * 6 + [404.0]})
MOVING = Column("moving", Kind.YES_NO, summary={"known": ["no", "yes"]})
YEAR = 86_400.0 * 365
OPENED = Column("opened", Kind.TIME)
SHIPPED = Column("shipped", Kind.TIME, summary={"quantiles": [86_400.0 * day for day in range(1, 8)]})


@pytest.mark.parametrize(
    ("column", "value", "expected", "text"),
    [
        (AMOUNT, 9300.0, 411.7, "amount 9300, expected about 412, usual range 120 to 900"),
        (AMOUNT, np.nan, 411.7, "amount missing, expected about 412, usual range 120 to 900"),
        (AMOUNT, -0.125, 1e300, "amount -0.125, expected about 1e+300, usual range 120 to 900"),
        (PRICE, -9300.5, 411.7, "amount -€ 9300,5, expected about € 412, usual range € 120 to € 900"),
        (AMOUNT, 412.0, 411.7, "amount 412, as expected, usual range 120 to 900"),
        (AMOUNT, 411.7, 411.7, "amount 411.7, expected about 412, usual range 120 to 900"),
        (CONSTANT, 7.0, 7.0, "x 7, as expected, always 7 before"),
        (COUNTRY, "IT", ["IT", "DE"], "country IT, as expected"),
        (COUNTRY, "IT", ["FR", "DE"], "country IT, expected FR or DE"),
        (COUNTRY, "FR ", ["FR", "\u00a0IT"], "country 'FR ' (never seen before), expected FR or '\u00a0IT'"),
        (COUNTRY, "XX", ["FR", ""], "country XX (never seen before), expected FR"),
        (COUNTRY, "", ["FR", ""], "country missing, expected FR"),
        (MOVING, "TRUE", ["no", ""], "moving TRUE, expected no"),
        (MOVING, "J", ["no", ""], "moving J (never seen before), expected no"),
        (OPENED, YEAR + 3600 * 3, YEAR + 3600 * 14.25, "opened 1971-01-01 03:00, expected about 14:15"),
        (OPENED, np.nan, 900.0, "opened missing, expected about 00:15"),
        (OPENED, 1e300, 1e300, "opened 1e+300 s, expected about 1e+300 s"),
        (SHIPPED, YEAR, YEAR, "shipped 1971-01-01 (Friday)"),
        (SHIPPED, YEAR + 3600 * 3, YEAR, "shipped 1971-01-01 03:00, usually a date without a time of day before"),
        (SHIPPED, np.nan, 0.0, "shipped missing"),
        (Column("x", Kind.NUMBER), 1.0, 0.0, "x 1, expected about 0"),
        (CONSTANT, 8.0, 7.0000001, "x 8, expected about 7, always 7 before"),
        (STATUS, 302.0, 201.0, "status 302, expected about 201, usually 200 before"),
        (HUGE, 8.0, 3.0, "x 8, expected about 3, usual range -1e+308 to 1e+308"),
    ],
)
def test_a_reason_says_what_is_there_what_was_expected_and_what_is_usual(column, value, expected, text):
    assert reason(column, value, expected) == text


def test_expected_numbers_have_as_many_digits_as_their_range_asks_for():
    column = Column("x", Kind.NUMBER, summary={"quantiles": [1e9, 1e9 + 10, 1e9, 1e9, 1e9, 1e9 + 20, 1e9 + 30]})
    said = reason(column, 1e9, 1e9 + 12.34567)
    assert said == "x 1000000000, expected about 1000000012.35, usual range 1000000010 to 1000000020"


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (AMOUNT, 411.7, "412"),
        (COUNTRY, "FR", "FR"),
        (COUNTRY, "", "missing"),
        (OPENED, YEAR + 900.0, "00:15"),
        (SHIPPED, YEAR, "1971-01-01 (Friday)"),
        (SHIPPED, 0.0, "a date"),
    ],
)
def test_a_value_is_told_as_exactly_as_its_column_asks_for(column, value, text):
    assert value_in_words(column, value) == text


def test_training_values_have_as_many_digits_as_tell_them_apart():
    clock = Column("at", Kind.NUMBER, summary={"quantiles": [1.7e9 + 60 * minute for minute in range(7)]})
    assert training_in_words(clock) == "1700000000 to 1700000360, median 1700000180"


def test_a_level_is_expected_if_it_is_among_the_likely_ones():
    assert is_expected(COUNTRY, "DE", np.array(["FR", "DE"], dtype=object))
    assert not is_expected(COUNTRY, "XX", np.array(["FR", "DE"], dtype=object))
    assert not is_expected(COUNTRY, "", np.array(["FR", ""], dtype=object))
    assert not is_expected(AMOUNT, 7.0, 7.0)

"""A column that is written by hand: what is no kind or no role is refused, and numbers that mean missing are NaN."""

import numpy as np
import pytest

from gandetect import Column, InputError, Kind, Role


def test_kinds_and_roles_may_be_given_as_text():
    column = Column("a", "number", "given")
    assert (column.kind, column.role) == (Kind.NUMBER, Role.GIVEN)
    assert isinstance(column.kind, Kind)
    assert isinstance(column.role, Role)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("colour",), "Expected the kind of a column to be one of 'number', 'yes/no', .*, found 'colour'"),
        ((None,), "Expected the kind of a column to be one of 'number', .*, found None"),
        (("number", "boss"), "Expected the role of a column to be one of 'feature', 'given', .*, found 'boss'"),
    ],
)
def test_an_unknown_kind_or_role_is_refused(arguments, message):
    with pytest.raises(InputError, match=f"^{message}"):
        Column("a", *arguments)


def test_numbers_that_stand_for_missing_values_are_nan_for_the_graph():
    values = np.array([1, -9999, 99])
    marked = Column("t", Kind.NUMBER, missing=(-9999.0, 99.0)).converted(values)
    assert np.array_equal(marked, [1.0, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(Column("u", Kind.NUMBER).converted(values), values)
    assert values.tolist() == [1, -9999, 99]


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
def test_what_is_missing_in_any_case_needs_no_mark(number):
    with pytest.raises(InputError, match=f"^Expected finite numbers .*, found {number}; leave it out"):
        Column("t", Kind.NUMBER, missing=(number,))


def test_what_files_write_for_yes_and_no_is_yes_or_no_in_a_yes_no_column_alone():
    words = ["TRUE", "f", "No", "", "perhaps"]
    assert Column("asked", Kind.YES_NO).converted(words).tolist() == ["yes", "no", "no", "", "perhaps"]
    assert Column("asked", Kind.CATEGORY).converted(words).tolist() == words


def test_what_a_masked_array_masks_is_missing_for_the_graph():
    numbers = np.ma.array([1, 2, 3], mask=[True, False, False])
    assert np.array_equal(Column("t", Kind.NUMBER).converted(numbers), [np.nan, 2, 3], equal_nan=True)
    texts = np.ma.array(["a", "b", "c"], mask=[False, True, False])
    assert Column("t", Kind.CATEGORY).converted(texts).tolist() == ["a", "", "c"]

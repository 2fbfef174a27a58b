"""The columns of a table together: each has a name of its own, and a model is fed those that it learned from."""

import re

import numpy as np
import pytest

from gandetect import Column, InputError, Kind, Role, Schema


def test_two_columns_of_one_name_are_refused():
    columns = tuple(Column(name, Kind.NUMBER) for name in "abca")
    message = "Expected columns with names of their own, found more than one of 'a'."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Schema(columns)


def test_features_and_given_columns_are_fed_by_the_names_of_the_inputs():
    columns = (
        Column("a", Kind.NUMBER),
        Column("p_value", Kind.NUMBER, Role.GIVEN),
        Column("y", Kind.NUMBER, Role.LABEL),
    )
    feeds = Schema(columns).feeds({"y": np.zeros(2), "p_value": np.ones(2), "a": np.arange(2)})
    assert {name: values.tolist() for name, values in feeds.items()} == {"a": [0, 1], "column/p_value": [1, 1]}

"""The benchmark of the rule for gross rows plants what it says and counts what is found."""

from __future__ import annotations

import numpy as np
import pytest
from trimming import GLITCHES, gross_rows, share_found

X = np.random.default_rng(0).normal(size=(400, 5)) + 10


def test_nothing_is_found_on_clean_rows() -> None:
    assert not gross_rows(X).any()


@pytest.mark.parametrize("name", GLITCHES)
def test_every_glitch_far_beyond_the_others_is_found(name: str) -> None:
    before = X.copy()
    assert share_found(X, GLITCHES[name]) == 1
    np.testing.assert_array_equal(X, before)


def test_a_glitch_that_changes_nothing_is_not_found() -> None:
    assert share_found(X, lambda values: values) == 0

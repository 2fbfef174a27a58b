"""Detectors that several tests share: fitted once."""

import pytest
from made_tables import MIXED, mixed_rows, quick
from recording import recorded_fit

from gandetect.scorer import Scorer


@pytest.fixture(scope="session")
def mixed():
    """Return a detector fitted on a table of every kind of column, with all its parts."""
    return recorded_fit(mixed_rows(300), MIXED, quick(n_planted=50))


@pytest.fixture(scope="session")
def scorer(mixed):
    return Scorer(mixed.model)

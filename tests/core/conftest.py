"""Detectors that several tests share: fitted once."""

import pytest
import torch
from made_tables import MIXED, QUICK, mixed_rows
from recording import recorded_fit

from gandetect.scorer import Scorer


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mixed():
    """Return a detector fitted on a table of every kind of column, with all its parts."""
    return recorded_fit(mixed_rows(300), MIXED, QUICK)


@pytest.fixture(scope="session")
def scorer(mixed):
    return Scorer(mixed.model)

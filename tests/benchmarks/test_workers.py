"""Calls in processes that can be ended."""

from __future__ import annotations

import math
import os
import time

import pytest
from workers import Worker, call_each


@pytest.fixture
def sleeper():
    worker = Worker(time.sleep)
    yield worker
    worker.stop()


def test_a_call_beyond_its_limit_is_ended_and_the_next_one_works(sleeper: Worker) -> None:
    sleeper.call(0, limit=60)
    with pytest.raises(TimeoutError, match=r"not done after 0\.1 s"):
        sleeper.call(600, limit=0.1)
    assert sleeper.call(0, limit=60) is None


def test_a_process_that_ends_without_an_answer_is_told() -> None:
    with pytest.raises(ChildProcessError, match="the process ended without an answer"):
        Worker(os._exit).call(1, limit=60)


def test_each_argument_comes_back_with_its_result_or_its_end() -> None:
    assert dict(call_each(math.sqrt, [1.0, 4.0, 9.0], jobs=2, limit=None)) == {1.0: 1, 4.0: 2, 9.0: 3}
    ((argument, outcome),) = call_each(os._exit, [0], jobs=1, limit=60)
    assert argument == 0
    assert isinstance(outcome, ChildProcessError)

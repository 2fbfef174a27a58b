"""Work beside the fetching of what comes next."""

import threading

import pytest

from gandetect_cli.ahead import ahead, map_in_turn


def test_results_come_with_their_items_and_in_their_order():
    assert list(ahead(range(5), lambda item: item**2)) == [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16)]
    assert list(ahead([], str)) == []


def test_the_next_item_is_fetched_while_one_is_worked_on():
    fetched = threading.Event()

    def items():
        yield "first"
        fetched.set()
        yield "second"

    # Were the second one fetched only after the work on the first, this would wait in vain.
    assert [result for _, result in ahead(items(), lambda _: fetched.wait(10))] == [True, True]


def test_no_more_than_one_item_is_fetched_ahead():
    fetched = []
    pairs = ahead((fetched.append(item) or item for item in range(9)), lambda item: item)
    next(pairs)
    assert fetched == [0, 1]
    pairs.close()


def test_in_turn_nothing_is_fetched_ahead():
    fetched = []
    pairs = map_in_turn((fetched.append(item) or item for item in range(9)), lambda item: -item)
    assert (next(pairs), fetched) == ((0, 0), [0])


def test_what_came_before_a_failing_item_is_given_first():
    def items():
        yield 1
        yield 2
        raise ValueError("no third")

    given = []
    with pytest.raises(ValueError, match="no third"):
        given.extend(ahead(items(), lambda item: -item))
    assert given == [(1, -1), (2, -2)]


def test_the_error_of_the_work_is_raised_where_its_result_would_come():
    given = []
    with pytest.raises(ZeroDivisionError):
        given.extend(ahead([1, 0, 2], lambda item: 1 / item))
    assert given == [(1, 1.0)]


def test_several_threads_work_at_once_and_their_results_keep_the_order():
    started = threading.Barrier(3)
    assert list(ahead(range(6), lambda item: (started.wait(10), -item)[1], 3, 3)) == [
        (item, -item) for item in range(6)
    ]


def test_no_more_items_are_fetched_ahead_than_asked_for():
    fetched = []
    pairs = ahead((fetched.append(item) or item for item in range(9)), lambda item: item, 2, 3)
    next(pairs)
    assert fetched == [0, 1, 2, 3]
    pairs.close()

"""Several works at the same time, each by one thread at a time."""

import threading

import pytest
import torch

from gandetect.training.threads import exhaust, one_thread


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def counting(done, name, n_steps):
    for step in range(n_steps):
        done.append((name, step))
        yield


def together(done, meeting, name, n_steps):
    """Take steps, each of which only begins once other works are at it as well."""
    for step in range(n_steps):
        meeting.wait()
        done.append((name, step))
        yield


def failing():
    raise ValueError("this one failed")
    yield


@pytest.mark.usefixtures("three_threads")
def test_one_thread_tells_how_many_there_were_and_gives_them_back():
    with one_thread() as n_threads:
        assert (n_threads, torch.get_num_threads()) == (3, 1)
    assert torch.get_num_threads() == 3


def test_one_thread_takes_all_works_in_turn():
    done = []
    exhaust([counting(done, "a", 3), counting(done, "b", 2)], 1)
    assert done == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2)]


def test_works_go_on_at_the_same_time():
    done, meeting = [], threading.Barrier(2, timeout=30)
    exhaust([together(done, meeting, name, 4) for name in "ab"], 2)
    assert sorted(done) == [(name, step) for name in "ab" for step in range(4)]


@pytest.mark.parametrize("n_threads", [1, 2, 3, 5])
def test_every_work_is_taken_to_its_end_in_order(n_threads):
    done = []
    exhaust([counting(done, name, 50) for name in "abc"], n_threads)
    for name in "abc":
        assert [step for own, step in done if own == name] == list(range(50))


def test_no_more_works_than_threads_are_at_it():
    now, most, lock = [], [], threading.Lock()

    def work(name):
        for _ in range(20):
            with lock:
                now.append(name)
                most.append(len(now))
            torch.rand(1000).sort()
            with lock:
                now.remove(name)
            yield

    exhaust([work(name) for name in range(5)], 2)
    assert max(most) <= 2


@pytest.mark.usefixtures("three_threads")
def test_every_thread_computes_on_one():
    found, meeting = [], threading.Barrier(3, timeout=30)

    def work():
        meeting.wait()
        torch.ones(2, 2) @ torch.ones(2, 2)
        found.append(torch.get_num_threads())
        yield

    with one_thread() as n_threads:
        exhaust([work() for _ in range(3)], n_threads)
    assert found == [1, 1, 1]


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("place", [0, 1])
def test_an_error_in_one_ends_all_and_is_passed_on(n_threads, place):
    done = []
    works = [counting(done, "a", 10**6)]
    works.insert(place, failing())
    with pytest.raises(ValueError, match="this one failed"):
        exhaust(works, n_threads)
    assert len(done) < 10**6


def test_an_error_in_another_thread_ends_this_ones_work():
    here, done, meeting = threading.get_ident(), [], threading.Barrier(2, timeout=30)

    def work():
        meeting.wait()
        if threading.get_ident() != here:
            raise ValueError("this one failed")
        for step in range(10**6):
            done.append(step)
            yield

    with pytest.raises(ValueError, match="this one failed"):
        exhaust([work(), work()], 2)
    assert len(done) < 10**6


def test_an_interruption_of_this_thread_ends_the_work_of_others():
    n_before = threading.active_count()
    here, done, meeting = threading.get_ident(), [], threading.Barrier(2, timeout=30)

    def work():
        meeting.wait()
        if threading.get_ident() == here:
            raise KeyboardInterrupt
        for step in range(10**6):
            done.append(step)
            yield

    with pytest.raises(KeyboardInterrupt):
        exhaust([work(), work()], 2)
    assert len(done) < 10**6
    assert threading.active_count() == n_before

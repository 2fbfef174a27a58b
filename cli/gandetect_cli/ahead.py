"""Work on one thing while the next is fetched."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_turn(items: Iterable[Item], work: Callable[[Item], Result]) -> Iterator[tuple[Item, Result]]:
    """Work on items as they come, each before the next is fetched."""
    return ((item, work(item)) for item in items)


def ahead(
    items: Iterable[Item], work: Callable[[Item], Result], n_threads: int = 1, n_fetched: int = 1
) -> Iterator[tuple[Item, Result]]:
    """Work on items in threads of their own, as many at once, while the next item is fetched.

    Parameters
    ----------
    items : iterable
        Fetched where this iterator is asked for more. Where that fails, what came before is given first.
    work : callable
        Takes an item. It pays where it lets other threads run, as ONNX Runtime does.
    n_threads : int
        How many items are worked on at once.
    n_fetched : int
        How many items are fetched before the one is given that is next; with more of them than threads none waits.

    Yields
    ------
    item, result
        In the order of the items.
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(n_threads) as beside:
        try:
            for item in items:
                waiting.append((item, beside.submit(work, item)))
                if len(waiting) > n_fetched:
                    yield _done(waiting)
        except Exception:
            while waiting:
                yield _done(waiting)
            raise
        while waiting:
            yield _done(waiting)


def _done(waiting: deque[tuple[Item, Future[Result]]]) -> tuple[Item, Result]:
    item, result = waiting[0]
    done = item, result.result()  # where this fails, it fails again: nothing comes behind it
    waiting.popleft()
    return done

"""Work on one thing while the next is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_turn(items: Iterable[Item], work: Callable[[Item], Result]) -> Iterator[tuple[Item, Result]]:
    """Work on items as they come, each before the next is fetched."""
    return ((item, work(item)) for item in items)


def one_ahead(items: Iterable[Item], work: Callable[[Item], Result]) -> Iterator[tuple[Item, Result]]:
    """Work on items in a thread of its own, one after the other, while the next item is fetched.

    Parameters
    ----------
    items : iterable
        Fetched where this iterator is asked for more. Where that fails, what came before is given first.
    work : callable
        Takes an item. It pays where it lets other threads run, as ONNX Runtime does.

    Yields
    ------
    item, result
        In the order of the items.
    """
    waiting: list[tuple[Item, Future[Result]]] = []
    with ThreadPoolExecutor(1) as beside:
        try:
            for item in items:
                begun = item, beside.submit(work, item)
                yield from _done(waiting)
                waiting = [begun]
        except Exception:
            yield from _done(waiting)
            raise
        yield from _done(waiting)


def _done(waiting: list[tuple[Item, Future[Result]]]) -> Iterator[tuple[Item, Result]]:
    return ((item, result.result()) for item, result in waiting)

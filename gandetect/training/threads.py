"""Threads: whatever is trained is computed on one, and several of it may be trained at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import torch


@contextmanager
def one_thread() -> Iterator[int]:
    """Compute on one thread: such small products gain nothing from more, and their bits would depend on it.

    Yields
    ------
    int
        How many torch would use.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_threads)


def exhaust(works: Iterable[Iterator[Any]], n_threads: int) -> None:
    """Take iterators to their ends, several at the same time, each by one thread at a time.

    Every thread, this one among them, takes the one that has waited longest a step further: all get on alike, however
    many they are. Where one raises an exception or this thread is interrupted, the others stop after the step that
    they are at.
    """
    waiting, over, end = deque(works), Event(), object()

    def take_turns() -> None:
        while not over.is_set():
            try:
                work = waiting.popleft()
            except IndexError:  # other threads are at what is left
                return
            if next(work, end) is not end:
                waiting.append(work)

    def help_out() -> None:
        try:
            take_turns()
        except BaseException:
            over.set()
            raise

    with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        helpers = [pool.submit(help_out) for _ in range(n_threads - 1)]
        try:
            take_turns()
            for helper in helpers:
                helper.result()
        finally:
            over.set()

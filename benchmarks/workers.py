"""Processes that run one function on many arguments, each call within a time limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from typing import Any

# Forking a process in which torch has started its threads can hang.
CONTEXT = get_context("spawn")


def serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """Answer every argument that arrives, until the other side is gone."""
    while True:
        try:
            argument = pipe.recv()
        except EOFError:
            return
        pipe.send(function(argument))


class Worker:
    """One process, started with the first call and anew after one that had to be ended.

    Parameters
    ----------
    function : Callable
        Takes one argument; both it and what it returns can be pickled.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.process: SpawnProcess | None = None

    def call(self, argument: Any, limit: float | None) -> Any:
        """Return what the function returns.

        Raises
        ------
        TimeoutError
            If it takes longer than ``limit`` seconds; its process is killed.
        ChildProcessError
            If its process ends without an answer.
        """
        if self.process is None:
            self.start()
        try:
            self.pipe.send(argument)
            if self.pipe.poll(limit):
                return self.pipe.recv()
        except (EOFError, OSError):
            self.stop()
            raise ChildProcessError("the process ended without an answer") from None
        self.stop()
        raise TimeoutError(f"not done after {limit:g} s")

    def start(self) -> None:
        """Start the process; a daemon, so that it never outlives this one."""
        self.pipe, other_end = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=serve, args=(other_end, self.function), daemon=True)
        self.process.start()
        other_end.close()

    def stop(self) -> None:
        """Kill the process."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None


def call_each(
    function: Callable[[Any], Any], arguments: Sequence[Any], jobs: int, limit: float | None
) -> Iterator[tuple[Any, Any]]:
    """Yield each argument with what the function returned for it or the error that ended it, in order of completion."""
    workers = [Worker(function) for _ in range(jobs)]
    idle: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def call(argument: Any) -> Any:
        worker = idle.get()
        try:
            return worker.call(argument, limit)
        except (TimeoutError, ChildProcessError) as error:
            return error
        finally:
            idle.put(worker)

    pool = ThreadPoolExecutor(jobs)
    try:
        calls = {pool.submit(call, argument): argument for argument in arguments}
        for done in as_completed(calls):
            yield calls[done], done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.stop()

"""Ctrl-C and SIGTERM: tidy up and leave with the exit code that the shell expects."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# The signals that asked the running command to stop.
_received: list[int] = []


class Stopped(SystemExit):
    """A signal asked the program to stop; its code is 128 + the signal's number."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` on SIGINT and SIGTERM inside the block, unless the caller had them ignored (as nohup does)."""
    _received.clear()
    with _handling(_stop):
        yield


def stop_if_asked() -> None:
    """Raise `Stopped` once more: Python drops what a handler raises while a finalizer or callback runs."""
    if _received:
        raise Stopped(128 + _received[0])


@contextmanager
def unbroken() -> Iterator[None]:
    """Let the block end before a signal stops the program; a second signal stops it at once."""
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        if received:
            _stop(number, frame)
        received.append(number)

    with _handling(remember):
        yield
    if received:
        _stop(received[0], None)


def _stop(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    raise Stopped(128 + number)


@contextmanager
def _handling(handler: Any) -> Iterator[None]:
    # Python allows only the main thread to set handlers.
    here = threading.current_thread() is threading.main_thread()
    chosen = [number for number in _SIGNALS if here and signal.getsignal(number) is not signal.SIG_IGN]
    earlier = {number: signal.signal(number, handler) for number in chosen}
    try:
        yield
    finally:
        for number, former in earlier.items():
            signal.signal(number, former)

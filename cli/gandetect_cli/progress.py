"""A progress bar on stderr, drawn only on a terminal; rich is imported when the bar appears."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self


class ProgressBar:
    """Shows how far a task is, and the time left.

    Parameters
    ----------
    title : str
        What is being done.
    quiet : bool
        Draw nothing.
    delay : float
        Seconds before the bar appears, so that short tasks never draw one.
    """

    def __init__(self, title: str, *, quiet: bool, delay: float = 0.0) -> None:
        self._title = title
        self._may_draw = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._start = time.monotonic() + delay
        self._bar: Any = None
        self._task: Any = None

    def update(self, done: float, total: float | None, note: str = "") -> None:
        """Show that `done` of `total` is behind us; without a total only that something happens."""
        if not self._may_draw or time.monotonic() < self._start:
            return
        if self._bar is None:
            self._draw()
        self._bar.update(self._task, completed=done, total=total, note=note)

    def _draw(self) -> None:
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[note]}", markup=False),
            console=Console(file=sys.stderr),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(self._title, note="")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

"""What people read: short lines on stderr, in which no name from a file can play tricks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Sequence

from gandetect.errors import InputError
from gandetect.wording import plain


class Reporter:
    """Says on stderr what a command does.

    Parameters
    ----------
    quiet : bool
        Say nothing; errors are not its business.

    Attributes
    ----------
    warnings : list of str
        All warnings so far, said or not.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.warnings: list[str] = []

    def say(self, line: str) -> None:
        """Show one line."""
        if not self.quiet:
            show(line)

    def warn(self, sentence: str) -> None:
        """Show a warning, and remember it."""
        self.warnings.append(sentence)
        self.say(f"warning: {sentence}")


def show(line: str) -> None:
    """Write one line to stderr."""
    if sys.stderr is not None:  # closed by the caller
        with contextlib.suppress(OSError):  # a full disk, say: the answers are worth more than what is said of them
            print(plain(line), file=sys.stderr, flush=True)  # noqa: T201


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 row``, ``2 rows``, ``12,000 rows``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def share(part: int, whole: int) -> str:
    """Return a share in per cent, as ``4.5 %``."""
    return f"{100 * part / whole:.1f} %" if whole else "none"


def unreadable(n_fields: int, n_skipped: int) -> str:
    """Say what became of fields that could not be read."""
    fate = f"{counted(n_skipped, 'row')} skipped" if n_skipped else "taken as missing"
    return f"{counted(n_fields, 'field')} could not be read: {fate}"


class BadLines:
    """Counts the lines of a table that are no rows.

    Attributes
    ----------
    n_lines : int
        How many there were.
    first : str
        What is wrong with the first.
    """

    def __init__(self) -> None:
        self.n_lines, self.first = 0, ""

    def __call__(self, error: InputError) -> None:
        """Count a line."""
        self.n_lines += 1
        self.first = self.first or str(error)

    def sentences(self) -> list[str]:
        """Say what became of them, if there were any."""
        return [f"{counted(self.n_lines, 'line')} skipped that could not be read; {self.first}"] if self.n_lines else []


def size(n_bytes: int) -> str:
    """Return ``12.3 kB`` or ``1.2 MB``."""
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.1f} kB"


def duration(seconds: float) -> str:
    """Return ``120 us`` or ``1.2 ms``."""
    return f"{1e6 * seconds:.0f} us" if seconds < 1e-3 else f"{1e3 * seconds:.1f} ms"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay text out in columns, each as wide as its widest cell."""
    lines = [[plain(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in lines)
    return "".join(f"{line.rstrip()}\n" for line in padded)

"""The few kinds of error that gandetect raises; each message is one sentence: expected, found, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class GandetectError(Exception):
    """Base of every error that gandetect raises on purpose."""


class InputError(GandetectError, ValueError):
    """The data or an argument cannot be used as given."""


class ModelFileError(GandetectError, ValueError):
    """A model file is not one of ours, is damaged, or needs a newer gandetect."""


class FileAccessError(GandetectError, OSError):
    """A file cannot be opened, read or written."""


class MissingExtraError(GandetectError, ImportError):
    """An optional package is not installed; the message holds the command that installs it."""


def quoted(names: Iterable[str], at_most: int = 8) -> str:
    """Join names for a message: ``'a', 'b', ... (12 in all)``."""
    return listed([repr(name) for name in names], at_most)


def listed(parts: Sequence[str], at_most: int = 8) -> str:
    """Join parts for a message, the first ones of many."""
    text = ", ".join(parts[:at_most])
    return text if len(parts) <= at_most else f"{text}, ... ({len(parts)} in all)"

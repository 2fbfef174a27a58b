"""Refuses arguments of a wrong type, in words that all rooms share."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

from gandetect.errors import InputError, quoted


def require_one_of(name: str, value: Any, known: Iterable[str]) -> None:
    """Refuse what is none of some words.

    Parameters
    ----------
    name : str
        What the argument is called.
    value : object
        What it is.
    known : iterable of str
        What it may be.

    Raises
    ------
    InputError
        It is none of them.
    """
    known = [str(word) for word in known]
    if not isinstance(value, str) or value not in known:
        raise InputError(f"Expected {name} to be one of {quoted(known)}, found {_shown(value)}.")


def require_type(expected: str, value: Any, kind: type | tuple[type, ...], remedy: str) -> None:
    """Refuse what is not of a type.

    Parameters
    ----------
    expected : str
        What the argument has to be, in words.
    value : object
        What it is.
    kind : type or tuple of types
        What it may be.
    remedy : str
        What to do.

    Raises
    ------
    InputError
        It is of another type.
    """
    if not isinstance(value, kind):
        raise InputError(f"Expected {expected}, found {_shown(value)}; {remedy}.")


def require_text(expected: str, value: Any) -> None:
    """Refuse what is no text, or none that UTF-8 can hold.

    Parameters
    ----------
    expected : str
        What the argument has to be, in words.
    value : object
        What it is.

    Raises
    ------
    InputError
        It is something else.
    """
    require_type(expected, value, str, "pass text")
    if value.encode(errors="ignore").decode() != value:
        raise InputError(f"Expected {expected} in UTF-8, found {_shown(value)}; write it with other characters.")


def require_count(name: str, value: Any, smallest: int) -> None:
    """Refuse what is no whole number, or too small a one.

    Parameters
    ----------
    name : str
        What the argument is called.
    value : object
        What it is.
    smallest : int
        What it is at least.

    Raises
    ------
    InputError
        It is something else.
    """
    if not isinstance(value, Integral) or value < smallest:
        raise InputError(f"Expected {name} to be a whole number of at least {smallest}, found {_shown(value)}.")


def require_position(name: str, value: Any, n_places: int) -> None:
    """Refuse what is no place among so many, where negative numbers count from the end.

    Parameters
    ----------
    name : str
        What the argument is called.
    value : object
        What it is.
    n_places : int
        How many there are.

    Raises
    ------
    InputError
        It is something else.
    """
    if not isinstance(value, Integral) or not -n_places <= int(value) < n_places:
        raise InputError(f"Expected {name} to be a whole number below {n_places}, found {_shown(value)}.")


def require_callable(name: str, value: Any) -> None:
    """Refuse what is neither None nor can be called.

    Parameters
    ----------
    name : str
        What the argument is called.
    value : object
        What it is.

    Raises
    ------
    InputError
        It is something else.
    """
    if value is not None and not callable(value):
        raise InputError(f"Expected {name} to be a function, found {_shown(value)}; pass one, or leave it out.")


def _shown(value: Any) -> str:
    """Return a value for a message, or its type where it would take more than a few words."""
    text = repr(value)
    return text if len(text) <= 40 and "\n" not in text else type(value).__name__

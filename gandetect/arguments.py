"""Refuses arguments of a wrong type, in words that all rooms share."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

from gandetect.errors import InputError, quoted


def require_one_of(name: str, value: Any, known: Iterable[str]) -> None:
    """Refuse a value that is not one of the known words.

    Parameters
    ----------
    name : str
        The argument's name.
    value : object
        The argument's value.
    known : iterable of str
        The words that it may be.

    Raises
    ------
    InputError
        The value is none of these words.
    """
    known = [str(word) for word in known]
    if not isinstance(value, str) or value not in known:
        raise InputError(f"Expected {name} to be one of {quoted(known)}, found {_shown(value)}.")


def require_type(expected: str, value: Any, kind: type | tuple[type, ...], remedy: str) -> None:
    """Refuse a value of another type.

    Parameters
    ----------
    expected : str
        What the argument has to be, in the words of the message: ``"a Schema"``.
    value : object
        The argument's value.
    kind : type or tuple of types
        The types that it may have.
    remedy : str
        What to do, in the words of the message: ``"pass one"``.

    Raises
    ------
    InputError
        The value is of another type.
    """
    if not isinstance(value, kind):
        raise InputError(f"Expected {expected}, found {_shown(value)}; {remedy}.")


def require_text(expected: str, value: Any) -> None:
    """Refuse a value that is not text, or is text that UTF-8 cannot hold.

    Parameters
    ----------
    expected : str
        What the argument has to be, in the words of the message: ``"a Schema"``.
    value : object
        The argument's value.

    Raises
    ------
    InputError
        The value is something else.
    """
    require_type(expected, value, str, "pass text")
    if value.encode(errors="ignore").decode() != value:
        raise InputError(f"Expected {expected} in UTF-8, found {_shown(value)}; write it with other characters.")


def require_count(name: str, value: Any, smallest: int) -> None:
    """Refuse a value that is not a whole number, or is too small.

    Parameters
    ----------
    name : str
        The argument's name.
    value : object
        The argument's value.
    smallest : int
        The smallest allowed value.

    Raises
    ------
    InputError
        The value is something else.
    """
    if not isinstance(value, Integral) or value < smallest:
        raise InputError(f"Expected {name} to be a whole number of at least {smallest}, found {_shown(value)}.")


def require_position(name: str, value: Any, n_places: int) -> None:
    """Refuse a value that is not an index of a sequence; negative ones count from its end.

    Parameters
    ----------
    name : str
        The argument's name.
    value : object
        The argument's value.
    n_places : int
        Length of the sequence.

    Raises
    ------
    InputError
        The value is something else.
    """
    if not isinstance(value, Integral) or not -n_places <= int(value) < n_places:
        raise InputError(f"Expected {name} to be a whole number below {n_places}, found {_shown(value)}.")


def require_callable(name: str, value: Any) -> None:
    """Refuse a value that is neither None nor a callable.

    Parameters
    ----------
    name : str
        The argument's name.
    value : object
        The argument's value.

    Raises
    ------
    InputError
        The value is something else.
    """
    if value is not None and not callable(value):
        raise InputError(f"Expected {name} to be a function, found {_shown(value)}; pass one, or leave it out.")


def _shown(value: Any) -> str:
    """Return a value for a message, or its type where it would take more than a few words."""
    text = repr(value)
    return text if len(text) <= 40 and "\n" not in text else type(value).__name__

"""Refuses arguments that cannot be, in words that all rooms share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from gandetect.errors import InputError, quoted

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


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


def checked_contamination(contamination: float | str) -> float | Literal["auto"]:
    """Return the share of the training samples that a file is to flag; "auto": the p-value decides.

    Raises
    ------
    InputError
        It is neither "auto" nor a share of at most a half.
    """
    if isinstance(contamination, str) and contamination == "auto":
        return "auto"
    if not (isinstance(contamination, Real) and 0 < contamination <= 0.5):
        raise InputError(f"Expected contamination to be 'auto' or in (0, 0.5], found {contamination!r}.")
    return float(contamination)


def checked_seed(seed: int) -> int:
    """Return the key of all randomness as Python's own number.

    Raises
    ------
    InputError
        It is no whole number, or negative, or has more than 32 bits: what scikit-learn does not take, either.
    """
    if not (isinstance(seed, Integral) and 0 <= seed < 2**32):
        raise InputError(f"Expected the seed to be a whole number from 0 to {2**32 - 1}, found {seed!r}.")
    return int(seed)


def checked_numbers(settings: Settings, smallest: Mapping[str, float]) -> Settings:
    """Return hyper-parameters whose numbers are Python's own, also where those of numpy were given.

    Parameters
    ----------
    settings : dataclass
        All hyper-parameters.
    smallest : mapping of str to int or float
        The smallest value of each number, by its name; a whole one for those that have to be whole.

    Raises
    ------
    InputError
        A value is not a number, not a whole one where it has to be, too small or infinite.
    """
    own = {name: _number(name, getattr(settings, name), least) for name, least in smallest.items()}
    return replace(settings, **own)


def _number(name: str, value: Any, smallest: float) -> Any:
    """Return a number of the type of its smallest value."""
    kind, words = (Integral, "a whole number") if isinstance(smallest, int) else (Real, "a number")
    is_number = isinstance(value, kind)
    if not is_number or not smallest <= value < math.inf:
        raise InputError(f"Expected {name} to be {words} of at least {smallest:g}, found {value!r}.")
    return type(smallest)(value)


def _shown(value: Any) -> str:
    """Return a value for a message, or its type where it would take more than a few words."""
    text = repr(value)
    return text if len(text) <= 40 and "\n" not in text else type(value).__name__

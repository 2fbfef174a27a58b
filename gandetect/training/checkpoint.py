"""Lets an interrupted fit go on: the training's state in a file of raw arrays, and whose state it is.

The format is safetensors (https://huggingface.co/docs/safetensors): a header in JSON, then arrays. Reading it runs
nothing of what it holds.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import NoneType, TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gandetect.arguments import require_type
from gandetect.errors import InputError
from gandetect.files import access_error, write_atomically
from gandetect.training.course import State


class Checkpoint:
    """Keeps the latest state of a training on the disk.

    A context manager: when an exception ends its block, the latest state is written before it passes on. After an
    `InputError` the same training would end so again: its file is removed instead.

    Parameters
    ----------
    path : path-like
        The file.
    identity : mapping of str to str
        What the training depends on, by name. A state goes on only where all of it is the same.
    every : float
        Least number of seconds between two times that the file is written.
    """

    def __init__(self, path: str | os.PathLike[str], identity: Mapping[str, str], every: float = 10.0) -> None:
        self.path, self.identity, self.every = path, dict(identity), every
        self._latest: State = {}
        self._written = time.monotonic()

    def load(self) -> State | None:
        """Return the state in the file; None where there is no file.

        Raises
        ------
        InputError
            The file is no checkpoint, or one of another training.
        FileAccessError
            It cannot be read.
        """
        if not Path(self.path).exists():
            return None
        try:
            with safe_open(self.path, framework="np") as file:
                found = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
        except SafetensorError:
            raise InputError(
                f"Expected a checkpoint in {os.fspath(self.path)!r}, found something else; start anew without resuming."
            ) from None
        except OSError as error:
            raise access_error(self.path, "read", error) from error
        if others := [name for name, value in self.identity.items() if found.get(name) != value]:
            raise InputError(
                f"Expected the checkpoint {os.fspath(self.path)!r} to be of the same fit, found one with other "
                f"{' and '.join(others)}; repeat the interrupted fit exactly, or start anew without resuming."
            )
        return state

    def keep(self, state: State) -> None:
        """Take note of a state, and write it if the file is old."""
        self._latest = state
        if time.monotonic() - self._written >= self.every:
            self._write()

    def _write(self) -> None:
        arrays = {name: np.asarray(values, order="C") for name, values in self._latest.items()}
        write_atomically(self.path, save(arrays, self.identity))
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._latest:
            return
        if isinstance(error, InputError):
            Path(self.path).unlink(missing_ok=True)
        elif error is not None:
            self._write()


@contextmanager
def resumable(
    path: str | os.PathLike[str] | None,
    learned_from: Iterable[NDArray[Any]],
    settings: Mapping[str, Any],
    seed: int,
    device: str,
    *,
    resume: bool,
    **more: str,
) -> Iterator[tuple[Callable[[State], None] | None, State | None]]:
    """Keep a training's state while the block runs, under all that decides about its bits; nothing without a path.

    Parameters
    ----------
    path : path-like or None
        The file.
    learned_from : iterable of array
        The training samples, as the networks see them.
    settings : mapping
        JSON values.
    seed : int
        Key of all randomness.
    device : str
        Type of the device that is trained on.
    resume : bool
        Whether to go on from the state in the file.
    **more : str
        Whatever else the bits depend on, by its name in messages.

    Yields
    ------
    keep : callable or None
        Takes each new state; see `gandetect.training.loop.train`.
    start : State or None
        Where to go on from; None: from the beginning.

    Raises
    ------
    InputError, FileAccessError
        As from `Checkpoint.load`.
    """
    if path is None:
        yield None, None
        return
    identity = {
        "data": digest(*learned_from),
        "settings": json.dumps(settings, sort_keys=True),
        "seed": str(seed),
        "versions": ", ".join(f"{name} {version(name)}" for name in ("gandetect", "numpy", "torch")),
        "device": device,
        **more,
    }
    with Checkpoint(path, identity) as checkpoint:
        yield checkpoint.keep, checkpoint.load() if resume else None


def require_checkpoint(path: str | os.PathLike[str] | None, *, resume: bool) -> None:
    """Refuse what is not a path, and to resume without a checkpoint.

    Raises
    ------
    InputError
        The path is not a path, or there is no path to resume from.
    """
    require_type("the path of a checkpoint", path, (str, os.PathLike, NoneType), "pass one, or leave it out")
    require_type("resume to be True or False", resume, (bool, np.bool_), "pass one of them")
    if resume and path is None:
        raise InputError("Expected a checkpoint to resume from, found none; name its file, or start anew.")


def digest(*arrays: NDArray[Any]) -> str:
    """Return a digest of arrays: their types, shapes and values."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()

"""Where data go: standard output, or a file that is whole or absent."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gandetect import InputError
from gandetect.files import access_error, atomic_writer
from gandetect_cli.stopping import unbroken

Write = Callable[[bytes], None]

_NOT_WRITTEN = (".parquet", ".pq", ".zst", ".xlsx")


class ReaderLeftError(Exception):
    """Who reads our standard output wants no more of it: a quiet end."""


def emit(text: str) -> None:
    """Write whole lines to standard output."""
    write_stdout(text.encode("utf-8", "backslashreplace"))


def write_stdout(data: bytes) -> None:
    """Write whole lines to standard output, or stop in an orderly way.

    Raises
    ------
    ReaderLeftError
        The pipe was closed at its other end.
    FileAccessError
        Anything else that keeps the data from being written.
    """
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        with unbroken():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    except OSError as error:
        _abandon_stdout()
        if isinstance(error, BrokenPipeError):
            raise ReaderLeftError from error
        raise access_error("<stdout>", "write", error) from error


@contextmanager
def open_output(path: str) -> Iterator[Write]:
    """Give a function that writes to `path`, ``-`` being standard output.

    A file appears under its name when the block ends without an exception; a name that ends in ``.gz`` is packed.

    Raises
    ------
    InputError
        The name asks for a format that is not written.
    FileAccessError
        The file cannot be written; an earlier one is untouched.
    """
    if path == "-":
        yield write_stdout
        return
    suffix = Path(path).suffix.lower()
    if suffix in _NOT_WRITTEN:
        raise InputError(f"Expected an output file of text, plain or .gz, found {path!r}; choose another name.")
    with atomic_writer(path) as file:
        if suffix == ".gz":
            # Neither name nor time: the same answers are the same bytes.
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                yield _writer(packed)
        else:
            yield _writer(file)


def require_other_files(outputs: Iterable[str], inputs: Iterable[str | None]) -> None:
    """Refuse to write over a file that is read, and twice to one file.

    Parameters
    ----------
    outputs : iterable of str
        Paths to write; ``-`` is standard output.
    inputs : iterable of str or None
        Paths to read; ``-`` is standard input.

    Raises
    ------
    InputError
        Two of them are one file, under whatever names.
    """
    read = [Path(path) for path in inputs if path not in (None, "-") and os.path.isfile(path)]
    written: list[str] = []
    for output in outputs:
        if output == "-":
            continue
        if os.path.isfile(output) and any(map(Path(output).samefile, read)):
            raise InputError(
                f"Expected an output that is not the input, found {output!r} for both; choose another name."
            )
        if any(_are_one(output, other) for other in written):
            raise InputError(f"Expected outputs in files of their own, found {output!r} for two; choose another name.")
        written.append(output)


def is_inside(path: str, folder: str) -> bool:
    """Tell whether a path is a folder or leads into it, under whatever names; neither need be there yet."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _are_one(path: str, other: str) -> bool:
    """Tell whether two names are of one file, which need not be there yet."""
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    return os.path.isfile(path) and os.path.isfile(other) and Path(path).samefile(other)


def require_writable(path: str) -> None:
    """Fail now rather than after the work, where a file cannot be written."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        return  # opening a pipe for a moment would end it for its reader
    with suppress(_ProbedError), atomic_writer(path):
        raise _ProbedError


class _ProbedError(Exception):
    """Ends a trial of writing."""


def _writer(file: BinaryIO | gzip.GzipFile) -> Write:
    def write(data: bytes) -> None:
        file.write(data)

    return write


def _abandon_stdout() -> None:
    """Let what is still buffered vanish: the interpreter would try to write it once more at its end."""
    with suppress(OSError, ValueError, AttributeError), Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())

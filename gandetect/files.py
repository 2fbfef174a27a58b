"""Files that are whole or absent: written next to their place, forced to the disk, then renamed over it."""

from __future__ import annotations

import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from gandetect.errors import FileAccessError

_ADVICE = {
    errno.ENOENT: "check the path, and that its folder exists",
    errno.ENOTDIR: "name a path whose parts are folders",
    errno.EISDIR: "name a file inside that folder",
    errno.EACCES: "change the permissions or name another path",
    errno.EPERM: "change the permissions or name another path",
    errno.EROFS: "name a path on a disk that can be written",
    errno.ENOSPC: "free some space or name a path on another disk",
    errno.EDQUOT: "free some space or name a path on another disk",
    errno.EFBIG: "raise the limit on the size of files or name a path on another disk",
    errno.ELOOP: "repair the symbolic link or name another path",
    errno.ENAMETOOLONG: "choose a shorter name",
}

# Some file systems cannot sync a folder, and a folder may be writable without being readable: neither loses the file.
_FOLDER_CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM})


def access_error(path: str | os.PathLike[str], action: str, cause: Exception) -> FileAccessError:
    """Return the error that names a file, what could not be done with it, and what to do.

    Parameters
    ----------
    path : path-like
        The file as the user named it.
    action : str
        What failed, as in ``"Cannot {action} 'model.onnx'"``.
    cause : Exception
        The ``OSError`` (or, for a name that no file can have, the ``ValueError``) that says why.
    """
    number = getattr(cause, "errno", None)
    why = getattr(cause, "strerror", None) or str(cause)
    advice = _ADVICE.get(number, "check the path and the disk") if number else "check the path"
    return FileAccessError(f"Cannot {action} {os.fspath(path)!r}: {why}; {advice}.")


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that at every moment, also after a crash, the old or the new one is there, whole.

    Parameters
    ----------
    path : path-like
        The file to create or replace; `atomic_writer` says what happens to links and permissions.
    data : bytes
        All of its content.

    Raises
    ------
    FileAccessError
        The file cannot be written; an earlier file of that name is untouched.
    """
    with atomic_writer(path) as file:
        file.write(data)


def write_together(files: Mapping[str, bytes]) -> None:
    """Write files of which none is of use without the others: all of them are on the disk before the first appears.

    Parameters
    ----------
    files : mapping of str to bytes
        What each file shall hold, by its path.

    Raises
    ------
    FileAccessError
        A file cannot be written; earlier files are untouched.
    """
    with ExitStack() as stack:
        for path, data in files.items():
            file = stack.enter_context(atomic_writer(path))
            file.write(data)
            with _reported(path, "write"):
                file.flush()
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    os.fsync(file.fileno())


def atomic_writer(path: str | os.PathLike[str]) -> AbstractContextManager[BinaryIO]:
    """Open a file for streaming that appears under its name only when the block ends without an exception.

    The bytes go to a hidden file ``.gandetect-*.tmp`` in the same folder, which is forced to the disk and then renamed.
    Any exception, ``KeyboardInterrupt`` included, removes it and passes on unchanged. Only a killed process leaves it
    behind.

    An existing file keeps its permissions, and one that may not be written is refused. A symbolic link stays, and the
    file it points to is replaced. Hard links keep the old content. A device or pipe (``/dev/null``, ``/dev/stdout``)
    cannot be replaced, so it is written directly.

    Parameters
    ----------
    path : path-like
        The file to create or replace.

    Returns
    -------
    context manager of BinaryIO
        A buffered binary file. A text layer put around it must be flushed and detached before the block ends.

    Raises
    ------
    FileAccessError
        The file cannot be written; an earlier file of that name is untouched. One exception: when only the folder
        cannot be forced to the disk, the new file is in place, and the message says so.
    """
    with _reported(path, "write"):
        place, earlier = _place(path)
    if earlier is None:
        return _replacing_writer(path, place, None)
    if stat.S_ISREG(earlier.st_mode):
        return _replacing_writer(path, place, stat.S_IMODE(earlier.st_mode))
    return _direct_writer(path)


def _place(path: str | os.PathLike[str]) -> tuple[Path, os.stat_result | None]:
    """Return the path to write, links followed, and the status of the file that is there now."""
    try:
        earlier = os.stat(path)  # noqa: PTH116  (a Path would turn an empty name into the current folder)
    except FileNotFoundError:
        if not os.fspath(path):
            raise
        return Path(os.path.realpath(path)), None
    # A rename asks for permission on the folder only: without this a write-protected file would be replaced.
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return Path(os.path.realpath(path)), earlier


@contextmanager
def _replacing_writer(path: str | os.PathLike[str], place: Path, mode: int | None) -> Iterator[BinaryIO]:
    """Write aside and rename at the end; `mode` holds the permissions of the file to replace."""
    temporary = place.with_name(f".gandetect-{secrets.token_hex(8)}.tmp")
    file = None
    try:
        file = _open(path, temporary, "xb")
        with _reported(path, "write"):
            if mode is not None:
                temporary.chmod(mode)
        yield file
        with _reported(path, "write"):
            file.flush()
            os.fsync(file.fileno())
            file.close()
            temporary.replace(place)
    except BaseException:
        # Closing writes what is still buffered, which may fail again: the first reason is the one to tell.
        with suppress(OSError, ValueError):
            if file is not None:
                file.close()
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    with _reported(path, "confirm that the disk keeps the completely written"):
        _sync_folder(place.parent)


@contextmanager
def _direct_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write to a device or pipe; the system refuses a folder."""
    with _open(path, path, "wb") as file:
        yield file


def _open(path: str | os.PathLike[str], place: str | os.PathLike[str], mode: str) -> BinaryIO:
    """Open `place` for writing; errors name `path`."""
    with _reported(path, "write"):
        return cast(BinaryIO, io.BufferedWriter(_Target(path, place, mode)))


def _sync_folder(folder: Path) -> None:
    """Force a rename to the disk; where the system cannot do that for folders, leave it to the system."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as cause:
        if cause.errno not in _FOLDER_CANNOT_SYNC:
            raise


@contextmanager
def _reported(path: str | os.PathLike[str], action: str) -> Iterator[None]:
    """Turn the system's errors into one that names the file; pass on those that already do."""
    try:
        yield
    except FileAccessError:
        raise
    except (OSError, ValueError) as cause:
        raise access_error(path, action, cause) from cause


class _Target(io.FileIO):
    """An unbuffered file whose write errors name the file that the user asked for, not the temporary one.

    Errors are translated here and not around the caller's block, whose own errors are none of this file's business.
    """

    def __init__(self, path: str | os.PathLike[str], place: str | os.PathLike[str], mode: str) -> None:
        # Set first: a file that cannot be opened is closed all the same.
        self._path = path
        super().__init__(os.fspath(place), mode)

    def write(self, data: Any) -> int:
        with _reported(self._path, "write"):
            return super().write(data)

    def close(self) -> None:
        with _reported(self._path, "write"):
            super().close()

"""Open a text file and read its lines as strict UTF-8, unpacking by suffix only; nothing is ever fetched.

A line ends with LF, CRLF or CR, which stays on the line. UTF-8 may start with a byte order mark; every other
encoding, NUL bytes and packed data without their suffix are refused with the line number and a way to mend them.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from gandetect.errors import FileAccessError, InputError, MissingExtraError

LINE_LIMIT = 2**24
"""Longest line that is read, in characters: more is no table but a damaged or crafted file."""

_ZSTD_BLOCK = 2**12  # small, because a crafted block can unpack to many thousand times its size

# What the first bytes of a file give away; UTF-32 stands before UTF-16, whose mark it starts with.
_BYTE_ORDER_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_PACKED = {
    b"\x1f\x8b": "gzip data: give the file a name that ends in .gz",
    b"\x28\xb5\x2f\xfd": "zstd data: give the file a name that ends in .zst",
    b"PAR1": "Parquet data: pass a file whose name ends in .parquet",
    b"PK\x03\x04": "a zip archive or a spreadsheet: unpack it or save it as CSV",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet: save it as CSV",
    b"BZh": "bzip2 data: unpack it",
    b"\xfd7zXZ": "xz data: unpack it",
}


def source_name(source: str | os.PathLike[str] | BinaryIO) -> str:
    """Return what messages call `source`: its path as given, or ``<stdin>`` for a nameless stream."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stdin>"


@contextmanager
def open_lines(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Iterator[str]]:
    """Open `source` and give an iterator over its lines.

    Parameters
    ----------
    source : path or binary stream
        A path ending in ``.gz`` or ``.zst`` is unpacked. A stream is read as it is and stays open.

    Yields
    ------
    iterator of str
        The lines with their ends.

    Raises
    ------
    FileAccessError
        If the file cannot be opened or read.
    InputError
        If the content is not UTF-8 text, or packed data are damaged.
    MissingExtraError
        If a ``.zst`` file is given and zstandard is not installed.
    """
    if isinstance(source, str | os.PathLike):
        opened: AbstractContextManager[BinaryIO] = open_file(source)
        suffix = Path(source).suffix.lower()
    else:
        opened, suffix = nullcontext(source), ""
    with opened as packed:
        binary = _unpacked(packed, suffix)
        # Bytes that are not UTF-8 come through as surrogates, so that they are found together with their line's number.
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            yield _read_lines(text, source_name(source))
        finally:
            text.detach()  # else it would close the caller's stream


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file, or raise `FileAccessError` with what stands in the way."""
    try:
        return Path(path).open("rb")
    except FileNotFoundError as error:
        remedy = "download it first" if "://" in os.fspath(path) else "check the path"
        raise FileAccessError(f"{os.fspath(path)}: expected a file, found none; {remedy}.") from error
    except IsADirectoryError as error:
        raise FileAccessError(f"{os.fspath(path)}: expected a file, found a folder; name a file in it.") from error
    except PermissionError as error:
        raise FileAccessError(
            f"{os.fspath(path)}: expected a file that may be read, found no permission; allow reading it."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise FileAccessError(
            f"{os.fspath(path)}: expected a file to read, found an error ({error}); check the path."
        ) from error


def _unpacked(file: BinaryIO, suffix: str) -> BinaryIO | gzip.GzipFile | io.BufferedReader:
    if suffix == ".gz":
        return gzip.GzipFile(fileobj=file)
    if suffix != ".zst":
        return file
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtraError(
            "Expected the package zstandard to read a .zst file, found none; "
            "install it with: pip install 'gandetect[zstd]'"
        ) from error
    return io.BufferedReader(_ZstdFile(file, zstandard))


class _ZstdFile(io.RawIOBase):
    """Unpacks zstd frames; unlike zstandard's own reader it notices a truncated file."""

    def __init__(self, file: BinaryIO, zstandard: Any) -> None:
        self._packed = file
        self._decompressor = zstandard.ZstdDecompressor()
        self._damage = zstandard.ZstdError
        self._frame: Any = None
        self._unpacked = io.BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not (size := self._unpacked.readinto(buffer)):
            block = self._packed.read(_ZSTD_BLOCK)
            if not block:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError("the last frame is not complete")
                return 0
            self._unpacked = io.BytesIO(self._unpack(block))
        return size

    def _unpack(self, block: bytes) -> bytes:
        unpacked = b""
        while block:
            if self._frame is None or self._frame.eof:
                self._frame = self._decompressor.decompressobj()
            try:
                unpacked += self._frame.decompress(block)
            except self._damage as error:
                raise EOFError(str(error)) from error
            block = self._frame.unused_data
        return unpacked


def _read_lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    number = 1
    while line := _read_line(text, name, number):
        if number == 1:
            _refuse_other_formats(line, name)
        if "\0" in line or not line.isascii():
            _refuse_other_characters(line, name, number)
        yield line
        number += 1


def _read_line(text: io.TextIOWrapper, name: str, number: int) -> str:
    try:
        line = text.readline(LINE_LIMIT)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        kind = name.rpartition(".")[2]
        raise InputError(
            f"{name}: expected whole .{kind} data, found damaged or truncated ones; get the file again."
        ) from error
    except OSError as error:
        raise FileAccessError(
            f"{name}, line {number}: expected to read on, found an error ({error}); try again."
        ) from error
    if len(line) >= LINE_LIMIT:
        raise InputError(
            f"{name}, line {number}: expected lines of less than {LINE_LIMIT} characters, found a longer one; "
            "check that the file is a table."
        )
    return line


def _refuse_other_formats(line: str, name: str) -> None:
    """Raise for the first line of a file that is no UTF-8 text at all."""
    start = line[:64].encode("utf-8", "surrogateescape")
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            raise _encoding_error(name, 1, f"the byte order mark of {encoding}", encoding)
    for mark, found in _PACKED.items():
        if start.startswith(mark):
            raise InputError(f"{name}, line 1: expected text, found {found}.")
    for encoding, zeros in {"UTF-16LE": start[1::2], "UTF-16BE": start[0::2]}.items():
        if zeros.count(0) > len(start) / 4:
            raise _encoding_error(name, 1, f"what looks like {encoding}", encoding)


def _refuse_other_characters(line: str, name: str, number: int) -> None:
    if "\0" in line:
        raise InputError(
            f"{name}, line {number}: expected text, found a NUL byte; "
            "mend the file, or remove such bytes with `tr -d '\\000'`."
        )
    # Windows-1252 has printable characters where Latin-1 has none.
    odd = [ord(character) - 0xDC00 for character in line if "\udc80" <= character <= "\udcff"]
    if odd:
        encoding = "WINDOWS-1252" if any(byte < 0xA0 for byte in odd) else "LATIN1"
        raise _encoding_error(name, number, f"the byte 0x{odd[0]:02X}, as in {encoding}", encoding)


def _encoding_error(name: str, number: int, found: str, encoding: str) -> InputError:
    return InputError(
        f"{name}, line {number}: expected UTF-8, found {found}; convert the file with `iconv -f {encoding} -t UTF-8`."
    )

"""Open a text file and read its lines as strict UTF-8, unpacking by suffix only; nothing is ever fetched.

A line ends with LF, CRLF or CR, which stays on the line. UTF-8 may start with a byte order mark; every other
encoding, NUL bytes and packed data without their suffix are refused with the line number and a way to mend them.
The file comes in blocks of whole lines: who finds nothing unusual in one may take all its lines at once.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from gandetect.errors import FileAccessError, InputError, MissingExtraError

LINE_LIMIT = 2**24
"""Bytes of a line that are too many: that is no table but a damaged or crafted file."""

BLOCK_BYTES = 2**16
"""Bytes that are read at once."""

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
    b"ARROW1": "Arrow data: save them as CSV or Parquet",
    b"FEA1": "Arrow data: save them as CSV or Parquet",
    b"SQLite format 3": "an SQLite database: save its table as CSV",
    b"\x89HDF": "HDF5 data: save them as CSV or Parquet",
    b"Obj\x01": "Avro data: save them as CSV or Parquet",
    b"\x93NUMPY": "a NumPy array: save it as CSV, with names above its columns",
    b"%PDF-": "a PDF document: get the table as CSV",
    b"version https://git-lfs": "a pointer of Git LFS: get the file itself with `git lfs pull`",
}
_OTHER_FORMATS = {
    re.compile(rb"\x80[\x02-\x05]"): "a pickle: save its table as CSV or Parquet",
    re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*\{|\{\s*\")"): "JSON: convert it to CSV or Parquet",
    re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|table|\?xml)\b", re.IGNORECASE): (
        "a page of HTML, or XML: check that this is the file you meant, and save its table as CSV"
    ),
}


def source_name(source: str | os.PathLike[str] | BinaryIO) -> str:
    """Return what messages call `source`: its path as given, or ``<stdin>`` for a nameless stream."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stdin>"


class Block(NamedTuple):
    """Whole lines of a file.

    Parameters
    ----------
    number : int
        The number of the first line.
    data : bytes
        The lines with their ends; the file's first one with its byte order mark.
    """

    number: int
    data: bytes


@contextmanager
def open_blocks(source: str | os.PathLike[str] | BinaryIO, *, line_buffered: bool = False) -> Iterator[Iterator[Block]]:
    """Open `source` and give an iterator over its blocks.

    Parameters
    ----------
    source : path or binary stream
        A path ending in ``.gz`` or ``.zst`` is unpacked. A stream is read as it is and stays open.
    line_buffered : bool
        Whether a block ends with the lines that are there, rather than wait for more.

    Yields
    ------
    iterator of Block
        Where one ends depends on the content alone, and not on how a stream arrives, unless `line_buffered`.

    Raises
    ------
    FileAccessError
        If the file cannot be opened or read.
    InputError
        If the content is plainly no UTF-8 text, a line is too long, or packed data are damaged.
    MissingExtraError
        If a ``.zst`` file is given and zstandard is not installed.
    """
    if isinstance(source, str | os.PathLike):
        opened: AbstractContextManager[BinaryIO] = open_file(source)
        suffix = Path(source).suffix.lower()
    else:
        opened, suffix = nullcontext(source), ""
    with opened as packed:
        yield _read_blocks(_unpacked(packed, suffix), source_name(source), line_buffered)


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


def _read_blocks(
    binary: BinaryIO | gzip.GzipFile | io.BufferedReader, name: str, line_buffered: bool
) -> Iterator[Block]:
    number, rest, at_end = 1, b"", False
    while not at_end:
        data, at_end = _read_on(binary, rest, name, number, line_buffered)
        if number == 1:
            _refuse_other_formats(data, name)
        # What comes next may be the other half of a CRLF.
        size = len(data) if at_end else max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
        if size:
            yield Block(number, data[:size])
            number += _n_ends(data[:size])
        rest = data[size:]
        if len(rest) >= LINE_LIMIT:
            raise InputError(
                f"{name}, line {number}: expected lines of less than {LINE_LIMIT} bytes, found a longer one; "
                "check that the file is a table."
            )


def _read_on(
    binary: BinaryIO | gzip.GzipFile | io.BufferedReader, rest: bytes, name: str, number: int, line_buffered: bool
) -> tuple[bytes, bool]:
    """Return the bytes left over with a block's more, or fewer that end a line, and whether they are the last."""
    read = getattr(binary, "read1", binary.read)
    parts, n_wanted = [rest], BLOCK_BYTES
    try:
        while n_wanted and not (line_buffered and len(parts) > 1 and b"\n" in parts[-1]):
            parts.append(read(n_wanted))
            if not parts[-1]:
                return b"".join(parts), True
            n_wanted -= len(parts[-1])
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        kind = name.rpartition(".")[2]
        raise InputError(
            f"{name}: expected whole .{kind} data, found damaged or truncated ones; get the file again."
        ) from error
    except OSError as error:
        line = number + _n_ends(b"".join(parts))
        raise FileAccessError(
            f"{name}, line {line}: expected to read on, found an error ({error}); try again."
        ) from error
    return b"".join(parts), False


def _n_ends(data: bytes) -> int:
    # NumPy counts single bytes some twenty times as fast as bytes do.
    n_newlines = int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))
    return n_newlines + (data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else 0)


def read_line(line: bytes, name: str, number: int) -> str:
    """Return a line as text, the file's first one without its byte order mark.

    Raises
    ------
    InputError
        If it is not UTF-8, or holds a NUL byte.
    """
    # Bytes that are not UTF-8 come through as surrogates, so that all of them are found.
    text = line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")
    if "\0" in text or not text.isascii():
        _refuse_other_characters(text, name, number)
    return text


def _refuse_other_formats(data: bytes, name: str) -> None:
    """Raise for a file that is no UTF-8 text at all, which its first line shows."""
    start = data[:64].partition(b"\n")[0]
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            raise _encoding_error(name, 1, f"the byte order mark of {encoding}", encoding)
    for mark, found in _PACKED.items():
        if start.startswith(mark):
            raise InputError(f"{name}, line 1: expected text, found {found}.")
    for form, found in _OTHER_FORMATS.items():
        if form.match(data[:64]):
            raise InputError(f"{name}, line 1: expected a table, found {found}.")
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

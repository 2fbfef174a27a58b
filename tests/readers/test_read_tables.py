"""What a file holds is what is read, or one sentence says why not."""

import csv
import gzip
import io
import math
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from gandetect.errors import FileAccessError, InputError, MissingExtraError
from gandetect.readers import files, records, tables
from gandetect.readers.files import Block, read_line
from gandetect.readers.records import Lines, read_records
from gandetect.readers.tables import read_table
from gandetect.readers.values import parse_numbers, parse_times


def read(source, **options):
    """All rows of a table: names, tuples of fields, line numbers."""
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    chunks = list(read_table(source, **options))
    rows = [row for c in chunks for row in zip(*(c.columns[name] for name in c.names), strict=True)]
    return chunks[0].names, rows, [line for c in chunks for line in c.lines]


def failure(source, error=InputError, **options):
    with pytest.raises(error) as caught:
        read(source, **options)
    return str(caught.value)


GOOD = {
    "comma": (b"a,b\n1,2\n3,4\n", ("a", "b"), [("1", "2"), ("3", "4")], [2, 3]),
    "semicolon": (b"a;b\n1,5;2\n", ("a", "b"), [("1,5", "2")], [2]),
    "tab": (b"a\tb\n1,5\t2;3\n", ("a", "b"), [("1,5", "2;3")], [2]),
    "CRLF": (b"a,b\r\n1,2\r\n3,4\r\n", ("a", "b"), [("1", "2"), ("3", "4")], [2, 3]),
    "CR only": (b"a,b\r1,2\r3,4\r", ("a", "b"), [("1", "2"), ("3", "4")], [2, 3]),
    "mixed line ends": (b"a,b\r\n1,2\n3,4\r5,6", ("a", "b"), [("1", "2"), ("3", "4"), ("5", "6")], [2, 3, 4]),
    "doubled carriage returns": (b"a,b\r\r\n1,2\r\r\n", ("a", "b"), [("1", "2")], [3]),
    "no newline at the end": (b"a,b\n1,2", ("a", "b"), [("1", "2")], [2]),
    "blank lines at the end": (b"a,b\n1,2\n\n\r\n\n", ("a", "b"), [("1", "2")], [2]),
    "blank line in the middle": (b"a,b\n1,2\n\n3,4\n", ("a", "b"), [("1", "2"), ("3", "4")], [2, 4]),
    "blank line below the header": (b"a,b\n\n1,2\n", ("a", "b"), [("1", "2")], [3]),
    "one column": (b"a\n1\n2\n", ("a",), [("1",), ("2",)], [2, 3]),
    "one column with blank lines": (b"a\n1\n\n\n2\n\n", ("a",), [("1",), ("",), ("",), ("2",)], [2, 3, 4, 5]),
    "one column that starts blank": (b"a\n\n1\n", ("a",), [("",), ("1",)], [2, 3]),
    "one column with quoted empty end": (b'a\n1\n""\n', ("a",), [("1",), ("",)], [2, 3]),
    "byte order mark": (b"\xef\xbb\xbfa,b\n1,2\n", ("a", "b"), [("1", "2")], [2]),
    "byte order mark and quotes": (b'\xef\xbb\xbf"a",b\n1,2\n', ("a", "b"), [("1", "2")], [2]),
    "UTF-8": ("größe,名\nä,😀\n".encode(), ("größe", "名"), [("ä", "😀")], [2]),
    "combining and composed letters stay different": (
        "e\u0301,\u00e9\n1,2\n".encode(),
        ("e\u0301", "\u00e9"),
        [("1", "2")],
        [2],
    ),
    "line separators of Unicode are text": (
        "a,b\nx\u2028y,x\x85y\x0bz\n".encode(),
        ("a", "b"),
        [("x\u2028y", "x\x85y\x0bz")],
        [2],
    ),
    "leading zeros": (b"id,x\n007,1\n", ("id", "x"), [("007", "1")], [2]),
    "text NA": (b"a,b\nNA,null\n", ("a", "b"), [("NA", "null")], [2]),
    "blanks stay": (b"a, b\n 1 ,\t2\n", ("a", " b"), [(" 1 ", "\t2")], [2]),
    "30 digits": (b"a\n123456789012345678901234567890\n", ("a",), [("123456789012345678901234567890",)], [2]),
    "inf": (b"a\ninf\n", ("a",), [("inf",)], [2]),
    "formula": (b"a\n=1+1\n", ("a",), [("=1+1",)], [2]),
    "quoted delimiter": (b'a,b\n"1,2",3\n', ("a", "b"), [("1,2", "3")], [2]),
    "quoted quotes": (b'a,b\n"say ""no""",3\n', ("a", "b"), [('say "no"', "3")], [2]),
    "quoted newline": (b'a,b\n"x\ny",1\nz,2\n', ("a", "b"), [("x\ny", "1"), ("z", "2")], [2, 4]),
    "quoted CRLF": (b'a,b\r\n"x\r\ny",1\r\nz,2\r\n', ("a", "b"), [("x\r\ny", "1"), ("z", "2")], [2, 4]),
    "quoted CR": (b'a,b\r"x\ry",1\rz,2\r', ("a", "b"), [("x\ry", "1"), ("z", "2")], [2, 4]),
    "quoted blank lines": (b'a,b\n"x\n\n\ny",1\n', ("a", "b"), [("x\n\n\ny", "1")], [2]),
    "quote inside a plain field": (b'a,b\n5" pipe,1\n', ("a", "b"), [('5" pipe', "1")], [2]),
    "empty fields": (b'a,b\n,\n"",""\n', ("a", "b"), [("", ""), ("", "")], [2, 3]),
    "quoted delimiters in names": (b'"a;b","c\td"\n1,2\n', ("a;b", "c\td"), [("1", "2")], [2]),
    "quoted commas in names": (b'"a,b";"say ""x"""\n1;2\n', ("a,b", 'say "x"'), [("1", "2")], [2]),
    "newline in a name": (b'a;"b\nc"\n1;2\n', ("a", "b\nc"), [("1", "2")], [3]),
    "inch mark in a name": (b'width 5";b\n1;2\n', ('width 5"', "b"), [("1", "2")], [2]),
    "index without a name": (b",a\n0,1\n", ("Unnamed: 0", "a"), [("0", "1")], [2]),
    "quoted index without a name": (b'\xef\xbb\xbf"";"a"\n0;1\n', ("Unnamed: 0", "a"), [("0", "1")], [2]),
    "indices of a table that was written twice": (
        b",Unnamed: 0,a\n0,0,1\n",
        ("Unnamed: 0.1", "Unnamed: 0", "a"),
        [("0", "0", "1")],
        [2],
    ),
    "names in other cases": (b"a,A\n1,2\n", ("a", "A"), [("1", "2")], [2]),
    "some names are numbers": (b"a,2020,2021\n1,2,3\n", ("a", "2020", "2021"), [("1", "2", "3")], [2]),
    "names like answers": (b"p_value,alpha\n1,2\n", ("p_value", "alpha"), [("1", "2")], [2]),
    "backslash is text": (b'a,b\n\\,"\\"\n', ("a", "b"), [("\\", "\\")], [2]),
    "single quotes are text": (b"a,b\n'1,2'\n", ("a", "b"), [("'1", "2'")], [2]),
    "comment sign is text": (b"a,b\n#1,2\n", ("a", "b"), [("#1", "2")], [2]),
}


@pytest.mark.parametrize("case", GOOD)
def test_good_csv_is_read_as_written(case):
    content, names, rows, lines = GOOD[case]
    assert read(content) == (names, rows, lines)


OR_SKIP = ", mend the line, or pass --on-error skip."
ICONV = "convert the file with `iconv -f {0} -t UTF-8`."
BAD = {
    "empty": (b"", ": expected a table with column names, found an empty file; check the file."),
    "only a byte order mark": (
        b"\xef\xbb\xbf",
        ": expected a table with column names, found an empty file; check the file.",
    ),
    "only blank lines": (b"\n\n", ", line 1: expected the column names, found a blank line; remove it."),
    "blank first line": (b"\na,b\n1,2\n", ", line 1: expected the column names, found a blank line; remove it."),
    "header alone": (b"a,b\n", ": expected rows below the column names, found none; add rows."),
    "header and blank lines": (b"a\n\n\n", ": expected rows below the column names, found none; add rows."),
    "long line": (
        b"a,b\n1,2\n1,2,3\n",
        ", line 3: expected 2 fields as in the header, found 3; quote fields that contain ','" + OR_SKIP,
    ),
    "short line": (
        b"a,b,c\n1,2\n",
        ", line 2: expected 3 fields as in the header, found 2; add what is missing" + OR_SKIP,
    ),
    "one more field on every line": (
        b"a,b\n0,1,2\n1,3,4\n",
        ", line 2: expected 2 fields as in the header, found 3; quote fields that contain ','" + OR_SKIP,
    ),
    "delimiter at the end of lines": (
        b"a;b\n1;2;\n",
        ", line 2: expected 2 fields as in the header, found 3; quote fields that contain ';'" + OR_SKIP,
    ),
    "wide line in one column": (
        b"a\n1\n1,2\n",
        ", line 3: expected 1 field as in the header, found 2; remove the lines above the column names if there are "
        "any, pass --delimiter, quote fields that contain ',' or mend the line.",
    ),
    "line of blanks": (
        b"a,b\n1,2\n  \n",
        ", line 3: expected 2 fields as in the header, found 1; add what is missing" + OR_SKIP,
    ),
    "short line after a quoted newline": (
        b'a,b\n"x\ny",1\n2\n',
        ", line 4: expected 2 fields as in the header, found 1; add what is missing" + OR_SKIP,
    ),
    "decimal commas between commas": (
        b"a,b\n1,5,2,5\n",
        ", line 2: expected 2 fields as in the header, found 4; quote fields that contain ','" + OR_SKIP,
    ),
    "duplicate names": (
        b"a,b,a\n1,2,3\n",
        ", line 1: expected different column names, found 'a' for columns 1 and 3; rename all but one.",
    ),
    "empty name": (
        b"a,,b\n1,2,3\n",
        ", line 1: expected a name for every column, found none for column 2; name or remove it.",
    ),
    "one column without a name": (
        b'""\n1\n',
        ", line 1: expected a name for every column, found none for column 1; name or remove it.",
    ),
    "index and another column without names": (
        b",,a\n0,1,2\n",
        ", line 1: expected a name for every column, found none for column 2; name or remove it.",
    ),
    "two empty names": (
        b"a,,\n1,2,3\n",
        ", line 1: expected a name for every column, found none for column 2 and 3; name or remove them, or "
        "remove the lines above the column names if there are any.",
    ),
    "a line for spreadsheets": (
        b"sep=;\na;b\n1;2\n",
        ", line 1: expected column names, found 'sep=', which spreadsheets read; remove the line.",
    ),
    "blank name": (
        b'a," "\n1,2\n',
        ", line 1: expected a name for every column, found none for column 2; name or remove it.",
    ),
    "no header": (
        b"5.1,3.5\n4.9,3.0\n",
        ", line 1: expected column names, found only numbers ('5.1', '3.5'); put a line with the names first.",
    ),
    "no header, decimal commas": (
        b"5,1;3,5\n4,9;3,0\n",
        ", line 1: expected one delimiter between the column names, found ',', ';'; "
        "quote names that contain one, or pass --delimiter.",
    ),
    "no header, one column": (
        b"5.1\n4.9\n",
        ", line 1: expected column names, found only numbers ('5.1'); put a line with the names first.",
    ),
    "no header, missing values": (
        b"5.1,?,\n4.9,1,2\n",
        ", line 1: expected column names, found only numbers ('5.1', '?', ''); put a line with the names first.",
    ),
    "two delimiters": (
        b"a,b;c\n1,2\n",
        ", line 1: expected one delimiter between the column names, found ',', ';'; "
        "quote names that contain one, or pass --delimiter.",
    ),
    "pipe": (
        b"a|b\n1|2\n",
        ", line 1: expected comma, semicolon or tab between the column names, found '|'; pass --delimiter '|'.",
    ),
    "quote never closed": (
        b'a,b\n1,2\n3,"4\n5,6\n',
        ", line 3: expected a closing quote, found the end of the file; close the quote.",
    ),
    "text after a quote": (
        b'a,b\n1,"x"y\n',
        ", line 2: expected ',' or the line's end after a closing quote, found other text; "
        "write a quote inside a quoted field twice, or pass --delimiter if the delimiter is another.",
    ),
    "text after a quote on a later line": (
        b'a,b\n"x\ny"z,1\n',
        ", line 3: expected ',' or the line's end after a closing quote, found other text; "
        "write a quote inside a quoted field twice, or pass --delimiter if the delimiter is another.",
    ),
    "newline in the first name and semicolons": (
        b'"a\nb";c\n1;2\n',
        ", line 2: expected ',' or the line's end after a closing quote, found other text; "
        "write a quote inside a quoted field twice, or pass --delimiter if the delimiter is another.",
    ),
    "UTF-16 little endian": (
        "a,b\n1,2\n".encode("utf-16"),
        ", line 1: expected UTF-8, found the byte order mark of UTF-16; " + ICONV.format("UTF-16"),
    ),
    "UTF-16 big endian": (
        b"\xfe\xff" + "a,b\n1,2\n".encode("utf-16-be"),
        ", line 1: expected UTF-8, found the byte order mark of UTF-16; " + ICONV.format("UTF-16"),
    ),
    "UTF-32": (
        "a,b\n1,2\n".encode("utf-32"),
        ", line 1: expected UTF-8, found the byte order mark of UTF-32; " + ICONV.format("UTF-32"),
    ),
    "UTF-16 without a mark, little endian": (
        "name,b\n1,2\n".encode("utf-16-le"),
        ", line 1: expected UTF-8, found what looks like UTF-16LE; " + ICONV.format("UTF-16LE"),
    ),
    "UTF-16 without a mark, big endian": (
        "name,b\n1,2\n".encode("utf-16-be"),
        ", line 1: expected UTF-8, found what looks like UTF-16BE; " + ICONV.format("UTF-16BE"),
    ),
    "Latin-1": (
        "a,b\n1,2\ncafé,3\n".encode("latin-1"),
        ", line 3: expected UTF-8, found the byte 0xE9, as in LATIN1; " + ICONV.format("LATIN1"),
    ),
    "Latin-1 in a name": (
        "größe,b\n1,2\n".encode("latin-1"),
        ", line 1: expected UTF-8, found the byte 0xF6, as in LATIN1; " + ICONV.format("LATIN1"),
    ),
    "Windows-1252": (
        "a,b\n€,3\n".encode("cp1252"),
        ", line 2: expected UTF-8, found the byte 0x80, as in WINDOWS-1252; " + ICONV.format("WINDOWS-1252"),
    ),
    "Latin-1 inside a quoted newline": (
        b'a,b\n"x\n\xe9",3\n',
        ", line 3: expected UTF-8, found the byte 0xE9, as in LATIN1; " + ICONV.format("LATIN1"),
    ),
    "cut UTF-8": (
        b"a,b\n1,\xe2\x82",
        ", line 2: expected UTF-8, found the byte 0xE2, as in WINDOWS-1252; " + ICONV.format("WINDOWS-1252"),
    ),
    "surrogate in UTF-8": (
        b"a,b\n1,\xed\xa0\x80\n",
        ", line 2: expected UTF-8, found the byte 0xED, as in WINDOWS-1252; " + ICONV.format("WINDOWS-1252"),
    ),
    "NUL byte": (
        b"a,b\n1,2\n3,\0\n",
        ", line 3: expected text, found a NUL byte; mend the file, or remove such bytes with `tr -d '\\000'`.",
    ),
    "gzip without its suffix": (
        gzip.compress(b"a,b\n1,2\n"),
        ", line 1: expected text, found gzip data: give the file a name that ends in .gz.",
    ),
    "zstd without its suffix": (
        zstandard.compress(b"a,b\n1,2\n"),
        ", line 1: expected text, found zstd data: give the file a name that ends in .zst.",
    ),
    "zip": (
        b"PK\x03\x04\x14\0\0\0",
        ", line 1: expected text, found a zip archive or a spreadsheet: unpack it or save it as CSV.",
    ),
    "JSON lines": (b'{"a": 1}\n', ", line 1: expected a table, found JSON: convert it to CSV or Parquet."),
    "a list in JSON": (b'[{"a": 1}]\n', ", line 1: expected a table, found JSON: convert it to CSV or Parquet."),
    "JSON over lines": (
        b'[\n  {\n   "a": 1\n',
        ", line 1: expected a table, found JSON: convert it to CSV or Parquet.",
    ),
    "a page of a portal": (
        b"\xef\xbb\xbf\r\n<!DOCTYPE html>\n<html>\n<p>Log in</p>\n</html>\n",
        ", line 1: expected a table, found a page of HTML, or XML: check that this is the file you meant, and save its "
        "table as CSV.",
    ),
    "a pickle": (
        b"\x80\x04\x95\x1b\0\0\0\0\0\0\0\x8c",
        ", line 1: expected a table, found a pickle: save its table as CSV or Parquet.",
    ),
    "SQLite": (
        b"SQLite format 3\0\x10\0\1\1\0\x40\x20\x20\0\0\0\2",
        ", line 1: expected text, found an SQLite database: save its table as CSV.",
    ),
    "Feather": (
        b"ARROW1\0\0\xff\xff\xff\xff",
        ", line 1: expected text, found Arrow data: save them as CSV or Parquet.",
    ),
    "a pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
        ", line 1: expected text, found a pointer of Git LFS: get the file itself with `git lfs pull`.",
    ),
    "Parquet in a stream": (
        b"PAR1\x15\x04\x15",
        ", line 1: expected text, found Parquet data: pass a file whose name ends in .parquet.",
    ),
    "huge field": (
        b"a,b\n1,2\n1," + b"x" * (tables.FIELD_LIMIT + 1) + b"\n",
        ", line 3: expected fields of at most 1048576 characters, found a longer one; "
        "look for a quote that is never closed.",
    ),
    "quote that swallows the file": (
        b'a,b\n1,"2\n' + b"1,2\n" * (tables.FIELD_LIMIT // 4 + 1),
        ", line 2: expected fields of at most 1048576 characters, found a longer one; "
        "look for a quote that is never closed.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_csv_gets_one_sentence(case):
    content, message = BAD[case]
    assert failure(content) == f"<stdin>{message}"


def test_delimiter_can_be_given():
    assert read(b"a|b,c\n1|2\n", delimiter="|")[:2] == (("a", "b,c"), [("1", "2")])
    assert read(b"a,b;c\n1;2\n", delimiter=";")[:2] == (("a,b", "c"), [("1", "2")])


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "\r", "\udcff"])
def test_unusable_delimiter_is_refused(delimiter):
    assert failure(b"a,b\n1,2\n", delimiter=delimiter) == (
        f"<stdin>: expected a delimiter of one character, no quote and no line end, found {delimiter!r}; "
        "pass another one."
    )


def test_too_long_line_is_refused(monkeypatch):
    monkeypatch.setattr(files, "LINE_LIMIT", 10)
    monkeypatch.setattr(files, "BLOCK_BYTES", 4)
    assert failure(b"a,b\n1234,567890123\n") == (
        "<stdin>, line 2: expected lines of less than 10 bytes, found a longer one; check that the file is a table."
    )


def test_chunks_hold_at_most_the_rows_asked_for():
    chunks = list(read_table(io.BytesIO(b"a,b\n1,2\n3,4\n5,6\n"), chunk_rows=2))
    assert [chunk.n_rows for chunk in chunks] == [2, 1]
    assert [tuple(chunk.lines) for chunk in chunks] == [(2, 3), (4,)]
    assert chunks[0].columns["a"].dtype == object
    assert chunks[0].columns["a"].shape == (2,)


def test_rows_before_a_bad_line_come_first():
    chunks = read_table(io.BytesIO(b"a,b\n1,2\n3\n"), chunk_rows=1)
    assert list(next(chunks).columns["b"]) == ["2"]
    with pytest.raises(InputError, match="line 3"):
        next(chunks)


def test_table_without_rows_gives_its_names_if_allowed(tmp_path):
    pq.write_table(pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}), tmp_path / "t.parquet")
    assert read(b"a,b\n", allow_empty=True) == (("a", "b"), [], [])
    assert read(tmp_path / "t.parquet", allow_empty=True) == (("a", "b"), [], [])


class Pipe(io.RawIOBase):
    """A stream that gives one byte at a time and cannot seek."""

    def __init__(self, content):
        self._rest = content

    def readable(self):
        return True

    def readinto(self, buffer):
        byte, self._rest = self._rest[:1], self._rest[1:]
        buffer[: len(byte)] = byte
        return len(byte)


def test_stream_need_not_be_seekable_and_stays_open():
    stream = Pipe("\ufeffa,b\r\nä,2\r\n".encode())
    assert read(stream)[:2] == (("a", "b"), [("ä", "2")])
    assert not stream.closed


class Trickle(io.RawIOBase):
    """A stream that gives one piece at a time, and remembers how many it has given."""

    def __init__(self, *pieces):
        self.pieces = pieces
        self.given = 0

    def read1(self, _):
        self.given += 1
        return self.pieces[self.given - 1] if self.given <= len(self.pieces) else b""


def test_rows_of_a_line_buffered_stream_are_given_before_more_is_asked_for():
    stream = Trickle(b"a,b\n", b"1,2\n3", b",4\r", b"\n", b'5,"6\n', b'7"\n8,9\n')
    fields = [
        (stream.given, chunk.lines[0], *(texts.item() for texts in chunk.columns.values()))
        for chunk in read_table(stream, line_buffered=True)
    ]
    assert fields == [(2, 2, "1", "2"), (4, 3, "3", "4"), (6, 4, "5", "6\n7"), (6, 6, "8", "9")]


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_line_buffering_changes_no_row(data):
    content = b'\xef\xbb\xbfa,b\r\n1,2\n\n3,"4\n,"\r\n5,6\r\n\r7,8'
    cuts = sorted(data.draw(st.sets(st.integers(1, len(content) - 1))))
    pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    assert read(Trickle(*pieces), line_buffered=True) == read(content)


def test_messages_name_the_stream_or_file(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,b\n1\n")
    assert failure(path).startswith(f"{path}, line 2: ")
    assert failure(str(path)).startswith(f"{path}, line 2: ")
    with path.open("rb") as stream:
        assert failure(stream).startswith(f"{path}, line 2: ")


@pytest.mark.parametrize("suffix", [".gz", ".GZ", ".zst"])
def test_packed_files_are_unpacked_by_suffix(tmp_path, suffix):
    content = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(20_000))
    pack = zstandard.compress if suffix == ".zst" else gzip.compress
    path = tmp_path / f"data.csv{suffix}"
    path.write_bytes(pack(content[:50_000]) + pack(content[50_000:]))
    assert read(path)[1] == [(str(i), str(i * i)) for i in range(20_000)]


@pytest.mark.parametrize("suffix", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
def test_damaged_packed_files_are_refused(tmp_path, suffix, damage):
    pack = zstandard.ZstdCompressor(write_checksum=True).compress if suffix == "zst" else gzip.compress
    packed = pack(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(1000)))
    flipped = packed[:-3] + bytes([packed[-3] ^ 0xFF]) + packed[-2:]  # within the check sum or length at the end
    path = tmp_path / f"data.csv.{suffix}"
    path.write_bytes({"cut": packed[:-9], "flipped": flipped, "other": b"a,b\n1,2\n"}[damage])
    assert (
        failure(path) == f"{path}: expected whole .{suffix} data, found damaged or truncated ones; get the file again."
    )


def test_empty_packed_file_is_an_empty_table(tmp_path):
    for name in ("data.gz", "data.zst"):
        (tmp_path / name).write_bytes(b"")
        assert "found an empty file" in failure(tmp_path / name)


def test_files_that_cannot_be_opened(tmp_path, monkeypatch):
    assert failure(tmp_path / "no.csv", FileAccessError) == (
        f"{tmp_path / 'no.csv'}: expected a file, found none; check the path."
    )
    assert failure("https://example.com/a.csv", FileAccessError) == (
        "https://example.com/a.csv: expected a file, found none; download it first."
    )
    assert failure("s3://bucket/a.parquet", FileAccessError) == (
        "s3://bucket/a.parquet: expected a file, found none; download it first."
    )
    assert failure(tmp_path, FileAccessError) == f"{tmp_path}: expected a file, found a folder; name a file in it."
    assert failure("a\0b.csv", FileAccessError) == (
        "a\0b.csv: expected a file to read, found an error (embedded null byte); check the path."
    )
    monkeypatch.setattr("pathlib.Path.open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert failure("secret.csv", FileAccessError) == (
        "secret.csv: expected a file that may be read, found no permission; allow reading it."
    )


def test_reading_that_breaks_off_is_a_file_error():
    class Broken(Pipe):
        def readinto(self, buffer):
            if not self._rest:
                raise OSError(5, "Input/output error")
            return super().readinto(buffer)

    message = failure(Broken(b"a,b\n1,2\n"), FileAccessError)
    assert message == "<stdin>, line 3: expected to read on, found an error ([Errno 5] Input/output error); try again."


def test_missing_extras_name_the_install_command(tmp_path, monkeypatch):
    for name in ("a.csv.zst", "a.parquet"):
        (tmp_path / name).touch()
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert failure(tmp_path / "a.csv.zst", MissingExtraError) == (
        "Expected the package zstandard to read a .zst file, found none; install it with: pip install 'gandetect[zstd]'"
    )
    assert failure(tmp_path / "a.parquet", MissingExtraError) == (
        "Expected the package pyarrow to read a Parquet file, found none; "
        "install it with: pip install 'gandetect[parquet]'"
    )


def test_the_process_wide_field_limit_is_never_lowered():
    before = csv.field_size_limit(tables.FIELD_LIMIT * 2)
    try:
        read(b"a\n1\n")
        assert csv.field_size_limit() == tables.FIELD_LIMIT * 2
    finally:
        csv.field_size_limit(before)


FIELDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(FIELDS, min_size=width, max_size=width), min_size=1, max_size=6)
)


@settings(deadline=None)
@given(
    TABLES,
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["utf-8", "utf-8-sig"]),
    st.integers(1, 3),
)
def test_what_a_csv_writer_wrote_is_read_back(rows, delimiter, line_end, quoting, encoding, chunk_rows):
    if quoting == csv.QUOTE_MINIMAL and line_end != "\r\n":
        # Such a writer leaves the line ends that it does not use itself without quotes.
        rows = [[field.replace("\r", " ").replace("\n", " ") for field in row] for row in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    names = tuple(f"c{i}" for i in range(len(rows[0])))
    writer.writerows([names, *rows])
    given_delimiter = delimiter if len(names) == 1 else None  # no delimiter in the header, none to find
    got = read(text.getvalue().encode(encoding), delimiter=given_delimiter, chunk_rows=chunk_rows)
    assert got[:2] == (names, [tuple(row) for row in rows])


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from([b"", b"a,b\n", b'a;"b']))
def test_any_bytes_are_read_or_refused(content, start):
    message = ""
    try:
        names, rows, lines = read(start + content)
    except InputError as error:
        message = str(error)
    if message:
        assert message.startswith("<stdin>")
        assert "\n" not in message
    else:
        assert len(set(names)) == len(names)
        assert len(rows) == len(lines)


def parquet_file(path, columns, **options):
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_parquet_values_become_the_text_of_the_same_value(tmp_path):
    moment = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
    columns = {
        "int": pa.array([2**63 - 1, None]),
        "double": pa.array([0.1 + 0.2, None]),
        "float": pa.array([0.1, None], pa.float32()),
        "half": pa.array(np.array([0.1, 2], np.float16)),
        "bool": pa.array([True, None]),
        "text": pa.array(["007", ""]),
        "null": pa.array(["NA", None]),
        "large": pa.array(["x\ny", None], pa.large_string()),
        "coded": pa.array(["x", None]).dictionary_encode(),
        "coded number": pa.array([0.1, None]).dictionary_encode(),
        "decimal": pa.array([Decimal("1E+2"), None], pa.decimal128(10, 3)),
        "date": pa.array([date(2026, 1, 31), None]),
        "naive": pa.array([moment.replace(tzinfo=None), None], pa.timestamp("ns")),
        "zoned": pa.array([moment, None], pa.timestamp("us", "Europe/Berlin")),
        "fraction": pa.array([1_500_000, None], pa.timestamp("us", "UTC")),
        "nothing": pa.nulls(2),
    }
    names, rows, lines = read(parquet_file(tmp_path / "t.parquet", columns))
    assert names == tuple(columns)
    assert dict(zip(names, rows[0], strict=True)) == {
        "int": "9223372036854775807",
        "double": "0.30000000000000004",
        "float": "0.10000000149011612",
        "half": "0.0999755859375",
        "bool": "true",
        "text": "007",
        "null": "NA",
        "large": "x\ny",
        "coded": "x",
        "coded number": "0.1",
        "decimal": "100.000",
        "date": "2026-01-31",
        "naive": "2026-01-31T12:30:00",
        "zoned": "2026-01-31T12:30:00Z",
        "fraction": "1970-01-01T00:00:01.500000Z",
        "nothing": "",
    }
    assert set(rows[1]) == {"", "2.0"}
    assert lines == [1, 2]


def test_parquet_comes_in_chunks_with_row_numbers(tmp_path):
    path = parquet_file(tmp_path / "t.pq", {"a": list(range(10))}, row_group_size=4)
    chunks = list(read_table(path, chunk_rows=3))
    assert [line for chunk in chunks for line in chunk.lines] == list(range(1, 11))
    assert [text for chunk in chunks for text in chunk.columns["a"]] == [str(i) for i in range(10)]
    assert max(chunk.n_rows for chunk in chunks) <= 3


def test_parquet_equals_csv_on_the_same_table(tmp_path):
    columns = {"a": [1.5, None, 3.0], "b": ["x", 'say "y,z"', ""], "c": [True, False, None], "1": [1, 2, 3]}
    path = parquet_file(tmp_path / "t.parquet", columns)
    content = b'a,b,c,1\n1.5,x,true,1\n,"say ""y,z""",false,2\n3.0,,,3\n'
    assert read(path)[:2] == read(content)[:2]


@pytest.mark.parametrize("damage", ["other", "empty", "cut"])
def test_damaged_parquet_is_refused(tmp_path, damage):
    path = parquet_file(tmp_path / "t.parquet", {"a": [1, 2]})
    path.write_bytes({"other": b"a,b\n1,2\n", "empty": b"", "cut": path.read_bytes()[:-20]}[damage])
    assert failure(path) == f"{path}: expected a Parquet file, found other or damaged content; get the file again."


def test_damage_inside_parquet_is_refused(tmp_path):
    path = parquet_file(tmp_path / "t.parquet", {"a": [f"text {i}" for i in range(1000)]}, compression="zstd")
    content = bytearray(path.read_bytes())
    content[40:400] = bytes(360)
    path.write_bytes(content)
    assert failure(path) == f"{path}: expected a Parquet file, found other or damaged content; get the file again."


def test_what_a_column_of_parquet_packs_is_text_and_stands_in_nobodys_way(tmp_path):
    structure = {"price": Decimal("1.50"), "name": "é"}
    columns = {
        "list": pa.array([[1, None], [], None]),
        "structure": pa.array([structure, None, structure]),
        "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "bytes": pa.array([b"\xffa", b"text", None], pa.large_binary()),
        "fixed": pa.array([b"ab", None, b"cd"], pa.binary(2)),
        "lasting": pa.array([timedelta(days=1, seconds=0.5), timedelta(0), None]),
    }
    names, rows, _ = read(parquet_file(tmp_path / "t.parquet", columns))
    packed = '{"price": "1.50", "name": "é"}'
    assert names == tuple(columns)
    assert rows == [
        ("[1, null]", packed, '[["a", 1]]', "\\xffa", "ab", "86400.5"),
        ("[]", "", "", "text", "", "0.0"),
        ("", packed, "[]", "", "cd", ""),
    ]


def test_unusable_parquet_columns_are_refused(tmp_path):
    eternal = parquet_file(tmp_path / "long.parquet", {"a": pa.array([2**62], pa.duration("s"))})
    assert failure(eternal) == (
        f"{eternal}: expected numbers, text, booleans or times in column 'a', found values of type duration[s]; turn "
        "them into text or remove the column."
    )


UNWRITABLE = {
    "values that are not UTF-8": pa.array([b"\xff"]).view(pa.string()),
    "values of type list<element: timestamp[ms]>": pa.array([[2**55]], pa.list_(pa.timestamp("ms"))),
}


@pytest.mark.parametrize("found", UNWRITABLE)
def test_parquet_values_that_cannot_be_written_as_text_are_refused(tmp_path, found):
    path = parquet_file(tmp_path / "t.parquet", {"a": UNWRITABLE[found]})
    sentence = f"{path}: expected numbers, text, booleans or times in column 'a', found {found}; turn them into "
    assert failure(path).startswith(sentence)


def test_parquet_names_follow_the_rules_of_csv(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    assert failure(path) == (
        f"{path}: expected different column names, found 'a' for columns 1 and 2; rename all but one."
    )
    pq.write_table(pa.table({"": [1]}), path)
    assert "expected a name for every column, found none for column 1" in failure(path)
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), path)
    assert failure(path) == f"{path}: expected rows below the column names, found none; add rows."
    pq.write_table(pa.table({}), path)
    assert failure(path) == f"{path}: expected columns, found none; check the file."


@settings(deadline=None)
@given(st.lists(st.floats() | st.none(), min_size=1, max_size=20))
def test_doubles_survive_parquet(tmp_path_factory, numbers):
    path = tmp_path_factory.getbasetemp() / "doubles.parquet"
    parquet_file(path, {"a": pa.array(numbers, pa.float64())})
    values, unreadable = parse_numbers(next(read_table(path)).columns["a"])
    assert not unreadable.any()
    expected = np.array([math.nan if number is None else number for number in numbers])
    assert np.array_equal(values, expected, equal_nan=True)
    assert np.array_equal(np.signbit(values), np.signbit(expected)) or np.isnan(expected).any()


@settings(deadline=None)
@given(st.lists(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), min_size=1, max_size=20))
def test_times_survive_parquet(tmp_path_factory, moments):
    path = tmp_path_factory.getbasetemp() / "times.parquet"
    parquet_file(path, {"a": pa.array(moments, pa.timestamp("us"))})
    values, unreadable = parse_times(next(read_table(path)).columns["a"])
    assert not unreadable.any()
    epoch = datetime(1970, 1, 1)
    assert np.allclose(values, [(moment - epoch).total_seconds() for moment in moments], rtol=1e-15, atol=1e-6)


BAD_LINES = {
    "too few fields": (b"5", "line 3: expected 2 fields as in the header, found 1; "),
    "too many fields": (b"5,6,7", "line 3: expected 2 fields as in the header, found 3; "),
    "a NUL byte": (b"5,\0", "line 3: expected text, found a NUL byte; "),
    "not UTF-8": (b"5,\xff", "line 3: expected UTF-8, found the byte 0xFF, as in LATIN1; "),
    "text behind a quote": (b'5,"6"7', "line 3: expected ',' or the line's end after a closing quote, found other "),
    "a quote that is not closed": (b'5,"6', "line 3: expected a closing quote, found the end of the file; "),
}


@pytest.mark.parametrize(("line", "message"), BAD_LINES.values(), ids=list(BAD_LINES))
@pytest.mark.parametrize("line_buffered", [False, True])
def test_bad_lines_are_told_and_no_other_line_is_lost(line, message, line_buffered):
    told = []
    content = b"a,b\n1,2\n" + line + b"\n3,4\n\n5,6\n"
    _, rows, lines = read(content, on_bad_line=told.append, line_buffered=line_buffered)
    assert (rows, lines) == ([("1", "2"), ("3", "4"), ("5", "6")], [2, 4, 6])
    (error,) = told
    assert str(error).startswith(f"<stdin>, {message}")
    assert failure(content) == str(error)


def test_a_table_of_bad_lines_only_says_how_to_see_what_is_wrong():
    with pytest.raises(InputError) as caught:
        read(b"a\n1,2\n", on_bad_line=lambda error: None)
    assert str(caught.value) == (
        "<stdin>: expected rows below the column names, found none; add rows, or pass --on-error fail to see why lines "
        "are left out."
    )


def test_lines_that_are_bad_together_are_told_one_by_one():
    told = []
    _, rows, lines = read(b'a,b\n1,"2\n3,\0\n4,5\n6,"7\n8"\n', on_bad_line=told.append)
    assert (rows, lines) == ([("4", "5"), ("6", "7\n8")], [4, 5])
    assert [str(error).partition(":")[0] for error in told] == ["<stdin>, line 3", "<stdin>, line 3"]


TANGLED = [b"1,2", b'a","b', b'"', b'1,"', b'"a","b"', b'"a', b'x""y', b'1,"2"3', b"1,\0", b"", b'",", "', b'""', b'",']


def read_from(lines, first):
    """Return the record that begins with a line, or what is wrong with it, and the line behind its first or last."""
    text = Lines(iter([]), "<stdin>")
    text.put_back(Block(first, b"".join(line + b"\n" for line in lines[first - 1 :])))
    try:
        record = next(read_records(text, ","))
    except InputError as error:
        return str(error), first + 1
    return record, text.number + 1


@settings(max_examples=300)
@given(st.lists(st.sampled_from(TANGLED), min_size=1, max_size=12))
def test_lines_that_are_known_to_be_lost_are_told_as_if_they_were_read_again(lines):
    expected, first = [], 1
    while first <= len(lines):
        found, first = read_from(lines, first)
        expected.append(found)
    told = []
    text = Lines(iter([Block(1, b"".join(line + b"\n" for line in lines))]), "<stdin>")
    good = list(read_records(text, ",", lambda error: told.append(str(error))))
    assert told == [found for found in expected if isinstance(found, str)]
    assert good == [found for found in expected if not isinstance(found, str)]


@pytest.mark.parametrize("end", [b"", b'x"y\n', b"\0\n", b"1,2\n" * (records.FIELD_LIMIT // 4 + 1)])
def test_quotes_left_open_on_every_line_cost_no_more_than_lines(end, monkeypatch):
    n_lines, n_read = 1000, 0

    def counted(*arguments):
        nonlocal n_read
        n_read += 1
        return read_line(*arguments)

    monkeypatch.setattr(records, "read_line", counted)
    told = []
    rows = read(b"a,b\n1,2\n" + b'a","b\n' * n_lines + end + b"3,4\n", on_bad_line=told.append)[1]
    assert (rows[0], rows[-1], len(told)) == (("1", "2"), ("3", "4"), n_lines + (end in (b"\0\n", b'x"y\n')))
    assert n_read <= 3 * (n_lines + end.count(b"\n") + 3)


def test_a_record_is_not_completed_beyond_a_size(monkeypatch):
    monkeypatch.setattr(records, "RECORD_LIMIT", 20)
    long = b'a,b\n1,2\n"1234567\n1234567\n123",' + b"5" * 50 + b"\n"
    assert read(long)[1] == [("1", "2"), ("1234567\n1234567\n123", "5" * 50)]
    message = (
        "<stdin>, line 2: expected a record of at most 20 characters, found a longer one; look for a quote that is "
        "never closed."
    )
    assert failure(b"a,b\n" + b'a","b\n' * 10) == message
    told = []
    rows = read(b"a,b\n" + b'a","b\n' * 4 + b'1"\n2,3\n', on_bad_line=told.append)[1]
    assert rows == [('a"', "b\n1"), ("2", "3")]
    assert [str(error) for error in told] == [message.replace("line 2", f"line {number}") for number in (2, 3, 4)]


def test_the_names_are_no_row_where_a_stream_brings_them_again():
    content = b"a,b\nx,y\na,b\na,c\n"
    assert read(content, line_buffered=True)[1:] == ([("x", "y"), ("a", "c")], [2, 4])
    assert read(b"\xef\xbb\xbfa,b\nx,y\n\xef\xbb\xbfa,b\na,c\n", line_buffered=True)[1] == [("x", "y"), ("a", "c")]
    assert read(content)[1] == [("x", "y"), ("a", "b"), ("a", "c")]
    assert read(b"a,b\na,b\nx,y\n")[1] == [("a", "b"), ("x", "y")]
    with pytest.raises(InputError, match="expected rows below the column names, found none"):
        read(b"a,b\na,b\n", line_buffered=True)

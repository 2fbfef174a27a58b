"""The quick way to read plain rows gives what the strict way gives, and leaves to it whatever is not plain."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gandetect.column import Column, Kind, Role
from gandetect.errors import InputError
from gandetect.readers import files, tables
from gandetect.readers.plain import PlainColumns, PlainRows, plain_rows
from gandetect.readers.tables import read_table
from gandetect.readers.values import parse_columns
from gandetect.schema import Schema


def everything(content, schema=None, **options):
    """All that is read from a table, or the sentence that refuses it."""
    read, problems = [], 0
    try:
        for chunk in read_table(io.BytesIO(content), allow_empty=True, **options):
            texts = [chunk.columns[name].tolist() for name in chunk.names]
            parsed = parse_columns(chunk.columns, chunk.lines, schema, on_error="missing") if schema else None
            values = [parsed.columns[c.name].astype(str).tolist() for c in schema.used] if parsed else []
            problems += parsed.problems if parsed else 0
            read += zip(chunk.lines, chunk.rows, zip(*texts, strict=True), *values, strict=True)
    except InputError as error:
        return read, problems, str(error)
    return read, problems, (chunk.names, chunk.form)


@pytest.fixture
def strictly(monkeypatch):
    """Read with the quick way closed."""

    def run(*arguments, **options):
        with monkeypatch.context() as closed:
            closed.setattr(tables, "plain_rows", lambda *_: None)
            return everything(*arguments, **options)

    return run


DIGITS = st.text("0123456789.,eE+-", min_size=1, max_size=8)
NUMBERS = st.floats().map(repr) | st.integers().map(str) | st.decimals(allow_nan=False).map(str)
WORDS = st.sampled_from(
    [
        *("", "", "", "?", "-", "NA", "N/A", "nan", "NaN", "NAN", "+nan", "-NaN", "null", "None", "inf", "-Infinity"),
        *("0x10", "1_000", "1e400", "-1e-400", "1" * 400, "1.", ".5", "+.5e-3", "1e", "1d5", "nan(1)", "0" * 30),
        *(" 1", "2\t", " ", "\x0b3", "4\x0c", "5\x1f", "\xa06", "\u20287", "٣", "1,5", "1.000,5", "#7", "7#", "#"),
        *('"8"', '"a,b"', '"x\ny"', '5"', "'9'", "banana", "é", "\x85"),
    ]
)
CELLS = DIGITS | NUMBERS | WORDS


@st.composite
def written_tables(draw):
    """Tables of few rows, most of them plain; their delimiter, decimal mark, width, and how many columns are used."""
    delimiter, decimal = draw(st.sampled_from([",", ";", "\t", "|"])), draw(st.sampled_from([".", ","]))
    width = draw(st.integers(1, 3))
    cells = draw(st.sampled_from([CELLS, NUMBERS, NUMBERS | st.just("")])).map(lambda text: text.replace(".", decimal))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6))
    for row in rows[:1]:
        row[draw(st.integers(0, width - 1))] = draw(CELLS)
    lines = [delimiter.join(row) for row in [[f"c{i}" for i in range(width)], *rows]]
    lines += draw(st.sampled_from([[], [""], ["", ""], [delimiter * width], ["1"]]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    odd = draw(st.sampled_from([b"", b"", b"", b"\n", b"\r", b"\xff", b"\0", b"\n\n"]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    content = (mark + end.join(lines)).encode() + odd
    return content, delimiter, decimal, width, draw(st.integers(1, width))


@settings(deadline=None, max_examples=400)
@given(written_tables(), st.sampled_from([1, 2, 1024]), st.sampled_from([4, 16, 2**18]))
@example((b"c0|c1\n1|NAN\n2|3", "|", ".", 2, 2), 2, 16)
@example((b"c0\tc1\n\t\n1\t2\n", "\t", ".", 2, 2), 1024, 2**18)
@example((b"c0,c1,c2,c3\n1,,,2\n,,,\n", ",", ".", 4, 4), 1024, 2**18)
@example(("c0,c1\n1,\xa02\n".encode(), ",", ".", 2, 2), 1024, 2**18)
@example((b"c0,c1\n1,2#3\n", ",", ".", 2, 2), 1024, 2**18)
@example((b"c0,c1\n1,5\n", ",", ",", 2, 1), 1024, 2**18)
@example((b"c0;c1\n1,5;2.5\n;1\n", ";", ",", 2, 2), 1024, 2**18)
def test_plain_rows_are_read_as_the_strict_way_reads_them(table, chunk_rows, block_bytes):
    content, delimiter, decimal, width, n_used = table
    roles = [Role.FEATURE] * n_used + [Role.LEFT_OUT] * (width - n_used)
    schema = Schema(tuple(Column(f"c{i}", Kind.NUMBER, role, decimal=decimal) for i, role in enumerate(roles)))
    options = {"delimiter": delimiter, "chunk_rows": chunk_rows}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(files, "BLOCK_BYTES", block_bytes)
        quick = everything(content, **options), everything(content, schema, **options)
        patched.setattr(tables, "plain_rows", lambda *_: None)
        assert quick == (everything(content, **options), everything(content, schema, **options))


BLOCK = b"a,b,c\n" + b"".join(b"%d,%d.5,x%d\n" % (i, i, i) for i in range(400))


@pytest.mark.parametrize(
    "odd",
    [b'7,"8",x\n', b'"7\n",8,x\n', b"7,8,\xc3\xa9\n", b"\n", b"7,8,x\x0b\n", b"7,8,x\r", b"7,8,x\r\n", b"7,NA,x\n"],
)
@pytest.mark.parametrize("position", [0, 200, 399])
def test_odd_rows_among_plain_ones_change_nothing_else(monkeypatch, strictly, odd, position):
    monkeypatch.setattr(files, "BLOCK_BYTES", 500)
    lines = BLOCK.splitlines(keepends=True)
    content = b"".join([*lines[: position + 1], odd, *lines[position + 1 :]])
    schema = Schema((Column("a", Kind.NUMBER), Column("b", Kind.NUMBER), Column("c", Kind.CATEGORY)))
    assert everything(content, schema) == strictly(content, schema)
    assert len(everything(content)[0]) == 400 + (odd != b"\n")


@pytest.mark.parametrize("bad", [b"1,2\n", b"1,2,3,4\n", b"1,\0,3\n", b"1,\xe9,3\n", b'1,"2"x,3\n'])
def test_a_bad_line_among_plain_ones_is_named_by_its_number(monkeypatch, bad):
    monkeypatch.setattr(files, "BLOCK_BYTES", 500)
    lines = BLOCK.splitlines(keepends=True)
    for position in (1, 200, 401):
        *_, message = everything(b"".join([*lines[:position], bad, *lines[position:]]))
        assert message.startswith(f"<stdin>, line {position + 1}: expected ")


PLAIN = {
    "numbers": b"1,2\n3,4\n",
    "no line end": b"1,2\n3,4",
    "CRLF": b"1,2\r\n3,4\r\n",
    "text": "ä,b\n\u2028,\xa0\n".encode(),
    "tabs": b"1\t,2\n",
}
NOT_PLAIN = {
    "a quote": b'1,"2"\n',
    "a blank line": b"1,2\n\n3,4\n",
    "another width": b"1,2\n3\n",
    "a carriage return": b"1,2\r3,4\n",
    "a control character": b"1,\x0b2\n",
    "no UTF-8": b"1,\xff\n",
}


@pytest.mark.parametrize("case", PLAIN)
def test_rows_without_anything_unusual_are_plain(case):
    rows = PLAIN[case].decode().replace("\r\n", "\n").removesuffix("\n").split("\n")
    assert list(plain_rows(PLAIN[case], 2, ",")) == rows


@pytest.mark.parametrize("case", PLAIN)
def test_rows_are_parted_and_joined_as_they_were(case):
    rows = plain_rows(PLAIN[case], 2, ",")
    first, second = rows.between(0, 1), rows.between(1, 9)
    assert [len(part) for part in (first, second)] == [1, len(rows) - 1]
    assert (first[0], list(second)) == (rows[0], rows[1:])
    joined = PlainRows.joined([first, rows.between(1, 1), second])
    assert (joined.data, joined.ends.tolist(), list(joined)) == (PLAIN[case], rows.ends.tolist(), list(rows))
    assert list(PlainRows.joined([])) == []


@pytest.mark.parametrize("case", NOT_PLAIN)
def test_unusual_rows_are_not_plain(case):
    assert plain_rows(NOT_PLAIN[case], 2, ",") is None


def test_one_column_and_odd_delimiters_are_not_plain():
    assert plain_rows(b"1\n", 1, ",") is None
    assert plain_rows(b"1e2\n", 2, "e") is None


def test_numbers_of_plain_rows_are_read_at_once_also_where_some_are_missing():
    columns = PlainColumns(plain_rows(b"1,x,,2.5\n,y,-inf,\n3,,1e3,4", 4, ","), ("a", "b", "c", "d"), ",")
    numbers = columns.numbers(["d", "a", "c"], ".")
    assert list(numbers) == ["d", "a", "c"]
    expected = [[2.5, np.nan, 4], [1, np.nan, 3], [np.nan, -np.inf, 1000]]
    assert np.array_equal(list(numbers.values()), expected, equal_nan=True)
    assert np.isnan(
        list(PlainColumns(plain_rows(b",,,,\n", 5, ","), (*"abcde",), ",").numbers("abcde", ".").values())
    ).all()
    assert PlainColumns(plain_rows(b"1,5;2\n;\n", 2, ";"), ("a", "b"), ";").numbers(["a"], ",")["a"][0] == 1.5
    assert columns.numbers(["a", "b"], ".") == {}

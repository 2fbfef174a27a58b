"""What is read and written in bulk, with pyarrow, is the same to the last bit as it is otherwise."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_plain import BLOCK, CELLS, NUMBERS

from gandetect.column import Column, Kind
from gandetect.readers import bulk, files, tables
from gandetect.readers.plain import PlainColumns, plain_rows
from gandetect.readers.tables import Chunk, Form, read_table
from gandetect.readers.values import MISSING, parse_columns
from gandetect.schema import Schema


def numbers(*names, **more):
    return Schema(tuple(Column(name, Kind.NUMBER, **more) for name in names))


def chunk_of(text, width, delimiter=",", line_end="\n"):
    """A chunk of plain rows, or None."""
    rows = plain_rows(text.encode(), width, delimiter)
    names = tuple(f"c{i}" for i in range(width))
    columns = rows and PlainColumns(rows, names, delimiter)
    return rows and Chunk(names, columns, range(2, 2 + len(rows)), Form(delimiter, line_end), rows)


# --- chunks -----------------------------------------------------------------------------------------------------------


def contents(chunk):
    columns = {name: chunk.columns[name].tolist() for name in chunk.names}
    return list(chunk.lines), list(chunk.rows), columns, chunk.form


ODD = [b"", b'7,"8",x\n', b'7,"\n8",x\n', b"7,8,\xc3\xa9\n", b"\n", b"7,8,x\r\n", b"7,8\r,x\n"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("position", [1, 200, 400])
def test_chunks_in_bulk_are_several_of_the_usual_ones_together(monkeypatch, odd, position):
    monkeypatch.setattr(files, "BLOCK_BYTES", 100)
    monkeypatch.setattr(tables, "CHUNK_ROWS", 7)
    monkeypatch.setattr(tables, "BULK_BYTES", 300)
    lines = BLOCK.splitlines(keepends=True)
    content = b"".join([*lines[:position], odd, *lines[position:]]).removesuffix(b"\n")
    usual, in_bulk = (
        list(read_table(io.BytesIO(content), chunk_rows=7, on_bad_line=lambda _: None, **options))
        for options in ({}, {"bulk_from": 1000})
    )
    assert not any(chunk.in_bulk for chunk in usual)
    assert sum(chunk.in_bulk for chunk in in_bulk) > 5
    parts = [part for chunk in in_bulk for part in (chunk.cut() if chunk.in_bulk else [chunk])]
    assert list(map(contents, parts)) == list(map(contents, usual))
    n_bytes = np.cumsum([sum(len(row) + 1 for row in chunk.rows) for chunk in in_bulk])
    assert n_bytes[next(i for i, chunk in enumerate(in_bulk) if chunk.in_bulk)] > 1000


# --- numbers ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([",", ";", "\t", "|"]),
    st.lists(st.tuples(NUMBERS | CELLS | st.sampled_from(sorted(MISSING)), NUMBERS, CELLS), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
)
@example(",", [("NAN", "1", "x"), ("", "2", "y")], "\n")
@example(",", [("-nan", "1", "x")], "\n")
@example("\t", [("nan(7)", "1", "x")], "\n")
@example("|", [(" NA", "+1", "x"), ("1 ", " ", "y")], "\r\n")
def test_numbers_are_read_to_the_same_bits_or_left_to_the_strict_way(delimiter, rows, line_end):
    chunk = chunk_of("".join(delimiter.join(row) + line_end for row in rows), 3, delimiter)
    schema = numbers("c1", "c0", missing=(-9.0,))
    parsed = chunk and bulk.parse(chunk, schema)
    if parsed:
        columns = {name: chunk.columns[name] for name in chunk.names}  # text alone, which is read the strict way
        expected = parse_columns(columns, chunk.lines, schema, on_error="missing")
        assert (parsed.problems, parsed.keep.tolist()) == (expected.problems, expected.keep.tolist())
        assert list(parsed.columns) == ["c1", "c0"]
        for name, values in parsed.columns.items():
            assert values.astype(str).tolist() == expected.columns[name].astype(str).tolist()


def test_numbers_and_what_stands_for_missing_ones_are_read_in_bulk():
    missing = sorted(MISSING)
    rows = ["1,x,2.5", "-inf,y,1e-320", *(f"{word},z,{9 - i}" for i, word in enumerate(missing))]
    parsed = bulk.parse(chunk_of("\n".join(rows), 3), numbers("c2", "c0", missing=(5.0,)))
    assert parsed.columns["c0"][:2].tolist() == [1, -np.inf]
    assert np.isnan(parsed.columns["c0"][2:]).all()
    assert parsed.columns["c2"][:6].tolist() == [2.5, 1e-320, 9, 8, 7, 6]
    assert np.isnan(parsed.columns["c2"][6])


@pytest.mark.parametrize("field", ["one", "NAN", "-nan", "1,5", "\u0663", "0x1", "1e", "12 kg"])
def test_fields_that_are_not_plainly_numbers_are_left_to_the_strict_way(field):
    assert bulk.parse(chunk_of(f"1|2\n{field}|3\n", 2, "|"), numbers("c0", "c1")) is None
    assert field == "\u0663" or bulk.parse(chunk_of(f"1|2\n{field}|3\n", 2, "|"), numbers("c1")) is not None


def test_a_table_without_a_used_column_is_left_to_the_strict_way():
    assert bulk.parse(chunk_of("1,2\n", 2), numbers("c0", "other")) is None


def test_only_plain_numbers_with_a_point_can_be_read_and_only_with_pyarrow(monkeypatch):
    assert bulk.is_possible(numbers("a", "b"))
    assert not bulk.is_possible(numbers("a", decimal=","))
    assert not bulk.is_possible(numbers("a", suffix="kg"))
    assert not bulk.is_possible(Schema((Column("a", Kind.NUMBER), Column("b", Kind.CATEGORY))))
    monkeypatch.setattr(bulk, "find_spec", lambda _: None)
    assert not bulk.is_possible(numbers("a", "b"))


# --- writing ----------------------------------------------------------------------------------------------------------

SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.floats(0, 100, width=32)


@settings(deadline=None)
@given(hnp.arrays(np.float32, st.integers(2, 40), elements=SINGLES), st.sampled_from(["\n", "\r\n"]), st.booleans())
@example(
    np.array([1e-4, 9.99e-5, 999999.94, 1e6, 1e-45, -0.0, 3.4028235e38, 16777216, 0.5], dtype=np.float32), "\n", True
)
@example((2.0 ** np.arange(-40, 40)).astype(np.float32), "\r\n", False)
def test_numbers_are_written_as_python_writes_them(values, line_end, has_last_end):
    given_rows = [f"{i};\u00e9" for i in range(len(values))]
    text = line_end.join(given_rows) + line_end * has_last_end
    written = bulk.with_columns(chunk_of(text, 2, ";", line_end), [values, values > 1])
    flags = np.where(values > 1, "true", "false")
    expected = [
        f"{row};{float(str(value))!r};{flag}" for row, value, flag in zip(given_rows, values, flags, strict=True)
    ]
    assert written.decode() == "".join(line + line_end for line in expected)


def test_rows_that_end_otherwise_than_the_first_line_are_not_written_in_bulk():
    assert bulk.with_columns(chunk_of("1,2\r\n", 2, line_end="\n"), [np.zeros(1, np.float32)]) is None

"""The strict reader of protobuf, apart from any layout of ONNX."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_model import chunk, varint

from gandetect import wire
from gandetect.wire import BYTES, FIXED32, FIXED64, VARINT, RefusedError, Rule, decode, fields

LAYOUT = {
    "Tree": {1: Rule("numbers", wire.INTS, many=True), 2: Rule("leaf", "Leaf"), 3: Rule("leaves", "Leaf", many=True)},
    "Leaf": {1: Rule("size", wire.INT), 2: Rule("name", wire.TEXT), 3: Rule("place", wire.SPAN)},
}


@given(st.integers(0, 2**64 - 1))
def test_every_number_of_64_bits_is_read_back(number):
    assert decode(b"\x08" + varint(number), LAYOUT, "Leaf")["size"] == number


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_packed_and_single_numbers_are_the_same(numbers):
    single = b"".join(b"\x08" + varint(number) for number in numbers)
    packed = chunk(1, b"".join(map(varint, numbers)))
    assert list(decode(single, LAYOUT, "Tree")["numbers"]) == numbers
    assert list(decode(packed, LAYOUT, "Tree")["numbers"]) == numbers


@given(st.integers(1, 2**29 - 1))
def test_every_field_number_is_read_back(number):
    assert [field.number for field in fields(chunk(number, b"x"))] == [number]


@given(st.binary())
def test_arbitrary_bytes_are_read_or_refused(data):
    try:
        found = list(fields(data))
    except RefusedError:
        return
    assert sum(field.end - field.start for field in found) < len(data) or not data
    assert [field.start for field in found] == sorted(field.start for field in found)


def test_each_wire_type_has_its_length():
    data = b"\x08\x05" + b"\x11" + bytes(8) + b"\x1d" + bytes(4) + chunk(4, b"abc")
    found = [(field.wire_type, field.value, field.end - field.start) for field in fields(data)]
    assert found == [(VARINT, 5, 1), (FIXED64, 0, 8), (FIXED32, 0, 4), (BYTES, 0, 3)]


def test_what_is_absent_has_its_default():
    assert decode(b"", LAYOUT, "Tree") == {"numbers": (), "leaf": None, "leaves": ()}
    assert decode(b"", LAYOUT, "Leaf") == {"size": 0, "name": "", "place": None}


def test_messages_in_messages_are_read_and_spans_count_from_the_start_of_the_data():
    leaf = chunk(2, "grün".encode()) + chunk(3, b"here")
    data = chunk(2, leaf) + chunk(3, b"") + chunk(3, b"\x08\x07")
    tree = decode(data, LAYOUT, "Tree")
    start, end = tree["leaf"]["place"]
    assert (tree["leaf"]["name"], data[start:end]) == ("grün", b"here")
    assert [leaf["size"] for leaf in tree["leaves"]] == [0, 7]


@pytest.mark.parametrize(
    ("limit", "allowed", "message"),
    [("MAX_FIELDS", 4, "more than 4 fields"), ("MAX_MESSAGES", 3, "more than 3 messages")],
)
def test_a_limit_may_be_reached_and_not_passed(monkeypatch, limit, allowed, message):
    monkeypatch.setattr(wire, limit, allowed)
    data = chunk(1, b"\1\2") if limit == "MAX_FIELDS" else chunk(3, b"")
    decode(data + chunk(3, b""), LAYOUT, "Tree")
    with pytest.raises(RefusedError, match=message):
        decode(data + chunk(3, b"") * 2, LAYOUT, "Tree")


@pytest.mark.parametrize("data", [b"\x08" + b"\xff" * 9 + b"\x02", b"\x08\x80\x00", b"\x08" + b"\x80" * 10 + b"\x01"])
def test_numbers_beyond_64_bits_or_longer_than_needed_are_refused(data):
    with pytest.raises(RefusedError, match="too large or written longer than needed"):
        decode(data, LAYOUT, "Leaf")

"""Reads protobuf bytes strictly: what a layout does not list, and any unusual way to write what it lists, is refused.

Parsers differ in what they make of odd input: repeated single fields are merged, numbers are cut to 32 bits, unknown
fields are skipped. Each difference is a way past a check. Here odd input is an error, so whoever parses the same bytes
later sees what was checked. It is no general protobuf library: groups do not exist, and a layout may not contain
itself.

Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

MAX_FIELDS = 1_000_000
"""Most fields that `decode` reads: one or two seconds of work."""

MAX_MESSAGES = 200_000
"""Most messages that `decode` builds: some 200 MB of memory."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types: how a field's value is laid out."""

INT, INTS, TEXT, SPAN = "int", "ints", "text", "span"
"""Kinds of value that are read; SPAN gives the position of bytes in place of the bytes."""

DATA, FLOAT, FLOATS, DOUBLES, INTEGERS = "data", "float", "floats", "doubles", "integers"
"""Kinds of value that are stepped over: no decision hangs on them."""

FORBIDDEN = "forbidden"
"""Kind of a field that exists but may not occur."""

_WIRE_TYPES = {
    INT: (VARINT,),
    INTS: (VARINT, BYTES),
    TEXT: (BYTES,),
    SPAN: (BYTES,),
    DATA: (BYTES,),
    FLOAT: (FIXED32,),
    FLOATS: (FIXED32, BYTES),
    DOUBLES: (FIXED64, BYTES),
    INTEGERS: (VARINT, BYTES),
}
_STEPPED_OVER = frozenset({DATA, FLOAT, FLOATS, DOUBLES, INTEGERS})
_DEFAULTS: dict[str, Any] = {INT: 0, TEXT: ""}

Message = dict[str, Any]
"""A decoded message: every field of its layout by name; an absent one is 0, an empty string, None or an empty tuple."""


class RefusedError(ValueError):
    """The bytes are not what was expected; the message says what was found instead, as a noun."""


class Rule(NamedTuple):
    """What may stand in a field.

    Parameters
    ----------
    name : str
        The field's name; for a forbidden field, what it is in words.
    kind : str
        One of the kinds of value above, or the name of a message in the layout.
    many : bool
        Whether it may occur more than once.
    """

    name: str
    kind: str
    many: bool = False


Layout = Mapping[str, Mapping[int, Rule]]
"""For each message its fields by number."""


class Field(NamedTuple):
    """One field as found: `value` of a varint, `start` and `end` of the value's bytes in the whole data."""

    number: int
    wire_type: int
    value: int
    start: int
    end: int


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """Yield the fields of one message, without looking into them.

    Parameters
    ----------
    data : bytes
        The data that hold the message.
    start, end : int
        Where the message starts and ends; by default all of `data`.

    Raises
    ------
    RefusedError
        The bytes are no protobuf message in its usual, shortest form.
    """
    end = len(data) if end is None else end
    position = start
    while position < end:
        tag, position = _varint(data, position, end)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise RefusedError(f"field number {number} at byte {position}")
        value, first = 0, position
        if wire_type == VARINT:
            value, position = _varint(data, position, end)
        elif wire_type == BYTES:
            length, first = _varint(data, position, end)
            position = first + length
        elif wire_type in (FIXED32, FIXED64):
            position += 4 if wire_type == FIXED32 else 8
        else:
            raise RefusedError(f"wire type {wire_type} at byte {position}")
        if position > end:
            raise RefusedError(f"a field at byte {first} that ends beyond the end of its message")
        yield Field(number, wire_type, value, first, position)


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Return the number at `position` and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise RefusedError(f"a number at byte {position} that ends beyond the end of its message")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64 or (byte == 0 and shift):
                break
            return value, position
    raise RefusedError(f"a number before byte {position} that is too large or written longer than needed")


def decode(data: bytes, layout: Layout, message: str, start: int = 0, end: int | None = None) -> Message:
    """Decode one message and all inside it.

    Parameters
    ----------
    data : bytes
        The data that hold the message.
    layout : Layout
        What may occur.
    message : str
        The message's name in `layout`.
    start, end : int
        Where the message starts and ends; by default all of `data`.

    Returns
    -------
    dict
        The values by name: int, str, ``(start, end)`` for a span, a dict for a message; lists of these for fields that
        may occur more than once.

    Raises
    ------
    RefusedError
        Anything else than what the layout lists is there, or more than `MAX_FIELDS` fields.
    """
    return _Decoder(data, layout).message(message, start, len(data) if end is None else end)


class _Decoder:
    """Counts what it reads, so that no input takes long or much memory."""

    def __init__(self, data: bytes, layout: Layout) -> None:
        self._data = data
        self._layout = layout
        self._absent = {message: _absent(rules) for message, rules in layout.items()}
        self._fields_left = MAX_FIELDS
        self._messages_left = MAX_MESSAGES

    def message(self, message: str, start: int, end: int) -> Message:
        """Decode one message."""
        self._messages_left -= 1
        if self._messages_left < 0:
            raise RefusedError(f"more than {MAX_MESSAGES} messages")
        rules = self._layout[message]
        values: Message = {}
        for field in fields(self._data, start, end):
            self._count_field()
            rule = _rule(rules, field, message)
            if rule.many:
                values.setdefault(rule.name, []).extend(self._values(rule.kind, field))
            elif rule.name in values:
                raise RefusedError(f"{rule.name} twice in one {message}")
            else:
                values[rule.name] = next(self._values(rule.kind, field), None)
        return self._absent[message] | values

    def _values(self, kind: str, field: Field) -> Iterator[Any]:
        """Yield what one occurrence of a field holds: nothing where it is stepped over, several for packed numbers."""
        if kind in _STEPPED_OVER:
            return
        if kind == TEXT:
            yield text(self._data, field.start, field.end)
        elif kind == SPAN:
            yield field.start, field.end
        elif field.wire_type == VARINT:
            yield field.value
        elif kind == INTS:
            yield from self._packed(field)
        else:
            yield self.message(kind, field.start, field.end)

    def _packed(self, field: Field) -> Iterator[int]:
        """Yield the numbers that stand behind one length."""
        position = field.start
        while position < field.end:
            self._count_field()
            value, position = _varint(self._data, position, field.end)
            yield value

    def _count_field(self) -> None:
        self._fields_left -= 1
        if self._fields_left < 0:
            raise RefusedError(f"more than {MAX_FIELDS} fields")


def _rule(rules: Mapping[int, Rule], field: Field, message: str) -> Rule:
    """Return the rule of a field that may occur and is written as its kind asks."""
    rule = rules.get(field.number)
    if rule is None:
        raise RefusedError(f"field {field.number} of {message}, which is never written")
    if rule.kind == FORBIDDEN:
        raise RefusedError(rule.name)
    if field.wire_type not in _WIRE_TYPES.get(rule.kind, (BYTES,)):
        raise RefusedError(f"wire type {field.wire_type} for {rule.name} in {message}")
    return rule


def _absent(rules: Mapping[int, Rule]) -> Message:
    """Return what a message holds where nothing was written."""
    return {rule.name: () if rule.many else _DEFAULTS.get(rule.kind) for rule in rules.values()}


def text(data: bytes, start: int, end: int) -> str:
    """Decode a string of a message; raise `RefusedError` where it is not UTF-8."""
    try:
        return data[start:end].decode()
    except UnicodeDecodeError:
        raise RefusedError(f"text at byte {start} that is not UTF-8") from None

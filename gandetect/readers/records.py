"""The records of a CSV file, one by one and strictly; the rules stand in `gandetect.readers.tables`."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from gandetect.errors import InputError
from gandetect.readers.files import Block, read_line

FIELD_LIMIT = 2**20
"""Longest field that is read, in characters."""

RECORD_LIMIT = 2**22
"""Characters of a record's lines after which no further line is read to complete it."""


OnBadLine: TypeAlias = Callable[[InputError], None]
"""Is told what is wrong with a line that is then left out."""


class Record(NamedTuple):
    """A record: the line that it starts on, its fields (none for a blank line), its text and the end of its line."""

    number: int
    fields: list[str]
    text: str
    end: str


class Lost(NamedTuple):
    """A record that could not be read: the last of its lines, and what was found there."""

    number: int
    error: Exception


_TOO_LONG = "record longer than its limit"


class Lines:
    """The lines of a text, one by one, or all that are left of a block.

    Parameters
    ----------
    blocks : iterator of Block
        The text.
    name : str
        What messages call it.

    Attributes
    ----------
    number : int
        Of the line that was given last.
    has_mark : bool
        Whether the text starts with a byte order mark, which no line holds.
    lost : Lost
        The last record of several lines that `go_on_behind_first` was told of.
    """

    def __init__(self, blocks: Iterator[Block], name: str) -> None:
        self.name = name
        self.number = 0
        self.has_mark = False
        self._blocks = blocks
        self._waiting: deque[bytes] = deque()
        self._taken: list[bytes] = []
        self._given: list[str] = []
        self._n_characters = 0
        self.lost = Lost(0, InputError())

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._taken:
            self._require_hope()
        if not self._has_more():
            raise StopIteration
        self.number += 1
        self._taken.append(self._waiting.popleft())
        self._given.append(read_line(self._taken[-1], self.name, self.number))
        self._n_characters += len(self._given[-1])
        return self._given[-1]

    def _require_hope(self) -> None:
        """Refuse to go on within a record that cannot become a good one."""
        if self.number < self.lost.number:
            # What comes next is within quotes, as it was when it was read for an earlier record: it ends as that did.
            raise self.lost.error.with_traceback(None)
        if self._n_characters > RECORD_LIMIT:
            raise csv.Error(_TOO_LONG)

    def peek(self) -> str:
        """Return the next line without taking it; empty at the end."""
        return read_line(self._waiting[0], self.name, self.number + 1) if self._has_more() else ""

    def _has_more(self) -> bool:
        if not self._waiting and (block := next(self._blocks, None)):
            self.put_back(block)
        return bool(self._waiting)

    def take_block(self) -> Block | None:
        """Take what is left of the current block, or else the next one; None at the end."""
        if not self._waiting:
            return next(self._blocks, None)
        block = Block(self.number + 1, b"".join(self._waiting))
        self._waiting.clear()
        return block

    def put_back(self, block: Block) -> None:
        """Go on with a block that was taken."""
        self.number = block.number - 1
        self.has_mark |= block.number == 1 and block.data.startswith(codecs.BOM_UTF8)
        self._waiting.extend(block.data.splitlines(keepends=True))

    def given(self) -> str:
        """Return the text of all lines that were given one by one since this was last asked."""
        text = "".join(self._given)
        self._given.clear()
        self._taken.clear()
        self._n_characters = 0
        return text

    def go_on_behind_first(self, error: Exception) -> None:
        """Give all lines once more but the first of those given since `given` was last asked: it is a bad one.

        Parameters
        ----------
        error : Exception
            What was found in the last of them.
        """
        again = self._taken[1:]
        if again:
            self.lost = Lost(self.number, error)
        self.number -= len(again)
        self._waiting.extendleft(reversed(again))
        self.given()


def read_records(lines: Lines, delimiter: str, on_bad_line: OnBadLine | None = None) -> Iterator[Record]:
    """Read records.

    Parameters
    ----------
    lines : Lines
        The text. Between two records others may take blocks of it.
    delimiter : str
        The character between fields.
    on_bad_line : callable, optional
        Is told of what cannot be read, in place of an error.

    Yields
    ------
    Record

    Raises
    ------
    InputError
        If quotes or the length of a field or a record break the rules, or a line is no text.
    """
    # The limit belongs to the whole process, so it is only ever raised.
    csv.field_size_limit(max(FIELD_LIMIT, csv.field_size_limit()))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        start = lines.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, InputError) as found:
            line = lines.lost.number if found is lines.lost.error else lines.number
            error = _told(found, start, line, delimiter, lines.name)
            if on_bad_line is None:
                raise error from error.__cause__
            on_bad_line(error)
            lines.go_on_behind_first(found)  # a quote that is never closed would take all other lines with it
            continue
        whole = lines.given()
        text = whole.removesuffix("\n").removesuffix("\r")
        yield Record(start, fields, text, whole[len(text) :])


def read_rows(
    records: Iterable[Record], width: int, delimiter: str, name: str, on_bad_line: OnBadLine | None = None
) -> Iterator[Record]:
    """Give the records of `width` fields; refuse others, or tell `on_bad_line` of them; skip blank lines.

    Raises
    ------
    InputError
        If a record has another number of fields.
    """
    blank = 0
    for record in records:
        number, fields, _, end = record
        if not fields:
            blank += 1
            continue
        if width == 1:
            yield from (Record(missing, [""], "", end) for missing in range(number - blank, number))
        blank = 0
        if len(fields) == width:
            yield record
            continue
        error = _width_error(f"{name}, line {number}", width, len(fields), delimiter)
        if on_bad_line is None:
            raise error
        on_bad_line(error)


def _told(found: csv.Error | InputError, start: int, line: int, delimiter: str, name: str) -> InputError:
    """Return in our words what was found at a line of the record that starts at another."""
    if isinstance(found, InputError):
        return found
    cause = str(found)
    if cause == _TOO_LONG:
        return InputError(
            f"{name}, line {start}: expected a record of at most {RECORD_LIMIT} characters, found a longer one; "
            "look for a quote that is never closed."
        )
    if "limit" in cause:
        return InputError(
            f"{name}, line {start}: expected fields of at most {FIELD_LIMIT} characters, found a longer one; "
            "look for a quote that is never closed."
        )
    if "unexpected end" in cause:
        return InputError(
            f"{name}, line {start}: expected a closing quote, found the end of the file; close the quote."
        )
    return InputError(
        f"{name}, line {line}: expected {delimiter!r} or the line's end after a closing quote, found other text; "
        "write a quote inside a quoted field twice, or pass --delimiter if the delimiter is another."
    )


def _width_error(place: str, expected: int, found: int, delimiter: str) -> InputError:
    fields = "field" if expected == 1 else "fields"
    remedy = f"quote fields that contain {delimiter!r}" if found > expected else "add what is missing"
    if expected == 1:
        remedy = (
            f"remove the lines above the column names if there are any, pass --delimiter, {remedy} or mend the line"
        )
    else:
        remedy = f"{remedy}, mend the line, or pass --on-error skip"
    return InputError(f"{place}: expected {expected} {fields} as in the header, found {found}; {remedy}.")

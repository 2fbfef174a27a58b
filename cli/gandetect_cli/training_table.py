"""What ``gandetect fit`` learns from: the rows of a table as raw columns, and what is to be said of them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect import InputError
from gandetect.column import Kind, Role
from gandetect.errors import quoted
from gandetect.modality import MIN_ROWS
from gandetect.readers.number_forms import find_decimal
from gandetect.readers.records import OnBadLine
from gandetect.readers.schemas import find_schema
from gandetect.readers.tables import Chunk
from gandetect.readers.values import BLANKS, Parsed, parse_columns, parse_number, shown
from gandetect.schema import Schema
from gandetect_cli.doubts import doubts, doubts_of_kinds, doubts_of_marks
from gandetect_cli.labels import among, labels_of
from gandetect_cli.progress import ProgressBar
from gandetect_cli.reservoir import Reservoir
from gandetect_cli.source import Table
from gandetect_cli.terminal import BadLines, Reporter, counted, unreadable


@dataclass(frozen=True)
class TrainingTable:
    """Rows to learn from. Their text, many times as large, is not kept.

    Parameters
    ----------
    name : str
        What messages call the table.
    schema : Schema
        Its columns.
    columns : dict of str to ndarray of shape (n_rows,)
        Raw columns of the rows that could be read.
    known : ndarray of bool of shape (n_rows,)
        Which of them are known anomalies.
    n_seen, n_chosen : int
        Rows of the table, and those that were chosen at random from them, readable or not.
    n_empty : int
        Rows without any value, which are left out.
    n_unreadable : int
        Fields that could not be read.
    n_labels : int
        Different labels of the rows that are no known anomalies.
    bad_lines : BadLines
        Lines that are no rows.
    kind_doubts : list of str
        A sentence for every column whose kind, or decimal mark, as it was found, is doubtful.
    """

    name: str
    schema: Schema
    columns: dict[str, NDArray[Any]]
    known: NDArray[np.bool_]
    n_seen: int
    n_chosen: int
    n_empty: int
    n_unreadable: int
    n_labels: int
    bad_lines: BadLines
    kind_doubts: list[str]

    @property
    def n_rows(self) -> int:
        """How many rows are taken as normal."""
        return int((~self.known).sum())

    @property
    def n_skipped(self) -> int:
        """How many rows could not be read."""
        return self.n_chosen - self.n_empty - len(self.known)

    def rows(self, *, known: bool) -> dict[str, NDArray[Any]]:
        """Return the raw columns of the known anomalies, or of all other rows."""
        chosen = self.known == known
        return self.columns if chosen.all() else {name: values[chosen] for name, values in self.columns.items()}

    def report(self, reporter: Reporter) -> None:
        """Say what is learned from and what is not."""
        chosen = "" if self.n_seen == self.n_chosen else f", chosen at random from {self.n_seen:,}"
        features = self.schema.features
        kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(column.kind for column in features).items())
        reporter.say(f"{self.name}: learning from {counted(self.n_rows, 'row')}{chosen}")
        reporter.say(f"{counted(len(features), 'column')}: {kinds}")
        if any(column.decimal == "," for column in features):
            reporter.say("numbers have a decimal comma")
        if self.known.any():
            reporter.say(f"{counted(int(self.known.sum()), 'known anomaly', 'known anomalies')} to learn from")
        for column in self.schema.columns:
            if column.role is Role.GIVEN:
                reporter.say(f"given {column.name!r}: rows are judged among their like")
            elif column.role is Role.LEFT_OUT:
                reporter.say(f"left out {column.name!r}: {column.reason}")
            elif column.role is Role.LABEL and self.known.any():
                reporter.say(f"left out {column.name!r}: the label; every other row is taken as normal")
            elif column.role is Role.LABEL:
                reporter.say(
                    f"left out {column.name!r}: the label, not used for learning; every row is taken as normal"
                )
        self._warn(reporter)

    def _warn(self, reporter: Reporter) -> None:
        for sentence in self.bad_lines.sentences():
            reporter.warn(sentence)
        if self.n_empty:
            reporter.warn(f"{counted(self.n_empty, 'row')} without any value to learn from left out")
        if self.n_unreadable:
            reporter.warn(unreadable(self.n_unreadable, self.n_skipped))
        if self.n_labels > 1:
            label = next(column.name for column in self.schema.columns if column.role is Role.LABEL)
            reporter.warn(
                f"{label!r} holds {self.n_labels} different labels: anomalies among the training rows are learned "
                "as normal, so leave them out if you can"
            )
        rows, features = self.rows(known=False), self.schema.features
        times = {column.name for column in features if column.kind is Kind.TIME}
        for sentence in (
            *self.kind_doubts,
            *doubts({column.name: rows[column.name] for column in features}, self.n_rows, times),
        ):
            reporter.warn(sentence)


def read_training_table(
    table: Table,
    *,
    max_rows: int,
    seed: int,
    label: str | None,
    known_anomalies: Sequence[str],
    kinds: Sequence[str],
    drop: Sequence[str],
    only: str | None,
    given: str | None,
    decimal: str | None,
    missing: Sequence[str],
    on_error: str,
    quiet: bool,
) -> TrainingTable:
    """Read a table and find what its columns are.

    Parameters
    ----------
    table : Table
        Read once.
    max_rows, seed : int
        Most rows to choose, and the key of the choice.
    label : str or None
        The column of labels.
    known_anomalies, kinds : sequence of str
        As ``COLUMN=LABEL`` and ``COLUMN=KIND``.
    drop : sequence of str
        Columns to leave out, as lines of CSV.
    only, given : str or None
        Columns to learn from, and those that are given, as one line of CSV.
    decimal : {".", ","} or None
        The decimal mark of numbers; found without it.
    missing : sequence of str
        Numbers that stand for a missing value, as ``NUMBER`` or ``COLUMN=NUMBER``.
    on_error : {"fail", "skip", "missing"}
        What a field that cannot be read does.
    quiet : bool
        Whether to show no progress.

    Raises
    ------
    InputError
        The table, or one of the arguments, cannot be used.
    FileAccessError
        The table cannot be read.
    """
    label, labels = _known_labels(known_anomalies, label)
    kind_of, missing_in = _kinds(kinds), _missing(missing)
    chosen = None if only is None else _names(only, "--columns")
    judged_among = () if given is None else _names(given, "--given")
    unwanted = [name for names in drop for name in _names(names, "--drop")]
    bad_lines = BadLines()
    sample, numbers, n_seen = _sample(table, max_rows, seed, bad_lines if on_error == "skip" else None, quiet)
    mark = decimal or _decimal_of(sample)
    schema = find_schema(
        sample.columns,
        sample.lines,
        rows=numbers,
        kinds=kind_of,
        drop=unwanted,
        only=chosen,
        label=label,
        given=judged_among,
        decimal=mark,
        is_decimal_certain=decimal is not None,
        missing=missing_in,
        on_error=on_error,
        name=table.name,
    )
    parsed, n_empty = _with_values(
        parse_columns(sample.columns, sample.lines, schema, on_error=on_error, name=table.name), schema
    )
    known, n_labels = _known_rows(sample, parsed, label, labels)
    schema = schema.with_known_anomalies(labels) if labels else schema
    found = [column.name for column in schema.used if column.kind is Kind.CATEGORY and column.name not in kind_of]
    kind_doubts = doubts_of_kinds({name: sample.columns[name] for name in found}, mark)
    if decimal is None:
        written = [column.name for column in schema.used if column.kind is Kind.NUMBER and not column.grouping]
        kind_doubts += doubts_of_marks({name: sample.columns[name] for name in written}, mark)
    training = TrainingTable(
        name=table.name,
        schema=schema,
        columns=parsed.columns,
        known=known,
        n_seen=n_seen,
        n_chosen=sample.n_rows,
        n_empty=n_empty,
        n_unreadable=parsed.problems,
        n_labels=n_labels,
        bad_lines=bad_lines,
        kind_doubts=kind_doubts,
    )
    if training.n_rows < MIN_ROWS:
        raise InputError(
            f"{training.name}: expected at least {MIN_ROWS} rows to fit, found {training.n_rows}; add normal rows."
        )
    return training


def _names(text: str, option: str) -> list[str]:
    """Split columns' names that are written as one line of CSV."""
    try:
        return next(csv.reader([text]))
    except csv.Error:
        raise InputError(
            f"Expected {option} to hold names with commas between them, found {shown(text)}; put double quotes around "
            "a name that holds the end of a line."
        ) from None


def _known_labels(pairs: Sequence[str], label_column: str | None) -> tuple[str | None, set[str]]:
    """Split ``COLUMN=LABEL``; return the column and the labels."""
    columns: set[str] = set()
    labels: set[str] = set()
    for pair in pairs:
        column, _, label = pair.partition("=")
        columns.add(column)
        labels.update(labels_of([label]).tolist())
        if not column or "" in labels:
            raise InputError(f"Expected --known-anomalies COLUMN=LABEL, found {pair!r}; name both.")
    named = columns | ({label_column} if label_column is not None else set())
    if len(named) > 1:
        raise InputError(
            f"Expected one column of labels, found {', '.join(map(repr, sorted(named)))}; name one of them only."
        )
    return (named.pop() if named else None), labels


def _with_values(parsed: Parsed, schema: Schema) -> tuple[Parsed, int]:
    """Leave out rows without any value, as spreadsheets append them, and count them."""
    held = schema.holding_values(parsed.columns)
    keep = parsed.keep.copy()
    keep[keep] = held
    columns = {name: values[held] for name, values in parsed.columns.items()}
    return replace(parsed, columns=columns, keep=keep), int((~held).sum())


def _known_rows(
    sample: Chunk, parsed: Parsed, label_column: str | None, labels: set[str]
) -> tuple[NDArray[np.bool_], int]:
    """Return which of the rows that are kept are known anomalies, and how many labels the others have."""
    if label_column is None:
        return np.zeros(int(parsed.keep.sum()), dtype=bool), 0
    found = labels_of(sample.columns[label_column][parsed.keep])
    different = [label for label, _ in Counter(found.tolist()).most_common()]
    if missing := [label for label in sorted(labels) if not among(labels_of(different), [label]).any()]:
        raise InputError(
            f"Expected rows with the label {', '.join(map(repr, missing))} in {label_column!r}, found only "
            f"{quoted(different)}; correct --known-anomalies or leave it out."
        )
    known = among(found, labels)
    return known, len({label.casefold() for label in found[~known]})


def _kinds(pairs: Sequence[str]) -> dict[str, str]:
    """Split ``COLUMN=KIND``; a column's name may hold an equals sign, a kind does not."""
    kinds = {}
    for pair in pairs:
        column, mark, kind = pair.rpartition("=")
        if not mark:
            raise InputError(f"Expected --kind COLUMN=KIND, found {pair!r}; write the column's name first.")
        kinds[column] = kind
    return kinds


def _missing(pairs: Sequence[str]) -> dict[str, list[float]]:
    """Split ``NUMBER`` and ``COLUMN=NUMBER`` into the numbers of each column, those of all columns under ""."""
    numbers: dict[str, list[float]] = {}
    for pair in pairs:
        column, _, text = pair.rpartition("=")
        number = parse_number(text.strip(BLANKS))
        if number is None:
            raise InputError(
                f"Expected --missing NUMBER or COLUMN=NUMBER, found {pair!r}; write the number with a point."
            )
        numbers.setdefault(column, []).append(number)
    return numbers


def _sample(
    table: Table, max_rows: int, seed: int, on_bad_line: OnBadLine | None, quiet: bool
) -> tuple[Chunk, NDArray[np.int64], int]:
    """Return the rows to learn from, the number of each in the table, and how many there were to choose from."""
    reservoir = Reservoir(max_rows, seed)
    with table, ProgressBar("reading", quiet=quiet, delay=1) as bar:
        for chunk in table.chunks(on_bad_line):
            reservoir.add(chunk)
            bar.update(*table.progress, note=counted(reservoir.n_seen, "row"))
    return *reservoir.rows(), reservoir.n_seen


def _decimal_of(sample: Chunk) -> str:
    """Find the decimal mark; between commas it is a point, since a comma may stand between fields or in a list."""
    return "." if sample.form.delimiter == "," else find_decimal(sample.columns)

"""A table through a model, chunk by chunk, with a count of what was odd on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from gandetect import InputError, PValueCounts, Scorer
from gandetect.column import NUMERIC
from gandetect.image_schema import ImageSchema
from gandetect.modality import Modality
from gandetect.readers.values import shown
from gandetect.schema import Schema, table_of
from gandetect_cli.answers import Scored
from gandetect_cli.asking import Asking
from gandetect_cli.source import Table
from gandetect_cli.terminal import BadLines, Reporter, counted, share, unreadable

_DRIFT = "gandetect drift shows which columns have"


@dataclass
class Tally:
    """What happened to the rows of a table."""

    n_rows: int = 0
    n_flagged: int = 0
    n_skipped: int = 0
    n_unreadable: int = 0
    n_missing: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    p_values: PValueCounts = field(default_factory=PValueCounts)
    bad_lines: BadLines = field(default_factory=BadLines)

    def add(self, scored: Scored, n_unreadable: int) -> None:
        """Count a chunk, and its fields that could not be read."""
        self.n_rows += len(scored.rows)
        self.p_values.add(scored.answers["p_value"])
        self.n_flagged += int(scored.answers["is_anomaly"].sum())
        self.n_skipped += scored.chunk.n_rows - len(scored.rows)
        self.n_unreadable += n_unreadable

    def add_values(self, columns: Mapping[str, NDArray[Any]], schema: Schema) -> None:
        """Count missing values, and categories that the model does not know."""
        for column in schema.used:
            values = columns[column.name]
            if column.kind in NUMERIC:
                known = np.isfinite(values)  # the model takes infinities for missing
                self.n_missing += len(values) - int(np.count_nonzero(known))
                continue
            counts = Counter(values.tolist())
            self.n_missing += counts.pop("", 0)
            known = column.summary.get("known")
            if isinstance(known, list):
                known = set(known)
                new = {value: number for value, number in counts.items() if value not in known}
                self.unknown += Counter({column.name: sum(new.values())})
                if new:
                    self.examples.setdefault(column.name, max(new, key=new.__getitem__))

    def report(self, reporter: Reporter, rule: str) -> None:
        """Say what was counted; `rule` says when a row is flagged."""
        reporter.say(summary(self.n_rows, self.n_flagged, "row", rule))
        self.report_unread(reporter)
        if self.n_missing:
            reporter.say(counted(self.n_missing, "missing value"))
        if self.unknown:
            columns = ", ".join(
                f"{name} {number:,} (such as {shown(self.examples[name])})"
                for name, number in self.unknown.most_common()
            )
            unknown = counted(self.unknown.total(), "value")
            reporter.say(f"{unknown} of categories that the model does not know: {columns}")

    def report_unread(self, reporter: Reporter) -> None:
        """Say what could not be read."""
        for sentence in self.bad_lines.sentences():
            reporter.say(sentence)
        if self.n_unreadable:
            reporter.say(unreadable(self.n_unreadable, self.n_skipped))


def summary(n_scored: int, n_flagged: int, noun: str, rule: str) -> str:
    """Say how many rows, or pictures, were scored and flagged; `rule` says when one is flagged."""
    found = counted(n_flagged, "anomaly", "anomalies")
    return f"{counted(n_scored, noun)} scored, {found} ({share(n_flagged, n_scored)}) at {rule}"


def score_table(
    table: Table, scorer: Scorer, outputs: Sequence[str], alpha: float | None, on_error: str, tally: Tally
) -> Iterator[Scored]:
    """Score a table in chunks, and count in `tally`."""
    schema = table_of(scorer.schema)
    asking = Asking(table, schema, on_error, lambda columns: scorer(columns, outputs, alpha))
    for chunk, parsed, answers, lines in asking.answered(tally.bad_lines):
        scored = Scored(chunk, np.flatnonzero(parsed.keep), parsed.columns, answers, lines)
        tally.add(scored, parsed.problems)
        tally.add_values(parsed.columns, schema)
        yield scored


def for_tables(schema: Modality, instead: str) -> Schema:
    """Return the schema of a model for tables; of a model for pictures say what serves instead."""
    if not isinstance(schema, ImageSchema):
        return table_of(schema)
    raise InputError(f"Expected a model for tables, found one for pictures; {instead}.")


class Scoring(Protocol):
    """What ``score`` scores, chunk by chunk: the rows of a table, or pictures as rows.

    Attributes
    ----------
    name : str
        What messages call it.
    schema : Schema
        The columns that the model knows; none for pictures.
    """

    name: str
    schema: Schema

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    @property
    def progress(self) -> tuple[int, int | None]:
        """How much is done, and of how much where that is known."""

    @property
    def n_flagged(self) -> int:
        """How many are flagged so far."""

    def p_values(self) -> Iterator[NDArray[np.float32]]:
        """Go through all of it once, for the p-values only."""

    def scored(self, outputs: Sequence[str], alpha: float | None) -> Iterator[Scored]:
        """Go through all of it, and remember what was odd on the way."""

    def report(self, reporter: Reporter, rule: str) -> None:
        """Say what was found; `rule` says when one is flagged."""


class TableScoring:
    """A table that is scored; see `Scoring`.

    Parameters
    ----------
    table : Table
        Read once for `scored` and once for `p_values`.
    scorer : Scorer
        Of a model for tables.
    on_error : {"fail", "skip", "missing"}
        What a field that cannot be read does.
    """

    def __init__(self, table: Table, scorer: Scorer, on_error: str) -> None:
        self.name = table.name
        self.schema = table_of(scorer.schema)
        self._table, self._scorer, self._on_error = table, scorer, on_error
        self._tally = Tally()

    def __enter__(self) -> Self:
        self._table.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._table.__exit__(kind, error, traceback)

    @property
    def progress(self) -> tuple[int, int | None]:
        """Bytes read so far, and in all where that is known."""
        return self._table.progress

    @property
    def n_flagged(self) -> int:
        """How many rows are flagged so far."""
        return self._tally.n_flagged

    def p_values(self) -> Iterator[NDArray[np.float32]]:
        """Read the table to its end for the p-values only."""
        asking = Asking(self._table, self.schema, self._on_error, lambda columns: self._scorer(columns, ["p_value"]))
        for answered in asking.answered(BadLines()):
            yield answered.answers["p_value"]

    def scored(self, outputs: Sequence[str], alpha: float | None) -> Iterator[Scored]:
        """Score the rows."""
        return score_table(self._table, self._scorer, outputs, alpha, self._on_error, self._tally)

    def report(self, reporter: Reporter, rule: str) -> None:
        """Say what was found, and whether the rows are still like the training rows."""
        self._tally.report(reporter, rule)
        warn_of_change(reporter, self._tally.p_values, self._scorer.manifest)


def warn_of_change(
    reporter: Reporter, counts: PValueCounts, manifest: Mapping[str, Any], of: str = "rows", remedy: str = _DRIFT
) -> None:
    """Warn where so many p-values are small that the rows, or pictures, are hardly like the training ones.

    Twice as many as announced are let pass: p-values from folds are only about as small as announced.
    """
    alpha, n_calibration = manifest["calibration"]["alpha"], manifest["calibration"]["n"]
    n_small = counts.at_most(alpha)
    if counts.chance_of_so_many(2 * alpha, n_calibration) < SURE:
        reporter.warn(
            f"{share(n_small, counts.n_rows)} of the {of} have a p-value of at most {alpha:.4g}, where {of} like the "
            f"training {of} have about {100 * alpha:.4g} %: there are many anomalies, or the data have changed; "
            f"{remedy}."
        )


SURE = 1e-4
"""A warning is right unless something has happened whose chance is smaller than this."""


def flag_rule(scorer: Scorer, alpha: float | None) -> str:
    """Say when a row or picture is flagged."""
    calibration = scorer.manifest["calibration"]
    if alpha is None and calibration["threshold"] is not None:
        return f"the model's own threshold, an anomaly score above {calibration['threshold']:.4g}"
    rate = calibration["alpha"] if alpha is None else alpha
    smallest = 1 / (calibration["n"] + 1)
    unreachable = (
        f", which no {scorer.schema.noun} can reach: no p-value is below {smallest:.3g}" if rate < smallest else ""
    )
    return f"a false-alarm rate of {rate:.4g}{unreachable}"

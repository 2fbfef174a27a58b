"""A table through a model, chunk by chunk, with a count of what was odd on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect import PValueCounts, Scorer
from gandetect.readers.values import parse_columns
from gandetect.schema import NUMERIC, Schema, table_of
from gandetect_cli.answers import Scored
from gandetect_cli.progress import ProgressBar
from gandetect_cli.source import Table
from gandetect_cli.terminal import Reporter, counted, share, unreadable


@dataclass
class Tally:
    """What happened to the rows of a table."""

    rows: int = 0
    flagged: int = 0
    skipped: int = 0
    unreadable: int = 0
    missing: int = 0
    unknown: Counter[str] = field(default_factory=Counter)

    def add(self, scored: Scored, unreadable: int) -> None:
        """Count a chunk."""
        self.rows += len(scored.rows)
        self.flagged += int(scored.answers["is_anomaly"].sum())
        self.skipped += scored.chunk.n_rows - len(scored.rows)
        self.unreadable += unreadable

    def add_values(self, columns: Mapping[str, NDArray[Any]], schema: Schema) -> None:
        """Count missing values, and categories that the model does not know."""
        for column in schema.features:
            values = columns[column.name]
            if column.kind in NUMERIC:
                self.missing += int((~np.isfinite(values)).sum())  # the model takes infinities for missing
                continue
            counts = Counter(values.tolist())
            self.missing += counts.pop("", 0)
            known = column.summary.get("known")
            if isinstance(known, list):
                new = sum(counts[value] for value in counts.keys() - set(known))
                self.unknown += Counter({column.name: new})

    def report(self, reporter: Reporter, rule: str) -> None:
        """Say what was counted; `rule` says when a row is flagged."""
        found = counted(self.flagged, "anomaly", "anomalies")
        reporter.say(f"{counted(self.rows, 'row')} scored, {found} ({share(self.flagged, self.rows)}) at {rule}")
        if self.unreadable:
            reporter.say(unreadable(self.unreadable, self.skipped))
        if self.missing:
            reporter.say(counted(self.missing, "missing value"))
        if self.unknown:
            columns = ", ".join(f"{name} {number:,}" for name, number in self.unknown.most_common())
            unknown = counted(self.unknown.total(), "value")
            reporter.say(f"{unknown} of categories that the model does not know: {columns}")


def score_table(
    table: Table, scorer: Scorer, outputs: Sequence[str], alpha: float | None, on_error: str, tally: Tally
) -> Iterator[Scored]:
    """Score a table in chunks, and count in `tally`."""
    schema = table_of(scorer.schema)
    for chunk in table.chunks():
        parsed = parse_columns(chunk.columns, chunk.lines, schema, on_error=on_error, name=table.name)
        answers = scorer(parsed.columns, outputs, alpha)
        scored = Scored(chunk, np.flatnonzero(parsed.keep), parsed.columns, answers)
        tally.add(scored, parsed.problems)
        tally.add_values(parsed.columns, schema)
        yield scored


def count_p_values(table: Table, scorer: Scorer, on_error: str, bar: ProgressBar) -> PValueCounts:
    """Read a table to its end, and count how often each p-value occurs."""
    counts, schema = PValueCounts(), table_of(scorer.schema)
    for chunk in table.chunks():
        parsed = parse_columns(chunk.columns, chunk.lines, schema, on_error=on_error, name=table.name)
        counts.add(scorer(parsed.columns, ["p_value"])["p_value"])
        bar.update(*table.progress)
    return counts


def flag_rule(manifest: Mapping[str, Any], alpha: float | None) -> str:
    """Say when a row is flagged."""
    calibration = manifest.get("calibration", {})
    if alpha is None and calibration.get("threshold") is not None:
        return f"the model's own threshold, an anomaly score above {calibration['threshold']:.4g}"
    rate = calibration.get("alpha") if alpha is None else alpha
    return "the model's own rule" if rate is None else f"a false-alarm rate of {rate:.4g}"

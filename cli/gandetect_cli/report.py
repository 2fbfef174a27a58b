"""``gandetect report``: one HTML page about a model and what it says of new rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import gandetect
from gandetect import ReportRows, Scorer
from gandetect.schema import table_of
from gandetect_cli import options
from gandetect_cli.answers import Scored
from gandetect_cli.labels import (
    are_anomalies,
    labels_of,
    learned_anomalies,
    refuse_learned_label,
    require_label_column,
)
from gandetect_cli.output import open_output, require_other_files, require_writable
from gandetect_cli.progress import ProgressBar
from gandetect_cli.scoring import Tally, flag_rule, for_tables, score_table
from gandetect_cli.source import Table
from gandetect_cli.terminal import Reporter, counted

HELP = {
    "report": """\
\b
Examples:
  gandetect report gandetect.onnx -o report.html
  gandetect report gandetect.onnx new.csv -o report.html
  gandetect report gandetect.onnx labelled.csv --label-column label -o report.html

Write one HTML page, without scripts and without a network: what the model learned from and how, its scores, and of new
rows (scored already or not) the most anomalous ones with their reasons, drift, and with labels how good the model is.
"""
}


@dataclass
class _NewRows:
    """New rows, scored: what the page tells of them, what was odd on the way, their labels, and old flags."""

    rows: ReportRows
    tally: Tally = field(default_factory=Tally)
    labels: list[str] = field(default_factory=list)
    n_otherwise: int = 0

    def add(self, scored: Scored, name: str, label_column: str | None) -> None:
        """Take a chunk; count the rows that were flagged otherwise when they were scored."""
        chunk = scored.chunk
        self.rows.add(scored.columns, scored.answers, [chunk.lines[row] for row in scored.rows.tolist()])
        if label_column is not None:
            require_label_column(chunk.names, label_column, name)
            self.labels += chunk.columns[label_column][scored.rows].tolist()
        if _FLAG in chunk.names:
            flags = chunk.columns[_FLAG][scored.rows]
            known = np.isin(flags, ["true", "false"])
            self.n_otherwise += int((known & ((flags == "true") != scored.answers["is_anomaly"])).sum())

    def report(self, reporter: Reporter, rule: str) -> None:
        """Say what was found; `rule` says when a row is flagged."""
        self.tally.report(reporter, rule)
        if self.n_otherwise:
            reporter.warn(
                f"{counted(self.n_otherwise, 'row')} flagged otherwise than the column {_FLAG!r} says; pass the "
                "--false-alarm-rate that they were scored with, or after --fdr the p-value up to which score flagged."
            )


def report(
    model: options.RequiredModel,
    data: options.OptionalData = None,
    output: options.ReportOutput = "report.html",
    alpha: options.Alpha = None,
    top: options.TopRows = 20,
    label_column: options.ReportLabels = None,
    anomaly: options.Anomaly = None,
    on_error: options.OnError = "fail",
    delimiter: options.Delimiter = None,
    threads: options.Threads = 1,
    quiet: options.Quiet = False,
) -> None:
    """Write an HTML page about a model and new rows."""
    _require_complete(data, label_column, anomaly)
    require_other_files([output], [data, model])
    if output != "-":
        require_writable(output)
    scorer, reporter = Scorer(model, threads=threads), Reporter(quiet)
    schema = for_tables(
        scorer.schema, "gandetect inspect says what it learned, score --heatmaps FOLDER draws what it finds"
    )
    title, rows, is_anomaly = Path(model).name, None, None
    if data is not None:
        with Table(data, delimiter) as source:
            new = _scored(source, scorer, alpha, top, label_column, on_error, quiet=quiet)
        title, rows = f"{title}: {Path(source.name).name}", new.rows
        if label_column is not None:
            anomaly = anomaly or learned_anomalies(schema, label_column)
            is_anomaly = _compared(new.labels, anomaly, label_column, source.name)
        new.report(reporter, flag_rule(scorer, alpha))
    page = gandetect.render_report(scorer, rows, title=title, alpha=alpha, is_anomaly=is_anomaly)
    with open_output(output) as write:
        write(page.encode("utf-8", "backslashreplace"))
    if output != "-":
        reporter.say(f"wrote {output}")


def _require_complete(data: str | None, label_column: str | None, anomaly: list[str] | None) -> None:
    """Refuse options that mean something, or can be followed, only together with what is not there."""
    if label_column is not None and data is None:
        raise gandetect.InputError("Expected rows to compare with --label-column, found none; name their file.")
    if anomaly and label_column is None:
        raise gandetect.InputError("Expected --label-column COLUMN with --anomaly, found none; say where labels stand.")
    if label_column is not None:
        _ = gandetect.evaluate_scores  # what is not installed is missed before the work, not after it


def _scored(
    source: Table,
    scorer: Scorer,
    alpha: float | None,
    top: int,
    label_column: str | None,
    on_error: str,
    *,
    quiet: bool,
) -> _NewRows:
    """Score new rows."""
    if label_column is not None:
        refuse_learned_label(table_of(scorer.schema), label_column)
    new = _NewRows(ReportRows(scorer, n_top=top))
    with ProgressBar("scoring", quiet=quiet, delay=1) as bar:
        for scored in score_table(source, scorer, list(new.rows.outputs), alpha, on_error, new.tally):
            new.add(scored, source.name, label_column)
            bar.update(*source.progress)
    return new


_FLAG = "is_anomaly"
"""The column with the flags of rows that are scored already."""


def _compared(texts: list[str], anomaly: list[str], label_column: str, name: str) -> NDArray[np.bool_]:
    """Tell which rows are anomalies; every row needs a label."""
    labels = labels_of(texts)
    if "" in labels:
        raise gandetect.InputError(
            f"{name}: expected a label in every row of column {label_column!r}, found rows without one; leave them out."
        )
    return are_anomalies(labels, anomaly, label_column, name)

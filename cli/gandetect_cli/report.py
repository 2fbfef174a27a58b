"""``gandetect report``: one HTML page about a model and what it says of new rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import gandetect
from gandetect import ReportRows, Scorer
from gandetect.readers.values import BLANKS
from gandetect.schema import table_of
from gandetect_cli import options
from gandetect_cli.answers import Scored
from gandetect_cli.evaluate import are_anomalies, learned_anomalies, refuse_learned_label, require_label_column
from gandetect_cli.output import open_output, require_other_files, require_writable
from gandetect_cli.progress import ProgressBar
from gandetect_cli.scoring import Tally, flag_rule, score_table
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


def report(
    model: options.RequiredModel,
    data: options.OptionalData = None,
    output: options.ReportOutput = "report.html",
    alpha: options.Alpha = None,
    top: options.TopRows = 20,
    label_column: options.LabelColumn = None,
    anomaly: options.Anomaly = None,
    on_error: options.OnError = "fail",
    delimiter: options.Delimiter = None,
    threads: options.Threads = 1,
    quiet: options.Quiet = False,
) -> None:
    """Write an HTML page about a model and new rows."""
    if label_column is not None and data is None:
        raise gandetect.InputError("Expected rows to compare with --label-column, found none; name their file.")
    require_other_files([output], [data, model])
    if output != "-":
        require_writable(output)
    scorer, reporter = Scorer(model, threads=threads), Reporter(quiet)
    title, rows, is_anomaly = Path(model).name, None, None
    if data is not None:
        if label_column is not None:
            refuse_learned_label(table_of(scorer.schema), label_column)
        rows, tally = ReportRows(scorer, n_top=top), Tally()
        with Table(data, delimiter) as source, ProgressBar("scoring", quiet=quiet, delay=1) as bar:
            chunks = score_table(source, scorer, list(rows.outputs), alpha, on_error, tally)
            labels, n_otherwise = _collect(chunks, rows, source, label_column, bar)
        title = f"{title}: {Path(source.name).name}"
        is_anomaly = None
        if label_column is not None:
            known = anomaly or learned_anomalies(table_of(scorer.schema), label_column)
            is_anomaly = _labels(labels, known, label_column, source.name)
        tally.report(reporter, flag_rule(scorer.manifest, alpha))
        if n_otherwise:
            reporter.warn(
                f"{counted(n_otherwise, 'row')} flagged otherwise than the column {_FLAG!r} says; pass the "
                "--false-alarm-rate that they were scored with, or after --fdr the p-value up to which score flagged."
            )
    page = gandetect.render_report(scorer, rows, title=title, alpha=alpha, is_anomaly=is_anomaly)
    with open_output(output) as write:
        write(page.encode("utf-8", "backslashreplace"))
    if output != "-":
        reporter.say(f"wrote {output}")


def _collect(
    chunks: Iterable[Scored], rows: ReportRows, source: Table, label_column: str | None, bar: ProgressBar
) -> tuple[list[str], int]:
    """Take scored rows into `rows`; return their labels, and how many were flagged otherwise when they were scored."""
    labels: list[str] = []
    n_otherwise = 0
    for scored in chunks:
        rows.add(scored.columns, scored.answers, [scored.chunk.lines[row] for row in scored.rows.tolist()])
        if label_column is not None:
            require_label_column(scored.chunk.names, label_column, source.name)
            labels += [text.strip(BLANKS) for text in scored.chunk.columns[label_column][scored.rows].tolist()]
        if _FLAG in scored.chunk.names:
            flags = scored.chunk.columns[_FLAG][scored.rows]
            known = np.isin(flags, ["true", "false"])
            n_otherwise += int((known & ((flags == "true") != scored.answers["is_anomaly"])).sum())
        bar.update(*source.progress)
    return labels, n_otherwise


_FLAG = "is_anomaly"
"""The column with the flags of rows that are scored already."""


def _labels(labels: list[str], anomaly: list[str], label_column: str, name: str) -> NDArray[np.bool_]:
    """Tell which rows are anomalies; every row needs a label."""
    if "" in labels:
        raise gandetect.InputError(
            f"{name}: expected a label in every row of column {label_column!r}, found rows without one; leave them out."
        )
    return are_anomalies(np.array(labels, dtype=object), anomaly, label_column, name)

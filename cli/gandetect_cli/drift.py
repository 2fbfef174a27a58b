"""``gandetect drift``: whether new rows are still like those that a model was trained on."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from gandetect import Drift, DriftMonitor, Scorer
from gandetect.wording import plain
from gandetect_cli import options
from gandetect_cli.exit_codes import FOUND
from gandetect_cli.output import emit
from gandetect_cli.progress import ProgressBar
from gandetect_cli.scoring import Tally, for_tables, score_table
from gandetect_cli.source import Table
from gandetect_cli.terminal import Reporter, counted, table

HELP = {
    "drift": """\
\b
Examples:
  gandetect drift new.csv
  gandetect drift new.csv --fail-on-drift || echo retrain
  gandetect drift new.csv --json | jq .columns[0]

Compare new rows with what a model file remembers of its training rows (shares in bins, no rows). A column's shift is
the share of its rows that would have to move for both to be alike; it has drifted if the shift is larger than chance
and than --tolerance. Too many small p-values are drift as well. Exit code 3 says that --fail-on-drift found some.
"""
}


def drift(
    data: options.Data,
    model: options.Model = options.MODEL_FILE,
    tolerance: options.Tolerance = 0.1,
    on_error: options.OnError = "fail",
    delimiter: options.Delimiter = None,
    as_json: options.Json = False,
    fail_on_drift: options.FailOnDrift = False,
    threads: options.Threads = 1,
    quiet: options.Quiet = False,
) -> None:
    """Compare new rows with the training rows."""
    scorer = Scorer(model, threads=threads)
    for_tables(scorer.schema, "gandetect score warns where too many pictures have small p-values")
    monitor, tally = DriftMonitor(scorer), Tally()
    with Table(data, delimiter) as source, ProgressBar("comparing", quiet=quiet, delay=1) as bar:
        for scored in score_table(source, scorer, ["p_value", "is_anomaly"], None, on_error, tally):
            monitor.add(scored.columns, scored.answers["p_value"])
            bar.update(*source.progress)
    tally.report_unread(Reporter(quiet))
    found = monitor.result(tolerance)
    emit(json.dumps(asdict(found) | {"drifted": found.drifted}) + "\n" if as_json else _text(found))
    if fail_on_drift and found.drifted:
        raise typer.Exit(FOUND)


def _text(found: Drift) -> str:
    drifted = [column.column for column in found.columns if column.drifted]
    lines = [
        f"{counted(found.n_rows, 'row')}, drift in {len(drifted)} of {counted(len(found.columns), 'column')}",
        f"p-values up to {found.alpha:.4g}: {100 * found.flagged:.1f} % of the rows, {100 * found.alpha:.4g} % "
        f"expected: {'drift' if found.too_many_flagged else 'not surely more than twice as many'}",
    ]
    rows = [
        (column.column, f"{column.shift:.3f}", f"{column.by_chance:.3f}", "drift" if column.drifted else "", change)
        for column in found.columns
        for change in [f"{column.gained}; {column.lost}" if column.drifted else ""]
    ]
    head = "".join(f"{plain(line)}\n" for line in lines)
    return head + "\n" + table(("column", "shift", "by chance", "", "largest changes"), rows)

"""``gandetect fit``: a table of normal rows, or a folder of normal pictures, in; one model file out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

import gandetect
from gandetect_cli import options
from gandetect_cli.fit_pictures import learn_pictures
from gandetect_cli.learning import contamination_of, emit_summary, learn, require_output
from gandetect_cli.output import is_inside
from gandetect_cli.pictures import are_pictures
from gandetect_cli.source import Table
from gandetect_cli.stopping import unbroken
from gandetect_cli.terminal import Reporter
from gandetect_cli.training_table import TrainingTable, read_training_table

HELP = {
    "fit": """\
\b
Examples:
  gandetect fit normal.csv
  gandetect fit normal.csv -o pumps.onnx --drop comment --kind zone=category
  gandetect fit all.csv.gz --label-column fault --seed 1
  gandetect fit all.csv --known-anomalies fault=yes
  gandetect fit sales.csv --given region,hour
  zcat normal.csv.gz | gandetect fit - --quiet
  gandetect fit large.csv --effort high --resume
  gandetect fit photos/ --sheet training.png
  gandetect fit products/ --given folder
  gandetect fit photos/ --backbone resnet18

Learn what normal rows or pictures look like and write one model file. DATA is a table, or for pictures a folder (flat,
or with train/good as in MVTec AD), an array file (.npy, .npz), or a list of names (.txt, or - for standard input). The
kinds of the columns are found from their values; ids, free text and empty columns are left out, and named. A run that
is interrupted leaves a file FILE.checkpoint, from which the same command with --resume goes on.
"""
}


def fit(
    context: typer.Context,
    data: options.Data,
    output: options.ModelOutput = options.MODEL_FILE,
    label_column: options.UnusedLabel = None,
    known_anomalies: options.KnownAnomalies = None,
    kind: options.Kinds = None,
    drop: options.Drop = None,
    columns: options.Columns = None,
    given: options.Given = None,
    delimiter: options.Delimiter = None,
    decimal: options.Decimal = None,
    missing: options.Missing = None,
    on_error: options.OnError = "fail",
    seed: options.Seed = 0,
    effort: options.Effort = "default",
    loss: options.Loss = "logistic",
    contamination: options.Contamination = "auto",
    detector: options.Detector = "auto",
    backbone: options.Backbone = None,
    sheet: options.Sheet = None,
    steps: options.Steps = None,
    max_rows: options.MaxRows = 1_000_000,
    resume: options.Resume = False,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Learn what normal rows or pictures look like and write one model file."""
    arguments = {"seed": seed, "contamination": contamination_of(contamination), "device": device, "resume": resume}
    settings: dict[str, Any] = {"effort": effort, "loss": loss, "n_steps": steps}
    require_output(output, data, sheet=sheet, backbone=backbone, resume=resume, as_json=as_json)
    if are_pictures(data):
        _require_sheet_elsewhere(sheet, data)
        options.refuse_others(context, "pictures")
        settings |= {"detector": detector, "backbone": backbone}
        learn_pictures(data, given, output, sheet, settings | arguments, quiet=quiet, as_json=as_json)
        return
    options.refuse_others(context, "tables")
    table = read_training_table(
        Table(data, delimiter),
        max_rows=max_rows,
        seed=seed,
        known_anomalies=known_anomalies or [],
        label=label_column,
        kinds=kind or [],
        drop=drop or [],
        only=columns,
        given=given,
        decimal=decimal,
        missing=missing or [],
        on_error=on_error,
        quiet=quiet,
    )
    reporter = Reporter(quiet)
    table.report(reporter)
    model = learn(_fitting(table, settings, reporter), output, arguments, "NEW.csv", reporter, quiet=quiet)
    if as_json:
        emit_summary(model, output, _about(table, model), reporter)


def _require_sheet_elsewhere(sheet: str | None, data: str) -> None:
    if sheet is not None and is_inside(sheet, data):
        raise gandetect.InputError(
            f"Expected a sheet that is not among the pictures, found {sheet!r} in {data!r}; name a file elsewhere."
        )


def _fitting(table: TrainingTable, settings: dict[str, Any], reporter: Reporter) -> Callable[..., bytes]:
    """Return what fits the table, and says what it left out."""
    with unbroken():  # an import that was cut short would look like a broken installation
        fit_table, chosen = gandetect.fit_table, gandetect.TableSettings.of_effort(**settings)
    known = table.rows(known=True) if table.known.any() else None

    def fit_and_report(**arguments: Any) -> bytes:
        model = fit_table(table.rows(known=False), table.schema, settings=chosen, known_anomalies=known, **arguments)
        _report_trimmed(gandetect.read_model(model)[1]["training"], reporter)
        return model

    return fit_and_report


def _report_trimmed(training: dict[str, Any], reporter: Reporter) -> None:
    """Say which rows were not learned from."""
    columns = training["trimmed_columns"]
    if columns:
        names = ", ".join(map(repr, sorted(columns, key=lambda name: (-columns[name], name))))
        reporter.warn(
            f"trimmed {100 * training['trimmed_share']:.2g} % of the rows: numbers in {names} lie far beyond all "
            "others; rows like these will be flagged"
        )


def _about(table: TrainingTable, model: bytes) -> dict[str, Any]:
    """Return what the table held, as JSON values."""
    n_learned = gandetect.read_model(model)[1]["training"]["n_rows"]
    return {
        "rows": {
            "read": table.n_seen,
            "learned": n_learned,
            "trimmed": table.n_rows - n_learned,
            "known_anomalies": int(table.known.sum()),
            "empty": table.n_empty,
            "skipped": table.n_skipped,
        },
        "unreadable_fields": table.n_unreadable,
        "columns": [
            {"name": column.name, "kind": column.kind, "role": column.role, "reason": column.reason}
            for column in table.schema.columns
        ],
    }

"""``gandetect fit``: a table of normal rows, or a folder of normal pictures, in; one model file out."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

import gandetect
from gandetect.modality import MIN_ROWS
from gandetect.readers.kinds import find_schema
from gandetect.readers.number_forms import find_decimal
from gandetect.readers.tables import Chunk
from gandetect.readers.values import Parsed, parse_columns
from gandetect.schema import Role, Schema
from gandetect_cli import options
from gandetect_cli.doubts import doubts
from gandetect_cli.fit_pictures import learn_pictures
from gandetect_cli.labels import labels_of
from gandetect_cli.learning import contamination_of, learn, require_output
from gandetect_cli.output import emit
from gandetect_cli.pictures import are_pictures
from gandetect_cli.progress import ProgressBar
from gandetect_cli.reservoir import Reservoir
from gandetect_cli.source import Table
from gandetect_cli.stopping import unbroken
from gandetect_cli.terminal import Reporter, counted, unreadable

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


@dataclass(frozen=True)
class _Lesson:
    """What is learned from: the schema, the raw columns, and where the rows come from."""

    name: str
    schema: Schema
    parsed: Parsed
    sample: Chunk
    n_seen: int
    known: NDArray[np.bool_]

    @property
    def n_rows(self) -> int:
        return int((~self.known).sum())

    def rows(self, *, known: bool) -> dict[str, NDArray[Any]]:
        """Return the raw columns of the known anomalies, or of all other rows."""
        return {name: values[self.known == known] for name, values in self.parsed.columns.items()}


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
    require_output(output, data, resume=resume, as_json=as_json)
    if are_pictures(data):
        _require_sheet_elsewhere(sheet, data)
        options.refuse_others(context, "pictures")
        settings |= {"detector": detector, "backbone": backbone}
        learn_pictures(data, given, output, sheet, settings | arguments, quiet=quiet, as_json=as_json)
        return
    options.refuse_others(context, "tables")
    label_column, labels = _known_labels(known_anomalies or [], label_column)
    kinds = _kinds(kind or [])
    sample, n_seen = _read(data, delimiter, max_rows, seed, quiet)
    name = "<stdin>" if data == "-" else data
    schema = find_schema(
        sample.columns,
        sample.lines,
        kinds=kinds,
        drop=drop or [],
        only=None if columns is None else next(csv.reader([columns])),
        label=label_column,
        given=() if given is None else next(csv.reader([given])),
        decimal=decimal or _decimal_of(sample),
        on_error=on_error,
        name=name,
    )
    parsed = parse_columns(sample.columns, sample.lines, schema, on_error=on_error, name=name)
    known = _known_rows(sample, parsed, label_column, labels)
    schema = schema.with_known_anomalies(labels) if labels else schema
    lesson, reporter = _Lesson(name, schema, parsed, sample, n_seen, known), Reporter(quiet)
    _require_rows(lesson)
    _report_data(lesson, reporter)
    model = learn(_fitting(lesson, settings, reporter), output, arguments, "NEW.csv", reporter, quiet=quiet)
    if as_json:
        emit(json.dumps(_summary(lesson, model, output, reporter), ensure_ascii=False) + "\n")


def _require_sheet_elsewhere(sheet: str | None, data: str) -> None:
    if sheet is not None and Path(sheet).resolve().is_relative_to(Path(data).resolve()):
        raise gandetect.InputError(
            f"Expected a sheet that is not among the pictures, found {sheet!r} in {data!r}; name a file elsewhere."
        )


def _known_labels(pairs: list[str], label_column: str | None) -> tuple[str | None, set[str]]:
    """Split ``COLUMN=LABEL``; return the column and the labels."""
    columns: set[str] = set()
    labels: set[str] = set()
    for pair in pairs:
        column, _, label = pair.partition("=")
        columns.add(column)
        labels.update(labels_of([label]).tolist())
        if not column or "" in labels:
            raise gandetect.InputError(f"Expected --known-anomalies COLUMN=LABEL, found {pair!r}; name both.")
    named = columns | ({label_column} if label_column is not None else set())
    if len(named) > 1:
        raise gandetect.InputError(
            f"Expected one column of labels, found {', '.join(map(repr, sorted(named)))}; name one of them only."
        )
    return (named.pop() if named else None), labels


def _known_rows(sample: Chunk, parsed: Parsed, label_column: str | None, labels: set[str]) -> NDArray[np.bool_]:
    """Return which of the rows that are kept are known anomalies."""
    if label_column is None or not labels:
        return np.zeros(int(parsed.keep.sum()), dtype=bool)
    found = labels_of(sample.columns[label_column][parsed.keep])
    if missing := sorted(labels.difference(found.tolist())):
        raise gandetect.InputError(
            f"Expected rows with the label {', '.join(map(repr, missing))} in {label_column!r}, found none; "
            "correct --known-anomalies or leave it out."
        )
    return np.isin(found, sorted(labels))


def _kinds(pairs: list[str]) -> dict[str, str]:
    """Split ``COLUMN=KIND``; a column's name may hold an equals sign, a kind does not."""
    kinds = {}
    for pair in pairs:
        column, mark, kind = pair.rpartition("=")
        if not mark:
            raise gandetect.InputError(f"Expected --kind COLUMN=KIND, found {pair!r}; write the column's name first.")
        kinds[column] = kind
    return kinds


def _read(data: str, delimiter: str | None, max_rows: int, seed: int, quiet: bool) -> tuple[Chunk, int]:
    """Return the rows to learn from and how many there were to choose from."""
    reservoir = Reservoir(max_rows, seed)
    with Table(data, delimiter) as table, ProgressBar("reading", quiet=quiet, delay=1) as bar:
        for chunk in table.chunks():
            reservoir.add(chunk)
            bar.update(*table.progress, note=counted(reservoir.n_seen, "row"))
    return reservoir.rows(), reservoir.n_seen


def _decimal_of(sample: Chunk) -> str:
    """Find the decimal mark; between commas it is a point, since a comma may stand between fields or in a list."""
    return "." if sample.form.delimiter == "," else find_decimal(sample.columns)


def _require_rows(lesson: _Lesson) -> None:
    if lesson.n_rows < MIN_ROWS:
        raise gandetect.InputError(
            f"{lesson.name}: expected at least {MIN_ROWS} rows to fit, found {lesson.n_rows}; add normal rows."
        )


def _report_data(lesson: _Lesson, reporter: Reporter) -> None:
    """Say what is learned from and what is not."""
    chosen = "" if lesson.n_seen == lesson.sample.n_rows else f", chosen at random from {lesson.n_seen:,}"
    features = lesson.schema.features
    kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(column.kind for column in features).items())
    reporter.say(f"{lesson.name}: learning from {counted(lesson.n_rows, 'row')}{chosen}")
    reporter.say(f"{counted(len(features), 'column')}: {kinds}")
    if any(column.decimal == "," for column in features):
        reporter.say("numbers have a decimal comma")
    if lesson.known.any():
        reporter.say(f"{counted(int(lesson.known.sum()), 'known anomaly', 'known anomalies')} to learn from")
    for column in lesson.schema.columns:
        if column.role is Role.GIVEN:
            reporter.say(f"given {column.name!r}: rows are judged among their like")
        elif column.role is Role.LEFT_OUT:
            reporter.say(f"left out {column.name!r}: {column.reason}")
        elif column.role is Role.LABEL and lesson.known.any():
            reporter.say(f"left out {column.name!r}: the label; every other row is taken as normal")
        elif column.role is Role.LABEL:
            reporter.say(f"left out {column.name!r}: the label, not used for learning; every row is taken as normal")
    _warn(lesson, reporter)


def _warn(lesson: _Lesson, reporter: Reporter) -> None:
    parsed = lesson.parsed
    if parsed.problems:
        reporter.warn(unreadable(parsed.problems, lesson.sample.n_rows - len(lesson.known)))
    for column in lesson.schema.columns:
        if column.role is not Role.LABEL:
            continue
        labels = set(labels_of(lesson.sample.columns[column.name][parsed.keep][~lesson.known]).tolist())
        if len(labels) > 1:
            reporter.warn(
                f"{column.name!r} holds {len(labels)} different labels: anomalies among the training rows are learned "
                "as normal, so leave them out if you can"
            )
    rows = lesson.rows(known=False)
    for sentence in doubts({column.name: rows[column.name] for column in lesson.schema.features}, lesson.n_rows):
        reporter.warn(sentence)


def _fitting(lesson: _Lesson, settings: dict[str, Any], reporter: Reporter) -> Callable[..., bytes]:
    """Return what fits the table, and says what it left out."""
    with unbroken():  # an import that was cut short would look like a broken installation
        fit_table, chosen = gandetect.fit_table, gandetect.TableSettings.of_effort(**settings)
    known = lesson.rows(known=True) if lesson.known.any() else None

    def fit_and_report(**arguments: Any) -> bytes:
        model = fit_table(lesson.rows(known=False), lesson.schema, settings=chosen, known_anomalies=known, **arguments)
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


def _summary(lesson: _Lesson, model: bytes, output: str, reporter: Reporter) -> dict[str, Any]:
    """Return what the command did, as JSON values."""
    _, manifest = gandetect.read_model(model)
    return {
        "model": output,
        "bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "rows": {
            "read": lesson.n_seen,
            "learned": manifest["training"]["n_rows"],
            "trimmed": lesson.n_rows - manifest["training"]["n_rows"],
            "known_anomalies": int(lesson.known.sum()),
            "skipped": lesson.sample.n_rows - len(lesson.known),
        },
        "unreadable_fields": lesson.parsed.problems,
        "columns": [
            {"name": column.name, "kind": column.kind, "role": column.role, "reason": column.reason}
            for column in lesson.schema.columns
        ],
        "warnings": reporter.warnings,
        "training": manifest["training"],
        "calibration": manifest["calibration"],
        "health": manifest["health"],
    }

"""``gandetect evaluate``: how good a model is, against a column of labels."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import gandetect
from gandetect.readers.values import BLANKS
from gandetect.schema import Role, Schema, quoted, table_of
from gandetect_cli import options
from gandetect_cli.output import emit
from gandetect_cli.scoring import Tally, flag_rule, score_table
from gandetect_cli.source import Table
from gandetect_cli.terminal import Reporter, counted, plain, share, table

if TYPE_CHECKING:
    from gandetect import Evaluation

HELP = {
    "evaluate": """\
\b
Examples:
  gandetect evaluate labelled.csv --label-column label
  gandetect evaluate labelled.csv --label-column state --anomaly broken --anomaly worn
  gandetect evaluate labelled.csv --label-column label --json

Compare a model's answers with labels: AUROC, average precision, and what each false-alarm rate would bring.
"""
}

ANOMALY_WORDS = frozenset({"1", "1.0", "true", "t", "yes", "y", "anomaly", "anomalous", "abnormal", "outlier"})
"""Labels, in lower case, that mean an anomaly when the caller does not say which do."""

NORMAL_WORDS = frozenset({"0", "0.0", "false", "f", "no", "n", "normal", "inlier"})
"""Labels, in lower case, that mean a normal row when the caller does not say otherwise."""


@dataclass
class _Answers:
    """Answers and labels of all rows, chunk by chunk."""

    labels: list[str] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    p_values: list[NDArray[np.float32]] = field(default_factory=list)
    flags: list[NDArray[np.bool_]] = field(default_factory=list)


def evaluate(
    data: options.Data,
    label_column: options.LabelColumn,
    anomaly: options.Anomaly = None,
    model: options.Model = options.MODEL_FILE,
    on_error: options.OnError = "fail",
    delimiter: options.Delimiter = None,
    threads: options.Threads = 1,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Compare a model's answers with a column of labels."""
    evaluate_scores = gandetect.evaluate_scores  # what is not installed is missed before the work, not after it
    scorer = gandetect.Scorer(model, threads=threads)
    _refuse_learned_label(table_of(scorer.schema), label_column)
    tally, answers = Tally(), _Answers()
    with Table(data, delimiter) as source:
        _collect(source, scorer, label_column, on_error, tally, answers)
    labels = np.array([label.strip(BLANKS) for label in answers.labels], dtype=object)
    labelled = labels != ""
    is_anomaly = _are_anomalies(labels[labelled], anomaly or [], label_column, source.name)
    scores, p_values, flags = (
        np.concatenate(parts)[labelled] for parts in (answers.scores, answers.p_values, answers.flags)
    )
    result = evaluate_scores(scores, p_values, is_anomaly)
    reporter = Reporter(quiet)
    rule = flag_rule(scorer.manifest, None)
    tally.report(reporter, rule)
    if not labelled.all():
        reporter.say(f"{counted(int((~labelled).sum()), 'row')} without a label left out")
    n_false = int((flags & ~is_anomaly).sum())
    emit(_json(result, n_false) if as_json else _text(result, n_false, rule))


def _refuse_learned_label(schema: Schema, label_column: str) -> None:
    if any(column.name == label_column and column.role is Role.FEATURE for column in schema.columns):
        raise gandetect.InputError(
            f"Expected a model that has not learned from the label column, found {label_column!r} among its features; "
            f"fit again with --label-column {label_column!r}."
        )


def _collect(
    source: Table, scorer: gandetect.Scorer, label_column: str, on_error: str, tally: Tally, answers: _Answers
) -> None:
    for scored in score_table(source, scorer, ["anomaly_score", "p_value", "is_anomaly"], None, on_error, tally):
        if label_column not in scored.chunk.columns:
            raise gandetect.InputError(
                f"{source.name}: expected the label column {label_column!r}, found only {quoted(scored.chunk.names)}; "
                "name another one."
            )
        answers.labels += scored.chunk.columns[label_column][scored.rows].tolist()
        answers.scores.append(scored.answers["anomaly_score"])
        answers.p_values.append(scored.answers["p_value"])
        answers.flags.append(scored.answers["is_anomaly"])


def _are_anomalies(labels: NDArray[Any], anomaly: list[str], label_column: str, name: str) -> NDArray[np.bool_]:
    """Tell which labels mean an anomaly; refuse to guess."""
    found = [label for label, _ in Counter(labels.tolist()).most_common()]
    absent = [label for label in anomaly if label not in found]
    if absent:
        raise gandetect.InputError(
            f"{name}: expected the label {absent[0]!r} in column {label_column!r}, found only {quoted(found)}; "
            "pass another --anomaly."
        )
    unclear = [label for label in found if label.lower() not in ANOMALY_WORDS | NORMAL_WORDS]
    if unclear and not anomaly:
        raise gandetect.InputError(
            f"{name}: expected labels like 1/0, yes/no or anomaly/normal in column {label_column!r}, found "
            f"{quoted(unclear)}; say which mean an anomaly with --anomaly."
        )
    chosen = set(anomaly) or {label for label in found if label.lower() in ANOMALY_WORDS}
    return np.fromiter((label in chosen for label in labels), np.bool_, len(labels))


def _json(result: Evaluation, n_false: int) -> str:
    n_normal = result.n_rows - result.n_anomalies
    summary = asdict(result) | {"flagged_among_normal": n_false / n_normal}
    return json.dumps(summary, allow_nan=False) + "\n"


def _text(result: Evaluation, n_false: int, rule: str) -> str:
    n_normal = result.n_rows - result.n_anomalies
    lines = [
        f"{counted(result.n_rows, 'row')}, {counted(result.n_anomalies, 'anomaly', 'anomalies')} among them",
        f"AUROC              {result.auroc:.4f}",
        f"average precision  {result.average_precision:.4f}",
        f"normal rows flagged at {rule}: {n_false:,} of {n_normal:,} ({share(n_false, n_normal)})",
    ]
    header = ("false-alarm rate", "rows flagged", "anomalies found", "precision", "recall")
    rows = [
        (
            f"{threshold.alpha:g}",
            f"{threshold.n_alarms:,}",
            f"{threshold.n_hits:,}",
            "-" if threshold.precision is None else f"{threshold.precision:.3f}",
            f"{threshold.recall:.3f}",
        )
        for threshold in result.thresholds
    ]
    return "".join(f"{plain(line)}\n" for line in lines) + "\n" + table(header, rows)

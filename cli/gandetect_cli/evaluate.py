"""``gandetect evaluate``: how good a model is, against labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import gandetect
from gandetect.image_schema import ImageSchema
from gandetect.readers.values import BLANKS
from gandetect.schema import KNOWN_ANOMALIES, Role, Schema, quoted, table_of
from gandetect_cli import options
from gandetect_cli.comparison import summary_lines, threshold_lines
from gandetect_cli.evaluate_pictures import evaluate_pictures
from gandetect_cli.output import emit
from gandetect_cli.scoring import Tally, flag_rule, score_table
from gandetect_cli.source import Table
from gandetect_cli.terminal import Reporter, counted, plain

if TYPE_CHECKING:
    from gandetect import Evaluation

HELP = {
    "evaluate": """\
\b
Examples:
  gandetect evaluate labelled.csv --label-column label
  gandetect evaluate labelled.csv --label-column state --anomaly broken --anomaly worn
  gandetect evaluate labelled.csv        (the label column that the model was fitted with)
  gandetect evaluate labelled.csv --label-column label --json
  gandetect evaluate bottles/

Compare a model's answers with labels: AUROC and average precision with 95 % intervals (DeLong's; of 500 bootstrap
samples), and what each false-alarm rate would bring. Pictures have their folders for labels, good for normal ones
(bottles/test/good, bottles/test/crack, ...); where there are masks (bottles/ground_truth/crack/NAME_mask.png), pixels
are compared, too.
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
    data: options.LabelledData,
    label_column: options.LabelColumn = None,
    anomaly: options.Anomaly = None,
    model: options.Model = options.MODEL_FILE,
    on_error: options.OnError = "fail",
    delimiter: options.Delimiter = None,
    threads: options.Threads = 1,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Compare a model's answers with labels: a column of a table, or the folders of pictures."""
    scorer, reporter = gandetect.Scorer(model, threads=threads), Reporter(quiet)
    if isinstance(scorer.schema, ImageSchema):
        if label_column or anomaly:
            raise gandetect.InputError(
                "Expected no --label-column and no --anomaly with a model for pictures, found one; leave it out: the "
                "folders' names are the labels."
            )
        text, json_text = evaluate_pictures(data, scorer, scorer.schema, reporter)
    else:
        label_column = label_column or learned_label_column(table_of(scorer.schema))
        with Table(data, delimiter) as source:
            text, json_text = _evaluate_table(source, scorer, label_column, anomaly or [], on_error, reporter)
    emit(json_text if as_json else text)


def _evaluate_table(
    source: Table, scorer: gandetect.Scorer, label_column: str, anomaly: list[str], on_error: str, reporter: Reporter
) -> tuple[str, str]:
    """Score a table and compare the answers with a column of it; return the comparison as text and as JSON."""
    evaluate_scores = gandetect.evaluate_scores  # what is not installed is missed before the work, not after it
    schema = table_of(scorer.schema)
    refuse_learned_label(schema, label_column)
    tally, answers = Tally(), _Answers()
    _collect(source, scorer, label_column, on_error, tally, answers)
    labels = np.array([label.strip(BLANKS) for label in answers.labels], dtype=object)
    labelled = labels != ""
    anomaly = anomaly or learned_anomalies(schema, label_column)
    is_anomaly = are_anomalies(labels[labelled], anomaly, label_column, source.name)
    scores, p_values, flags = (
        np.concatenate(parts)[labelled] for parts in (answers.scores, answers.p_values, answers.flags)
    )
    result = evaluate_scores(scores, p_values, is_anomaly)
    rule = flag_rule(scorer.manifest, None)
    tally.report(reporter, rule)
    if not labelled.all():
        reporter.say(f"{counted(int((~labelled).sum()), 'row')} without a label left out")
    n_false = int((flags & ~is_anomaly).sum())
    return _text(result, n_false, rule), _json(result, n_false)


def learned_label_column(schema: Schema) -> str:
    """Return the column of labels that was kept away from learning."""
    for column in schema.columns:
        if column.role is Role.LABEL:
            return column.name
    raise gandetect.InputError(
        "Expected --label-column COLUMN with a model that was fitted without labels, found none; add it."
    )


def learned_anomalies(schema: Schema, label_column: str) -> list[str]:
    """Return the labels of the known anomalies that the model learned from, if this column held them."""
    held = [column.summary.get(KNOWN_ANOMALIES, []) for column in schema.columns if column.name == label_column]
    return [label for labels in held for label in labels]


def require_label_column(found: Sequence[str], label_column: str, name: str) -> None:
    """Refuse a table without the column of labels."""
    if label_column not in found:
        raise gandetect.InputError(
            f"{name}: expected the label column {label_column!r}, found only {quoted(found)}; name another one."
        )


def refuse_learned_label(schema: Schema, label_column: str) -> None:
    """Refuse a model that knows the labels."""
    if any(column.name == label_column and column.role in (Role.FEATURE, Role.GIVEN) for column in schema.columns):
        raise gandetect.InputError(
            f"Expected a model that has not learned from the label column, found {label_column!r} among its features; "
            f"fit again with --label-column {label_column!r}."
        )


def _collect(
    source: Table, scorer: gandetect.Scorer, label_column: str, on_error: str, tally: Tally, answers: _Answers
) -> None:
    for scored in score_table(source, scorer, ["anomaly_score", "p_value", "is_anomaly"], None, on_error, tally):
        require_label_column(scored.chunk.names, label_column, source.name)
        answers.labels += scored.chunk.columns[label_column][scored.rows].tolist()
        answers.scores.append(scored.answers["anomaly_score"])
        answers.p_values.append(scored.answers["p_value"])
        answers.flags.append(scored.answers["is_anomaly"])


def are_anomalies(labels: NDArray[Any], anomaly: list[str], label_column: str, name: str) -> NDArray[np.bool_]:
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
    lines = summary_lines(result, n_false, rule)
    return "".join(f"{plain(line)}\n" for line in lines) + "\n" + threshold_lines(result)

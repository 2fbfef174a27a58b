"""``gandetect evaluate``: how good a model is, against labels."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import typer
from numpy.typing import NDArray

import gandetect
from gandetect.image_schema import ImageSchema
from gandetect.modality import VERDICT
from gandetect.schema import table_of
from gandetect.wording import plain
from gandetect_cli import options
from gandetect_cli.comparison import summary_lines, threshold_lines
from gandetect_cli.evaluate_pictures import evaluate_pictures
from gandetect_cli.labels import (
    are_anomalies,
    labels_of,
    learned_anomalies,
    learned_label_column,
    refuse_learned_label,
    require_label_column,
)
from gandetect_cli.output import emit
from gandetect_cli.scoring import Tally, flag_rule, score_table
from gandetect_cli.source import Table
from gandetect_cli.terminal import Reporter, counted

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


@dataclass
class _Answers:
    """Answers and labels of all rows, chunk by chunk."""

    labels: list[str] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    p_values: list[NDArray[np.float32]] = field(default_factory=list)
    flags: list[NDArray[np.bool_]] = field(default_factory=list)


def evaluate(
    context: typer.Context,
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
        options.refuse_others(context, "pictures")
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
    labels = labels_of(answers.labels)
    labelled = labels != ""
    anomaly = anomaly or learned_anomalies(schema, label_column)
    is_anomaly = are_anomalies(labels[labelled], anomaly, label_column, source.name)
    if is_anomaly.all() and not labelled.all():
        raise gandetect.InputError(
            f"{source.name}: expected labels of normal rows, too, in column {label_column!r}, found "
            f"{counted(int((~labelled).sum()), 'row')} without a label, which may be either; write one, such as normal."
        )
    scores, p_values, flags = (
        np.concatenate(parts)[labelled] for parts in (answers.scores, answers.p_values, answers.flags)
    )
    result = evaluate_scores(scores, p_values, is_anomaly)
    rule = flag_rule(scorer, None)
    tally.report(reporter, rule)
    if not labelled.all():
        reporter.say(f"{counted(int((~labelled).sum()), 'row')} without a label left out")
    n_false = int((flags & ~is_anomaly).sum())
    return _text(result, n_false, rule), _json(result, n_false)


def _collect(
    source: Table, scorer: gandetect.Scorer, label_column: str, on_error: str, tally: Tally, answers: _Answers
) -> None:
    for scored in score_table(source, scorer, VERDICT, None, on_error, tally):
        require_label_column(scored.chunk.names, label_column, source.name)
        answers.labels += scored.chunk.columns[label_column][scored.rows].tolist()
        answers.scores.append(scored.answers["anomaly_score"])
        answers.p_values.append(scored.answers["p_value"])
        answers.flags.append(scored.answers["is_anomaly"])


def _json(result: Evaluation, n_false: int) -> str:
    n_normal = result.n_rows - result.n_anomalies
    summary = asdict(result) | {"flagged_among_normal": n_false / n_normal}
    return json.dumps(summary, allow_nan=False) + "\n"


def _text(result: Evaluation, n_false: int, rule: str) -> str:
    lines = summary_lines(result, n_false, rule)
    return "".join(f"{plain(line)}\n" for line in lines) + "\n" + threshold_lines(result)

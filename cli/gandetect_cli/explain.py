"""``gandetect explain``: why rows are anomalous, in words or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from gandetect import Explanation, Scorer
from gandetect import explain as explain_rows
from gandetect.column import Column, Kind
from gandetect.explanation import MAX_REPAIRS
from gandetect.modality import VERDICT
from gandetect.wording import plain, time_in_words, value_in_words
from gandetect_cli import options
from gandetect_cli.answers import Scored
from gandetect_cli.output import open_output, require_other_files
from gandetect_cli.progress import ProgressBar
from gandetect_cli.scoring import Tally, flag_rule, for_tables, score_table
from gandetect_cli.source import Table
from gandetect_cli.terminal import Reporter

HELP = {
    "explain": """\
\b
Examples:
  gandetect explain new.csv
  gandetect explain new.csv --top 5 --false-alarm-rate 0.001
  gandetect explain new.csv --all --json | jq .reasons

Say of every flagged row which columns are most to blame, what the generator expected there given all other columns,
and the smallest set of changes found that would make the row normal. Columns to blame that hold what was expected are
passed over where others are to blame.
"""
}

Say = Callable[[Explanation, int, int, int], str]
"""From an explanation, a row in it, the line that it stands on, and how many columns to name, to text."""


def explain(
    data: options.Data,
    model: options.Model = options.MODEL_FILE,
    output: options.DataOutput = "-",
    alpha: options.Alpha = None,
    top: options.Top = 3,
    every_row: options.EveryRow = False,
    on_error: options.OnError = "fail",
    delimiter: options.Delimiter = None,
    as_json: options.JsonLines = False,
    threads: options.Threads = 1,
    quiet: options.Quiet = False,
) -> None:
    """Say why rows are anomalous."""
    require_other_files([output], [data, model])
    scorer, tally = Scorer(model, threads=threads), Tally()
    for_tables(scorer.schema, "gandetect score --heatmaps FOLDER draws where pictures are anomalous")
    say: Say = _json if as_json else _text
    with (
        Table(data, delimiter, allow_empty=True) as table,
        open_output(output) as write,
        ProgressBar("explaining", quiet=quiet, delay=1) as bar,
    ):
        for scored in score_table(table, scorer, ["p_value", "is_anomaly"], alpha, on_error, tally):
            told = scored if every_row else scored.only(scored.answers["is_anomaly"])
            if len(told.rows):
                explanation = explain_rows(scorer, told.columns, alpha)
                write("".join(say(explanation, row, line, top) for row, line in enumerate(_lines(told))).encode())
            bar.update(*table.progress)
    tally.report(Reporter(quiet), flag_rule(scorer, alpha))


def _lines(scored: Scored) -> list[int]:
    """Return the lines of the file that rows stand on."""
    return [scored.chunk.lines[row] for row in scored.rows.tolist()]


def _text(explanation: Explanation, row: int, line: int, top: int) -> str:
    answers = explanation.answers
    flagged = answers["is_anomaly"][row]
    score, p_value = answers["anomaly_score"][row], answers["p_value"][row]
    said = [f"line {line}: {'anomaly' if flagged else 'normal'}, score {score:.4g}, p-value {p_value:.3g}"]
    said += [
        f"  {100 * explanation.blame[row, feature]:3.0f} %  {explanation.reason(row, feature)}"
        for feature in explanation.to_name(row, top)
    ]
    if flagged:
        said.append(f"  {_repair_in_words(explanation, row)}")
    return "".join(f"{plain(text)}\n" for text in said)


def _repair_in_words(explanation: Explanation, row: int) -> str:
    repair = explanation.repair(row)
    if not repair:
        return f"no change of up to {MAX_REPAIRS} columns that was tried makes it normal"
    changes = (f"{name} {value_in_words(explanation.schema[name], value)}" for name, value in repair.items())
    return f"would be normal with {', '.join(changes)}"


def _json(explanation: Explanation, row: int, line: int, top: int) -> str:
    schema, answers = explanation.schema, explanation.answers
    told = {"line": line} | {name: answers[name][row].item() for name in VERDICT}
    reasons = [
        {
            "column": schema.features[feature].name,
            "share": round(float(explanation.blame[row, feature]), 4),
            "expected": _json_value(schema.features[feature], explanation.expected_of(row, feature)),
            "reason": explanation.reason(row, feature),
        }
        for feature in explanation.to_name(row, top)
    ]
    repair = {name: _json_value(schema[name], value) for name, value in explanation.repair(row).items()}
    return json.dumps(told | {"reasons": reasons, "repair": repair}, ensure_ascii=False) + "\n"


def _json_value(column: Column, value: Any) -> Any:
    return time_in_words(value) if column.kind is Kind.TIME else value

"""From a model and what it says of new rows to the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gandetect.arguments import require_text, require_type
from gandetect.column import Column
from gandetect.distribution import Distribution
from gandetect.drift import Drift
from gandetect.errors import MissingExtraError, ModelFileError
from gandetect.explaining import explain
from gandetect.report.charts import HEIGHT, WIDTH, Bars, Line, column_bars, curve, over_time, score_bars
from gandetect.report.rows import ReportRows
from gandetect.schema import Schema
from gandetect.scorer import Scorer, require_alpha, table_scored_by
from gandetect.wording import missing_in_words, plain, training_in_words, value_in_words, verdicts

if TYPE_CHECKING:
    from gandetect.evaluation import Evaluation

MAX_COLUMNS = 60
"""Columns that are drawn and described; of more, those that have drifted most."""

MAX_GENERATED = 6
"""Generated rows that are shown."""

N_REASONS = 3
"""Reasons that are given for each row."""


@dataclass(frozen=True)
class Suspect:
    """One of the most anomalous rows: where it stands, its answers, the reasons, and what would make it normal."""

    line: int
    score: float
    p_value: float
    is_anomaly: bool
    reasons: list[tuple[float, str]]
    repair: list[str]


@dataclass(frozen=True)
class Labelled:
    """New rows compared with labels."""

    evaluation: Evaluation
    roc: Line
    precision_recall: Line


def render_report(
    scorer: Scorer,
    rows: ReportRows | None = None,
    *,
    title: str = "",
    alpha: float | None = None,
    is_anomaly: NDArray[np.bool_] | None = None,
) -> str:
    """Render one self-contained HTML page.

    Parameters
    ----------
    scorer : Scorer
        The model, for tables.
    rows : ReportRows, optional
        New rows; without them the page is about the model alone.
    title : str
        What the page is called.
    alpha : float, optional
        The false-alarm rate at which the rows were flagged; the model file's own rule without it.
    is_anomaly : array of bool of shape (n_rows,), optional
        Labels of the new rows.

    Returns
    -------
    str
        HTML without scripts, which loads nothing.

    Raises
    ------
    InputError
        `scorer` is not a `Scorer`, its model is not for tables, `rows` are not `ReportRows`, `title` is not text, or
        the labels are all the same.
    MissingExtraError
        jinja2 is not installed, or with labels scikit-learn or scipy.
    """
    schema, manifest = table_scored_by(scorer), scorer.manifest
    require_type("new rows as ReportRows", rows, (ReportRows, NoneType), "add them to ReportRows(scorer)")
    require_text("a title as text", title)
    if alpha is not None:
        require_alpha(alpha)
    labelled = _labelled(rows, is_anomaly) if rows is not None and is_anomaly is not None else None
    drift = rows.monitor.result() if rows is not None and rows.n_rows else None
    shown, certificate = _shown(schema, drift), manifest.get("certificate", {})
    page: str = _page().render(
        title=title or "gandetect",
        manifest=manifest,
        width=WIDTH,
        height=HEIGHT,
        features=[(column, missing_in_words(column), training_in_words(column)) for column in shown],
        n_columns=len(schema.used),
        left_out=[column for column in schema.columns if column not in schema.used][:MAX_COLUMNS],
        rows=rows,
        drift=drift,
        training=_training(manifest),
        scores=_scores(manifest, rows, alpha),
        certificate=certificate,
        verdicts=verdicts(certificate),
        suspects=_suspects(scorer, rows, alpha) if rows is not None else [],
        columns=_columns(shown, rows, drift),
        labelled=labelled,
        generated=_generated(scorer, shown),
    )
    return page.lstrip()


def _page() -> Any:
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtraError(
            "Expected the package jinja2 to write a report, found none; "
            "install it with: pip install 'gandetect[report]'"
        ) from error

    def finalize(value: Any) -> Any:
        return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    source = files("gandetect.report").joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, finalize=finalize, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source)


def _shown(schema: Schema, drift: Drift | None) -> list[Column]:
    """Return the columns to show: those that have drifted most first, if there are new rows."""
    if drift is None:
        return list(schema.used[:MAX_COLUMNS])
    return [schema[column.column] for column in drift.columns[:MAX_COLUMNS]]


def _training(manifest: Mapping[str, Any]) -> list[Line]:
    health = manifest["health"]
    curves = {"training": "real rows", "generated": "generated rows"}
    sources = {"training": "realness_real", "generated": "realness_generated"}
    return [
        over_time(kind, label, health[sources[kind]]) for kind, label in curves.items() if health.get(sources[kind])
    ]


def _scores(manifest: Mapping[str, Any], rows: ReportRows | None, alpha: float | None) -> Bars | None:
    """Draw the scores; the threshold that is marked is the one that flagged the rows."""
    calibration = manifest["calibration"]
    percentiles = calibration.get("percentiles")
    if not percentiles:
        return None
    new = rows.scores.astype(np.float64) if rows is not None else np.empty(0)
    critical = calibration["threshold"] if calibration["threshold"] is not None else calibration["critical_score"]
    if alpha is not None:
        critical = _critical(rows, alpha) if rows is not None else math.inf
    return score_bars(percentiles, new, critical)


def _critical(rows: ReportRows, alpha: float) -> float:
    """Return the smallest score of a row with a p-value of at most `alpha`."""
    flagged = rows.scores[rows.p_values <= np.float32(alpha)]
    return float(flagged.min(initial=math.inf))


def _suspects(scorer: Scorer, rows: ReportRows, alpha: float | None) -> list[Suspect]:
    columns, lines = rows.top
    if not lines:
        return []
    explanation = explain(scorer, columns, alpha)
    answers, schema = explanation.answers, explanation.schema
    return [
        Suspect(
            line=line,
            score=float(answers["anomaly_score"][row]),
            p_value=float(answers["p_value"][row]),
            is_anomaly=bool(answers["is_anomaly"][row]),
            reasons=[
                (float(explanation.blame[row, feature]), explanation.reason(row, feature))
                for feature in explanation.to_name(row, N_REASONS)
            ],
            repair=[f"{name} {value_in_words(schema[name], value)}" for name, value in explanation.repair(row).items()],
        )
        for row, line in enumerate(lines)
    ]


def _columns(shown: Sequence[Column], rows: ReportRows | None, drift: Drift | None) -> list[dict[str, Any]]:
    found = {column.column: column for column in drift.columns} if drift else {}
    return [
        {
            "name": column.name,
            "bars": column_bars(Distribution.of(column), rows.monitor.counts[column.name] if rows else None),
            "drift": found.get(column.name),
        }
        for column in shown
    ]


def _labelled(rows: ReportRows, is_anomaly: NDArray[np.bool_]) -> Labelled:
    try:
        from gandetect.evaluation import curves, evaluate_scores
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"Expected the package {error.name} to compare with labels, found none; "
            "install it with: pip install 'gandetect[train]'"
        ) from error
    evaluation, points = evaluate_scores(rows.scores, rows.p_values, is_anomaly), curves(rows.scores, is_anomaly)
    return Labelled(
        evaluation,
        curve("new", "ROC", points["roc"]),
        curve("new", "precision and recall", points["precision_recall"]),
    )


def _generated(scorer: Scorer, shown: Sequence[Column]) -> list[tuple[str, list[str]]]:
    """Return generated rows, column by column: those of the golden rows that a generator made."""
    try:
        columns, _ = scorer.golden_rows()
    except ModelFileError:
        return []
    made = np.flatnonzero(~np.any([_are_hard(values) for values in columns.values()], axis=0))[:MAX_GENERATED]
    return [
        (column.name, [value_in_words(column, value) for value in columns[column.name][made].tolist()])
        for column in shown
        if len(made)
    ]


def _are_hard(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell missing, huge and unheard of values, which test a machine and come from no generator."""
    if values.dtype == object:
        return np.array([not text or text.startswith("\u2400") for text in values], dtype=bool)
    return np.asarray(np.isnan(values) | (np.abs(values) >= 1e30))

"""Whatever the public names are called with: each answers, or says in one sentence what it expected."""

from pathlib import Path

import numpy as np
import pytest

from gandetect import (
    Column,
    DriftMonitor,
    GandetectError,
    GANDetector,
    ImageGANDetector,
    InputError,
    Kind,
    PixelEvaluator,
    PValueCounts,
    ReportRows,
    Schema,
    Scorer,
    TableSettings,
    anomaly_auroc_scorer,
    evaluate_scores,
    explain,
    export_model,
    fit_images,
    fit_table,
    read_model,
    render_report,
    write_model,
)

MODEL = (Path(__file__).parents[1] / "models" / "machines.onnx").read_bytes()
SCORER = Scorer(MODEL)
COLUMNS, _ = SCORER.golden_rows()
ANSWERS = SCORER(COLUMNS, ReportRows.outputs)
N_ROWS = len(ANSWERS["p_value"])
LABELS = np.arange(N_ROWS) % 2 == 0
TABLE = {"a": np.arange(20.0), "b": np.arange(20.0) % 7}
SCHEMA = Schema((Column("a", Kind.NUMBER), Column("b", Kind.NUMBER)))
IMAGES = np.arange(16 * 64, dtype=np.uint8).reshape(16, 8, 8, 1)


class Undecided:
    """Finds all rows alike."""

    def score_samples(self, X):
        return np.zeros(N_ROWS)


def counted():
    counts = PValueCounts()
    counts.add(ANSWERS["p_value"])
    return counts


def gathered():
    rows = ReportRows(SCORER)
    rows.add(COLUMNS, ANSWERS, range(N_ROWS))
    return rows


EXPLANATION, ROWS = explain(SCORER, COLUMNS), gathered()
CALLS = {
    "Scorer": (Scorer, {"model": MODEL, "threads": 1}),
    "scoring": (SCORER, {"raw": COLUMNS, "outputs": None, "alpha": None}),
    "explain": (explain, {"scorer": SCORER, "columns": COLUMNS, "alpha": None}),
    "reason": (EXPLANATION.reason, {"row": 0, "feature": 0}),
    "reasons": (EXPLANATION.reasons, {"row": 0, "at_most": 3}),
    "to_name": (EXPLANATION.to_name, {"row": 0, "at_most": 3}),
    "most_to_blame": (EXPLANATION.most_to_blame, {"row": 0, "at_most": 3}),
    "expected_of": (EXPLANATION.expected_of, {"row": 0, "feature": 0}),
    "repair": (EXPLANATION.repair, {"row": 0}),
    "read_model": (read_model, {"source": MODEL}),
    "write_model": (write_model, {"model": MODEL, "path": "model.onnx"}),
    "evaluate_scores": (
        evaluate_scores,
        {"scores": ANSWERS["anomaly_score"], "p_values": ANSWERS["p_value"], "is_anomaly": LABELS, "alphas": (0.1,)},
    ),
    "anomaly_auroc_scorer": (
        anomaly_auroc_scorer,
        {"estimator": Undecided(), "X": np.eye(N_ROWS), "y": LABELS},
    ),
    "Column": (
        Column,
        {"name": "a", "kind": "number", "role": "feature", "reason": "", "time_format": "", "decimal": "."}
        | {"grouping": "", "prefix": "", "suffix": "", "missing": (), "summary": {}},
    ),
    "Schema": (Schema, {"columns": SCHEMA.columns}),
    "with_given": (SCHEMA.with_given, {"names": ["a"]}),
    "DriftMonitor": (DriftMonitor, {"scorer": SCORER}),
    "DriftMonitor.add": (DriftMonitor(SCORER).add, {"columns": COLUMNS, "p_values": ANSWERS["p_value"]}),
    "DriftMonitor.result": (ROWS.monitor.result, {"tolerance": 0.1}),
    "PValueCounts.add": (PValueCounts().add, {"p_values": ANSWERS["p_value"]}),
    "at_most": (counted().at_most, {"alpha": 0.1}),
    "discovery_limit": (counted().discovery_limit, {"rate": 0.1}),
    "fewest_discoveries": (counted().fewest_discoveries, {"rate": 0.1, "n_calibration": 100}),
    "chance_of_so_many": (counted().chance_of_so_many, {"alpha": 0.1, "n_calibration": 100}),
    "PixelEvaluator": (PixelEvaluator().add, {"heatmap": np.eye(4), "mask": np.eye(4)}),
    "ReportRows": (ReportRows, {"scorer": SCORER, "n_top": 20}),
    "ReportRows.add": (ReportRows(SCORER).add, {"columns": COLUMNS, "answers": ANSWERS, "lines": range(N_ROWS)}),
    "render_report": (
        render_report,
        {"scorer": SCORER, "rows": ROWS, "title": "", "alpha": None, "is_anomaly": LABELS},
    ),
    "export_model": (
        export_model,
        {"model": MODEL, "storage": "fp16", "distill": False, "core": False, "seed": 0, "callback": None},
    ),
    "TableSettings": (lambda **settings: TableSettings(**settings).checked(), vars(TableSettings())),
    "fit_table": (
        fit_table,
        {"columns": TABLE, "schema": SCHEMA, "settings": None, "seed": 0, "contamination": "auto", "named": True}
        | {"device": "cpu", "known_anomalies": None, "callback": None, "checkpoint": None, "resume": False},
    ),
    "fit_images": (
        fit_images,
        {"images": IMAGES, "folders": None, "detector": "auto", "backbone": None, "effort": "low", "loss": "hinge"}
        | {"n_members": 2, "n_steps": 1, "seed": 0, "contamination": "auto", "image_shape": None}
        | {"feature_names": None, "device": "cpu", "callback": None, "imagined": None, "checkpoint": None}
        | {"resume": False},
    ),
    "GANDetector": (lambda **settings: GANDetector(**settings).fit(np.eye(20)), GANDetector().get_params()),
    "GANDetector.fit": (GANDetector(use_labels=True).fit, {"X": np.eye(20), "y": np.arange(20) == 0, "callback": None}),
    "GANDetector.load": (GANDetector.load, {"path": MODEL}),
    "ImageGANDetector": (
        lambda **settings: ImageGANDetector(**settings).fit(IMAGES),
        ImageGANDetector().get_params(),
    ),
    "ImageGANDetector.fit": (ImageGANDetector().fit, {"X": IMAGES, "callback": None}),
}
ACCEPTED_BY_SKLEARN = ("random_state", "X")  # whose own errors scikit-learn's users know


class AcceptedError(Exception):
    """All arguments passed their checks, and the work would begin."""


@pytest.fixture
def idle(monkeypatch, tmp_path):
    """Let no call work for long, nor write but where nothing stays."""

    def accept(*_, **__):
        raise AcceptedError

    monkeypatch.chdir(tmp_path)
    for work in ("tables.fitting.train_ensemble", "images.fitting.train_ensemble", "export.variants.Source"):
        monkeypatch.setattr(f"gandetect.{work}", accept)


def outcome(call, arguments):
    """Return what is raised, if anything."""
    try:
        call(**arguments)
    except (AcceptedError, GandetectError, ValueError) as error:
        return error


@pytest.mark.parametrize("name", CALLS)
def test_what_is_documented_is_taken(name, idle):
    assert not isinstance(outcome(*CALLS[name]), ValueError)


@pytest.mark.parametrize("value", [5, None, "x", np.array([]), "\udcff"], ids=["int", "None", "str", "array", "bytes"])
@pytest.mark.parametrize(("name", "argument"), [(name, one) for name, (_, good) in CALLS.items() for one in good])
def test_any_argument_is_taken_or_refused_in_one_sentence(name, argument, value, idle):
    call, good = CALLS[name]
    error = outcome(call, good | {argument: value})
    if isinstance(error, GandetectError):
        assert any(start in str(error) for start in ("Expected ", "Cannot ", ": expected "))
        assert "\n" not in str(error)
    elif isinstance(error, ValueError):
        assert argument in ACCEPTED_BY_SKLEARN


def test_the_type_is_named_of_what_would_take_many_words():
    with pytest.raises(InputError, match=r"^Expected a Scorer, found ndarray; pass Scorer\('model.onnx'\)\.$"):
        explain(np.zeros((100, 100)), COLUMNS)
    with pytest.raises(InputError, match=r"^Expected a Scorer, found 'model.onnx'; pass Scorer\('model.onnx'\)\.$"):
        explain("model.onnx", COLUMNS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Scorer(5), "Expected the path of a model file or its bytes, found 5; pass one of both."),
        (
            lambda: GANDetector.load(None),
            "Expected the path of a model file or its bytes, found None; pass one of both.",
        ),
        (
            lambda: write_model("model.onnx", "other.onnx"),
            "Expected the bytes of a model file, found 'model.onnx'; pass what fit_table, fit_images or read_model "
            "returned.",
        ),
        (
            lambda: fit_table(TABLE, SCHEMA, callback=5),
            "Expected callback to be a function, found 5; pass one, or leave it out.",
        ),
        (
            lambda: Column("\udcff", "number"),
            "Expected the name of a column as text in UTF-8, found '\\udcff'; write it with other characters.",
        ),
        (lambda: EXPLANATION.reasons(99), f"Expected row to be a whole number below {N_ROWS}, found 99."),
        (lambda: EXPLANATION.reasons(0, -1), "Expected at_most to be a whole number of at least 0, found -1."),
        (
            lambda: ReportRows(SCORER).add(COLUMNS, {}, range(N_ROWS)),
            f"Expected the answers 'anomaly_score', 'p_value', 'is_anomaly' for each of {N_ROWS} rows, found others; "
            "pass what scorer(columns, ReportRows.outputs) returns.",
        ),
        (
            lambda: anomaly_auroc_scorer("x", TABLE, LABELS),
            "Expected an outlier detector with score_samples, found str; pass a fitted one.",
        ),
    ],
)
def test_the_sentence_says_what_was_expected_found_and_to_be_done(call, message):
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value) == message


def test_negative_positions_count_from_the_end():
    assert EXPLANATION.reasons(-1) == EXPLANATION.reasons(N_ROWS - 1)


def test_one_column_may_be_given_by_its_name_alone():
    assert SCHEMA.with_given("a") == SCHEMA.with_given(["a"])


def test_a_list_of_columns_is_a_schema_too():
    assert Schema(list(SCHEMA.columns)) == SCHEMA


def test_rows_of_which_something_is_wrong_are_not_counted():
    rows = ReportRows(SCORER)
    for answers, lines in ((ANSWERS, range(3)), ({"p_value": ANSWERS["p_value"]}, range(N_ROWS))):
        with pytest.raises(InputError):
            rows.add(COLUMNS, answers, lines)
    assert rows.n_rows == 0
    assert len(rows.scores) == 0

"""The scikit-learn face: its contract, its signs, its frames, and the file behind it."""

import datetime
import io
import os
import pickle
import re
import subprocess
import sys
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gandetect import GANDetector, InputError, Scorer, TableSettings, anomaly_auroc_scorer, fit_table
from gandetect.column import Kind
from gandetect.readers.schemas import find_schema
from gandetect.readers.values import parse_columns
from gandetect.tables.frames import as_frame, find_no_categories, frame_columns, frame_schema

# Most detectors here are trained for a moment only, and are told so.
pytestmark = pytest.mark.filterwarnings("ignore:.*hardly tells samples:sklearn.exceptions.ConvergenceWarning")

QUICK = {"n_steps": 20, "n_members": 2, "width": 8, "depth": 2, "random_state": 0}


def quick(**changes):
    return GANDetector(**QUICK | changes)


def test_a_sick_training_is_warned_about_and_a_good_one_not():
    X = np.random.default_rng(0).normal(size=(200, 3))
    with pytest.warns(ConvergenceWarning, match="^2 of 2 members: the discriminator hardly tells samples from noise"):
        sick = quick(n_steps=1).fit(X)
    assert sick.health_["restarted"] == [0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        well = quick(n_steps=200).fit(X)
    assert well.health_["diagnoses"] == []


# --- few kinds of rows ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", [2, 4, 5])
def test_of_rows_of_few_kinds_no_more_are_flagged_than_announced(seed):
    kinds = np.random.default_rng(seed).integers(0, 12, 600)
    X = np.column_stack([kinds % 4, kinds // 4 * 1.5, kinds % 3])
    detector = quick(n_members=4, width=16, random_state=seed).fit(X)
    p_values = detector.p_value(X)
    for alpha in (0.05, 0.1, 0.2, 0.3, 0.5):
        assert (p_values <= alpha).mean() <= alpha
    assert (detector.predict([[40.0, 0.0, 0.0], [0.0, 0.0, -30.0]]) == -1).all()


# --- a few labels -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clusters():
    """Return normal rows in two clusters, and anomalies between them."""
    random = np.random.default_rng(0)
    normal = random.normal(size=(400, 4)) + np.where(random.random((400, 1)) < 0.5, -2, 2)
    return normal, 0.7 * random.normal(size=(60, 4))


def test_known_anomalies_help_to_find_others_of_their_kind(clusters):
    normal, anomalies = clusters
    X, y = np.concatenate([normal[:300], anomalies[:8]]), np.repeat([0, 1], [300, 8])
    settings = {"n_steps": 200, "width": 32}
    without = quick(**settings).fit(normal[:300])
    informed = quick(**settings, use_labels=True).fit(X, y)
    assert informed.model_ != without.model_
    test, truth = np.concatenate([normal[300:], anomalies[8:]]), np.repeat([0, 1], [100, 52])
    found = [average_precision_score(truth, detector.anomaly_score(test)) for detector in (without, informed)]
    assert found[1] > found[0] + 0.02
    assert (informed.p_value(normal[300:]) <= 0.1).mean() < 0.2


def test_given_columns_are_named_or_counted_and_remembered(tmp_path, frame):
    by_name, by_position = quick(given=iter(["colour"])).fit(frame), quick(given=np.array([2])).fit(frame)
    assert by_name.model_ == by_position.model_ != quick().fit(frame).model_
    assert by_name.explain(frame).blame.shape == (60, 5)
    by_name.save(tmp_path / "detector.onnx")
    loaded = GANDetector.load(tmp_path / "detector.onnx")
    assert loaded.given == (2,)
    assert loaded.n_features_in_ == 6
    np.testing.assert_array_equal(loaded.score_samples(frame), by_name.score_samples(frame))


@pytest.mark.parametrize("given", [["x7"], [3], [-1], [0.5], [None], [("x1",)], np.array([1.0])])
def test_given_columns_that_are_not_there_are_an_error(given):
    with pytest.raises(InputError, match=r"^Expected (given columns out of those|positions of columns from 0 to 2)"):
        quick(given=given).fit(X)


@pytest.mark.parametrize("mask", [[True, False, False], np.array([True, False, False])])
def test_a_mask_of_given_columns_is_refused_with_what_to_pass(mask):
    with pytest.raises(InputError, match=r"^Expected given to hold names .* found a mask; pass numpy\.flatnonzero"):
        quick(given=mask).fit(X)


def test_a_name_alone_is_no_list_of_given_columns():
    with pytest.raises(InputError, match=r"^Expected given to be a list of columns, found 'x1'; pass \['x1'\]\.$"):
        quick(given="x1").fit(X)


def test_labels_are_ignored_unless_asked_for(clusters):
    normal, _ = clusters
    y = np.arange(400) < 20
    assert quick().fit(normal, y).model_ == quick().fit(normal).model_
    assert quick(use_labels=True).fit(normal, np.zeros(400)).model_ == quick().fit(normal).model_


@pytest.mark.parametrize(
    ("y", "found"),
    [
        (None, "none; pass such labels or leave use_labels out."),
        (np.zeros(7), "shape (7,); pass one label for each row."),
        (np.zeros((400, 1)), "shape (400, 1); pass one label for each row."),
        (np.repeat([-1, 1], [20, 380]), "-1, 1; pass y == -1."),
        (np.repeat([0.0, 2.0], 200), "0.0, 2.0; pass y == the value of known anomalies."),
        (np.repeat(["bad", "good"], [20, 380]), "'bad', 'good'; pass y == the value of known anomalies."),
        (np.array([None, 1] * 200, dtype=object), "None, 1; pass y == the value of known anomalies."),
    ],
)
def test_other_labels_are_refused(clusters, y, found):
    expected = "Expected y with use_labels to hold 400 values, 1 = known anomaly and 0 = unlabelled, found "
    with pytest.raises(InputError, match=f"^{re.escape(expected + found)}$"):
        quick(use_labels=True).fit(clusters[0], y)


def test_a_detector_with_labels_survives_its_file(clusters, tmp_path):
    normal, anomalies = clusters
    frame = pd.DataFrame(np.concatenate([normal, anomalies]), columns=list("abcd"))
    detector = quick(use_labels=True).fit(frame, np.repeat([0, 1], [400, 60]))
    detector.save(tmp_path / "m.onnx")
    loaded = GANDetector.load(tmp_path / "m.onnx")
    assert loaded.use_labels
    assert loaded.scorer_.verify() <= 1e-5
    np.testing.assert_array_equal(loaded.anomaly_score(frame), detector.anomaly_score(frame))


@parametrize_with_checks([quick()])
def test_scikit_learns_own_checks_pass(estimator, check, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without it the checks of arrays other than numpy's are skipped
    check(estimator)


X = np.random.default_rng(0).normal(size=(200, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.5], [0, 0, 1]])
FAR = np.array([[9.0, -9.0, 9.0], [50.0, 0.0, 0.0], [-1e6, 1e6, 1e6]])


@pytest.fixture(scope="module")
def detector():
    return quick(n_steps=60).fit(X)


# --- signs and thresholds ---------------------------------------------------------------------------------------------


def test_anomalies_have_low_score_samples_negative_decisions_and_the_label_minus_one(detector):
    assert detector.score_samples(FAR).max() < detector.score_samples(X).min()
    assert (detector.decision_function(FAR) < 0).all()
    np.testing.assert_array_equal(detector.predict(FAR), [-1, -1, -1])
    assert (detector.predict(X) == 1).mean() > 0.8


def test_anomaly_score_and_score_samples_are_opposites(detector):
    np.testing.assert_array_equal(detector.anomaly_score(X), -detector.score_samples(X))


def test_the_sign_is_that_of_the_isolation_forest(detector):
    rows = np.concatenate([X, 3 * X])
    forest = IsolationForest(random_state=0).fit(X)
    assert np.corrcoef(forest.score_samples(rows), detector.score_samples(rows))[0, 1] > 0.5


def test_the_decision_is_the_score_less_the_offset_and_its_sign_is_the_prediction(detector):
    rows = np.concatenate([X, FAR])
    decision = detector.decision_function(rows)
    np.testing.assert_array_equal(decision, detector.score_samples(rows) - detector.offset_)
    np.testing.assert_array_equal(detector.predict(rows), np.where(decision < 0, -1, 1))


@pytest.mark.parametrize("contamination", ["auto", 0.07, 0.25])
def test_predictions_are_the_flags_of_the_file(contamination):
    fitted = quick(contamination=contamination).fit(X)
    rows = np.concatenate([X, FAR, 2 * X])
    flags = fitted.scorer_({f"x{i}": values for i, values in enumerate(rows.T)}, ["is_anomaly"])["is_anomaly"]
    np.testing.assert_array_equal(fitted.predict(rows) == -1, flags)


def test_auto_flags_at_the_critical_score_of_alpha(detector):
    rows = np.concatenate([X, FAR, 2 * X])
    np.testing.assert_array_equal(detector.predict(rows) == -1, detector.p_value(rows) <= np.float32(0.05))
    assert detector.offset_ == -detector.scorer_.manifest["calibration"]["critical_score"]


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.33, 0.5])
def test_a_contamination_is_the_exact_share_of_outliers_among_the_training_rows(contamination):
    fitted = quick(contamination=contamination).fit(X)
    assert (fitted.predict(X) == -1).sum() == round(200 * contamination)


def test_fit_predict_is_fit_and_predict():
    np.testing.assert_array_equal(quick().fit_predict(X), quick().fit(X).predict(X))
    y = np.arange(200) < 20
    labelled = quick(use_labels=True)
    np.testing.assert_array_equal(labelled.fit_predict(X, y), clone(labelled).fit(X, y).predict(X))


def test_fit_predict_takes_what_fit_takes():
    told = []
    quick(n_steps=5).fit_predict(X, callback=told.append)
    assert told


def test_p_values_are_shares_that_fall_with_the_anomaly_score(detector):
    rows = np.concatenate([X, FAR])
    order = np.argsort(detector.anomaly_score(rows))
    p_values = detector.p_value(rows)
    assert (np.diff(p_values[order]) <= 0).all()
    np.testing.assert_allclose(detector.p_value(FAR), 1 / 201, rtol=1e-6)


def test_explanations_share_the_blame_among_the_columns_and_say_why(detector):
    explanation = detector.explain(np.array([[0.0, 0.0, 40.0], [-40.0, 0.0, 0.0]]))
    np.testing.assert_allclose(explanation.blame.sum(axis=1), 1, rtol=1e-5)
    assert list(explanation.blame.argmax(axis=1)) == [2, 0]
    assert explanation.reasons(0)[0].startswith("x2 40, expected about ")


# --- parameters -------------------------------------------------------------------------------------------------------


def test_the_same_random_state_gives_the_same_model_file(detector):
    assert quick(n_steps=60).fit(X).model_ == detector.model_
    assert quick(n_steps=60, random_state=1).fit(X).model_ != detector.model_


def test_a_random_state_instance_moves_on_and_none_is_random():
    first, again = (quick(n_steps=1, random_state=np.random.RandomState(0)).fit(X).model_ for _ in range(2))
    assert first == again
    shared = np.random.RandomState(0)
    assert quick(n_steps=1, random_state=shared).fit(X).model_ != quick(n_steps=1, random_state=shared).fit(X).model_
    assert quick(n_steps=1, random_state=None).fit(X).model_ != quick(n_steps=1, random_state=None).fit(X).model_


def test_every_parameter_reaches_the_model_file():
    changed = {"loss": "hinge", "n_members": 3, "n_steps": 2, "width": 5, "depth": 1}
    settings = quick(**changed).fit(X).scorer_.manifest["training"]["settings"]
    assert {name: settings[name] for name in changed} == changed
    assert settings["generator_width"] == 5


@pytest.mark.parametrize(("effort", "n_members"), [("low", 4), ("high", 8)])
def test_an_effort_decides_what_is_not_given(effort, n_members):
    settings = GANDetector(effort=effort, n_steps=2, random_state=0).fit(X).scorer_.manifest["training"]["settings"]
    assert (settings["effort"], settings["n_steps"], settings["n_members"]) == (effort, 2, n_members)


@pytest.mark.parametrize("name", ["loss", "width", "depth"])
def test_what_no_effort_decides_has_to_be_given(name):
    with pytest.raises(InputError, match=rf"^Expected {name} to be .*, found None\."):
        quick(**{name: None}).fit(X)


def test_more_effort_takes_more_steps():
    low, default, high = (TableSettings.of_effort(effort).n_steps for effort in ("low", "default", "high"))
    assert low < default < high
    assert TableSettings.of_effort("default") == TableSettings()


def test_clones_are_unfitted_and_have_the_same_parameters(detector):
    copy = clone(detector)
    assert copy.get_params() == detector.get_params()
    assert not hasattr(copy, "model_")


def test_fitting_again_forgets_the_first_fit():
    twice = quick().fit(pd.DataFrame(X, columns=["a", "b", "c"])).fit(X[:, :2])
    assert twice.n_features_in_ == 2
    assert not hasattr(twice, "feature_names_in_")
    assert twice.model_ == quick().fit(X[:, :2]).model_


def test_progress_is_told_while_fitting():
    steps = []
    quick(n_steps=5).fit(X, callback=lambda progress: steps.append(progress.step))
    assert steps[:5] == [1, 2, 3, 4, 5]
    assert steps[5:] in ([], [1, 2, 3, 4, 5])  # so few steps leave members sick, which are trained once more


@pytest.mark.parametrize(
    ("name", "value"), [("loss", "x"), ("effort", "x"), ("contamination", 0.9), ("n_members", 1), ("device", "x")]
)
def test_parameters_out_of_range_are_refused_in_fit(name, value):
    with pytest.raises(InputError, match=rf"^Expected .*{name}.*, found {value!r}"):
        quick(**{name: value}).fit(X)


# --- frames -----------------------------------------------------------------------------------------------------------


def mixed_frame(n_rows=60, seed=0):
    random = np.random.default_rng(seed)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.uniform(0, 40, n_rows), unit="D")
    return pd.DataFrame(
        {
            "amount": np.where(random.random(n_rows) < 0.1, np.nan, random.normal(size=n_rows)),
            "count": pd.array(random.integers(0, 9, n_rows), dtype="Int64"),
            "colour": random.choice(["red", "green", "blue"], n_rows),
            "size": pd.Categorical(random.choice(["s", "m"], n_rows)),
            "active": random.random(n_rows) < 0.5,
            "at": pd.DatetimeIndex(when).tz_localize("UTC").round("us"),
        }
    )


@pytest.fixture(scope="module")
def frame():
    return mixed_frame()


@pytest.fixture(scope="module")
def fitted_on_frame(frame):
    return quick().fit(frame)


def test_dtypes_decide_the_kinds(fitted_on_frame):
    kinds = {column.name: column.kind for column in fitted_on_frame.scorer_.schema.columns}
    assert kinds == {
        "amount": Kind.NUMBER,
        "count": Kind.NUMBER,
        "colour": Kind.CATEGORY,
        "size": Kind.CATEGORY,
        "active": Kind.YES_NO,
        "at": Kind.TIME,
    }
    assert list(fitted_on_frame.feature_names_in_) == list(kinds)


@pytest.mark.parametrize("library", [pl.from_pandas, pa.Table.from_pandas])
def test_polars_and_pyarrow_give_the_model_and_the_scores_of_pandas(fitted_on_frame, frame, library):
    assert quick().fit(library(frame)).model_ == fitted_on_frame.model_
    fresh = mixed_frame(seed=1)
    np.testing.assert_array_equal(fitted_on_frame.score_samples(library(fresh)), fitted_on_frame.score_samples(fresh))


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("amount", lambda values: values.astype("Float64")),
        ("amount", lambda values: values.astype(object)),
        ("count", lambda values: values.astype(float)),
        ("count", lambda values: values.astype("int64[pyarrow]")),
        ("colour", lambda values: values.astype("category")),
        ("colour", lambda values: values.astype(object)),
        ("colour", lambda values: values.astype("string")),
        ("active", lambda values: values.astype("boolean")),
        ("active", lambda values: values.astype(object)),
        ("at", lambda values: values.dt.tz_convert("Asia/Tokyo")),
        ("at", lambda values: values.dt.tz_localize(None)),
        ("at", lambda values: values.astype("datetime64[ns, UTC]")),
        ("at", lambda values: values.astype("timestamp[us, tz=UTC][pyarrow]")),
        ("at", lambda values: values.astype(str)),
    ],
)
def test_another_dtype_of_the_same_values_gives_the_same_scores(fitted_on_frame, frame, column, change):
    changed = frame.assign(**{column: change(frame[column])})
    np.testing.assert_array_equal(fitted_on_frame.score_samples(changed), fitted_on_frame.score_samples(frame))


def test_every_way_to_say_missing_is_the_same(fitted_on_frame, frame):
    def scores(**cells):
        row = frame.iloc[:1].astype(object)
        return fitted_on_frame.score_samples(row.assign(**cells))

    for column in frame.columns:
        ways = [None, np.nan, pd.NA, pd.NaT] if column != "count" else [None, np.nan]
        answers = {scores(**{column: [way]}).item() for way in ways}
        assert len(answers) == 1, column
    assert scores(amount=[np.inf]) == scores(amount=[np.nan])


def test_durations_are_numbers_of_seconds(frame):
    seconds = frame.assign(amount=7 * np.arange(60.0) % 60)
    duration = seconds.assign(amount=pd.to_timedelta(seconds["amount"], unit="s"))
    model = quick(n_steps=2).fit(seconds).model_
    assert quick(n_steps=2).fit(duration).model_ == model
    assert quick(n_steps=2).fit(duration.assign(amount=duration["amount"].astype(object))).model_ == model


def text_frame():
    """Make columns of text as `pandas.read_csv` gives them, most of which are no categories."""
    days = pd.date_range("2026-01-01", periods=60, freq="7h")
    return pd.DataFrame(
        {
            "id": [f"ord-1-{i}" for i in range(60)],
            "note": [f"left at door {i}" for i in range(60)],
            "when": days.strftime("%Y-%m-%d %H:%M"),
            "day": [*days[:-1].strftime("%d.%m.%Y"), None],
            "weight": [f"{1.7 * i:.1f} kg" for i in range(60)],
            "share": [f"{1.7 * i:.1f}".replace(".", ",") for i in range(60)],
            "kind": ["a", "b", "c"] * 20,
            "paid": ["yes", "no"] * 30,
            "amount": 7 * np.arange(60.0) % 60,
        }
    )


DOUBTS = """Expected categories in columns of text, found what looks like ids in 'id' (drop them), \
free text in 'note' (drop it), times in 'when', 'day' (convert them with pandas.to_datetime and their format), \
numbers in 'weight', 'share' (take units and separators off and convert them with pandas.to_numeric); \
they are learned as categories"""


def test_text_that_holds_no_categories_is_warned_about_and_learned_all_the_same():
    with pytest.warns(UserWarning, match=f"^{re.escape(DOUBTS)}") as told:
        fitted = quick(n_steps=1).fit(text_frame())
    assert sum(warning.category is UserWarning for warning in told) == 1
    assert {column.name: column.kind for column in fitted.scorer_.schema.columns} == (
        dict.fromkeys(text_frame(), Kind.CATEGORY) | {"amount": Kind.NUMBER}
    )


def test_numbers_among_other_texts_are_warned_about():
    values = [*(np.arange(48) % 12 / 4), *["off", "err"] * 6]
    frame = pd.DataFrame({"a": np.arange(60.0) * 7 % 60, "objects": values, "texts": list(map(str, values))})
    message = (
        r"numbers among other texts in 'objects', 'texts' \(convert them with pandas.to_numeric, errors='coerce'\);"
    )
    with pytest.warns(UserWarning, match=message):
        quick(n_steps=1).fit(frame)
    quick(n_steps=1).fit(frame.astype({"objects": "category", "texts": "category"}))  # a warning would be an error


def test_a_record_array_is_a_frame_of_its_fields(fitted_on_frame, frame):
    records = frame[["amount", "colour"]].to_records(index=False)
    pandas = as_frame(records)
    assert frame_schema(pandas) == frame_schema(frame[["amount", "colour"]])
    masked = np.ma.masked_array([(1.5, 2), (2.5, 3)], [(True, False), (False, False)], [("a", float), ("b", int)])
    pd.testing.assert_frame_equal(as_frame(masked), pd.DataFrame({"a": [np.nan, 2.5], "b": [2, 3]}))
    everything = frame.to_records(index=False)
    np.testing.assert_array_equal(fitted_on_frame.predict(everything), fitted_on_frame.predict(frame))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pl.LazyFrame({"a": X[:, 0]}), "a data frame, found a LazyFrame, which holds no rows yet; pass its collect()."),
        (pl.Series(X[:, 0]), "a data frame, found one column (Series); pass a frame that holds it."),
        (pa.chunked_array([X[:, 0]]), "a data frame, found one column (ChunkedArray); pass a frame that holds it."),
        (np.zeros(9, [("a", float, 2)]), "a record array of one row per record, found more dimensions; pass a data"),
        ([{"a": 1.0}] * 9, "an array of numbers, found dicts; pass pandas.DataFrame(X)."),
        (np.zeros((9, 2), "datetime64[s]"), "an array of numbers, found datetime64[s]; pass a data frame, in which"),
    ],
)
def test_what_holds_no_rows_of_numbers_is_refused_with_what_to_pass(rows, message):
    with pytest.raises(InputError, match=re.escape(f"Expected {message}")):
        quick(n_steps=1).fit(rows)


def test_several_numbers_in_one_text_and_few_with_a_unit_are_warned_about():
    texts = {"pressure": "1{0}/{0}", "took": "{0}h 5m", "day": "{0}/12/2025", "salt": "{1} mmol"}
    numbers = [*range(7, 32)] * 2
    frame = pd.DataFrame({key: [text.format(i, i % 12) for i in numbers] for key, text in texts.items()})
    columns = {key: frame[key].to_numpy(object) for key in frame}
    assert find_no_categories(frame, columns, frame_schema(frame)).startswith(
        "Expected categories in columns of text, found what looks like times in 'day' (convert them with "
        "pandas.to_datetime and their format), numbers in 'salt' (take units and separators off and convert them with "
        "pandas.to_numeric), several numbers in one field in 'pressure' (put each into a column of its own), durations "
        "in 'took' (write them as numbers in one unit, such as minutes); they are learned"
    )


def test_a_column_of_dtype_category_is_not_doubted():
    meant = text_frame().astype(dict.fromkeys(("id", "note", "when", "day", "weight", "share"), "category"))
    quick(n_steps=1).fit(meant)  # a warning would be an error


def test_clocks_counters_and_numbers_for_what_is_missing_are_warned_about_in_data_frames():
    amount = np.random.default_rng(0).normal(size=60)
    frame = pd.DataFrame({"amount": amount, "clock": 1.7e12 + 60_000 * np.arange(60), "left": -np.arange(60.0)})
    with pytest.warns(
        UserWarning, match=r"found 'clock', 'left', in every quarter of the rows mostly beyond all before"
    ):
        quick(n_steps=1).fit(frame)
    marked = frame[["amount"]].assign(weight=np.where(np.arange(60) % 20 == 0, -9999.0, amount))
    with pytest.warns(UserWarning, match="found -9999 again and again in 'weight', far beyond all other numbers there"):
        quick(n_steps=1).fit(marked)
    times = frame.assign(clock=pd.to_datetime(frame["clock"], unit="ms")).drop(columns="left")
    quick(n_steps=1).fit(times)  # a warning would be an error
    quick(n_steps=1, given=["clock", "left"]).fit(frame)
    quick(n_steps=1).fit(frame.to_numpy())


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame])
def test_rows_without_any_value_are_warned_about_and_not_learned_from(form):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    padded = np.insert(rows, [0, 30], np.nan, axis=0)
    with pytest.warns(UserWarning, match="found 2 of 62 without any; they are left out"):
        detector = quick(n_steps=1, random_state=0).fit(form(padded))
    assert detector.model_ == quick(n_steps=1, random_state=0).fit(form(rows)).model_
    assert len(detector.predict(form(padded))) == 62


def test_empty_columns_of_a_data_frame_are_warned_about():
    frame = pd.DataFrame({"amount": np.arange(60.0) % 7, "note": "", "left": np.nan, "when": pd.NaT})
    with pytest.warns(UserWarning, match="found none in 'note', 'left', 'when'; leave out what stays empty"):
        quick(n_steps=1).fit(frame)


@pytest.fixture(scope="module")
def objects():
    """Two frames of the same values: one with the dtypes that say what they are, one of objects."""
    random = np.random.default_rng(0)
    price = random.integers(0, 900, 60) / 4
    price[7] = np.nan
    day = np.datetime64("2024-01-01") + random.integers(0, 500, 60)
    sold = random.random(60) < 0.5
    plain = pd.DataFrame({"price": price, "count": np.arange(60) % 7, "day": day, "sold": sold})
    decimals = [None if np.isnan(value) else Decimal(value) for value in price]
    values = {"price": decimals, "count": list(np.arange(60) % 7), "day": day.tolist(), "sold": sold.tolist()}
    return plain, pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in values.items()})


@pytest.mark.parametrize("library", [lambda frame: frame, pa.Table.from_pandas, pl.from_pandas])
def test_objects_are_the_numbers_times_and_booleans_that_they_hold(objects, library):
    plain, held = objects
    fitted = quick(n_steps=2).fit(library(held))
    assert [column.kind for column in fitted.scorer_.schema.columns] == [
        *(Kind.NUMBER, Kind.NUMBER, Kind.TIME, Kind.YES_NO)
    ]
    np.testing.assert_array_equal(fitted.score_samples(library(held)), quick(n_steps=2).fit(plain).score_samples(plain))


def test_an_array_of_objects_is_scored_as_the_frame_of_them(objects):
    numbered = objects[1].set_axis(range(4), axis=1)
    fitted = quick(n_steps=2).fit(numbered)
    np.testing.assert_array_equal(fitted.score_samples(numbered.to_numpy()), fitted.score_samples(numbered))


@pytest.mark.parametrize("dtype", [object, "datetime64[us]", "datetime64[s, Europe/Berlin]"])
def test_a_date_that_stands_for_never_is_a_time(objects, dtype):
    held = objects[1].copy()
    held.loc[3, "day"] = datetime.date(9999, 12, 31)
    held["day"] = held["day"].astype(dtype)
    schema = frame_schema(held)
    assert schema["day"].kind is Kind.TIME
    assert frame_columns(held, schema)["day"][3] // 86_400 in (2_932_895, 2_932_896)


@pytest.mark.parametrize("dtype", [None, object])
def test_a_period_is_the_time_of_its_beginning(dtype):
    months = pd.period_range("2020-01", periods=40, freq="M")
    numbers = np.arange(40) % 7
    held = pd.DataFrame({"n": numbers, "month": pd.Series(months, dtype=dtype)})
    plain = pd.DataFrame({"n": numbers, "month": months.to_timestamp()})
    for frame in (held, plain):
        frame.loc[3, "month"] = None
    fitted = quick(n_steps=2).fit(held)
    assert fitted.scorer_.schema["month"].kind is Kind.TIME
    np.testing.assert_array_equal(fitted.score_samples(held), quick(n_steps=2).fit(plain).score_samples(plain))


def test_bytes_are_refused_since_they_are_no_text_yet():
    held = pd.DataFrame({"n": np.arange(20) % 7, "code": [b"a", b"b"] * 10})
    with pytest.raises(
        InputError, match=r"^Expected values of kind category in column 'code', found object: only who "
    ):
        quick(n_steps=2).fit(held)
    text = held.assign(code=held["code"].str.decode("utf-8"))
    with pytest.raises(InputError, match=r" in column 'code', found object: only who knows their encoding "):
        quick(n_steps=2).fit(text).predict(held)


@pytest.mark.parametrize("effort", [None, ["low"]])
def test_an_effort_is_one_of_the_known(effort):
    with pytest.raises(InputError, match=r"^Expected effort to be one of 'low', 'default', 'high', found "):
        quick(effort=effort).fit(X)


def test_explanations_name_the_columns_of_the_frame(fitted_on_frame, frame):
    explanation = fitted_on_frame.explain(frame.iloc[10:15])
    assert list(explanation.expected) == list(frame.columns)
    assert all(len(values) == 5 for values in explanation.expected.values())
    assert set(explanation.expected["colour"]) <= set(frame["colour"].dropna())


def test_an_unknown_category_of_a_frame_is_more_anomalous(fitted_on_frame, frame):
    strange = fitted_on_frame.anomaly_score(frame.assign(colour="ultraviolet"))
    assert (strange > fitted_on_frame.anomaly_score(frame)).mean() > 0.9


def test_a_frame_of_numbers_is_the_array_of_its_values(detector):
    named = quick(n_steps=60).fit(pd.DataFrame(X, columns=["a", "b", "c"]))
    np.testing.assert_array_equal(
        named.score_samples(pd.DataFrame(X, columns=["a", "b", "c"])), detector.score_samples(X)
    )


def test_frames_without_text_for_names_are_read_by_position(detector):
    np.testing.assert_array_equal(detector.score_samples(pd.DataFrame(X)), detector.score_samples(X))


def test_arrays_of_objects_are_read_as_the_numbers_that_they_hold(detector):
    np.testing.assert_array_equal(detector.score_samples(X.astype(object)), detector.score_samples(X))


TEXT_IN_AN_ARRAY = r"^Expected an array of numbers, found text \(.*'a'.*\); pass a data frame, .*set_output\(transform="


@pytest.mark.parametrize("dtype", [object, str])
def test_text_in_an_array_is_refused_with_what_to_pass(detector, dtype):
    words = np.array([["a", 1.5, 2.0], ["b", 2.0, 0.5]] * 30, dtype=dtype)
    for answer in (quick().fit, detector.predict):
        with pytest.raises(InputError, match=TEXT_IN_AN_ARRAY):
            answer(words)


def test_text_from_a_pipelines_step_is_refused_until_it_gives_frames(frame):
    columns = ColumnTransformer([("number", StandardScaler(), ["amount"]), ("word", "passthrough", ["colour"])])
    pipeline = make_pipeline(columns, quick(n_steps=1))
    with pytest.raises(InputError, match=r"^Expected an array of numbers, found text"):
        pipeline.fit(frame)
    assert set(pipeline.set_output(transform="pandas").fit(frame).predict(frame)) <= {-1, 1}


def test_what_a_masked_array_masks_is_missing_in_training_and_in_scoring():
    values = np.random.default_rng(0).normal(size=(40, 2))
    high = values > [1, np.inf]
    masked, holed = np.ma.array(values, mask=high), np.where(high, np.nan, values)
    fitted = quick(n_steps=1).fit(masked)
    assert fitted.scorer_.schema.columns[0].summary["missing"] > 0
    np.testing.assert_array_equal(fitted.score_samples(masked), fitted.score_samples(holed))


def test_reordered_missing_and_new_columns_are_refused(fitted_on_frame, frame):
    refusals = {
        "Feature names must be in the same order": frame[frame.columns[::-1]],
        "Feature names seen at fit time, yet now missing": frame.drop(columns="count"),
        "Feature names unseen at fit time": frame.assign(new=1),
    }
    for message, changed in refusals.items():
        with pytest.raises(ValueError, match=message):
            fitted_on_frame.predict(changed)


def test_another_number_of_columns_is_refused(detector):
    with pytest.raises(ValueError, match="X has 2 features, but GANDetector is expecting 3 features"):
        detector.predict(X[:, :2])


@pytest.mark.parametrize(
    ("column", "values", "kind", "found"),
    [
        ("amount", ["much"] * 60, "number", "it holds 'much'"),
        ("at", ["yesterday noon"] * 60, "time", "it holds 'yesterday noon'"),
        ("at", np.arange(60), "time", "a number has no unit of time"),
        ("at", pd.Series(range(60), dtype=object), "time", "a number has no unit of time"),
        ("amount", np.full(60, 1j), "number", "it would lose its meaning as a number"),
        ("amount", pd.Series([10**400] * 60, dtype=object), "number", "int too large to convert to float"),
        ("amount", pd.date_range("2024", periods=60), "number", "it would lose its meaning as a number"),
    ],
)
def test_values_of_another_kind_are_refused_with_the_column(fitted_on_frame, frame, column, values, kind, found):
    message = rf"^Expected values of kind {kind} in column '{column}', found .*{re.escape(found)}"
    with pytest.raises(InputError, match=message):
        fitted_on_frame.predict(frame.assign(**{column: values}))


@pytest.mark.parametrize("names", [["a", "b", "a"], [1, 1, 2]])
def test_two_columns_of_one_name_are_refused(names):
    with pytest.raises(InputError, match=r"^Expected columns of different names, found '[a1]' more than once"):
        quick().fit(pd.DataFrame(X).set_axis(names, axis=1))


def test_a_single_column_must_still_be_a_table(frame):
    with pytest.raises(ValueError, match=r"Expected (a )?2"):
        quick().fit(frame["amount"])


# --- scikit-learn around it -------------------------------------------------------------------------------------------


def test_it_works_behind_a_column_transformer_with_frames(frame):
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    columns = ColumnTransformer([("number", StandardScaler(), ["amount"]), ("word", encoder, ["colour", "size"])])
    pipeline = make_pipeline(columns, quick()).set_output(transform="pandas").fit(frame)
    assert set(pipeline.predict(frame)) <= {-1, 1}
    assert pipeline.score_samples(frame).shape == (60,)
    assert pipeline[-1].feature_names_in_[0] == "number__amount"
    assert list(pipeline[-1].explain(pipeline[:-1].transform(frame)).expected) == list(pipeline[-1].feature_names_in_)


LABELLED = np.concatenate([X[:60], 4 + X[60:80]])
LABELS = np.repeat([0, 1], [60, 20])


def test_cross_validation_takes_the_scorer_that_is_shipped():
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    values = cross_val_score(quick(), LABELLED, LABELS, scoring=anomaly_auroc_scorer, cv=folds, error_score="raise")
    assert (values > 0.5).all()


def test_a_grid_search_takes_the_scorer_that_is_shipped():
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    grid = {"loss": ["logistic", "hinge"], "n_steps": np.array([2, 4])}
    search = GridSearchCV(quick(), grid, scoring=anomaly_auroc_scorer, cv=folds, error_score="raise")
    search.fit(LABELLED, LABELS)
    assert 0.5 < search.best_score_ <= 1
    assert set(search.predict(LABELLED)) <= {-1, 1}


# --- the file behind it -----------------------------------------------------------------------------------------------


class _Modules(pickle.Unpickler):
    """Remembers which modules a pickle needs."""

    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.modules = set()

    def find_class(self, module, name):
        self.modules.add(module.partition(".")[0])
        return super().find_class(module, name)


def test_a_pickle_holds_the_model_files_bytes_and_nothing_of_torch(detector):
    data = pickle.dumps(detector)
    assert data.count(detector.model_) == 1
    reader = _Modules(data)
    copy = reader.load()
    assert reader.modules <= {"gandetect", "numpy", "builtins", "copyreg", "functools"}
    assert copy.model_ == detector.model_
    np.testing.assert_array_equal(copy.score_samples(X), detector.score_samples(X))
    assert copy.get_params() == detector.get_params()


def test_an_unfitted_detector_can_be_pickled():
    assert pickle.loads(pickle.dumps(quick())).get_params() == quick().get_params()


@pytest.mark.parametrize("contamination", ["auto", 0.1])
def test_a_loaded_detector_answers_as_the_saved_one(tmp_path, contamination, frame):
    saved = quick(contamination=contamination, loss="hinge").fit(frame)
    saved.save(tmp_path / "detector.onnx")
    assert (tmp_path / "detector.onnx").read_bytes() == saved.model_
    loaded = GANDetector.load(tmp_path / "detector.onnx")
    assert loaded.offset_ == saved.offset_
    assert loaded.n_features_in_ == 6
    np.testing.assert_array_equal(loaded.feature_names_in_, saved.feature_names_in_)
    for method in ("score_samples", "predict", "p_value", "decision_function"):
        np.testing.assert_array_equal(getattr(loaded, method)(frame), getattr(saved, method)(frame))
    np.testing.assert_array_equal(loaded.explain(frame).blame, saved.explain(frame).blame)
    ignored = {"contamination": None}
    assert loaded.get_params() | ignored == saved.get_params() | ignored


def test_a_detector_loaded_from_a_model_of_an_array_takes_arrays(tmp_path, detector):
    detector.save(tmp_path / "detector.onnx")
    loaded = GANDetector.load(tmp_path / "detector.onnx")
    assert not hasattr(loaded, "feature_names_in_")
    np.testing.assert_array_equal(loaded.predict(X), detector.predict(X))


LOAD = """
import pickle, sys
from gandetect import GANDetector
loaded = GANDetector.load("detector.onnx")
unpickled = pickle.loads(open("detector.pickle", "rb").read())
print(loaded.score_samples([[0, 0, 0.5]])[0] == unpickled.score_samples([[0, 0, 0.5]])[0])
print(sorted({"torch", "onnx"} & set(sys.modules)))
"""


def test_loading_and_scoring_need_neither_torch_nor_onnx(tmp_path, detector):
    detector.save(tmp_path / "detector.onnx")
    (tmp_path / "detector.pickle").write_bytes(pickle.dumps(detector))
    answer = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split("\n")[:2] == ["True", "[]"]


@pytest.mark.parametrize(
    "method", ["predict", "score_samples", "decision_function", "anomaly_score", "p_value", "explain"]
)
def test_nothing_is_answered_before_the_fit(method):
    with pytest.raises(NotFittedError, match="This GANDetector instance is not fitted yet"):
        getattr(GANDetector(), method)(X)


def test_nothing_is_saved_before_the_fit(tmp_path):
    with pytest.raises(NotFittedError, match="This GANDetector instance is not fitted yet"):
        GANDetector().save(tmp_path / "detector.onnx")
    assert not list(tmp_path.iterdir())


# A model that was fitted on text, as a file holds it, and loaded into the estimator.

WRITTEN = "\n".join(
    ["ok,when,amount,zone,id,label"]
    + [f"{'YN'[i % 3 == 0]},{i % 28 + 1:02}.0{i % 9 + 1}.2025,{i % 17 + 0.5},{i % 4},r-{i},n" for i in range(120)]
)


@pytest.fixture(scope="module")
def texts():
    return pd.read_csv(io.StringIO(WRITTEN), dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def path(texts, tmp_path_factory):
    columns, lines = {name: texts[name].to_numpy(dtype=object) for name in texts}, range(2, 122)
    kinds = {"when": "time:%d.%m.%Y", "zone": "category"}
    schema = find_schema(columns, lines, kinds=kinds, label="label")
    raw = parse_columns(columns, lines, schema).columns
    path = tmp_path_factory.mktemp("command") / "model.onnx"
    path.write_bytes(fit_table(raw, schema, settings=TableSettings(n_steps=20, n_members=2, width=8)))
    return path


@pytest.fixture(scope="module")
def expected(path, texts):
    scorer = Scorer(path)
    columns = {name: texts[name].to_numpy(dtype=object) for name in texts}
    return scorer(parse_columns(columns, range(2, 122), scorer.schema).columns)["anomaly_score"]


def test_a_loaded_model_of_a_file_scores_a_frame_as_the_command_line_scores_the_file(path, expected):
    detector = GANDetector.load(path)
    frame = pd.read_csv(io.StringIO(WRITTEN))[list(detector.feature_names_in_)]
    np.testing.assert_array_equal(detector.anomaly_score(frame), expected)


def test_a_loaded_model_of_a_file_asks_for_the_columns_that_it_learned_from_only(path):
    detector = GANDetector.load(path)
    assert list(detector.feature_names_in_) == ["ok", "when", "amount", "zone"]
    assert detector.n_features_in_ == 4


def test_text_that_a_model_of_a_file_cannot_read_is_refused(path):
    detector = GANDetector.load(path)
    frame = pd.read_csv(io.StringIO(WRITTEN))[list(detector.feature_names_in_)].assign(when="soon")
    with pytest.raises(InputError, match=r"Expected values of kind time in column 'when', found .*'soon'"):
        detector.anomaly_score(frame)


def test_a_loaded_detector_has_the_parameters_it_was_fitted_with(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 3))
    GANDetector(**QUICK, contamination=0.1).fit(X).save(tmp_path / "model.onnx")
    loaded = GANDetector.load(tmp_path / "model.onnx")
    assert loaded.contamination == 0.1
    assert not hasattr(loaded, "feature_names_in_")
    assert (loaded.predict(X) == -1).sum() == 6

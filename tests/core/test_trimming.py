"""Gross rows are found and left out; whatever else a table holds, heavy tails and rare values, stays."""

import numpy as np
import pytest
from made_tables import by_column, numbers, quick

from gandetect import GANDetector
from gandetect.column import Column, Kind, Role
from gandetect.schema import Schema
from gandetect.scorer import Scorer
from gandetect.tables.fitting import fit_table
from gandetect.tables.trimming import far_values, find_gross

MIXING = np.random.default_rng(99).normal(size=(4, 4))


def normal_rows(n_rows, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, 4)) @ MIXING


GLITCHES = np.array([1e6, -999.0, 80.0, -1e300, 1e6])
ROWS, COLUMNS = [3, 50, 51, 200, 499], [0, 1, 2, 3, 0]


def with_glitches(n_rows=500):
    """Return normal rows of which five hold a glitch."""
    X = normal_rows(n_rows)
    X[ROWS, COLUMNS] = GLITCHES
    return X


# --- the rule ---------------------------------------------------------------------------------------------------------


def test_planted_gross_rows_are_found_and_no_others():
    gross = find_gross(by_column(with_glitches()), numbers(4))
    assert np.flatnonzero(gross.rows).tolist() == ROWS
    assert gross.columns == {"x0": 2, "x1": 1, "x2": 1, "x3": 1}
    assert gross.share == 0.01


def test_what_is_found_does_not_depend_on_the_order_of_the_rows():
    X, order = with_glitches(), np.random.default_rng(0).permutation(500)
    found, shuffled = (find_gross(by_column(rows), numbers(4)).rows for rows in (X, X[order]))
    np.testing.assert_array_equal(found[order], shuffled)


HARMLESS = {
    "normal": lambda random, n: random.normal(size=n),
    "log-normal": lambda random, n: random.lognormal(0, 2.5, n),
    "Cauchy": lambda random, n: random.standard_cauchy(n),
    "Pareto": lambda random, n: random.pareto(0.7, n),
    "mostly zero": lambda random, n: random.lognormal(0, 2, n) * (random.random(n) < 0.1),
    "rare flag": lambda random, n: (random.random(n) < 0.004).astype(float),
    "counts": lambda random, n: random.poisson(0.05, n).astype(float),
    "constant": lambda random, n: np.full(n, 7.0),
    "missing": lambda random, n: np.full(n, np.nan),
    "huge": lambda random, n: random.normal(size=n) * 1e308,
}


@pytest.mark.parametrize("name", HARMLESS)
@pytest.mark.parametrize("n_rows", [60, 500])
@np.errstate(over="ignore")
def test_hardly_any_clean_column_gives_a_row_away(name, n_rows):
    random = np.random.default_rng(0)
    columns = [HARMLESS[name](random, n_rows) for _ in range(200)]
    assert np.mean([far_values(column).any() for column in columns]) <= 0.02


def test_values_of_more_than_one_row_in_a_hundred_are_no_exceptions():
    values = normal_rows(500)[:, 0]
    values[:6] = 999.0
    assert not far_values(values).any()
    assert far_values(values[1:]).sum() == 0
    assert far_values(np.append(values[3:], normal_rows(3, seed=1)[:, 0])).sum() == 3


def test_nothing_is_gross_where_a_twentieth_of_the_rows_would_be():
    X = normal_rows(100)
    X = np.repeat(X, 3, axis=1)
    X[np.arange(5), np.arange(5)] = 1e6
    assert find_gross(by_column(X), numbers(12)).rows.sum() == 5
    X[5, 5] = 1e6
    gross = find_gross(by_column(X), numbers(12))
    assert (gross.share, gross.columns) == (0, {})


def test_missing_and_infinite_values_are_not_gross():
    X = with_glitches()
    X[10], X[11], X[12] = np.nan, np.inf, -np.inf
    assert np.flatnonzero(find_gross(by_column(X), numbers(4)).rows).tolist() == ROWS


def test_only_numbers_that_are_judged_are_looked_at():
    glitch = with_glitches()[:, 0]
    kinds = (Column("at", Kind.TIME), Column("zone", Kind.NUMBER, Role.GIVEN), Column("id", Kind.ID, Role.LEFT_OUT))
    columns = dict.fromkeys(("at", "zone", "id"), glitch)
    assert not find_gross(columns, Schema(kinds)).rows.any()


# --- a fit ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trimmed():
    return Scorer(fit_table(by_column(with_glitches()), numbers(4), settings=quick(n_steps=60)))


def test_a_detector_is_the_one_that_never_saw_the_gross_rows(trimmed):
    sound = np.delete(with_glitches(), ROWS, axis=0)
    without = Scorer(fit_table(by_column(sound), numbers(4), settings=quick(n_steps=60)))
    new = by_column(normal_rows(200, seed=1))
    for name, values in trimmed(new).items():
        np.testing.assert_array_equal(values, without(new)[name])


def test_gross_rows_are_flagged_afterwards_and_normal_ones_as_rarely_as_announced(trimmed):
    answers = trimmed(by_column(with_glitches()))
    assert answers["is_anomaly"][ROWS].all()
    assert (answers["p_value"][ROWS] == answers["p_value"].min()).all()
    assert (answers["contributions"][ROWS].argmax(1) == COLUMNS).all()
    fresh = trimmed(by_column(normal_rows(3000, seed=1)), ["p_value"])["p_value"]
    assert 0.02 <= np.mean(fresh <= 0.05) <= 0.08


def test_the_manifest_says_what_was_trimmed(trimmed):
    training = trimmed.manifest["training"]
    assert training["trimmed_share"] == 0.01
    assert training["trimmed_columns"] == {"x0": 2, "x1": 1, "x2": 1, "x3": 1}
    assert training["n_rows"] == trimmed.manifest["calibration"]["n"] == 495


def test_a_contamination_counts_the_trimmed_rows():
    columns = by_column(with_glitches())
    model = fit_table(columns, numbers(4), settings=quick(n_steps=5), contamination=0.1)
    flagged = Scorer(model)(columns)["is_anomaly"]
    assert flagged.sum() == 50
    assert flagged[ROWS].all()


@pytest.mark.filterwarnings("ignore:.*hardly tells samples:sklearn.exceptions.ConvergenceWarning")
def test_the_estimator_tells_the_trimmed_share_also_when_loaded(tmp_path):
    detector = GANDetector(n_steps=5, n_members=2, width=8, random_state=0)
    assert detector.fit(normal_rows(500)).trimmed_share_ == 0
    assert detector.fit(with_glitches()).trimmed_share_ == 0.01
    detector.save(tmp_path / "m.onnx")
    assert GANDetector.load(tmp_path / "m.onnx").trimmed_share_ == 0.01

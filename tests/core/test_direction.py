"""High means anomalous: far away in every direction, for every game, and on real tables."""

import numpy as np
import pytest
from made_tables import by_column, numbers, quick
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.metrics import roc_auc_score

from gandetect.column import Column, Kind
from gandetect.schema import Schema
from gandetect.scorer import Scorer
from gandetect.tables.fitting import fit_table
from gandetect.training.losses import LOSSES

DISTANCES = (10.0, 1e3, 1e6)


def training_rows():
    """Correlated columns of different units, one on few values, and two constant ones."""
    random = np.random.default_rng(0)
    first = random.normal(size=300)
    return np.column_stack(
        [
            first,
            1000 + 50 * (first + 0.5 * random.normal(size=300)),
            random.gamma(2, size=300),
            random.integers(0, 3, 300),
            np.full(300, 5.0),
            np.zeros(300),
        ]
    )


@pytest.fixture(scope="module", params=LOSSES)
def trained(request):
    """Return a detector of every game, and the scores of its training rows."""
    X = training_rows()
    settings = quick(loss=request.param, n_steps=200, width=32, depth=3, generator_width=32)
    scorer = Scorer(fit_table(by_column(X), numbers(6), settings=settings))
    return scorer, scorer(by_column(X))


def units(X):
    """One scale per column: its spread, and one for constant columns."""
    return np.where(X.std(0) > 0, X.std(0), 1.0)


def anomaly_scores(trained, rows):
    return trained[0](by_column(rows), ["anomaly_score"])["anomaly_score"]


@pytest.mark.parametrize("distance", DISTANCES)
def test_rows_far_out_in_any_direction_score_above_every_training_row(trained, distance):
    X = training_rows()
    directions = np.random.default_rng(1).normal(size=(200, 6))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    far = X.mean(0) + distance * np.sqrt(6) * directions * units(X)
    assert anomaly_scores(trained, far).min() > trained[1]["anomaly_score"].max()


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("column", range(6))
def test_a_row_far_out_in_one_column_scores_above_every_training_row(trained, column, sign, distance):
    rows = training_rows()[:20].copy()
    rows[:, column] += sign * distance * units(training_rows())[column]
    assert anomaly_scores(trained, rows).min() > trained[1]["anomaly_score"].max()


@pytest.mark.parametrize("sign", [-1, 1])
def test_all_columns_at_a_million_score_above_every_training_row(trained, sign):
    assert anomaly_scores(trained, np.full((1, 6), sign * 1e6)).min() > trained[1]["anomaly_score"].max()


def test_rows_that_contradict_the_data_between_their_columns_score_higher(trained):
    rows = training_rows()[:100].copy()
    rows[:, 1] = 2000 - rows[:, 1]  # each value still within its column's range
    rows = rows[np.abs(rows[:, 0]) > 1]
    assert np.median(anomaly_scores(trained, rows)) > np.quantile(trained[1]["anomaly_score"], 0.9)


def test_realness_is_low_and_reconstruction_error_high_far_out(trained):
    scorer, normal = trained
    X = training_rows()
    far = X.mean(0) + 30 * np.random.default_rng(2).choice([-1, 1], (100, 6)) * units(X)
    answers = scorer(by_column(far))
    assert np.median(answers["realness"]) < np.quantile(normal["realness"], 0.05)
    assert np.median(answers["reconstruction_error"]) > np.quantile(normal["reconstruction_error"], 0.95)


def test_p_values_are_smallest_far_out(trained):
    scorer, _ = trained
    rows = training_rows()[:10] + 1e4
    answers = scorer(by_column(rows))
    np.testing.assert_allclose(answers["p_value"], 1 / 301, rtol=1e-6)
    assert answers["is_anomaly"].all()


def test_the_blame_is_on_the_column_that_is_far_out(trained):
    scorer, _ = trained
    for column in range(6):
        rows = training_rows()[:20].copy()
        rows[:, column] += 100 * units(training_rows())[column]
        assert (scorer(by_column(rows))["contributions"].argmax(1) == column).all()


# The class of normal rows: benign tumours, and the cultivar of most rows.
SETS = {"breast cancer": (load_breast_cancer, 1), "wine": (load_wine, 1)}


@pytest.fixture(scope="module", params=SETS)
def real(request):
    load, normal_class = SETS[request.param]
    X, y = load(return_X_y=True)
    normal = np.random.RandomState(0).permutation(np.flatnonzero(y == normal_class))
    training, test = np.split(normal, [len(normal) // 2])
    anomalies = X[y != normal_class]
    labels = np.repeat([0, 1], [len(test), len(anomalies)])
    return X[training], np.concatenate([X[test], anomalies]), labels


@pytest.mark.parametrize("loss", LOSSES)
def test_real_anomalies_are_found_in_every_game(real, loss):
    training, rows, labels = real
    settings = quick(loss=loss, n_steps=150, width=32, depth=3, generator_width=32)
    scorer = Scorer(fit_table(by_column(training), numbers(training.shape[1]), settings=settings))
    answers = scorer(by_column(rows))
    assert roc_auc_score(labels, answers["anomaly_score"]) > 0.9
    assert roc_auc_score(labels, -answers["p_value"]) > 0.9
    assert roc_auc_score(labels, -answers["realness"]) > 0.8
    assert roc_auc_score(labels, answers["reconstruction_error"]) > 0.7


def test_a_rare_level_is_more_anomalous_than_a_frequent_one_beside_numbers():
    random = np.random.default_rng(0)
    names = [f"x{i}" for i in range(6)]
    schema = Schema((*(Column(name, Kind.NUMBER) for name in names), Column("kind", Kind.CATEGORY)))
    columns = {name: random.normal(size=800) for name in names}
    columns["kind"] = np.where(random.random(800) < 0.03, "seldom", "often").astype(object)
    settings = quick(n_steps=600, width=32, depth=3, generator_width=32)
    scorer = Scorer(fit_table(columns, schema, settings=settings))
    rows = {name: random.normal(size=300) for name in names}
    often, seldom = (
        scorer(rows | {"kind": np.full(300, kind, dtype=object)})["anomaly_score"] for kind in ("often", "seldom")
    )
    assert roc_auc_score(np.repeat([0, 1], 300), np.concatenate([often, seldom])) > 0.7

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

import gandetect
from gandetect.evaluation import (
    anomaly_auroc_scorer,
    auroc_interval,
    average_precision_interval,
    curves,
    evaluate_scores,
    threshold_table,
)

SCORES = [0.1, 0.4, 0.35, 0.8, 0.9]
P_VALUES = np.array([0.9, 0.1, 0.2, 0.05, 0.01], dtype=np.float32)
LABELS = [0, 0, 1, 1, 1]


def test_measures_are_those_of_scikit_learn():
    result = evaluate_scores(SCORES, P_VALUES, LABELS)
    assert (result.n_rows, result.n_anomalies) == (5, 3)
    assert result.auroc == roc_auc_score(LABELS, SCORES) == pytest.approx(5 / 6)
    assert result.average_precision == average_precision_score(LABELS, SCORES)
    assert [threshold.alpha for threshold in result.thresholds] == sorted(gandetect.evaluation.ALPHAS)


def test_the_false_alarm_rates_may_be_others():
    thresholds = evaluate_scores(SCORES, P_VALUES, LABELS, alphas=[0.3, 0.1]).thresholds
    assert thresholds == threshold_table(P_VALUES, LABELS, [0.1, 0.3])


def test_the_threshold_table_counts_alarms_and_hits():
    rows = threshold_table(P_VALUES, LABELS, [0.1, 0.001, 0.05])
    assert [(row.alpha, row.n_alarms, row.n_hits) for row in rows] == [(0.001, 0, 0), (0.05, 2, 2), (0.1, 3, 2)]
    assert [row.precision for row in rows] == [None, 1.0, 2 / 3]
    assert [row.recall for row in rows] == [0.0, 2 / 3, 2 / 3]


def test_a_p_value_equal_to_alpha_in_single_precision_is_flagged():
    (row,) = threshold_table([np.float32(0.1), 0.5], [1, 0], [0.1])
    assert row.n_alarms == 1


@pytest.mark.parametrize(
    ("labels", "found"), [([0, 0], "only normal data"), ([1, 1], "only anomalies"), ([], "neither")]
)
def test_labels_of_one_sort_are_refused(labels, found):
    text = f"Expected both normal data and anomalies to compare with, found {found}; add the others."
    with pytest.raises(gandetect.InputError) as error:
        threshold_table(np.full(len(labels), 0.5), labels)
    assert str(error.value) == text


@pytest.mark.parametrize("labels", [[-1, 1], ["normal", "anomaly"], [[0], [1]]])
def test_other_labels_are_refused(labels):
    with pytest.raises(gandetect.InputError, match=r"^Expected one label per row, 1 for an anomaly"):
        evaluate_scores([0.1, 0.2], [0.5, 0.5], labels)


class FromMiddle(OutlierMixin, BaseEstimator):
    """Scores by the distance from the mean, or by its opposite."""

    def __init__(self, sign=1):
        self.sign = sign

    def fit(self, X, y=None):
        self.mean_ = X.mean(0)
        return self

    def score_samples(self, X):
        return -self.sign * np.linalg.norm(X - self.mean_, axis=1)


@pytest.fixture
def ring():
    random = np.random.default_rng(0)
    X = random.normal(size=(120, 2))
    y = np.arange(120) % 6 == 0
    X[y] += 6
    return X, y.astype(int)


def test_the_scorer_has_the_right_sign(ring):
    X, y = ring
    assert anomaly_auroc_scorer(FromMiddle().fit(X), X, y) > 0.95
    assert anomaly_auroc_scorer(FromMiddle(-1).fit(X), X, y) < 0.05
    assert anomaly_auroc_scorer(IsolationForest(random_state=0).fit(X), X, y) > 0.95


def test_the_scorer_takes_labels_as_predict_answers_them(ring):
    X, y = ring
    detector = FromMiddle().fit(X)
    assert anomaly_auroc_scorer(detector, X, 1 - 2 * y) == anomaly_auroc_scorer(detector, X, y)
    for anomaly in (1, -1):
        with pytest.raises(gandetect.InputError, match="found only anomalies; add the others"):
            anomaly_auroc_scorer(detector, X, np.full(120, anomaly))


def test_the_scorer_chooses_in_a_grid_search(ring):
    X, y = ring
    search = GridSearchCV(
        FromMiddle(), {"sign": [-1, 1]}, scoring=gandetect.anomaly_auroc_scorer, cv=StratifiedKFold(3)
    ).fit(X, y)
    assert search.best_params_ == {"sign": 1}
    scores = cross_val_score(FromMiddle(), X, y, scoring=anomaly_auroc_scorer, cv=StratifiedKFold(3))
    assert scores.min() > 0.9


def drawn(random, n_anomalies, n_normal):
    labels = np.repeat([True, False], [n_anomalies, n_normal])
    return random.normal(labels.astype(float)), labels


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    random = np.random.default_rng(0)
    truth = norm.cdf(1 / 2**0.5)  # of two normal distributions one deviation apart
    held, widths = [], []
    for _ in range(300):
        low, high = auroc_interval(*drawn(random, 40, 80))
        held.append(low <= truth <= high)
        widths.append(high - low)
    assert 0.92 <= np.mean(held) <= 0.98
    assert np.mean(widths) < 0.2


def test_the_interval_of_the_average_precision_surrounds_it_and_narrows_with_rows():
    random = np.random.default_rng(0)
    widths = []
    for n_rows in (50, 800):
        scores, labels = drawn(random, n_rows, n_rows)
        low, high = average_precision_interval(scores, labels)
        assert low < average_precision_score(labels, scores) < high
        assert average_precision_interval(scores, labels) == (low, high)
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_scores_that_tie_give_the_average_precision_of_scikit_learn():
    # So many that the interval is narrow; of those that tie the anomalies come first, which must not help.
    labels = np.repeat(np.array([1, 0, 1, 1, 0, 0, 1, 0], dtype=bool), 1000)
    scores = np.repeat([3, 3, 2, 1, 1, 1, 0, 0], 1000)
    low, high = average_precision_interval(scores, labels)
    assert low < average_precision_score(labels, scores) < high < low + 0.03


@pytest.mark.parametrize("values", [[1, 2], [1, 2, np.nan], [1, 2, np.inf], ["a", "b", "c"], [[1, 2, 3]], None])
def test_scores_and_p_values_are_one_finite_number_for_each_label(values):
    for arguments, what in (
        (([*values] if values else values, [0.1] * 3), "scores"),
        (([1, 2, 3], values), "p-values"),
    ):
        with pytest.raises(
            gandetect.InputError, match=f"^Expected 3 {what}, one finite number for each label, found others.$"
        ):
            evaluate_scores(*arguments, [0, 1, 0])


def test_a_perfect_order_has_the_interval_of_a_point_and_one_anomaly_a_wide_one():
    assert auroc_interval([1, 2, 3, 4], [0, 0, 1, 1]) == (1.0, 1.0)
    low, high = auroc_interval([1, 2, 3, 4, 5], [0, 0, 0, 1, 0])
    assert 0 < low < 0.2
    assert 0.95 < high < 1


def test_curves_begin_and_end_where_they_must_and_have_few_points():
    scores, labels = drawn(np.random.default_rng(0), 500, 2000)
    found = curves(scores, labels, n_points=50)
    assert all(len(points) <= 50 for points in found.values())
    assert (found["roc"][0], found["roc"][-1]) == ((0, 0), (1, 1))
    assert found["precision_recall"][-1] == (1, pytest.approx(0.2))
    assert found["precision_recall"] == sorted(found["precision_recall"], key=lambda point: point[0])


def test_the_interval_of_one_anomaly_among_many_normal_rows_is_wide_and_without_a_warning():
    scores = np.arange(10_001.0)
    labels = scores == 9_999
    assert auroc_interval(scores, labels) == (0.0, 1.0)

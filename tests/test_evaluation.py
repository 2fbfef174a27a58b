import numpy as np
import pytest
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

import gandetect
from gandetect.evaluation import anomaly_auroc_scorer, evaluate_scores, threshold_table

SCORES = [0.1, 0.4, 0.35, 0.8, 0.9]
P_VALUES = np.array([0.9, 0.1, 0.2, 0.05, 0.01], dtype=np.float32)
LABELS = [0, 0, 1, 1, 1]


def test_measures_are_those_of_scikit_learn():
    result = evaluate_scores(SCORES, P_VALUES, LABELS)
    assert (result.n_rows, result.n_anomalies) == (5, 3)
    assert result.auroc == roc_auc_score(LABELS, SCORES) == pytest.approx(5 / 6)
    assert result.average_precision == average_precision_score(LABELS, SCORES)
    assert [threshold.alpha for threshold in result.thresholds] == sorted(gandetect.evaluation.ALPHAS)


def test_the_threshold_table_counts_alarms_and_hits():
    rows = threshold_table(P_VALUES, LABELS, [0.1, 0.001, 0.05])
    assert [(row.alpha, row.n_alarms, row.n_hits) for row in rows] == [(0.001, 0, 0), (0.05, 2, 2), (0.1, 3, 2)]
    assert [row.precision for row in rows] == [None, 1.0, 2 / 3]
    assert [row.recall for row in rows] == [0.0, 2 / 3, 2 / 3]


def test_a_p_value_equal_to_alpha_in_single_precision_is_flagged():
    (row,) = threshold_table([np.float32(0.1), 0.5], [1, 0], [0.1])
    assert row.n_alarms == 1


@pytest.mark.parametrize(
    ("labels", "found"), [([0, 0], "only normal rows"), ([1, 1], "only anomalies"), ([], "no rows")]
)
def test_labels_of_one_sort_are_refused(labels, found):
    text = f"Expected both normal rows and anomalies to compare with, found {found}; add the others."
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


def test_the_scorer_chooses_in_a_grid_search(ring):
    X, y = ring
    search = GridSearchCV(
        FromMiddle(), {"sign": [-1, 1]}, scoring=gandetect.anomaly_auroc_scorer, cv=StratifiedKFold(3)
    ).fit(X, y)
    assert search.best_params_ == {"sign": 1}
    scores = cross_val_score(FromMiddle(), X, y, scoring=anomaly_auroc_scorer, cv=StratifiedKFold(3))
    assert scores.min() > 0.9

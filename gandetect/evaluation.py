"""How good anomaly scores are, against labels: AUROC, average precision, and what each false-alarm rate brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from gandetect.errors import InputError

ALPHAS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""False-alarm rates of the threshold table."""


@dataclass(frozen=True)
class Threshold:
    """What flagging at one false-alarm rate brings.

    Parameters
    ----------
    alpha : float
        Rows with a p-value up to this are flagged.
    n_alarms, n_hits : int
        Rows flagged, and anomalies among them.
    precision : float or None
        Share of anomalies among the flagged rows; None where no row is flagged.
    recall : float
        Share of the anomalies that are flagged.
    """

    alpha: float
    n_alarms: int
    n_hits: int
    precision: float | None
    recall: float


@dataclass(frozen=True)
class Evaluation:
    """How anomaly scores compare with labels.

    Parameters
    ----------
    n_rows, n_anomalies : int
        Rows, and anomalies among them.
    auroc : float
        Area under the receiver operating characteristic: the chance that an anomaly scores above a normal row.
    average_precision : float
        Mean precision over the anomalies, each at its own score.
    thresholds : tuple of Threshold
        By rising false-alarm rate.
    """

    n_rows: int
    n_anomalies: int
    auroc: float
    average_precision: float
    thresholds: tuple[Threshold, ...]


def evaluate_scores(
    scores: ArrayLike, p_values: ArrayLike, is_anomaly: ArrayLike, alphas: Sequence[float] = ALPHAS
) -> Evaluation:
    """Compare anomaly scores and p-values with labels.

    Parameters
    ----------
    scores : array-like of shape (n_rows,)
        Anomaly scores: the higher, the more anomalous.
    p_values : array-like of shape (n_rows,)
        Their p-values.
    is_anomaly : array-like of bool of shape (n_rows,)
        The labels.
    alphas : sequence of float
        False-alarm rates of the threshold table.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        The labels are all the same.
    """
    labels = _checked_labels(is_anomaly)
    return Evaluation(
        len(labels),
        int(labels.sum()),
        float(roc_auc_score(labels, scores)),
        float(average_precision_score(labels, scores)),
        threshold_table(p_values, labels, alphas),
    )


def threshold_table(
    p_values: ArrayLike, is_anomaly: ArrayLike, alphas: Sequence[float] = ALPHAS
) -> tuple[Threshold, ...]:
    """Count alarms and hits at several false-alarm rates.

    Parameters
    ----------
    p_values : array-like of shape (n_rows,)
        As a model file gives them, in single precision.
    is_anomaly : array-like of bool of shape (n_rows,)
        The labels.
    alphas : sequence of float
        False-alarm rates.

    Returns
    -------
    tuple of Threshold
        By rising false-alarm rate.

    Raises
    ------
    InputError
        The labels are all the same.
    """
    labels = _checked_labels(is_anomaly)
    return tuple(_threshold(np.asarray(p_values, dtype=np.float32), labels, alpha) for alpha in sorted(alphas))


def anomaly_auroc_scorer(estimator: Any, X: Any, y: ArrayLike) -> float:
    """Score an outlier detector by its AUROC; a ``scoring`` for `GridSearchCV` and `cross_val_score`.

    Parameters
    ----------
    estimator : estimator
        Fitted, with scikit-learn's `score_samples`: higher = more normal.
    X : array-like or data frame of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        1 for anomalies, 0 for normal samples.

    Returns
    -------
    float
        The chance that an anomaly scores above a normal sample.

    Raises
    ------
    InputError
        `y` holds only one of the two, or something else.
    """
    return float(roc_auc_score(_checked_labels(y), -np.asarray(estimator.score_samples(X))))


def _threshold(p_values: NDArray[np.float32], labels: NDArray[np.bool_], alpha: float) -> Threshold:
    # The model file compares in single precision as well.
    flagged = p_values <= np.float32(alpha)
    n_alarms, n_hits = int(flagged.sum()), int((flagged & labels).sum())
    return Threshold(alpha, n_alarms, n_hits, n_hits / n_alarms if n_alarms else None, n_hits / int(labels.sum()))


def _checked_labels(is_anomaly: ArrayLike) -> NDArray[np.bool_]:
    labels = np.asarray(is_anomaly)
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise InputError("Expected one label per row, 1 for an anomaly and 0 for a normal row, found others.")
    if len(np.unique(labels)) < 2:
        kind = "no rows" if not len(labels) else "only anomalies" if labels[0] else "only normal rows"
        raise InputError(f"Expected both normal rows and anomalies to compare with, found {kind}; add the others.")
    return labels.astype(np.bool_)

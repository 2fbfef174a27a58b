"""How good anomaly scores are, against labels: AUROC, average precision, and what each false-alarm rate brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from scipy.stats import norm, rankdata
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from gandetect.errors import InputError

ALPHAS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""False-alarm rates of the threshold table."""

CONFIDENCE = 0.95
"""Of the intervals: so many of them hold what an endless number of such rows would give."""

N_RESAMPLES = 500
"""Bootstrap samples behind the interval of the average precision."""

Interval = tuple[float, float]


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
    auroc_interval, average_precision_interval : tuple of two floats
        95 % confidence intervals of both, from `auroc_interval` and `average_precision_interval`.
    thresholds : tuple of Threshold
        By rising false-alarm rate.
    """

    n_rows: int
    n_anomalies: int
    auroc: float
    average_precision: float
    auroc_interval: Interval
    average_precision_interval: Interval
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
        The labels are all the same, there is not one finite score and one p-value for each of them, or a false-alarm
        rate is no number.
    """
    labels = _checked_labels(is_anomaly)
    scores, p_values = (
        _checked_numbers(values, len(labels), what) for values, what in ((scores, "scores"), (p_values, "p-values"))
    )
    return Evaluation(
        n_rows=len(labels),
        n_anomalies=int(labels.sum()),
        auroc=float(roc_auc_score(labels, scores)),
        average_precision=float(average_precision_score(labels, scores)),
        auroc_interval=auroc_interval(scores, labels),
        average_precision_interval=average_precision_interval(scores, labels),
        thresholds=threshold_table(p_values, labels, alphas),
    )


def auroc_interval(scores: ArrayLike, is_anomaly: ArrayLike) -> Interval:
    """Return a 95 % confidence interval of the AUROC, by DeLong, DeLong and Clarke-Pearson (1988).

    The variance is computed from midranks as by Sun and Xu (2014); the interval is symmetric for the logit of the
    AUROC, so that it stays within 0 and 1. Where all anomalies score above all normal rows it is the point 1.

    Parameters
    ----------
    scores : array-like of shape (n_rows,)
        Anomaly scores.
    is_anomaly : array-like of bool of shape (n_rows,)
        The labels.

    Returns
    -------
    tuple of two floats
    """
    labels = _checked_labels(is_anomaly)
    values = np.asarray(scores, dtype=np.float64)
    ranks, n_anomalies, n_normal = rankdata(values), int(labels.sum()), int((~labels).sum())
    # The chance of each row to lie on the right side of a row of the other sort.
    above = (ranks[labels] - rankdata(values[labels])) / n_normal
    below = 1 - (ranks[~labels] - rankdata(values[~labels])) / n_anomalies
    auroc = float(above.mean())
    if auroc in (0.0, 1.0):
        return auroc, auroc
    variance = sum(float(part.var(ddof=1)) / len(part) if len(part) > 1 else 0.25 for part in (above, below))
    reach = float(norm.ppf((1 + CONFIDENCE) / 2)) * variance**0.5 / (auroc * (1 - auroc))
    return float(expit(logit(auroc) - reach)), float(expit(logit(auroc) + reach))


def average_precision_interval(scores: ArrayLike, is_anomaly: ArrayLike) -> Interval:
    """Return a 95 % confidence interval of the average precision: percentiles of bootstrap samples (Efron, 1979).

    Anomalies and normal rows are drawn apart, so that their numbers stay; the draws are always the same.

    Parameters
    ----------
    scores : array-like of shape (n_rows,)
        Anomaly scores.
    is_anomaly : array-like of bool of shape (n_rows,)
        The labels.

    Returns
    -------
    tuple of two floats
    """
    labels = _checked_labels(is_anomaly)
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order], append=np.nan) != 0)  # the last of rows that score alike
    random = np.random.default_rng(0)
    anomalies, normal = np.flatnonzero(labels[order]), np.flatnonzero(~labels[order])

    def drawn(places: NDArray[np.int64]) -> NDArray[np.int64]:
        return random.choice(places, len(places))

    found = [_average_precision(drawn(anomalies), drawn(normal), ends, len(order)) for _ in range(N_RESAMPLES)]
    low, high = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _average_precision(
    anomalies: NDArray[np.int64], normal: NDArray[np.int64], ends: NDArray[np.int64], n_rows: int
) -> float:
    """Return the average precision of rows drawn by their places in the order of falling scores."""
    hits, misses = (np.cumsum(np.bincount(drawn, minlength=n_rows))[ends] for drawn in (anomalies, normal))
    recalled = np.diff(hits, prepend=0) / len(anomalies)
    return float((recalled * hits / np.maximum(hits + misses, 1)).sum())


def curves(scores: ArrayLike, is_anomaly: ArrayLike, n_points: int = 200) -> dict[str, list[tuple[float, float]]]:
    """Return the points of both curves for a picture.

    Parameters
    ----------
    scores : array-like of shape (n_rows,)
        Anomaly scores.
    is_anomaly : array-like of bool of shape (n_rows,)
        The labels.
    n_points : int
        At most so many points each.

    Returns
    -------
    dict
        ``roc``: (false-positive rate, true-positive rate); ``precision_recall``: (recall, precision), by rising recall.
    """
    labels = _checked_labels(is_anomaly)
    false, true, _ = roc_curve(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    by_recall = recall[::-1], precision[::-1]
    return {"roc": _thinned(false, true, n_points), "precision_recall": _thinned(*by_recall, n_points)}


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64], n_points: int) -> list[tuple[float, float]]:
    chosen = np.unique(np.linspace(0, len(x) - 1, n_points).round().astype(int))
    return [(float(x[i]), float(y[i])) for i in chosen]


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
        The labels are all the same, or a false-alarm rate is no number.
    """
    labels, rates = _checked_labels(is_anomaly), sorted(_checked_rates(alphas))
    return tuple(_threshold(np.asarray(p_values, dtype=np.float32), labels, alpha) for alpha in rates)


def anomaly_auroc_scorer(estimator: Any, X: Any, y: ArrayLike) -> float:
    """Score an outlier detector by its AUROC; a ``scoring`` for `GridSearchCV` and `cross_val_score`.

    Parameters
    ----------
    estimator : estimator
        Fitted, with scikit-learn's `score_samples`: higher = more normal.
    X : array-like or data frame of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        1 for anomalies, 0 for normal samples; or, as `predict` answers, -1 for anomalies and 1 for normal samples.

    Returns
    -------
    float
        The chance that an anomaly scores above a normal sample.

    Raises
    ------
    InputError
        `y` holds only one of the two, or something else, or the estimator has no `score_samples`.
    """
    if not hasattr(estimator, "score_samples"):
        found = type(estimator).__name__
        raise InputError(f"Expected an outlier detector with score_samples, found {found}; pass a fitted one.")
    labels = _array(y)
    is_anomaly = labels == -1 if np.isin(labels, (-1, 1)).all() and (labels == -1).any() else labels
    return float(roc_auc_score(_checked_labels(is_anomaly), -np.asarray(estimator.score_samples(X))))


def _threshold(p_values: NDArray[np.float32], labels: NDArray[np.bool_], alpha: float) -> Threshold:
    # The model file compares in single precision as well.
    flagged = p_values <= np.float32(alpha)
    n_alarms, n_hits = int(flagged.sum()), int((flagged & labels).sum())
    return Threshold(alpha, n_alarms, n_hits, n_hits / n_alarms if n_alarms else None, n_hits / int(labels.sum()))


def _checked_numbers(values: ArrayLike, n_rows: int, what: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.array(np.nan)
    if numbers.shape != (n_rows,) or not np.isfinite(numbers).all():
        raise InputError(f"Expected {n_rows} {what}, one finite number for each label, found others.")
    return numbers


def _checked_rates(alphas: Any) -> list[float]:
    rates = _array(alphas)
    if rates.ndim != 1 or rates.dtype.kind not in "fiu":
        raise InputError(
            "Expected false-alarm rates as a list of numbers, found others; pass (0.01, 0.05) or the like."
        )
    own: list[float] = rates.tolist()
    return own


def _array(values: Any) -> NDArray[Any]:
    """Return an array of what may be one; of lists that differ in length one without dimensions."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.array(None)


def _checked_labels(is_anomaly: ArrayLike) -> NDArray[np.bool_]:
    labels = _array(is_anomaly)
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise InputError("Expected one label per row, 1 for an anomaly and 0 for a normal row, found others.")
    if len(np.unique(labels)) < 2:
        kind = "neither" if not len(labels) else "only anomalies" if labels[0] else "only normal data"
        raise InputError(f"Expected both normal data and anomalies to compare with, found {kind}; add the others.")
    return labels.astype(np.bool_)

"""Which rows train and which are scored in every setting. No row ever does both, but in ``contaminated`` all do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

MIXED_PERCENTS = (0, 1, 5, 10)


@dataclass(frozen=True)
class Split:
    """What one run trains on and what it scores.

    Parameters
    ----------
    X_train, X_test : numpy.ndarray
        Rows (rows, columns) to train on and to score.
    y_test : numpy.ndarray
        Labels of the scored rows (rows,), 1 = anomaly.
    n_anomalies : int
        How many of the training rows are anomalies, known or not.
    known : numpy.ndarray, optional
        For each training row (rows,): 1 = known to be an anomaly, 0 = nothing known.
    """

    X_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    n_anomalies: int = 0
    known: np.ndarray | None = None

    def unlabelled(self) -> Split:
        """Return the split as a detector sees it that uses no labels: without the rows known to be anomalies."""
        if self.known is None:
            return self
        return Split(self.X_train[self.known == 0], self.X_test, self.y_test)


def shuffled(y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the normal rows and of the anomalies, in random order; the same ones in every setting."""
    random = np.random.RandomState(seed)
    return random.permutation(np.flatnonzero(y == 0)), random.permutation(np.flatnonzero(y == 1))


def split_one_class(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    """Train on a random half of the normal rows; test on the other half and every anomaly."""
    normal, _ = shuffled(y, seed)
    half = len(normal) // 2
    test = np.concatenate([normal[half:], np.flatnonzero(y == 1)])
    return Split(X[normal[:half]], X[test], y[test])


def split_contaminated(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    """Train on all rows, anomalies included, and score the same rows."""
    return Split(X, X, y, n_anomalies=int(y.sum()))


def n_for_share(n_normal: int, percent: float) -> int:
    """Return how many anomalies make up so many percent of the rows when they join the normal ones."""
    return round(n_normal * percent / (100 - percent))


def split_mixed(X: np.ndarray, y: np.ndarray, seed: int, percent: float) -> Split:
    """Train as in one-class with anomalies mixed in, at most half of the set's; test on what no share trains on."""
    normal, anomalies = shuffled(y, seed)
    half = len(normal) // 2
    reserved = min(n_for_share(half, max(MIXED_PERCENTS)), len(anomalies) // 2)
    mixed_in = anomalies[: min(n_for_share(half, percent), reserved)]
    # No detector shall profit from the anomalies standing last.
    train = np.random.RandomState(seed).permutation(np.concatenate([normal[:half], mixed_in]))
    test = np.concatenate([normal[half:], anomalies[reserved:]])
    return Split(X[train], X[test], y[test], n_anomalies=len(mixed_in))


def n_labelled(n_anomalies: int) -> int:
    """Return how many anomalies are known: 1 % of the set's, at least 5, at most half of them."""
    return min(max(5, math.ceil(n_anomalies / 100)), n_anomalies // 2)


def split_labelled(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    """Train as in one-class, with a few known anomalies; test on the other half and the other anomalies."""
    normal, anomalies = shuffled(y, seed)
    half, n_known = len(normal) // 2, n_labelled(len(anomalies))
    train = np.random.RandomState(seed).permutation(np.concatenate([normal[:half], anomalies[:n_known]]))
    test = np.concatenate([normal[half:], anomalies[n_known:]])
    return Split(X[train], X[test], y[test], n_anomalies=n_known, known=y[train])


SETTINGS: dict[str, Callable[[np.ndarray, np.ndarray, int], Split]] = {
    "one-class": split_one_class,
    "contaminated": split_contaminated,
    **{f"mixed-{percent}": partial(split_mixed, percent=percent) for percent in MIXED_PERCENTS},
    "labelled": split_labelled,
}
"""How rows are split, by the name that the command line takes: (rows, labels, seed) -> `Split`."""

"""A certificate without labels: which share of planted anomalies is found, also by two plain detectors.

Everything is out of fold. An anomaly that is planted into a row of some fold is scored by what never saw this fold; the
threshold lets through all but a share `alpha` of the training rows, scored likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

from gandetect.tables.assembly import Learned
from gandetect.tables.calibration import Judges, other_measures
from gandetect.tables.encoding import EncodedRows
from gandetect.tables.ensemble import TableRows
from gandetect.tables.partial_graphs import run_encoding
from gandetect.tables.planting import ROWS_PER_COMPONENT, STRENGTHS, plant

FEWEST = ROWS_PER_COMPONENT
"""With fewer rows nothing is certified: there is no mixture to plant from."""

MAX_ROWS = 3000
"""Training rows that the plain detectors learn from."""

N_NEIGHBOURS = 5
"""Neighbours of the plain kNN."""

Columns = Mapping[str, NDArray[Any]]
Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Score = Callable[[Floats], Doubles]
"""Samples to scores, high = anomalous."""


def certified(
    columns: Columns, rows: TableRows, learned: Learned, scores: Floats, alpha: float, n_planted: int, seed: int
) -> dict[str, Any]:
    """Plant anomalies, and say which share is found out of fold, also by plain detectors.

    Parameters
    ----------
    columns : mapping of str to array of shape (n_rows,)
        Raw training columns.
    rows : TableRows
        The same rows, encoded.
    learned : Learned
        The detector.
    scores : array of shape (n_rows,)
        Its scores of the training rows, out of fold.
    alpha : float
        The false-alarm rate at which anomalies are to be found.
    n_planted : int
        Anomalies of each kind; 0 for no certificate.
    seed : int
        Key of all randomness.

    Returns
    -------
    dict
        As from `certificate`; empty where there are too few rows, or nothing to plant.
    """
    n_rows = len(rows.samples)
    if not n_planted or n_rows < FEWEST:
        return {}
    chosen, compared = (np.random.default_rng([seed, n]).permutation(n_rows)[:n] for n in (n_planted, MAX_ROWS))
    planted = plant(columns, learned.encoding, chosen, seed)
    if not planted:
        return {}
    together = {name: np.concatenate([kind[name] for kind in planted.values()]) for name in learned.encoding.columns}
    encoded = run_encoding(together, learned.schema, learned.encoding)
    folds, planted_folds = rows.folds[compared], np.tile(rows.folds[chosen], len(planted))
    own = _scores_of_folds(encoded, np.tile(chosen, len(planted)), planted_folds, learned)
    by_detector = {"gandetect": Scores(scores.astype(np.float64), rows.folds, own)}
    for name, fit in PLAIN.items():
        normal, found = scores_of(fit, rows.samples[compared], folds, encoded.samples, planted_folds)
        by_detector[name] = Scores(normal, folds, found)
    return certificate(alpha, list(planted), by_detector)


def _scores_of_folds(
    encoded: EncodedRows, sources: NDArray[np.int64], folds: NDArray[np.int64], learned: Learned
) -> NDArray[np.float64]:
    """Score rows that were made from training rows by the members that never saw their folds."""
    judges = Judges(learned.encoding, learned.weights, learned.error_scale, learned.evidence)
    scores = np.empty(len(folds))
    for member in np.unique(folds):
        own = folds == member
        parts = {name: values[own] for name, values in encoded._asdict().items()}
        answers = judges.answers(parts, sources[own], judges.weights.member(int(member)))
        present = parts["present"] * ~judges.encoding.is_given
        feeds = answers | other_measures(present, parts["excess"])
        scores[own] = judges.scores(feeds, parts["growth"])
    return scores


def power(alpha: float, normal: Doubles, folds: NDArray[np.int64], planted: Doubles) -> tuple[float, list[float]]:
    """Measure a detector out of fold.

    Parameters
    ----------
    alpha : float
        False-alarm rate that is asked for.
    normal : array of shape (n_rows,)
        Scores of training rows by what never saw them, high = anomalous.
    folds : array of shape (n_rows,)
        Their folds.
    planted : array of shape (n_kinds, n_planted)
        Scores of planted anomalies.

    Returns
    -------
    false_alarm_rate : float
        Share of the rows of each fold that exceed the threshold of all other folds.
    found : list of float, of length n_kinds
        Share of the planted anomalies that exceed the threshold.
    """
    alarms = [normal[folds == fold] > threshold(alpha, normal[folds != fold]) for fold in np.unique(folds)]
    found = (planted > threshold(alpha, normal)).mean(1)
    return _rounded(np.concatenate(alarms).mean()), [_rounded(share) for share in found]


def threshold(alpha: float, normal: Doubles) -> float:
    """Return the score above which a p-value is at most `alpha`; infinite where so few scores allow none."""
    n_allowed = int(alpha * (len(normal) + 1) + 1e-9)  # k scores at least as high make the p-value (k + 1) / (n + 1)
    return float(np.sort(normal)[-n_allowed]) if n_allowed else np.inf


def _rounded(share: Any) -> float:
    return round(float(share), 4)


def nearest_neighbours(training: Floats) -> Score:
    """Return the mean distance to the five nearest training rows."""
    fitted = NearestNeighbors(n_neighbors=min(N_NEIGHBOURS, len(training))).fit(training)
    return lambda samples: np.asarray(fitted.kneighbors(samples)[0].mean(1), dtype=np.float64)


def isolation_forest(training: Floats) -> Score:
    """Return scikit-learn's isolation forest with its defaults."""
    fitted = IsolationForest(random_state=0).fit(training)
    return lambda samples: -np.asarray(fitted.score_samples(samples), dtype=np.float64)


PLAIN: dict[str, Callable[[Floats], Score]] = {"kNN": nearest_neighbours, "isolation forest": isolation_forest}
"""Plain detectors for comparison; they learn from the encoded rows, which are centred and scaled."""


def scores_of(
    fit: Callable[[Floats], Score],
    samples: Floats,
    folds: NDArray[np.int64],
    planted: Floats,
    planted_folds: NDArray[np.int64],
) -> tuple[Doubles, Doubles]:
    """Return a plain detector's scores of all samples and of planted ones, each by a fit that never saw its fold."""
    scores = np.empty(len(samples) + len(planted))
    both, all_folds = np.concatenate([samples, planted]), np.concatenate([folds, planted_folds])
    for fold in np.unique(all_folds):
        own = all_folds == fold
        scores[own] = fit(samples[folds != fold])(both[own])
    return scores[: len(samples)], scores[len(samples) :]


@dataclass(frozen=True)
class Scores:
    """What a detector gave out of fold: to training rows, whose folds are known, and to planted anomalies.

    Shape
    -----
    normal, folds (n_rows,); planted (n_kinds * n_planted,)
    """

    normal: Doubles
    folds: NDArray[np.int64]
    planted: Doubles


def certificate(alpha: float, kinds: list[str], scores: Mapping[str, Scores]) -> dict[str, Any]:
    """Return what the model file says of its power, as JSON values.

    Parameters
    ----------
    alpha : float
        False-alarm rate that is asked for.
    kinds : list of str
        The kinds of planted anomalies, in order.
    scores : mapping of str to Scores
        By detector.

    Returns
    -------
    dict
        ``alpha``; ``strengths`` by kind; ``n_planted`` of each kind; ``n_rows`` and the measured ``false_alarm_rate``
        by detector; ``power``: by kind and detector the share that is found.
    """
    measured = {
        name: power(alpha, own.normal, own.folds, own.planted.reshape(len(kinds), -1)) for name, own in scores.items()
    }
    return {
        "alpha": alpha,
        "strengths": {kind: STRENGTHS[kind] for kind in kinds},
        "n_planted": len(next(iter(scores.values())).planted) // len(kinds),
        "n_rows": {name: len(own.normal) for name, own in scores.items()},
        "false_alarm_rate": {name: rate for name, (rate, _) in measured.items()},
        "power": {
            kind: {name: found[position] for name, (_, found) in measured.items()}
            for position, kind in enumerate(kinds)
        },
    }

"""A certificate without labels: which share of planted anomalies is found, also by two plain detectors.

The four kinds of anomalies follow Han et al., "ADBench: Anomaly Detection Benchmark" (2022, section 3.2), who took them
from Steinbuss and Böhm (2021); a Gaussian mixture stands for the normal rows.

==========  =======================================================================================================
kind        what is planted
==========  =======================================================================================================
local       draws from the mixture with `strength` times its covariances: near the data, but not of it
global      each number uniform in its range, `strength` times as wide; each category uniform among its levels
dependency  each column the value of another row: every value is usual, together they are not
cluster     draws from one component of the mixture, moved away by `strength` of its deviations in one direction
==========  =======================================================================================================

Everything is out of fold. An anomaly is planted into a row of some fold, whose other cells it keeps, and is scored by
what never saw this fold; the threshold lets through all but a share `alpha` of the training rows, scored likewise.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from gandetect.tables.encoding import CLIP, CategoryEncoding, Encoding, NumberEncoding

STRENGTHS = {"local": 5.0, "global": 1.1, "dependency": 1.0, "cluster": 5.0}
"""How strong the planted anomalies of each kind are; the first two as in ADBench."""

FEWEST = 40
"""With fewer rows nothing is certified."""

MAX_ROWS = 3000
"""Training rows that the mixture and the plain detectors learn from."""

N_COMPONENTS = (1, 2, 4)
"""Components that the mixture may have; the Bayesian information criterion decides."""

MAX_FULL = 50
"""Numbers up to which the mixture knows their covariances; of more, and of few rows, only their variances."""

N_NEIGHBOURS = 5

Columns = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Score = Callable[[Floats32], Floats]
"""Samples to scores, high = anomalous."""


@np.errstate(over="ignore")
def plant(columns: Columns, encoding: Encoding, rows: NDArray[np.int64], seed: int) -> dict[str, dict[str, Any]]:
    """Plant one anomaly of each kind into each of some rows.

    Parameters
    ----------
    columns : mapping of str to array of shape (n_rows,)
        Raw training columns.
    encoding : Encoding
        How they are encoded.
    rows : array of int
        The rows to plant into; whatever a kind leaves alone stays as it is there, and what is given always does.
    seed : int
        Key of all randomness.

    Returns
    -------
    dict of str to dict
        Raw columns by kind; a kind that changes nothing in this table is left out.
    """
    random = np.random.default_rng([seed, len(rows)])
    numbers = {
        name: number
        for name, number in encoding.of_kind(NumberEncoding).items()
        if not number.is_constant and name not in encoding.given
    }
    base = {name: values[rows] for name, values in columns.items() if name in encoding.columns}
    planted: dict[str, dict[str, Any]] = {}
    if numbers:
        cloud = _Cloud(columns, numbers, random)
        planted["local"] = base | cloud.local(base, STRENGTHS["local"])
    planted["global"] = base | _global(columns, base, encoding, numbers, random)
    if len(encoding.columns) > 1:
        free = [name for name in base if name not in encoding.given]
        planted["dependency"] = base | {name: random.choice(columns[name], len(rows)) for name in free}
    if numbers:
        planted["cluster"] = base | cloud.cluster(base, STRENGTHS["cluster"])
    return {kind: made for kind, made in planted.items() if any(_differ(made[name], base[name]) for name in base)}


def _differ(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Tell whether any value differs, missing ones being alike."""
    return not np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _global(
    columns: Columns, base: Columns, encoding: Encoding, numbers: dict[str, NumberEncoding], random: np.random.Generator
) -> dict[str, Any]:
    """Draw numbers uniformly from a wider range, categories uniformly from their levels."""
    drawn: dict[str, Any] = {}
    for name, number in numbers.items():
        away = number.half_range * (STRENGTHS["global"] * random.uniform(-1, 1, len(base[name])))
        drawn[name] = _like(columns[name], base[name], number.middle, away)
    for name, category in encoding.of_kind(CategoryEncoding).items():
        if category.levels and name not in encoding.given:
            drawn[name] = random.choice(np.array(category.levels, dtype=object), len(base[name]))
    return drawn


class _Cloud:
    """The varying numbers of a table, in the encoding's scales, as a Gaussian mixture."""

    def __init__(self, columns: Columns, numbers: dict[str, NumberEncoding], random: np.random.Generator) -> None:
        self._columns, self._numbers, self._random = columns, numbers, random
        rows = random.permutation(len(columns[next(iter(numbers))]))[:MAX_ROWS]
        scaled = [(columns[name][rows] - number.centre) / number.scale for name, number in numbers.items()]
        samples = np.clip(np.nan_to_num(np.stack(scaled, axis=1), posinf=0, neginf=0), -CLIP, CLIP)
        mixture = _mixture(samples)
        self._weights, self._means, spread = mixture.weights_, mixture.means_, mixture.covariances_
        full = mixture.covariance_type == "full"
        self._roots = np.linalg.cholesky(spread) if full else np.stack([np.diag(v**0.5) for v in spread])

    def local(self, base: Columns, strength: float) -> dict[str, Any]:
        """Draw from the mixture with wider components."""
        component = self._random.choice(len(self._weights), self._n_rows(base), p=self._weights)
        noise = strength**0.5 * self._random.normal(size=(len(component), len(self._numbers)))
        return self._raw(base, self._means[component] + np.einsum("nij,nj->ni", self._roots[component], noise))

    def cluster(self, base: Columns, strength: float) -> dict[str, Any]:
        """Draw from one component that was moved away."""
        component = self._random.choice(len(self._weights), p=self._weights)
        direction = self._random.normal(size=len(self._numbers))
        direction *= strength / np.linalg.norm(direction)
        noise = direction + self._random.normal(size=(self._n_rows(base), len(self._numbers)))
        return self._raw(base, self._means[component] + noise @ self._roots[component].T)

    def _n_rows(self, base: Columns) -> int:
        return len(base[next(iter(self._numbers))])

    def _raw(self, base: Columns, scaled: Floats) -> dict[str, Any]:
        return {
            name: _like(self._columns[name], base[name], number.centre, number.scale * scaled[:, position])
            for position, (name, number) in enumerate(self._numbers.items())
        }


def _mixture(samples: Floats) -> GaussianMixture:
    """Fit mixtures of a few sizes and return the one that the Bayesian information criterion prefers."""
    n_rows, n_numbers = samples.shape
    kind = "full" if n_numbers <= MAX_FULL and n_rows > 10 * n_numbers else "diag"
    sizes = [n for n in N_COMPONENTS if n_rows >= FEWEST * n]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than components, for instance
        fits = [GaussianMixture(n, covariance_type=kind, reg_covar=1e-4, random_state=0).fit(samples) for n in sizes]
    return min(fits, key=lambda fit: float(fit.bic(samples)))


def _like(training: Floats, base: Floats, centre: float, away: Floats) -> Floats:
    """Round what is drawn for a column of whole numbers, and leave missing values missing."""
    largest, known = np.finfo(np.float64).max, training[np.isfinite(training)]
    values = np.clip(centre / 2 + away / 2, -largest / 2, largest / 2) * 2  # halves: the sum may be too large
    return np.where(np.isfinite(base), np.rint(values) if (known == np.rint(known)).all() else values, np.nan)


# --- detection --------------------------------------------------------------------------------------------------------


def power(alpha: float, normal: Floats, folds: NDArray[np.int64], planted: Floats) -> tuple[float, list[float]]:
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


def threshold(alpha: float, normal: Floats) -> float:
    """Return the score above which a p-value is at most `alpha`; infinite where so few scores allow none."""
    n_allowed = int(alpha * (len(normal) + 1) + 1e-9)  # k scores at least as high make the p-value (k + 1) / (n + 1)
    return float(np.sort(normal)[-n_allowed]) if n_allowed else np.inf


def _rounded(share: Any) -> float:
    return round(float(share), 4)


def nearest_neighbours(training: Floats32) -> Score:
    """Return the mean distance to the five nearest training rows."""
    fitted = NearestNeighbors(n_neighbors=min(N_NEIGHBOURS, len(training))).fit(training)
    return lambda samples: np.asarray(fitted.kneighbors(samples)[0].mean(1), dtype=np.float64)


def isolation_forest(training: Floats32) -> Score:
    """Return scikit-learn's isolation forest with its defaults."""
    fitted = IsolationForest(random_state=0).fit(training)
    return lambda samples: -np.asarray(fitted.score_samples(samples), dtype=np.float64)


PLAIN: dict[str, Callable[[Floats32], Score]] = {"kNN": nearest_neighbours, "isolation forest": isolation_forest}
"""Plain detectors for comparison; they learn from the encoded rows, which are centred and scaled."""


def scores_of(
    fit: Callable[[Floats32], Score],
    samples: Floats32,
    folds: NDArray[np.int64],
    planted: Floats32,
    planted_folds: NDArray[np.int64],
) -> tuple[Floats, Floats]:
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

    normal: Floats
    folds: NDArray[np.int64]
    planted: Floats


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

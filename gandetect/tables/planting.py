"""Plants anomalies into the rows of a table, to measure how many of them a detector finds.

The four kinds follow Han et al., "ADBench: Anomaly Detection Benchmark" (2022, section 3.2), who took them from
Steinbuss and Böhm (2021); a Gaussian mixture stands for the normal rows.

==========  =======================================================================================================
kind        what is planted
==========  =======================================================================================================
local       draws from the mixture with `strength` times its covariances: near the data, but not of it
global      each number uniform in its range, `strength` times as wide; each category uniform among its levels
dependency  each column the value of another row: every value is usual, together they are not
cluster     draws from one component of the mixture, moved away by `strength` of its deviations in one direction
==========  =======================================================================================================

An anomaly is planted into a row, whose other cells it keeps.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from gandetect.tables.encoding import CLIP, CategoryEncoding, Encoding, NumberEncoding

STRENGTHS = {"local": 5.0, "global": 1.1, "dependency": 1.0, "cluster": 5.0}
"""How strong the planted anomalies of each kind are; the first two as in ADBench."""

MAX_ROWS = 3000
"""Training rows that the mixture learns from."""

N_COMPONENTS = (1, 2, 4)
"""Components that the mixture may have; the Bayesian information criterion decides."""

ROWS_PER_COMPONENT = 40
"""Rows at least for each component."""

MAX_FULL = 50
"""Numbers up to which the mixture knows their covariances; of more, and of few rows, only their variances."""

Columns = Mapping[str, NDArray[Any]]
Doubles = NDArray[np.float64]


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

    def _raw(self, base: Columns, scaled: Doubles) -> dict[str, Any]:
        return {
            name: _like(self._columns[name], base[name], number.centre, number.scale * scaled[:, position])
            for position, (name, number) in enumerate(self._numbers.items())
        }


def _mixture(samples: Doubles) -> GaussianMixture:
    """Fit mixtures of a few sizes and return the one that the Bayesian information criterion prefers."""
    n_rows, n_numbers = samples.shape
    kind = "full" if n_numbers <= MAX_FULL and n_rows > 10 * n_numbers else "diag"
    sizes = [n for n in N_COMPONENTS if n_rows >= ROWS_PER_COMPONENT * n]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than components, for instance
        fits = [GaussianMixture(n, covariance_type=kind, reg_covar=1e-4, random_state=0).fit(samples) for n in sizes]
    return min(fits, key=lambda fit: float(fit.bic(samples)))


def _like(training: Doubles, base: Doubles, centre: float, away: Doubles) -> Doubles:
    """Round what is drawn for a column of whole numbers, and leave missing values missing."""
    largest, known = np.finfo(np.float64).max, training[np.isfinite(training)]
    values = np.clip(centre / 2 + away / 2, -largest / 2, largest / 2) * 2  # halves: the sum may be too large
    return np.where(np.isfinite(base), np.rint(values) if (known == np.rint(known)).all() else values, np.nan)

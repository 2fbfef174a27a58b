"""Out-of-fold scores to evidence, p-values and thresholds.

Every training row is scored by the one member that never saw it; for the p-value, rows on islands by all members that
never did. From these out-of-fold values come, in this order:

* *evidence*: each component's value turned into ``-log p`` of its own tail, as a continuous function;
* the *anomaly score*: a weighted sum of the evidence, in which strong evidence can weigh more;
* the *p-value*: ``(1 + number of out-of-fold scores >= the row's score) / (1 + number of out-of-fold scores)``
  (Vovk, Gammerman and Shafer, 2005; Bates et al., 2023).

A new row is scored by the mean of all members, which varies less than a single member does. Taken as they are, its
p-values would be too large. How much is estimated by simulation and extrapolation (Cook and Stefanski, 1994):
the members' disagreement is added to the out-of-fold scores once more; by as much as that raises the share of scores
above a limit, averaging lowers it. The disagreement is that on rows which the members saw, where they agree more than
on new ones, so too little is taken away rather than too much; and no p-value becomes smaller than half of what it was.
Where all rows are of few kinds, all rows of a kind count with the largest of their scores instead.
That normal rows are flagged as rarely as announced is measured (see the benchmarks), not proven.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_KNOTS = 32
"""Knots of a component's evidence; their heights are equally spaced in ``-log p``."""

TAIL_WEIGHT = 0.1
"""Weight of ``asinh`` of the standardised value: it keeps the order beyond the largest training value."""

STRONG = 3.0
"""Evidence above this (p < 0.05) is strong."""

MAX_SCORES = 4096
"""Calibration scores kept in a model file."""

COARSER_BY = 0.02
"""Share by which p-values may be larger where they are to take little space."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Turns components (high = anomalous) into one anomaly score.

    The evidence of component c at x is ``sum_k step * clip((x - knot[c, k]) / width[c, k], 0, 1)
    + 0.1 * asinh(max(0, (x - mean[c]) / deviation[c]))``. All its terms are non-negative, so rounding cannot pile up.
    The score is ``sum_c weights[c] * evidence[c] + strong_weights[c] * max(0, evidence[c] - 3)``, and
    ``+ 8 * max(growth, excess - excess_limit, 0)``.

    Parameters
    ----------
    knots, widths : array of shape (n_components, n_intervals)
        Where each interval begins and how wide it is.
    step : float
        Rise over one interval.
    mean, deviation : array of shape (n_components,)
        Of the out-of-fold values.
    weights, strong_weights : array of shape (n_components,)
        Weights of the evidence in the score, and of its strong part.
    excess_limit : float
        Largest out-of-fold excess; beyond it the score rises with `UNSEEN_SLOPE`, whatever the networks say.
    """

    knots: Doubles
    widths: Doubles
    step: float
    mean: Doubles
    deviation: Doubles
    weights: Doubles
    strong_weights: Doubles
    excess_limit: float


UNSEEN_SLOPE = 8.0
"""Slope of the score in growth and unseen excess; large enough to outgrow all other evidence."""


def fit_evidence(
    components: Doubles, weights: Doubles, strong_weights: Doubles, smallest_deviation: Doubles
) -> Evidence:
    """Fit the evidence of every component on its out-of-fold values.

    Parameters
    ----------
    components : array of shape (n_rows, n_components)
        Out-of-fold values, high = anomalous; the last component is the excess.
    weights, strong_weights : array of shape (n_components,)
        Weights of the evidence in the score, and of its strong part.
    smallest_deviation : array of shape (n_components,)
        Unit of a component that hardly varies on the training rows.

    Returns
    -------
    Evidence
    """
    n_rows = len(components)
    deviation = np.maximum(components.std(0), smallest_deviation)
    heights = np.linspace(0, np.log(2 * n_rows), N_KNOTS)
    ordered = np.sort(components, axis=0)
    # A value with k - 1/2 values above it has the height -log((k - 1/2) / n).
    position = np.clip(n_rows * (1 - np.exp(-heights)) - 0.5, 0, n_rows - 1)
    knots = np.array([np.interp(position, np.arange(n_rows), column) for column in ordered.T])
    # Steep steps would turn rounding errors into differences between hosts.
    narrowest = np.maximum(0.01 * deviation, 0.05)
    for k in range(1, N_KNOTS):
        knots[:, k] = np.maximum(knots[:, k], knots[:, k - 1] + narrowest)
    return Evidence(
        knots=knots[:, :-1],
        widths=np.diff(knots),
        step=float(heights[1]),
        mean=components.mean(0),
        deviation=deviation,
        weights=weights,
        strong_weights=strong_weights,
        excess_limit=float(components[:, -1].max()),
    )


@dataclass(frozen=True)
class Calibration:
    """A non-increasing step function from anomaly score to p-value.

    ``p_value(s) = p_values[numpy.searchsorted(scores, s, side="left")]``

    Parameters
    ----------
    scores : array of shape (n_scores,), float32
        Ascending.
    p_values : array of shape (n_scores + 1,), float32
        Descending from 1 to ``1 / (n_rows + 1)``.
    n_rows : int
        Number of out-of-fold scores that it was made from.
    percentiles : tuple of float
        Of the out-of-fold scores, 0 to 100; what a picture of them is drawn from.
    """

    scores: NDArray[np.float32]
    p_values: NDArray[np.float32]
    n_rows: int
    percentiles: tuple[float, ...] = ()

    def critical_score(self, alpha: float) -> float:
        """Return the score above which rows are flagged, ``score > critical`` being the same as ``p_value <= alpha``.

        Infinity where no p-value is that small.
        """
        allowed = np.flatnonzero(self.p_values <= np.float32(alpha))
        if not len(allowed):
            return float("inf")
        return float(self.scores[allowed[0] - 1]) if allowed[0] else float("-inf")

    def coarser(self, alpha: float) -> Calibration:
        """Return fewer steps: what is flagged at `alpha` stays, other p-values are up to `COARSER_BY` larger.

        None becomes smaller, so that no more is flagged at any other false-alarm rate.
        """
        kept, current = [], float(self.p_values[0])
        for step, below in enumerate(self.p_values[1:].tolist()):
            if below * (1 + COARSER_BY) < current or below <= np.float32(alpha) < current:
                kept.append(step)
                current = below
        return Calibration(self.scores[kept], self.p_values[np.append(0, np.add(kept, 1, dtype=np.int64))], self.n_rows)


@dataclass(frozen=True)
class Disagreement:
    """How much members differ on training rows.

    Parameters
    ----------
    scores : array of shape (n_rows,)
        Out-of-fold anomaly scores of some training rows.
    deviations : array of shape (n_rows, n_members - 1)
        The scores that members give who saw the row, minus their mean.
    """

    scores: NDArray[np.float32]
    deviations: NDArray[np.float32]

    @classmethod
    def between(
        cls, by_member: NDArray[np.float32], scores: NDArray[np.float32], folds: NDArray[np.int64]
    ) -> Disagreement:
        """Compare the scores that all members give, (members, n_rows); every row's own fold's member is left out."""
        saw = folds != np.arange(len(by_member))[:, None]  # (members, n_rows)
        seen = by_member.T[saw.T].reshape(len(scores), -1)
        return cls(scores, seen - seen.mean(1, keepdims=True))

    def share_lost(self, limits: NDArray[np.float32]) -> Doubles:
        """Return the estimated share of rows that score above each limit with one member but not with the mean.

        The deviations of k members from their mean vary by a factor of 1 - 1/k less than the members do, that of a
        member from the mean of all k + 1 by 1 - 1/(k + 1): they are widened by the root of the ratio.
        """
        k = max(2, self.deviations.shape[1])  # one member deviates by nothing from its own mean
        widened = self.deviations * np.float32(k / np.sqrt(k**2 - 1))
        noisy = np.sort((self.scores[:, None] + widened).ravel())
        above, noisy_above = (
            1 - np.searchsorted(ordered, limits, side="right") / len(ordered)
            for ordered in (np.sort(self.scores), noisy)
        )
        return np.asarray(np.maximum(noisy_above - above, 0))


def calibrate(scores: NDArray[np.float32], disagreement: Disagreement | None = None) -> Calibration:
    """Make the p-values from out-of-fold scores.

    At most 4 096 scores are kept: the largest half of them exactly, the rest thinned. Between two kept scores the
    p-value is the larger one, which never flags more.

    Parameters
    ----------
    scores : array of shape (n_rows,), float32
        Out-of-fold anomaly scores of the training rows.
    disagreement : Disagreement, optional
        Of the members whose mean scores new rows; without it new rows are scored like the training rows.

    Returns
    -------
    Calibration
    """
    ordered = np.sort(scores)
    n_rows = len(ordered)
    n_exact = MAX_SCORES // 2
    exact = np.arange(max(0, n_rows - n_exact), n_rows)
    thinned = np.unique(np.linspace(0, n_rows - 1, MAX_SCORES - n_exact).astype(int))
    kept = np.unique(ordered[np.union1d(thinned, exact)])
    # Scores just above kept[i - 1] have as many scores at or above them as are larger than kept[i - 1].
    larger = np.concatenate([[n_rows], n_rows - np.searchsorted(ordered, kept, side="right")])
    p_values = (1 + larger) / (1 + n_rows)
    if disagreement is not None:
        lowered = p_values[1:] - disagreement.share_lost(kept)
        p_values[1:] = np.maximum(lowered, np.maximum(p_values[1:] / 2, 1 / (1 + n_rows)))
        p_values = np.maximum.accumulate(p_values[::-1])[::-1]
    percentiles = np.quantile(ordered, np.linspace(0, 1, 101), method="nearest").astype(np.float64).round(4)
    return Calibration(kept, p_values.astype(np.float32), n_rows, tuple(percentiles.tolist()))


def default_alpha(n_rows: int) -> float:
    """Return the default false-alarm rate: 0.05, or the smallest p-value that so few rows allow."""
    return max(0.05, 1 / (n_rows + 1))


def threshold_exceeded_by(share: float, scores: NDArray[np.floating[Any]]) -> float:
    """Return a threshold, a float32, that the given share of scores is above."""
    return float(float32_at_most(-np.percentile(-scores.astype(np.float64), 100 * share)))


def float32_at_most(value: float) -> np.float32:
    """Return the largest float32 not above `value`: float32 scores compare with both in the same way."""
    rounded = np.float32(value)
    # Beside a float32 numpy would round a Python float before it compares them.
    return np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > value else rounded

"""A variant beside its source: how far apart their answers are, and how far they may be."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import ModelFileError
from gandetect.export.opened import Opened
from gandetect.modality import VERDICT
from gandetect.scorer import Scorer


@dataclass(frozen=True)
class Bound:
    """How far a variant may be from its source.

    Parameters
    ----------
    difference : float
        Largest difference of an answer, relative to ``max(1, abs(answer))``.
    flags : float
        Share of the rows whose flag changes.
    ranks : float
        Smallest rank correlation of the scores.
    """

    difference: float
    flags: float
    ranks: float


@dataclass(frozen=True)
class Comparison:
    """A variant beside its source; of pairs the source's figure comes first.

    Parameters
    ----------
    n_golden, n_fresh : int
        Golden rows or pictures, and such of the generators' making, normal and odd ones; some rows miss values.
    largest_differences : dict of str to float
        Of every output that is compared, relative to ``max(1, abs(answer))``.
    flags_changed : int
        Rows or pictures that one of both flags.
    rank_correlation : float
        Of the anomaly scores.
    n_bytes : tuple of int
        Sizes of the files.
    one_row, batch : tuple of float
        Seconds for one row or picture, and for each of a batch of 1 000 rows or 16 pictures.
    """

    n_golden: int
    n_fresh: int
    largest_differences: dict[str, float]
    flags_changed: int
    rank_correlation: float
    n_bytes: tuple[int, int]
    one_row: tuple[float, float]
    batch: tuple[float, float]

    def require(self, bound: Bound) -> None:
        """Refuse a variant that is too far from its source.

        Parameters
        ----------
        bound : Bound
            How far it may be.

        Raises
        ------
        ModelFileError
            It is farther.
        """
        n_rows, differences = self.n_golden + self.n_fresh, self.largest_differences.items()
        for what, found, holds, allowed in (
            *((f"{name} to differ by at most", found, "<=", bound.difference) for name, found in differences),
            ("a share of changed flags of at most", self.flags_changed / n_rows, "<=", bound.flags),
            ("a rank correlation of the scores of at least", self.rank_correlation, ">=", bound.ranks),
        ):
            if not (found <= allowed if holds == "<=" else found >= allowed):
                raise ModelFileError(
                    f"Expected {what} {allowed:g} between the variant and its source, found {found:.3g}; nothing was "
                    "written, go on with the source."
                )


def compare(source: Opened, before: bytes, after: bytes, seed: int = 0) -> Comparison:
    """Let two models answer a source's golden samples and fresh ones."""
    fresh = source.fresh(np.random.default_rng([seed, 9]))
    scorers = source.scorer_of(before), source.scorer_of(after)
    theirs, its = ([_answers(source, scorer, batch) for batch in (source.golden, *fresh)] for scorer in scorers)
    scores, flags = ([_joined(answers, name) for answers in (theirs, its)] for name in ("anomaly_score", "is_anomaly"))
    n_golden = len(theirs[0]["is_anomaly"])
    return Comparison(
        n_golden=n_golden,
        n_fresh=len(flags[0]) - n_golden,
        largest_differences={
            name: max(_largest_difference(one[name], other[name]) for one, other in zip(theirs, its, strict=True))
            for name in source.compared
        },
        flags_changed=int((flags[0] != flags[1]).sum()),
        rank_correlation=_rank_correlation(*scores),
        n_bytes=(len(before), len(after)),
        one_row=_seconds_each(source, scorers, fresh[0], 1),
        batch=_seconds_each(source, scorers, fresh[0], source.n_timed),
    )


_Answers = dict[str, NDArray[Any]]


def _answers(source: Opened, scorer: Scorer, raw: Any) -> _Answers:
    return scorer(source.taken(scorer, raw), (*source.compared, "is_anomaly"))


def _joined(answers: list[_Answers], output: str) -> NDArray[Any]:
    return np.concatenate([each[output] for each in answers])


def _largest_difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the largest difference to the first of both, relative to ``max(1, abs(value))``."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    return float((np.abs(other - one) / np.maximum(1, np.abs(one))).max())


def _rank_correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return mean ranks. Rows of one kind, of which a table of categories has few, are tied in spite of rounding."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order].astype(np.float64)
    apart = np.diff(ordered) > EQUAL * np.maximum(1, np.abs(ordered[1:]))
    group = np.concatenate([[0], np.cumsum(apart)])
    sizes = np.bincount(group)
    ranks = np.empty(len(scores))
    ranks[order] = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return ranks


EQUAL = 1e-5
"""Scores that differ by no more, relative to ``max(1, abs(score))``, are the same."""


def _seconds_each(source: Opened, scorers: tuple[Scorer, Scorer], raw: Any, n_samples: int) -> tuple[float, float]:
    """Let both score some samples in turn; return the shortest of several runs of each, per sample."""
    taken = [source.taken(scorer, source.first(raw, n_samples)) for scorer in scorers]
    shortest, begin = [np.inf, np.inf], time.perf_counter()
    for turn in range(20):
        if turn >= 3 and time.perf_counter() - begin > MAX_TIMED:
            break
        for place, scorer in enumerate(scorers):
            start = time.perf_counter()
            scorer(taken[place], VERDICT)
            shortest[place] = min(shortest[place], (time.perf_counter() - start) / n_samples)
    return shortest[0], shortest[1]


MAX_TIMED = 3.0
"""Seconds after which no further run is timed."""

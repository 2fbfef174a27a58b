"""How the values of a column are spread: shares of rows in bins, the same bins for training, generated and new rows.

The bins of a number are about tenths of its training rows, with one below and one above all of them; those of a
category its most frequent levels, all other known ones and the unknown; those of a time eighths of the day, since of a
time a detector sees cycles, and later dates are no change. The last bin of every column counts missing values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.column import NUMERIC, Column, Kind
from gandetect.errors import ModelFileError

TENTHS = np.linspace(0, 1, 11)
"""Quantiles of the training values between which the bins of a number lie."""

HOURS = 3
"""Length of a time's bins."""

MAX_LEVELS = 12
"""Levels of a category with a bin of their own."""

DAY = 86_400

Shares = tuple[float, ...]


@dataclass(frozen=True)
class Distribution:
    """Bins of one column, and the shares of training and generated rows in them.

    Parameters
    ----------
    kind : Kind
        Of the column.
    edges : tuple of float
        Of a number: a bin ends with its upper edge; the first one is just below the smallest training value.
    levels : tuple of str
        Of a category: those with a bin of their own.
    known : frozenset of str
        Of a category: all levels of the training data.
    training, generated : tuple of float
        Shares of the rows in each bin; empty where none were counted.
    """

    kind: Kind
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    training: Shares = ()
    generated: Shares = ()

    @classmethod
    def of(cls, column: Column) -> Distribution:
        """Return what a model file remembers of a column.

        Raises
        ------
        ModelFileError
            It does not say how the column's training values are spread.
        """
        try:
            stored: Mapping[str, Any] = column.summary["distribution"]
            bins = cls(
                column.kind,
                tuple(float(edge) for edge in stored.get("edges", ())),
                tuple(str(level) for level in stored.get("levels", ())),
                frozenset(column.summary.get("known", ())),
                *(tuple(float(share) for share in stored.get(name, ())) for name in ("training", "generated")),
            )
            n_bins = len(bins.labels)
            if len(bins.training) != n_bins or len(bins.generated) not in (0, n_bins):
                raise ValueError
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"Expected the model file to say how the values of column {column.name!r} are spread, found nothing "
                "that can be used; fit the model again."
            ) from error
        return bins

    @property
    def labels(self) -> list[str]:
        """What each bin holds, in words."""
        if self.kind is Kind.TIME:
            bins = [f"{hour:02d} to {hour + HOURS:02d} h" for hour in range(0, 24, HOURS)]
        elif self.kind is Kind.NUMBER:
            # The first edge lies just below the smallest value.
            shown = _told_apart([*np.nextafter(self.edges[:1], np.inf), *self.edges[1:]])
            inner = [f"{low} to {high}" for low, high in pairwise(shown)]
            bins = [f"below {shown[0]}", *inner, f"above {shown[-1]}"] if shown else ["any value"]
        else:
            bins = [*self.levels, "other known levels", "unknown levels"]
        return [*bins, "missing"]

    def count(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Count the values in each bin.

        Parameters
        ----------
        values : array of shape (n_rows,)
            Float64 with NaN for missing, or str with '' for missing.

        Returns
        -------
        array of shape (n_bins,)
        """
        if self.kind not in NUMERIC:
            return self._count_levels(values)
        finite = values[np.isfinite(values)]
        if self.kind is Kind.TIME:
            position, n_bins = (finite % DAY // (HOURS * 3600)).astype(np.int64), 24 // HOURS
        else:
            position, n_bins = np.searchsorted(self.edges, finite), len(self.edges) + 1
        counts: NDArray[np.int64] = np.append(
            np.bincount(position, minlength=n_bins)[:n_bins], len(values) - len(finite)
        )
        return counts

    def _count_levels(self, values: NDArray[Any]) -> NDArray[np.int64]:
        counts = Counter(values.tolist())
        missing = counts.pop("", 0)
        own = [counts.pop(level, 0) for level in self.levels]
        others = sum(counts.pop(level, 0) for level in self.known & counts.keys())
        return np.array([*own, others, counts.total(), missing], dtype=np.int64)

    def share(self, values: NDArray[Any]) -> list[float]:
        """Return the share of the values in each bin, rounded, as JSON values."""
        counts = self.count(values)
        return [round(count / max(1, len(values)), 5) for count in counts.tolist()]


def _told_apart(edges: Sequence[float]) -> list[str]:
    """Write numbers with four digits, or with as many as tell different ones apart."""
    for n_digits in range(4, 18):  # 17 digits tell all doubles apart
        shown = [f"{edge + 0.0:.{n_digits}g}" for edge in edges]
        if len(set(shown)) == len(set(edges)):
            break
    return shown


def remembered(column: Column, values: NDArray[Any], generated: NDArray[Any]) -> dict[str, Any]:
    """Return what a model file remembers of how a column's values are spread: no rows, JSON values only.

    Parameters
    ----------
    column : Column
        With its summary, which names the known levels of a category.
    values, generated : array of shape (n_rows,)
        Training values, and values from the generator.
    """
    bins = _bins(column, values)
    stored: dict[str, Any] = {"training": bins.share(values), "generated": bins.share(generated)}
    return stored | (
        {"edges": list(bins.edges)} if bins.edges else {"levels": list(bins.levels)} if bins.levels else {}
    )


def _bins(column: Column, values: NDArray[Any]) -> Distribution:
    if column.kind is Kind.TIME:
        return Distribution(column.kind)
    if column.kind is Kind.NUMBER:
        finite = values[np.isfinite(values)]
        if not len(finite):
            return Distribution(column.kind)
        edges = np.unique(np.quantile(finite, TENTHS, method="nearest"))
        below = max(np.nextafter(edges[0], -np.inf), -np.finfo(float).max)
        edges = np.append(below, edges[1:] if len(edges) > 1 else edges)
        return Distribution(column.kind, tuple(edges.tolist()))
    counts = Counter(values.tolist())
    counts.pop("", 0)
    frequent = sorted(counts, key=lambda level: (-counts[level], level))[:MAX_LEVELS]
    return Distribution(column.kind, levels=tuple(frequent), known=frozenset(counts))

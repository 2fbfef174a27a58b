"""Finds islands: small groups of training rows that lie apart from all others.

An island may be a rare sort of normal rows, or anomalies that were mixed in; nothing in the rows tells which. So some
members of an ensemble never see islands, and rows like them, which only the others find real, count as less real
than those that all members do, and as more real than those that none does.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

SMALLEST = 20
"""Rows of the smallest island: smaller groups stand apart by chance in most tables."""

LARGEST_SHARE = 0.04
"""An island has fewer than this share of the rows."""

APART = 0.8
"""Islands are farther from the rest than this share of all rows is from a larger group than an island."""

MOST_SHARE = 0.05
"""All islands together have at most this share of the rows; those farthest away come first."""

MAX_ROWS, MAX_WORK = 5_000, 4e9
"""Rows among which islands are sought, fewer where the square of their number times the width would exceed the work."""

Floats = NDArray[np.float32]


def find_islands(samples: Floats, seed: int) -> NDArray[np.bool_]:
    """Return which rows belong to islands, (n_rows,).

    Rows are joined to groups by the distance of their nearest members (single linkage, Sibson, "SLINK", 1973). How far
    a row is from the others is the distance at which its group becomes larger than an island, as in GLOSH (Campello,
    Moulavi, Zimek and Sander, "Hierarchical density estimates for data clustering, visualization, and outlier
    detection", 2015).

    Parameters
    ----------
    samples : array of shape (n_rows, sample_dim)
        Encoded training rows, without what is given.
    seed : int
        Draws the rows that are looked at where there are too many.
    """
    n_rows, width = samples.shape
    n_compared = min(n_rows, MAX_ROWS, int((MAX_WORK / max(1, width)) ** 0.5))
    islands = np.zeros(n_rows, dtype=bool)
    largest = int(n_compared * LARGEST_SHARE)
    if largest <= SMALLEST or not width:
        return islands
    compared = np.sort(np.random.default_rng([seed, n_rows]).permutation(n_rows)[:n_compared])
    rest = np.setdiff1d(np.arange(n_rows), compared, assume_unique=True)
    for island, distance in _islands(samples[compared].astype(np.float64), largest):
        own = compared[island]
        near = rest[_within(samples[rest], samples[own], distance)]
        others = np.setdiff1d(compared, own, assume_unique=True)
        islands[own] = True
        islands[near[~_within(samples[near], samples[others], distance)]] = True
    return islands


def _islands(samples: NDArray[np.float64], largest: int) -> Iterator[tuple[list[int], float]]:
    """Yield the rows of each island and its distance to the rest, the farthest first."""
    n_rows = len(samples)
    tree = AgglomerativeClustering(n_clusters=None, distance_threshold=0, linkage="single").fit(samples)
    groups = list(_small_groups(tree.children_, tree.distances_, n_rows, largest))
    distances = np.zeros(n_rows)
    for group, distance in groups:
        distances[group] = distance
    far = np.quantile(distances, APART)
    room = int(n_rows * MOST_SHARE)
    for group, distance in sorted(groups, key=lambda found: (-found[1], found[0])):
        if distance > far and SMALLEST <= len(group) <= room:
            room -= len(group)
            yield group, distance


def _small_groups(
    children: NDArray[np.int64], distances: NDArray[np.float64], n_rows: int, largest: int
) -> Iterator[tuple[list[int], float]]:
    """Yield groups of fewer than `largest` rows as they become part of a larger one, and the distance of that."""
    groups = [[row] for row in range(n_rows)]  # those that are too large are empty
    for (left, right), distance in zip(children, distances, strict=True):
        joined = groups[left] + groups[right]
        if groups[left] and groups[right] and len(joined) < largest:
            groups.append(joined)
        else:
            yield from ((group, float(distance)) for group in (groups[left], groups[right]) if group)
            groups.append([])


def _within(samples: Floats, others: Floats, distance: float) -> NDArray[np.bool_]:
    """Return which rows are nearer than the distance to some of the others."""
    near = np.zeros(len(samples), dtype=bool)
    for row in others:
        near |= np.square(samples - row).sum(1) < distance**2
    return near

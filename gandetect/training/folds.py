"""Folds of the training rows or images: each member of an ensemble is blind to one, and judges it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def draw_folds(n_samples: int, n_members: int, seed: int, groups: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the fold of each sample, (n_samples,): a member's number, all about equally often, also in each group."""
    drawn = np.random.default_rng([seed, n_samples]).permutation(n_samples)
    folds = np.empty(n_samples, dtype=np.int64)
    folds[np.lexsort([drawn, np.zeros(n_samples) if groups is None else groups])] = np.arange(n_samples) % n_members
    return folds


class Folded:
    """Training samples that know their folds, of shape (n_samples,)."""

    folds: NDArray[np.int64]

    def unseen_by(self, member: int) -> NDArray[np.int64]:
        """Return the samples of a member's own fold, which it is never trained on."""
        return np.flatnonzero(self.folds == member)

    def seen_by(self, member: int) -> NDArray[np.int64]:
        """Return the samples that a member is trained on."""
        return np.flatnonzero(self.folds != member)

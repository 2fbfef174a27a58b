"""PyOD's DevNet with its training mended.

PyOD 3.6 hands the scores to its loss as labels and the labels as scores, and draws its batches without balance, so that
most of them hold no known anomaly. Here the same network, loss and optimiser train as in Pang, Shen and van den Hengel,
"Deep Anomaly Detection with Deviation Networks", KDD 2019 (arXiv:1911.08623): half of a batch are known anomalies.
"""

from __future__ import annotations

import numpy as np
import torch
from pyod.models.devnet import DevNet, deviation_loss, deviation_network


class MendedDevNet(DevNet):
    """PyOD's detector, with a `fit` of its own."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> MendedDevNet:
        """Train on standardised rows (rows, columns), y 1 = known anomaly; the global seeds decide."""
        self.model, optimizer = deviation_network(X.shape[1], self.network_depth)
        rows = torch.as_tensor(X, dtype=torch.float32)
        labels = torch.as_tensor(y, dtype=torch.float32)
        anomalies, others = torch.argwhere(labels == 1).ravel(), torch.argwhere(labels == 0).ravel()
        for _ in range(self.epochs * self.nb_batch):
            picked = torch.cat([draw(anomalies, self.batch_size // 2), draw(others, self.batch_size // 2)])
            optimizer.zero_grad()
            deviation_loss(labels[picked], self.model(rows[picked]).ravel()).backward()
            optimizer.step()
        self.decision_scores_ = self.decision_function(X)
        return self


def draw(positions: torch.Tensor, n_rows: int) -> torch.Tensor:
    """Return so many of the positions, with replacement."""
    return positions[torch.randint(len(positions), (n_rows,))]

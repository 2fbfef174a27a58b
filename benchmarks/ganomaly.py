"""GANomaly: the classic way to detect anomalies with a generative adversarial network, as a baseline.

Akcay, Atapour-Abarghouei and Breckon, "GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training", ACCV 2018
(arXiv:1805.06725). An encoder and a decoder rebuild the row, a second encoder reads the rebuilt row, and a
discriminator compares real rows with rebuilt ones. The score is the distance between the two codes. Loss, weights,
optimiser and score are the paper's; for tables the convolutions are linear layers, for images they are DCGAN's of 16
to 64 channels, where the paper has 64 to 256.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss

WEIGHT_ADVERSARIAL, WEIGHT_RECONSTRUCTION, WEIGHT_CODE = 1, 50, 1


def network(*widths: int) -> nn.Sequential:
    """Return linear layers with leaky ReLU between them."""
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(widths):
        layers += [nn.Linear(width_in, width_out), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


class GANomaly:
    """The detector, with the methods of PyOD's.

    Parameters
    ----------
    width, code_dim : int
        Width of the hidden layers and of the code.
    n_steps, batch_size : int
        Training steps, and rows in each.
    learning_rate : float
        Of both optimisers.
    """

    def __init__(
        self,
        width: int = 64,
        code_dim: int = 16,
        n_steps: int = 2000,
        batch_size: int = 64,
        learning_rate: float = 2e-4,
    ) -> None:
        self.width, self.code_dim = width, code_dim
        self.n_steps, self.batch_size, self.learning_rate = n_steps, batch_size, learning_rate

    def fit(self, X: np.ndarray, y: object = None) -> GANomaly:
        """Train on standardised rows (rows, columns); torch's global seed decides."""
        self.build(X.shape[1])
        generator = [*self.encoder.parameters(), *self.decoder.parameters(), *self.second_encoder.parameters()]
        discriminator = [*self.features.parameters(), *self.head.parameters()]
        generator_optimizer = torch.optim.Adam(generator, self.learning_rate, betas=(0.5, 0.999))
        discriminator_optimizer = torch.optim.Adam(discriminator, self.learning_rate, betas=(0.5, 0.999))
        rows = torch.as_tensor(X, dtype=torch.float32)
        for _ in range(self.n_steps):
            real = rows[torch.randint(len(rows), (self.batch_size,))]
            descend(generator_optimizer, self.generator_loss(real))
            descend(discriminator_optimizer, self.discriminator_loss(real))
        self.decision_scores_ = self.decision_function(X)
        return self

    def build(self, n_columns: int) -> None:
        """Make the networks."""
        self.encoder = network(n_columns, self.width, self.code_dim)
        self.decoder = network(self.code_dim, self.width, n_columns)
        self.second_encoder = network(n_columns, self.width, self.code_dim)
        self.features = network(n_columns, self.width, self.code_dim)
        self.head = nn.Linear(self.code_dim, 1)

    def generator_loss(self, real: torch.Tensor) -> torch.Tensor:
        """Return the weighted sum of feature matching, reconstruction and distance of the codes."""
        code = self.encoder(real)  # (rows, code_dim)
        rebuilt = self.decoder(code)  # (rows, columns)
        adversarial = mse_loss(self.features(rebuilt), self.features(real).detach())
        code_error = mse_loss(self.second_encoder(rebuilt), code)
        return (
            WEIGHT_ADVERSARIAL * adversarial + WEIGHT_RECONSTRUCTION * l1_loss(rebuilt, real) + WEIGHT_CODE * code_error
        )

    def discriminator_loss(self, real: torch.Tensor) -> torch.Tensor:
        """Return how badly real rows and rebuilt ones are told apart."""
        rebuilt = self.decoder(self.encoder(real)).detach()
        logits_real, logits_rebuilt = self.head(self.features(real)), self.head(self.features(rebuilt))
        return (
            binary_cross_entropy_with_logits(logits_real, torch.ones_like(logits_real))
            + binary_cross_entropy_with_logits(logits_rebuilt, torch.zeros_like(logits_rebuilt))
        ) / 2

    @torch.no_grad()
    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return the mean squared difference (rows,) of the code and the rebuilt row's code, high = anomalous."""
        networks = nn.ModuleList([self.encoder, self.decoder, self.second_encoder]).eval()
        code = self.encoder(torch.as_tensor(X, dtype=torch.float32))
        scores = (self.second_encoder(self.decoder(code)) - code).square().mean(dim=1).numpy()
        networks.train()
        return scores


class ConvolutionalGANomaly(GANomaly):
    """GANomaly for images, (images, channels, 32, 32) with values -1 to 1."""

    def build(self, n_columns: int) -> None:
        """Make the networks for images of so many channels."""
        widths = [n_columns, self.width, 2 * self.width, 4 * self.width]
        self.encoder = convolutions(widths, self.code_dim)
        self.second_encoder = convolutions(widths, self.code_dim)
        self.features = convolutions(widths, self.code_dim)
        self.head = nn.Linear(self.code_dim, 1)
        layers: list[nn.Module] = [
            nn.Linear(self.code_dim, widths[-1] * 16),
            nn.Unflatten(1, (widths[-1], 4, 4)),
        ]
        for width_in, width_out in pairwise(widths[:0:-1]):
            layers += [nn.BatchNorm2d(width_in), nn.ReLU(), nn.ConvTranspose2d(width_in, width_out, 4, 2, 1)]
        layers += [nn.BatchNorm2d(widths[1]), nn.ReLU(), nn.ConvTranspose2d(widths[1], n_columns, 4, 2, 1), nn.Tanh()]
        self.decoder = nn.Sequential(*layers)


def convolutions(widths: list[int], code_dim: int) -> nn.Sequential:
    """Return DCGAN's encoder of 32 x 32 pixels: three convolutions that halve the size, and a code."""
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(widths):
        layers += [nn.Conv2d(width_in, width_out, 4, 2, 1), nn.BatchNorm2d(width_out), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * 16, code_dim))


def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """Take one step."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

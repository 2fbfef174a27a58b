"""The rules of the adversarial game between the generator and the discriminator's heads for it.

Every loss speaks of logits (high = real). A new game is one class here and one entry in `LOSSES`. The reference heads
(`gandetect.tables.negatives`, `gandetect.images.negatives`) do not take part: whatever the game, they learn by the
cross-entropy, those for patches by its focal form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus


def logistic_real(logits: Tensor) -> Tensor:
    """Cross-entropy of logits that should say "real"."""
    return softplus(-logits)


def logistic_fake(logits: Tensor) -> Tensor:
    """Cross-entropy of logits that should say "not real"."""
    return softplus(logits)


def logistic_rejection(on_real: Tensor, on_negatives: Tensor) -> Tensor:
    """Loss of each head on real samples, (members, n, heads), and on its own negatives, (members, heads, n).

    Returns
    -------
    Tensor of shape (members, heads)
    """
    return logistic_real(on_real).mean(1) + logistic_fake(on_negatives).mean(2)


def focal(cross_entropy: Tensor) -> Tensor:
    """Weigh a cross-entropy so that what is known already counts little (Lin et al., 2017, equation 4, gamma 2)."""
    return (1 - torch.exp(-cross_entropy)).square() * cross_entropy


class Game(Protocol):
    """What training asks of a loss; each term has the shape of its logits, lower is better for its player."""

    gradient_penalty: float
    """Weight of the penalty on the discriminator's gradient between real and generated samples; 0 = none."""

    def real(self, logits: Tensor) -> Tensor:
        """Return the discriminator's loss on real samples."""

    def fake(self, logits: Tensor) -> Tensor:
        """Return the discriminator's loss on generated samples."""

    def generator(self, logits: Tensor) -> Tensor:
        """Return the generator's loss on its own samples."""


class Logistic:
    """The original non-saturating game (Goodfellow et al., 2014, section 3)."""

    gradient_penalty = 0.0

    def real(self, logits: Tensor) -> Tensor:
        return logistic_real(logits)

    def fake(self, logits: Tensor) -> Tensor:
        return logistic_fake(logits)

    def generator(self, logits: Tensor) -> Tensor:
        return logistic_real(logits)


class LeastSquares:
    """Least-squares GAN with targets 1 (real), -1 (generated) and 0 (generator) (Mao et al., 2017, equation 8)."""

    gradient_penalty = 0.0

    def real(self, logits: Tensor) -> Tensor:
        return (logits - 1).square() / 2

    def fake(self, logits: Tensor) -> Tensor:
        return (logits + 1).square() / 2

    def generator(self, logits: Tensor) -> Tensor:
        return logits.square() / 2


class Hinge:
    """Hinge GAN (Lim and Ye, 2017; Miyato et al., 2018, equations 16 and 17)."""

    gradient_penalty = 0.0

    def real(self, logits: Tensor) -> Tensor:
        return relu(1 - logits)

    def fake(self, logits: Tensor) -> Tensor:
        return relu(1 + logits)

    def generator(self, logits: Tensor) -> Tensor:
        return -logits


class Wasserstein:
    """Wasserstein GAN with gradient penalty 10 (Gulrajani et al., 2017, equation 3)."""

    gradient_penalty = 10.0

    def real(self, logits: Tensor) -> Tensor:
        return -logits

    def fake(self, logits: Tensor) -> Tensor:
        return logits

    def generator(self, logits: Tensor) -> Tensor:
        return -logits


LOSSES: dict[str, type[Game]] = {
    "logistic": Logistic,
    "least-squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
}
"""Every game by the name that users give it."""


def gradient_norm_penalty(logit: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Return the squared distance of the logit's gradient norm from 1, between real and generated samples.

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), equation 3.

    Parameters
    ----------
    logit : callable
        From samples (members, n_samples, ...) to one logit each, (members, n_samples).
    real, fake : Tensor of shape (members, n_samples, ...)
        Detached samples of both sides.
    share : Tensor that broadcasts against `real`
        Where between both sides the gradient is taken, 0 to 1.

    Returns
    -------
    Tensor of shape (members, n_samples)
    """
    between = (real + share * (fake - real)).requires_grad_()
    (gradient,) = torch.autograd.grad(logit(between).sum(), between, create_graph=True)
    # The small constant keeps the root's derivative finite where the gradient vanishes.
    norm = (gradient.flatten(2).square().sum(2) + 1e-12).sqrt()
    return (norm - 1).square()

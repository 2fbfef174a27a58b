"""What moves weights: AdamW, and beside it Muon where layers are to learn in few steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.99)
"""AdamW's decay of both moments; the first is what a one-cycle schedule starts from."""


class Muon(torch.optim.Optimizer):
    """Moves the weights of layers along their momentum made orthogonal: in all directions equally far.

    A gradient of an image network has few large directions, those of what most pixels share. AdamW follows them first;
    the small ones, which tell an altered part from its surroundings, take many more steps.

    From K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024): Nesterov's momentum, then
    five steps of Newton and Schulz. The length of a step as in J. Liu et al., "Muon is scalable for LLM training"
    (2025): the root mean square of what an entry moves by is the same for every shape.

    Parameters
    ----------
    weights : iterable of Tensor
        Of shape (members, rows, columns), or of convolutions: (members, rows, channels, height, width).
    lr : float
        Learning rate.
    reach : float
        Root mean square of what an entry moves by in a step, in learning rates.
    weight_decay : float
        Share of a weight, in learning rates, that each step takes away (decoupled, as AdamW's).
    """

    ITERATIONS, COEFFICIENTS = 5, (3.4445, -4.7750, 2.0315)

    def __init__(self, weights: list[nn.Parameter], lr: float, reach: float, weight_decay: float) -> None:
        super().__init__(weights, {"lr": lr, "momentum": BETAS[0], "weight_decay": weight_decay})
        self.reach = reach

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # torch's may evaluate the loss again
        """Move all weights once."""
        for group in self.param_groups:
            for weight in group["params"]:
                self._move(weight, **{name: group[name] for name in ("lr", "momentum", "weight_decay")})

    def _move(self, weight: nn.Parameter, lr: float, momentum: float, weight_decay: float) -> None:
        if weight.grad is None:
            return
        state = self.state[weight]
        if not state:
            state["average"] = torch.zeros_like(weight)
        state["average"].lerp_(weight.grad, 1 - momentum)
        ahead = weight.grad.lerp(state["average"], momentum).flatten(2)
        length = self.reach * max(ahead.shape[1:]) ** 0.5  # an orthogonal matrix has a mean square of 1 / max(shape)
        weight.mul_(1 - lr * weight_decay).sub_(self.orthogonal(ahead).reshape(weight.shape), alpha=lr * length)

    @classmethod
    def orthogonal(cls, matrices: Tensor) -> Tensor:
        """Return matrices with the same singular vectors, (..., rows, columns), whose singular values are about one."""
        first, third, fifth = cls.COEFFICIENTS
        is_tall = matrices.shape[-2] > matrices.shape[-1]
        x = matrices.mT if is_tall else matrices
        x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-12)
        for _ in range(cls.ITERATIONS):
            square = x @ x.mT
            x = first * x + (third * square + fifth * square @ square) @ x
        orthogonal: Tensor = x.mT if is_tall else x
        return orthogonal


def optimizers_of(
    network: nn.Module, learning_rate: float, weight_decay: float, muon_reach: float | None
) -> list[torch.optim.Optimizer]:
    """Return what moves a network's parameters.

    Parameters
    ----------
    network : nn.Module
        Holds the weights of all members.
    learning_rate, weight_decay : float
        Of all optimizers.
    muon_reach : float, optional
        `Muon` moves the weights of layers and of convolutions, with this `reach`, and AdamW all else; None: AdamW
        moves all.
    """
    layers: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        is_layer = name.endswith("weight") and parameter.dim() in (3, 5)
        (layers if muon_reach is not None and is_layer else others).append(parameter)
    rates: dict[str, Any] = {"lr": learning_rate, "weight_decay": weight_decay}
    adam = torch.optim.AdamW(others, betas=BETAS, fused=True, **rates)
    return [adam] if muon_reach is None else [adam, Muon(layers, reach=muon_reach, **rates)]

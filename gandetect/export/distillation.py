"""Teaches the whole ensemble to one small network, which takes its place in the model file.

The file alone is enough: its generators make rows, which are mixed, perturbed, shuffled and spread out without end, and
the ensemble says what it thinks of each. Everything else of the file stays: the encoding, the evidence, the outputs. Only
the p-values are made anew, for the student's own scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import silu, smooth_l1_loss

from gandetect.calibration import STRONG, TAIL_WEIGHT, Calibration
from gandetect.export.source import Drawn, Source
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.networks import MAX_ERROR, add_student
from gandetect.graph.surgery import OpenModel
from gandetect.schema import INTERNAL_PREFIX
from gandetect.scorer import open_session, run_in_chunks

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Lessons:
    """How long and with what a student learns.

    Parameters
    ----------
    width, depth : int
        Of the student's hidden layers.
    n_steps, batch_size : int
        Steps of its training and rows in each; every row is made once and never seen again.
    learning_rate : float
        The largest one.
    """

    width: int = 96
    depth: int = 3
    n_steps: int = 3000
    batch_size: int = 512
    learning_rate: float = 4e-3


class Student(nn.Module):
    """One network that says what the ensemble says.

    Shape
    -----
    samples (n, sample_dim), masked (n, n_columns) to values (n, n_values) and expected (n, sample_dim)
    """

    def __init__(self, source: Source, n_values: int, lessons: Lessons) -> None:
        super().__init__()
        dims = [source.sample_dim + source.n_columns, *[lessons.width] * lessons.depth, n_values + source.sample_dim]
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(dims[:-1], dims[1:], strict=True))
        self.n_values = n_values

    def forward(self, samples: Tensor, masked: Tensor) -> tuple[Tensor, Tensor]:
        """Return values and expected samples."""
        x = torch.cat([samples, masked], dim=1)
        for layer in self.layers[:-1]:
            x = silu(layer(x))
        x = self.layers[-1](x)
        return x[:, : self.n_values], x[:, self.n_values :]


class Teacher:
    """The ensemble of a model file, and how its values become a score.

    Parameters
    ----------
    source : Source
        The model file.
    """

    OUTPUTS = ("values", "expected", "score")

    def __init__(self, source: Source) -> None:
        self.source = source
        columns = {label: source.n_columns for label in ("present", "growth", "excess")}
        self._session = open_session(source.open.excerpt({"samples": source.sample_dim, **columns}, self.OUTPUTS))
        constants = {
            name: torch.from_numpy(source.open.constant(label).astype(np.float32))
            for name, label in (
                *((part, f"evidence/{part}") for part in ("start", "width", "heights", "weights")),
                ("error_scale", "error_scale"),
            )
        }
        self._start, self._width, self._heights, self._weights, self._error_scale = constants.values()
        self._owner = torch.cat([self._heights.argmax(1), torch.arange(self._heights.shape[1])])
        self.n_values = self._heights.shape[1] - 2  # the reconstruction error and the excess come after them
        self._spread = torch.zeros(source.sample_dim, source.n_columns)
        self._spread[torch.arange(source.sample_dim), torch.from_numpy(source.column_of)] = 1

    def __call__(self, rows: Drawn) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the ensemble says of rows within the training range: values, expected samples, scores."""
        none = np.zeros_like(rows.present)
        feeds = {"samples": rows.samples, "present": rows.present, "growth": none, "excess": none}
        feeds = {INTERNAL_PREFIX + label: values for label, values in feeds.items()}
        answers = run_in_chunks(self._session, [INTERNAL_PREFIX + label for label in self.OUTPUTS], feeds)
        values, expected, score = (torch.from_numpy(answer) for answer in answers.values())
        return values, expected, score[:, 0]

    def score(self, values: Tensor, expected: Tensor, samples: Tensor, present: Tensor) -> Tensor:
        """Return the score that values and expected samples make, as the file computes it."""
        relative = ((expected - samples).square() @ self._spread / self._error_scale).clamp_max(MAX_ERROR) * present
        error = relative.sum(1, keepdim=True) / present.sum(1, keepdim=True).clamp_min(1)
        components = torch.cat([values, error, torch.zeros_like(error)], dim=1)
        share = (components[:, self._owner] - self._start) / self._width
        inside, standardised = share[:, : len(self._heights)], share[:, len(self._heights) :]
        evidence = inside.clamp(0, 1) @ self._heights + standardised.relu().asinh()
        strong = (evidence - STRONG / TAIL_WEIGHT).relu()
        return (torch.cat([evidence, strong], dim=1) @ self._weights)[:, 0]

    def deviation(self) -> Tensor:
        """Return the units of the values, (n_values,)."""
        return self._width[len(self._heights) :][: self.n_values]

    def units(self) -> Tensor:
        """Return the units of the expected samples, (sample_dim,)."""
        return (self._error_scale @ self._spread.T).sqrt()


def taught(
    source: Source, lessons: Lessons, seed: int, callback: Callable[[int, int], None] | None = None
) -> tuple[Student, Teacher]:
    """Train a student on unlimited rows of the source's own making."""
    teacher, random = Teacher(source), np.random.default_rng([seed, 7])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        student = Student(source, teacher.n_values, lessons)
    optimizer = torch.optim.AdamW(student.parameters(), lr=lessons.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lessons.learning_rate, lessons.n_steps, pct_start=0.1)
    for step in range(lessons.n_steps):
        if step % _ROUND == 0:
            rows = source.draw(_ROUND * lessons.batch_size, random)
            order = torch.from_numpy(random.permutation(len(rows.samples)))
            whole = [torch.from_numpy(part) for part in rows] + list(teacher(rows))
            batches = [part[order].split(lessons.batch_size) for part in whole]
        loss = _loss(student, teacher, *(part[step % _ROUND] for part in batches))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if callback:
            callback(step + 1, lessons.n_steps)
    return student.eval(), teacher


_ROUND = 16
"""Batches that are drawn and answered at once."""


def _loss(
    student: Student,
    teacher: Teacher,
    samples: Tensor,
    present: Tensor,
    values: Tensor,
    expected: Tensor,
    score: Tensor,
) -> Tensor:
    """Return how far the student's score, values and expected samples are from the ensemble's."""
    its_values, its_expected = student(samples, 1 - present)
    its_score = teacher.score(its_values, its_expected, samples, present)
    of_score = (its_score.log1p() - score.clamp_min(0).log1p()).square().mean()
    of_values = smooth_l1_loss(its_values / teacher.deviation(), values / teacher.deviation())
    of_expected = smooth_l1_loss(its_expected / teacher.units(), expected / teacher.units())
    return of_score + 0.1 * of_values + 0.05 * of_expected


def student_part(student: Student, source: Source) -> bytes:
    """Return the student as a graph from samples and presence to values and expected samples."""
    builder = GraphBuilder()
    samples = builder.input(f"{INTERNAL_PREFIX}samples", np.float32, ["n", source.sample_dim])
    present = builder.input(f"{INTERNAL_PREFIX}present", np.float32, ["n", source.n_columns])
    layers = tuple(
        (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy()[None]) for layer in student.layers
    )
    add_student(builder, samples, present, layers, student.n_values)
    return builder.build()

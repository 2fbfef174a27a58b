"""Teaches the whole ensemble to one small network, which takes its place in the model file.

The file alone is enough: its generators make rows, which are moved, perturbed, shuffled and spread out without end, and
the ensemble says what it thinks of each. Everything else of the file stays: the encoding, the evidence, the outputs.

Only the p-values are made anew, for the student's own scores. Rows that the generators make are not distributed like
normal rows; but the ensemble's p-values of normal rows are uniform. So every made row gets a weight such that its
ensemble's p-values are uniform among them, and the student's p-value is the weighted share of made rows that score at
least as much. It inherits the source's calibration and adds the error of this step, which the benchmarks measure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn.functional import silu, smooth_l1_loss

from gandetect.calibration import STRONG, TAIL_WEIGHT, Calibration
from gandetect.export.p_values import weighted_calibration, write_calibration
from gandetect.export.source import Drawn, Source
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.layers import NEAR
from gandetect.graph.score import MAX_ERROR
from gandetect.graph.student import OF_SQUARES, StudentWeights, add_student
from gandetect.graph.surgery import OpenModel
from gandetect.graph.tables import GIVEN_WEIGHT
from gandetect.modality import INTERNAL_PREFIX
from gandetect.scorer import open_session, run_in_chunks
from gandetect.training.threads import one_thread

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class StudentSettings:
    """How large a student is, and how long it learns.

    Parameters
    ----------
    width, depth : int
        Of the student's hidden layers.
    n_steps, batch_size : int
        Steps of its training, `BESIDE_PATH` of them beside a linear path, and rows in each; every row is made once and
        never seen again.
    learning_rate : float
        The largest one.
    """

    width: int = 96
    depth: int = 3
    n_steps: int = 4500
    batch_size: int = 512
    learning_rate: float = 4e-3


BESIDE_PATH = 0.25
"""Share of the steps that a student is taught beside a linear path: there its networks hardly count."""


class Student(nn.Module):
    """One network that says what the networks of the ensemble say: logits, and what they expect.

    Distances to what the members recall and find typical are computed behind this network: none of this size could hold
    their memory. So is what a linear path says, which none could follow.

    Shape
    -----
    samples (n, sample_dim), masked (n, n_columns) to unreal (n, 1 or 2), minus the logits, and expected (n, n_learned),
    the entries that are left to the networks
    """

    def __init__(self, source: Source, n_logits: int, settings: StudentSettings) -> None:
        super().__init__()
        n_inputs = 2 * source.sample_dim + source.n_columns
        dims = [n_inputs, *[settings.width] * settings.depth, n_logits + len(source.learned)]
        self._layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(dims))
        self._n_logits = n_logits

    @property
    def layers(self) -> list[nn.Linear]:
        """The layers, first to last."""
        return cast(list[nn.Linear], list(self._layers))

    def forward(self, samples: Tensor, masked: Tensor) -> tuple[Tensor, Tensor]:
        """Return minus the logits, and expected samples."""
        x = torch.cat([samples, masked, OF_SQUARES * samples.square()], dim=1)
        for layer in self.layers[:-1]:
            x = silu(layer(x))
        x = self.layers[-1](x)
        return x[:, : self._n_logits], x[:, self._n_logits :]


def _rounded(weights: Floats) -> Floats:
    """Round to what half precision can say, so that it loses nothing."""
    return weights.astype(np.float16).astype(np.float32)


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
        self._session = _within_range(source, source.open, self.OUTPUTS)
        constants = {
            name: torch.from_numpy(source.open.constant(label).astype(np.float32))
            for name, label in (
                *((part, f"evidence/{part}") for part in ("start", "width", "heights", "weights")),
                ("error_scale", "error_scale"),
            )
        }
        self._start, self._width, self._heights, self._weights, self._error_scale = constants.values()
        self._owner = torch.cat([self._heights.argmax(1), torch.arange(self._heights.shape[1])])
        # Behind the logits come both distances, the reconstruction error and the excess.
        self.n_logits = self._heights.shape[1] - 4
        self.learned = torch.from_numpy(source.learned)
        self.column_of = torch.from_numpy(source.column_of)
        self.given = torch.from_numpy(source.encoding.is_given)
        self.given_entries = self.given[self.column_of]
        self._spread = torch.zeros(source.sample_dim, source.n_columns)
        self._spread[torch.arange(source.sample_dim), self.column_of] = 1

    def __call__(self, rows: Drawn) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the ensemble says of rows within the training range: values, expected samples, scores."""
        values, expected, score = (torch.from_numpy(answer) for answer in _answers(self._session, rows, self.OUTPUTS))
        return values, expected, score[:, 0]

    def score(self, values: Tensor, expected: Tensor, samples: Tensor, present: Tensor) -> Tensor:
        """Return the score that values and expected samples make, as the file computes it."""
        present = present * ~self.given
        relative = ((expected - samples).square() @ self._spread / self._error_scale).clamp_max(MAX_ERROR) * present
        error = relative.sum(1, keepdim=True) / present.sum(1, keepdim=True).clamp_min(1)
        components = torch.cat([values, error, torch.zeros_like(error)], dim=1)
        share = (components[:, self._owner] - self._start) / self._width
        inside, standardised = share[:, : len(self._heights)], share[:, len(self._heights) :]
        evidence = inside.clamp(0, 1) @ self._heights + standardised.relu().asinh()
        strong = (evidence - STRONG / TAIL_WEIGHT).relu()
        return (torch.cat([evidence, strong], dim=1) @ self._weights)[:, 0]

    def standardised(self, unreal: Tensor) -> Tensor:
        """Return logits in units of their deviation from what they are on training rows."""
        first = len(self._heights)
        chosen = slice(first, first + self.n_logits)
        return (unreal - self._start[chosen]) / self._width[chosen]

    def units(self) -> Tensor:
        """Return the units of the expected samples, (sample_dim,)."""
        return (self._error_scale @ self._spread.T).sqrt()


def _within_range(source: Source, model: OpenModel, labels: Sequence[str]) -> InferenceSession:
    """Open the part of a model behind its encoding, for rows within the training range."""
    columns = dict.fromkeys(("present", "excess"), source.n_columns)
    largest = dict.fromkeys(("growth", "largest_excess"), 1)
    return open_session(model.excerpt({"samples": source.sample_dim, **columns, **largest}, labels))


def _answers(session: InferenceSession, rows: Drawn, labels: Sequence[str]) -> list[Floats]:
    none = np.zeros_like(rows.present)
    beyond = {"growth": none[:, :1], "excess": none, "largest_excess": none[:, :1]}
    feeds = {"samples": rows.samples, "present": rows.present, **beyond}
    names = [INTERNAL_PREFIX + label for label in labels]
    return list(run_in_chunks(session, names, {INTERNAL_PREFIX + label: x for label, x in feeds.items()}).values())


def taught(
    source: Source, settings: StudentSettings, seed: int, callback: Callable[[int, int], None] | None = None
) -> tuple[Student, Teacher]:
    """Train a student on unlimited rows of the source's own making."""
    teacher, random = Teacher(source), np.random.default_rng([seed, 7])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = Student(source, teacher.n_logits, settings)
    n_steps = math.ceil(BESIDE_PATH * settings.n_steps) if len(source.numbers) else settings.n_steps
    optimizer = torch.optim.AdamW(student.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, n_steps, pct_start=0.1)
    with one_thread():
        for step in range(n_steps):
            if step % _ROUND == 0:
                rows = source.draw(_ROUND * settings.batch_size, random)
                order = torch.from_numpy(random.permutation(len(rows.samples)))
                whole = [torch.from_numpy(part) for part in rows] + list(teacher(rows))
                batches = [torch.split(part[order], settings.batch_size) for part in whole]
            loss = _loss(student, teacher, *(part[step % _ROUND] for part in batches))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            if callback:
                callback(step + 1, n_steps)
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
    """Return how far the student's score, logits and expected samples are from the ensemble's."""
    unreal, distances = torch.tensor_split(values, [teacher.n_logits], dim=1)
    its_unreal, its_own = student(samples, 1 - present)
    its_expected = expected.index_copy(1, teacher.learned, its_own)
    if teacher.given.any():
        distances = torch.cat([distances[:, :1], _atypical(student, teacher, samples, present, its_expected)], dim=1)
    its_score = teacher.score(torch.cat([its_unreal, distances], dim=1), its_expected, samples, present)
    of_score = (its_score.log1p() - score.clamp_min(0).log1p()).square().mean()
    # What is far from real is so in many ways; how far matters less than what normal rows are like.
    of_logits = (teacher.standardised(its_unreal).asinh() - teacher.standardised(unreal).asinh()).square().mean()
    units = teacher.units()
    off, judged = (its_expected - expected) / units, ~teacher.given_entries
    of_expected = smooth_l1_loss(off[:, judged], torch.zeros_like(off[:, judged]))
    return of_score + of_logits + 0.05 * of_expected


def _atypical(student: Student, teacher: Teacher, samples: Tensor, present: Tensor, its_expected: Tensor) -> Tensor:
    """Return the log distance to what a student finds typical given what is given, as its graph does: (n, 1)."""
    masked, judged = 1 - present, ~teacher.given_entries
    completed = samples + masked[:, teacher.column_of] * its_expected
    typical = student(samples * teacher.given_entries, torch.maximum(masked, (~teacher.given).float()))[1]
    apart = (completed - typical).abs() * judged
    return torch.log(apart.sum(1, keepdim=True) + NEAR * len(judged))


def distilled(
    source: Source,
    settings: StudentSettings | None = None,
    seed: int = 0,
    callback: Callable[[int, int], None] | None = None,
) -> tuple[OpenModel, dict[str, float | None]]:
    """Put a student in the place of a model's ensemble.

    Parameters
    ----------
    source : Source
        The model file and the rows that it can make.
    settings : StudentSettings, optional
        How it is taught; the defaults without it.
    seed : int
        Of the student's weights and rows.
    callback : callable, optional
        Called with the steps that are done, and all of them.

    Returns
    -------
    model : OpenModel
        The source's model with the student.
    calibration : dict
        What the manifest says of the student's critical score and threshold.
    """
    student, teacher = taught(source, settings or StudentSettings(), seed, callback)
    model = OpenModel(source.open.replace(_student_part(student, source, seed), ("values", "expected")))
    calibration = _calibrated(source, teacher, model, seed)
    write_calibration(model, calibration)
    about = source.scorer.manifest["calibration"]
    threshold = about["threshold"]
    if threshold is not None:  # the score that is exceeded as often as the source's threshold
        old = source.calibration
        threshold = calibration.critical_score(old.p_values[np.searchsorted(old.scores, threshold, side="right")])
        model.set_constant("threshold", np.array(threshold, dtype=np.float32))
    return model, {"critical_score": calibration.critical_score(about["alpha"]), "threshold": threshold}


def _student_part(student: Student, source: Source, seed: int) -> bytes:
    """Return the student as a graph from samples and presence to values and expected samples."""
    builder = GraphBuilder()
    samples = builder.input(f"{INTERNAL_PREFIX}samples", np.float32, ["n", source.sample_dim])
    present = builder.input(f"{INTERNAL_PREFIX}present", np.float32, ["n", source.n_columns])
    layers = tuple(
        (_rounded(layer.weight.detach().numpy().T), _rounded(layer.bias.detach().numpy())) for layer in student.layers
    )
    given = source.encoding.is_given
    scale = np.where(given[source.column_of], GIVEN_WEIGHT, np.float32(1.0)).astype(np.float32)
    memory = _rounded(_condensed(source.memory * scale, seed) / scale)
    weights = StudentWeights(layers, memory, source.typical, source.numbers, given)
    add_student(builder, samples, present, weights, source.column_of)
    return builder.build()


MAX_CODES = 256
"""Most samples that stand for all that the generators recall."""


def _condensed(memory: Floats, seed: int) -> Floats:
    """Return the centres of the clusters of all that the generators recall, (n_codes, sample_dim)."""
    codes = np.unique(memory.reshape(-1, memory.shape[2]), axis=0)
    if len(codes) <= MAX_CODES:
        return codes
    with threadpool_limits(1):  # the last bits depend on the number of threads
        return np.asarray(KMeans(MAX_CODES, n_init=1, random_state=seed).fit(codes).cluster_centers_)


N_CALIBRATION, N_BINS = 40_000, 48
"""Made rows that p-values are counted among, and the bins in which the ensemble's p-values are made uniform."""


def _calibrated(source: Source, teacher: Teacher, model: OpenModel, seed: int) -> Calibration:
    """Return the student's p-values: weighted shares of rows among which the ensemble's p-values are uniform."""
    rows = source.draw(source.at_most(N_CALIBRATION), np.random.default_rng([seed, 8]))
    n_rows, theirs = source.calibration.n_rows, teacher(rows)[2].numpy()
    p_values = source.calibration.p_values[np.searchsorted(source.calibration.scores, theirs)]
    edges = np.geomspace(1 / (n_rows + 1), 1.0, N_BINS)
    # One bin for each step of a small calibration at most; a bin without rows leaves its share to the next larger one.
    bins = np.searchsorted(edges, p_values * (1 - 1e-6))
    found, place, counts = np.unique(bins, return_inverse=True, return_counts=True)
    mass = np.diff(edges[np.minimum(found, N_BINS - 1)], prepend=0.0)
    weights = (mass / counts)[place]
    return weighted_calibration(
        _answers(_within_range(source, model, ["score"]), rows, ["score"])[0][:, 0], weights, n_rows
    )

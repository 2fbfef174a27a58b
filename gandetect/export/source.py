"""A model file for tables, opened for an export: what it learned, read back, and rows of its own making."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandetect.calibration import Calibration
from gandetect.column import Kind, Role
from gandetect.core_schema import CoreSchema
from gandetect.export.opened import original_scorer
from gandetect.export.p_values import read_calibration
from gandetect.graph.linear import ENTRIES
from gandetect.graph.surgery import SMALLEST_HALVED, OpenModel
from gandetect.modality import INTERNAL_PREFIX
from gandetect.schema import Schema, table_of
from gandetect.scorer import Scorer, open_session, run_in_chunks
from gandetect.tables.decoding import decode
from gandetect.tables.encoding import (
    CLIP,
    CategoryEncoding,
    ColumnEncoding,
    EncodedRows,
    Encoding,
    NumberEncoding,
    TimeEncoding,
)

Floats = NDArray[np.float32]
Columns = Mapping[str, NDArray[Any]]

MISSING_ROWS, MISSING_CELLS = 0.15, 0.5
"""Share of the drawn rows that miss cells, and the largest share of them that a row misses."""

N_NEIGHBOURS, MAX_NEIGHBOURED = 8, 3000
"""Neighbours that a row is mixed with, and how many rows have any: the last ones, real ones where there are some."""

N_FRESH = 10_000
"""Made rows that a variant and its source are compared on; fewer of wide tables."""

MAX_DRAWN = 2**23
"""Numbers that are drawn at once: fewer rows of wide tables."""


class Drawn(NamedTuple):
    """Encoded rows: samples (n, sample_dim), and which cells are there, present (n, n_columns)."""

    samples: Floats
    present: Floats


class Source:
    """A model file for tables and the rows that it can make; an `Opened`.

    Parameters
    ----------
    model : bytes
        Contents of the model file; checked.
    columns : mapping of str to array of shape (n_rows,), optional
        Real rows to draw from beside the generator's memory.

    Raises
    ------
    InputError
        The model is a variant already, or is not for tables.
    ModelFileError
        It is no model file, or one without the labels or the golden rows that an export starts from.
    """

    compared = ("anomaly_score", "realness", "reconstruction_error", "contributions")
    n_timed = 1000
    smallest_halved = SMALLEST_HALVED

    def __init__(self, model: bytes, columns: Columns | None = None) -> None:
        self.scorer = original_scorer(model)
        self.open = OpenModel(model)
        self.schema = table_of(self.scorer.schema)
        self.encoding = _read_encoding(self.open, self.schema)
        self.column_of = self.encoding.column_of
        self.n_columns, self.sample_dim = len(self.schema.used), len(self.column_of)
        self.golden: Columns = self.scorer.golden_rows()[0]
        self.base = self._base(columns)

    def _base(self, columns: Columns | None) -> Floats:
        """Return whole rows: what the generators remember, with true levels, and the real rows that miss nothing."""
        codes = self.memory.reshape(-1, self.sample_dim).astype(np.float64)
        remembered = np.where(self.encoding.is_level, self.encode(decode(self.encoding, codes)).samples, codes)
        if columns is None:
            return remembered.astype(np.float32)
        real = self.encode(columns)
        return np.concatenate([remembered, real.samples[real.present.all(1)]]).astype(np.float32)

    @cached_property
    def calibration(self) -> Calibration:
        """The source's own p-values."""
        return read_calibration(self.open, int(self.scorer.manifest["calibration"]["n"]))

    def encode(self, columns: Columns) -> EncodedRows:
        """Return raw columns as the file encodes them."""
        return EncodedRows(
            *run_in_chunks(self._encoder, _names(*EncodedRows._fields), self.schema.feeds(columns)).values()
        )

    @cached_property
    def _encoder(self) -> Any:
        return open_session(self.open.excerpt({}, EncodedRows._fields))

    @cached_property
    def _generators(self) -> Any:
        return open_session(self.open.excerpt({"samples": self.sample_dim, "present": self.n_columns}, ["completed"]))

    def imagine(self, n_rows: int, random: np.random.Generator) -> Floats:
        """Return rows of the generators: remembered ones of which some columns are filled in anew, (n, sample_dim)."""
        rows = self.base[random.integers(len(self.base), size=n_rows)]
        shown = (random.random((n_rows, self.n_columns)) >= random.random((n_rows, 1))) | self.encoding.is_given
        shown = shown.astype(np.float32)
        feeds = dict(zip(_names("samples", "present"), (rows * shown[:, self.column_of], shown), strict=True))
        completed = self._generators.run(None, feeds)[0][..., :-1]  # (members, n, sample_dim)
        return np.asarray(completed[random.integers(len(completed), size=n_rows), np.arange(n_rows)])

    @cached_property
    def memory(self) -> Floats:
        """What each generator recalls, (members, n_codes, sample_dim)."""
        return np.asarray(self.open.constant("memory").swapaxes(1, 2) / 2)  # the graph holds it doubled

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """Entries of a sample that a linear path expects; none where there is no path."""
        if INTERNAL_PREFIX + ENTRIES not in self.open.constants:
            return np.array([], dtype=np.int64)
        return self.open.constant(ENTRIES)

    @property
    def learned(self) -> NDArray[np.int64]:
        """Entries of a sample that the networks expect."""
        return np.setdiff1d(np.arange(self.sample_dim), self.numbers)

    @cached_property
    def typical(self) -> Floats:
        """What each generator expects of a row of which it sees nothing, (members, sample_dim)."""
        widths = zip(_names("samples", "present"), (self.sample_dim, self.n_columns), strict=True)
        nothing = {name: np.zeros((2, width), dtype=np.float32) for name, width in widths}
        return np.asarray(self._generators.run(None, nothing)[0][:, 0, :-1])

    def at_most(self, n_rows: int) -> int:
        """Return how many rows can be drawn at once."""
        return min(n_rows, MAX_DRAWN // self.sample_dim)

    def fresh(self, random: np.random.Generator) -> list[Columns]:
        """Return one batch of drawn rows."""
        return [self.rows(self.at_most(N_FRESH), random)]

    def first(self, raw: Columns, n_samples: int) -> Columns:
        """Return the first rows."""
        return {name: values[:n_samples] for name, values in raw.items()}

    def scorer_of(self, model: bytes) -> Scorer:
        """Return a scorer of the source or of a variant."""
        return Scorer(model)

    def taken(self, scorer: Scorer, raw: Columns) -> Any:
        """Return raw columns as a scorer takes them: encoded where its model is a core model."""
        return self.features(raw) if isinstance(scorer.schema, CoreSchema) else raw

    def features(self, columns: Columns) -> Floats:
        """Return raw columns as a core model takes them, (n, n_features), computed by the source's own graph."""
        parts = self.encode(columns)
        return np.concatenate([parts.samples, parts.present, parts.excess, parts.growth.max(1, keepdims=True)], axis=1)

    def rows(self, n_rows: int, random: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Return drawn rows as raw columns."""
        drawn = self.draw(n_rows, random)
        columns = decode(self.encoding, drawn.samples.astype(np.float64))
        missing = dict(zip(columns, drawn.present.T == 0, strict=True))
        return {
            name: np.where(missing[name], np.nan if values.dtype.kind == "f" else "", values)
            for name, values in columns.items()
        }

    def draw(self, n_rows: int, random: np.random.Generator) -> Drawn:
        """Return rows of every sort: the generators', moved, perturbed, shuffled, spread out; some miss cells."""
        makers = (
            *(self.imagine, self._between, self._moved, self._moved),
            *(self._moved, self._perturbed, self._shuffled, self._spread),
        )
        sizes = np.full(len(makers), n_rows // len(makers))
        sizes[0] += n_rows - sizes.sum()
        samples = np.concatenate([make(size, random) for make, size in zip(makers, sizes, strict=True)])
        share = MISSING_CELLS * random.random((n_rows, 1)) * (random.random((n_rows, 1)) < MISSING_ROWS)
        present = (random.random((n_rows, self.n_columns)) >= share).astype(np.float32)
        return Drawn(np.clip(samples, -CLIP, CLIP).astype(np.float32) * present[:, self.column_of], present)

    def _picked(self, n_rows: int, random: np.random.Generator) -> Floats:
        return self.base[random.integers(len(self.base), size=n_rows)]

    def _between(self, n_rows: int, random: np.random.Generator) -> Floats:
        """Return rows on the lines through two neighbours, with a little noise: the likest to new normal rows."""
        chosen = random.integers(len(self._neighbours), size=n_rows)
        other = self._neighbours[chosen, random.integers(self._neighbours.shape[1], size=n_rows)]
        one = chosen + len(self.base) - len(self._neighbours)
        way = random.uniform(-0.25, 1.25, (n_rows, 1))
        noise = 0.1 * random.random((n_rows, 1)) * random.normal(size=(n_rows, self.sample_dim))
        mixed = self.base[one] + way * (self.base[other] - self.base[one]) + noise
        return np.where(self.encoding.is_level, self.base[one], mixed)

    @cached_property
    def _neighbours(self) -> NDArray[np.int64]:
        """Indices of the nearest others of the last rows, (n_rows, 8)."""
        rows = self.base[-MAX_NEIGHBOURED:]
        squares = np.square(rows).sum(1)
        distances = squares[:, None] + squares - 2 * rows @ rows.T
        np.fill_diagonal(distances, np.inf)
        nearest = np.argsort(distances, axis=1)[:, : min(N_NEIGHBOURS, len(rows) - 1)]
        return nearest + len(self.base) - len(rows)

    def _moved(self, n_rows: int, random: np.random.Generator) -> Floats:
        """Return rows moved by a part of the difference of two others: noise of the shape that the rows have.

        Half of them are moved as far as their neighbours differ, half as far as any rows differ.
        """
        rows, neighbours = self.base[-len(self._neighbours) :], self._neighbours
        chosen = random.integers(len(rows), size=n_rows)
        near = random.integers(neighbours.shape[1], size=(2, n_rows))
        ends = np.where(
            random.random(n_rows) < 0.5, neighbours[chosen, near], random.integers(len(self.base), size=(2, n_rows))
        )
        part = np.exp(random.uniform(np.log(0.05), np.log(1.5), (n_rows, 1)))
        difference = self.base[ends[0]] - self.base[ends[1]]
        return rows[chosen] + np.where(self.encoding.is_level, 0, part * difference)

    def _perturbed(self, n_rows: int, random: np.random.Generator) -> Floats:
        """Return rows with noise of every size on some of their numbers."""
        size = np.exp(random.uniform(np.log(0.02), np.log(3.0), (n_rows, 1)))
        touched = random.random((n_rows, self.sample_dim)) < np.maximum(random.random((n_rows, 1)), 1 / self.sample_dim)
        noise = size * touched * random.normal(size=(n_rows, self.sample_dim))
        return self._picked(n_rows, random) + np.where(self.encoding.is_level, 0, noise)

    def _shuffled(self, n_rows: int, random: np.random.Generator) -> Floats:
        """Return rows that have some columns of other rows."""
        taken = random.random((n_rows, self.n_columns)) < random.random((n_rows, 1))
        return np.where(taken[:, self.column_of], self._picked(n_rows, random), self._picked(n_rows, random))

    def _spread(self, n_rows: int, random: np.random.Generator) -> Floats:
        """Return rows from a box up to four times as wide as the others."""
        low, high = self.base.min(0), self.base.max(0)
        wider = np.exp(random.uniform(0, np.log(4.0), (n_rows, 1)))
        box = (low + high) / 2 + wider * (high - low) / 2 * random.uniform(-1, 1, (n_rows, self.sample_dim))
        return np.where(self.encoding.is_level, self._picked(n_rows, random), box)


def _names(*labels: str) -> list[str]:
    return [INTERNAL_PREFIX + label for label in labels]


def _read_encoding(model: OpenModel, schema: Schema) -> Encoding:
    """Return the encoding that a model file computes."""
    numbers = [column for column in schema.used if column.kind is Kind.NUMBER]
    times = [column for column in schema.used if column.kind is Kind.TIME]
    categories = [column for column in schema.used if column.kind not in (Kind.NUMBER, Kind.TIME)]
    found: dict[str, ColumnEncoding] = {}
    if numbers:
        fields = [
            model.constant(f"number/{field}").ravel().tolist() for field in ("centre", "scale", "middle", "half_range")
        ]
        found |= {c.name: NumberEncoding(*values) for c, *values in zip(numbers, *fields, strict=True)}
    for position, column in enumerate(times):
        parts = (model.constant(f"time/{position}/{field}").tolist() for field in ("periods", "centres", "scales"))
        found[column.name] = TimeEncoding(*(tuple(part) for part in parts))
    for position, column in enumerate(categories):
        table = model.constant(f"category/{position}/table").astype(np.float64)  # levels, an unknown one, a missing one
        levels = tuple(model.texts(column.input_name)[: len(table) - 2])
        found[column.name] = CategoryEncoding(levels, table[:-1, :-2], float(table[-2, -1]))
    given = tuple(column.name for column in schema.used if column.role is Role.GIVEN)
    return Encoding({column.name: found[column.name] for column in schema.used}, given=given)

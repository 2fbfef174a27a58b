"""What every modality has in common: the answers of a model file, and what a modality has to say of itself.

Tables say it in `gandetect.schema`, images in `gandetect.image_schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

VERDICT = ("anomaly_score", "p_value", "is_anomaly")
"""Names of the outputs that say whether a row or image is anomalous."""

ANSWERS = (*VERDICT, "realness", "reconstruction_error")
"""Names of the outputs that every model file has, one value for each row or image."""

ALPHA = "alpha"
"""Name of the model file's optional input: the false-alarm rate at which rows are flagged."""

INTERNAL_PREFIX = "gandetect/"
"""No input or output starts with this, but every tensor inside the graph, unless a variant has numbers for names."""

CHUNK_ROWS = 320
"""Rows that go into one run: nearly as fast as larger chunks, and memory stays bounded."""

MIN_ROWS = 8
"""Fewest rows that a detector can be fitted on."""


class GraphInput(NamedTuple):
    """An input of a model file's graph: its name, the type of its elements, and its sizes, None where any may come."""

    name: str
    dtype: type[np.generic] | type[str]
    shape: tuple[int | None, ...]


class Modality(Protocol):
    """What raw data a model takes and what it answers; a manifest holds it, the guard and the scorer ask it."""

    @property
    def takes(self) -> str:
        """What messages call the data, in the plural."""

    @property
    def noun(self) -> str:
        """What messages call one of what is judged."""

    @property
    def inputs(self) -> tuple[GraphInput, ...]:
        """The graph's inputs, in order, without `ALPHA`."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the graph's outputs, in order, `ANSWERS` first."""

    @property
    def default_outputs(self) -> tuple[str, ...]:
        """The outputs that come without being asked for; golden rows hold what they are."""

    def feeds(self, raw: Any) -> dict[str, NDArray[Any]]:
        """Check raw data and return the graph's inputs; raise `InputError` where they are of another kind."""

    def chunk_size(self, feeds: Mapping[str, NDArray[Any]]) -> int:
        """Return how many rows or images go into one run."""

    @property
    def tolerance(self) -> float:
        """Two hosts agree on a value when they differ by at most this times ``max(1, abs(value))``."""

    def golden_view(self, output: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return what a manifest's golden answers hold of an output."""

    def raw_from_json(self, inputs: Any) -> Any:
        """Return raw data from the JSON values that a manifest's golden rows have."""

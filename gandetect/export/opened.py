"""What an export asks of a model file that it opened, whatever the model is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gandetect.errors import InputError
from gandetect.scorer import Scorer

if TYPE_CHECKING:
    from gandetect.graph.surgery import OpenModel


class Opened(Protocol):
    """A model file, the source of a variant, and samples of its own making to compare both on."""

    @property
    def scorer(self) -> Scorer:
        """Scores with the model file."""

    @property
    def open(self) -> OpenModel:
        """The model, to be changed."""

    @property
    def golden(self) -> Any:
        """The golden samples, raw."""

    @property
    def compared(self) -> tuple[str, ...]:
        """Outputs of the model that are compared, beside the flags."""

    @property
    def n_timed(self) -> int:
        """Samples of a batch whose time is taken."""

    @property
    def smallest_halved(self) -> int:
        """Numbers in the smallest constant that half precision is worth its error for."""

    def fresh(self, random: np.random.Generator) -> list[Any]:
        """Return raw samples of the file's own making, normal and odd ones, in batches of a kind."""

    def first(self, raw: Any, n_samples: int) -> Any:
        """Return the first ones of raw samples."""

    def scorer_of(self, model: bytes) -> Scorer:
        """Return a scorer of the source or of a variant, which takes all of these samples."""

    def taken(self, scorer: Scorer, raw: Any) -> Any:
        """Return raw samples as a scorer of the source or of a variant takes them."""


def original_scorer(model: bytes) -> Scorer:
    """Return the scorer of a model file that is no variant.

    Raises
    ------
    InputError
        It is one.
    """
    scorer = Scorer(model)
    if "export" in scorer.manifest:
        raise InputError("Expected an original model file, found a variant already; export from its original.")
    return scorer

"""A column of text whose kind is to be found: its values, and what they turn out to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gandetect.column import Column, Kind
from gandetect.readers.number_forms import PLAIN, NumberForm, find_form
from gandetect.readers.values import BLANKS, is_missing, parse_column

MIN_DIFFERENT = 20
"""From how many values on a column of (mostly) different ones is an id or free text."""


@dataclass(frozen=True)
class Finding:
    """What a column is.

    Parameters
    ----------
    kind : Kind
        Its kind.
    reason : str
        Why it cannot be learned from; empty where it can.
    time_format : str
        Of a time: the ``datetime.strptime`` format, empty for ISO 8601.
    problem, culprit : str
        Why the column is refused unless it is left out, and the value that shows it; empty where nothing is wrong.
    form : NumberForm
        Of a number: how its values are written.
    """

    kind: Kind
    reason: str = ""
    time_format: str = ""
    problem: str = ""
    culprit: str = ""
    form: NumberForm = PLAIN


class ColumnValues:
    """The values of a column: all in file order, and the different ones with how often each occurs.

    Parameters
    ----------
    name : str
        The column's name.
    texts : array of str objects of shape (n_rows,)
        Its fields.
    decimal : {".", ","}
        The decimal mark of numbers.
    rows : array of int of shape (n_rows,)
        The number of each row in its file, of which a sample leaves rows out.
    is_certain : bool
        Whether the caller named the decimal mark.
    """

    def __init__(
        self,
        name: str,
        texts: NDArray[np.object_],
        decimal: str,
        rows: NDArray[np.int64],
        *,
        is_certain: bool = False,
    ) -> None:
        self.name = name
        self.decimal = decimal
        self.is_certain = is_certain
        present = ~is_missing(texts)
        self.rows = rows[present]  # of the words
        self.words = [text.strip(BLANKS) for text in texts[present]]
        self.counts = Counter(self.words)
        self.different = np.array(list(self.counts), dtype=object)

    @property
    def all_different(self) -> bool:
        """Whether no value occurs twice."""
        return len(self.counts) == len(self.words)

    @cached_property
    def form(self) -> NumberForm:
        """How numbers are written, if most values are written so."""
        return find_form(self.different, self.decimal, is_certain=self.is_certain)

    @property
    def as_numbers(self) -> Column:
        """The column as one of numbers of that form."""
        return replace(Column(self.name, Kind.NUMBER, decimal=self.decimal), **self.form._asdict())

    @cached_property
    def no_numbers(self) -> NDArray[np.bool_]:
        """Which of the different values are no such numbers."""
        return parse_column(self.different, self.as_numbers)[1]

    def are_all(self, numbers: Sequence[float]) -> bool:
        """Tell whether the values are these numbers, and no others."""
        return bool(np.isin(parse_column(self.different, self.as_numbers)[0], numbers).all())

    def count(self, chosen: NDArray[np.bool_]) -> int:
        """Count the values whose different one is chosen."""
        return sum(self.counts[word] for word in self.different[chosen])

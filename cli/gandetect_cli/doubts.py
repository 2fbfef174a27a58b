"""What can be seen of a training table before anything is learned that makes a good model doubtful."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import quoted
from gandetect.readers.column_values import MIN_DIFFERENT, ColumnValues
from gandetect.readers.compounds import find_compound
from gandetect.readers.kinds import few_numbers, texts_among_numbers
from gandetect.readers.no_measurements import far_numbers, measures, runs_away
from gandetect.readers.number_forms import may_group
from gandetect.readers.values import BLANKS, parse_number, shown
from gandetect_cli.terminal import counted

Values = NDArray[Any]


def doubts(features: Mapping[str, Values], n_rows: int, times: Collection[str] = ()) -> list[str]:
    """Return a sentence for every doubt.

    Parameters
    ----------
    features : mapping of str to array of shape (n_rows,)
        Raw columns to learn from: float64 with NaN for missing, or str objects with '' for missing.
    n_rows : int
        Number of rows.
    times : collection of str
        Those of the features that are times: only what comes again is learned of them.

    Returns
    -------
    list of str
        Empty for most tables.
    """
    found = []
    if not any(map(_varies, features.values())):
        found.append("no column varies: there is nothing to learn but these values, so add rows that differ")
    if unlike := [name for name, values in features.items() if _may_be_id(values)]:
        found.append(
            f"every value of {', '.join(map(repr, unlike))} is different, but {counted(n_rows, 'row')} are too few to "
            "tell ids and free text from categories: leave such columns out with --drop"
        )
    if numbers := [name for name in features if not name.isdigit() and parse_number(name.strip(BLANKS)) is not None]:
        found.append(
            f"columns are called {quoted(numbers)}: if the table has no line of names, its first row was taken for it, "
            "so put the names above it"
        )
    if counters := [name for name, values in features.items() if name not in times and runs_away(values)]:
        found.append(
            f"in every quarter of the rows most values of {', '.join(map(repr, counters))} are beyond all before: if "
            "that is a clock or a counter, new rows lie beyond all that is learned and will be flagged, so leave it "
            "out with --drop"
        )
    found.extend(_marks_of_missing_values(features))
    if fleeting := [name for name, values in features.items() if _moves_on(values)]:
        found.append(
            f"in every quarter of the rows most values of {', '.join(map(repr, fleeting))} are new ones: if that goes "
            "on, as with dates and batches, many new rows will be flagged for it, so leave it out with --drop"
        )
    smallest = 1 / (n_rows + 1)
    if smallest > 0.05:
        found.append(f"with {counted(n_rows, 'row')} no p-value is below {smallest:.2g}: add rows if you can")
    return found


def doubts_of_kinds(categories: Mapping[str, Values], decimal: str) -> list[str]:
    """Return a sentence for every column of numbers, for the most part or several, that was taken for a category.

    Parameters
    ----------
    categories : mapping of str to array of str objects of shape (n_rows,)
        The text of the columns.
    decimal : {".", ","}
        The decimal mark of numbers.

    Returns
    -------
    list of str
        Empty for most tables.
    """
    found = []
    for name, texts in categories.items():
        values = ColumnValues(name, texts, decimal, np.arange(len(texts)))
        if compound := find_compound(values):
            found.append(
                f"{name!r} may hold {compound.what}, such as {shown(values.words[0])}, and is learned as a category, "
                f"in which no value is larger than another: {compound.remedy}, or leave it out with --drop"
            )
        elif few_numbers(values):
            found.append(
                f"{name!r} holds {len(values.counts)} different numbers with a unit, so few that it is learned as a "
                f"category: to learn from them as numbers pass --kind '{name}=number'"
            )
        elif len(odd := texts_among_numbers(values)):
            n_odd, n_values = values.count(values.no_numbers), len(values.words)
            found.append(
                f"{n_odd:,} of the {counted(n_values, 'value')} of {name!r} are no numbers, such as "
                f"{', '.join(map(shown, odd[:3]))}, so it is learned as a category: to learn from its numbers pass "
                f"--kind '{name}=number' and --on-error missing, or mend the others"
            )
    return found


def doubts_of_marks(numbers: Mapping[str, Values], decimal: str) -> list[str]:
    """Return a sentence on the columns whose decimal mark may separate thousands.

    Parameters
    ----------
    numbers : mapping of str to array of str objects of shape (n_rows,)
        The text of the columns of numbers in which nothing else separates thousands.
    decimal : {".", ","}
        The decimal mark, as it was found.

    Returns
    -------
    list of str
        Empty for most tables.
    """
    names = [name for name, texts in numbers.items() if may_group(texts, decimal)]
    if not names:
        return []
    other = "," if decimal == "." else "."
    example = next(text.strip(BLANKS) for text in numbers[names[0]] if decimal in text)
    return [
        f"all numbers of {', '.join(map(repr, names))} have three digits behind the {decimal!r}, such as "
        f"{shown(example)}, or are whole and below 1000: if it separates thousands pass "
        f"--decimal {other!r}, else --decimal {decimal!r}"
    ]


def _varies(values: Values) -> bool:
    """Tell whether a column holds two different values; a missing one is none."""
    known = values[np.isfinite(values) if values.dtype.kind == "f" else values != ""]
    return bool((known != known[:1]).any())


def _may_be_id(values: Values) -> bool:
    """Tell whether a short column may be an id or free text: words that are all different, or numbers that count."""
    if not 1 < len(values) < MIN_DIFFERENT:
        return False
    if values.dtype.kind == "f":
        return bool((np.diff(values) == 1).all())
    return len(set(values)) == len(values)


def _marks_of_missing_values(features: Mapping[str, Values]) -> list[str]:
    """Return a sentence for every number that occurs again and again, far beyond all others of its columns."""
    return [
        f"{', '.join(map(repr, names))} {'holds' if len(names) == 1 else 'hold'} {number:.15g} again and again, far "
        "beyond all other numbers there: if it stands for a missing value pass "
        + _missing_option(number, names, features)
        for number, names in far_numbers(features).items()
    ]


def _missing_option(number: float, names: list[str], features: Mapping[str, Values]) -> str:
    """Say what makes a number missing where it stands for that, and leaves it alone where it is one."""
    if not any(measures(number, values) for name, values in features.items() if name not in names):
        return f"--missing {number:.15g}"
    return " ".join(f"--missing '{name}={number:.15g}'" for name in names)


def _moves_on(values: Values) -> bool:
    """Tell whether most rows of every quarter hold a category that no quarter before has; rare ones alone do not."""
    if len(values) < MIN_DIFFERENT or values.dtype.kind == "f":
        return False
    known, are_new = {""}, []
    for quarter in np.array_split(values, 4):
        are_new.append(sum(value not in known for value in quarter) > len(quarter) / 2)
        known.update(quarter.tolist())
    return all(are_new)

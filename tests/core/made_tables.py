"""Made tables of every kind of column, and rows that are hard to score."""

from dataclasses import replace

import numpy as np

from gandetect.column import Column, Kind
from gandetect.schema import Schema
from gandetect.tables.fitting import TableSettings

QUICK = TableSettings(n_members=3, n_steps=40, batch_size=32, width=16, depth=2, generator_width=16, n_planted=0)
"""Trains in a fraction of a second."""

MIXED = Schema(
    (
        Column("amount", Kind.NUMBER),
        Column("colour", Kind.CATEGORY),
        Column("at", Kind.TIME),
        Column("price", Kind.NUMBER),
        Column("status", Kind.NUMBER),
        Column("active", Kind.YES_NO),
        Column("nothing", Kind.NUMBER),
        Column("city", Kind.CATEGORY),
        Column("opened", Kind.TIME),
        Column("heavy", Kind.NUMBER),
        Column("no word", Kind.CATEGORY),
    )
)
"""Kinds in no order; a constant column, and two without any value."""

DAY = 86_400.0


def quick(**changes):
    return replace(QUICK, **changes)


def numbers(n_columns):
    return Schema(tuple(Column(f"x{i}", Kind.NUMBER) for i in range(n_columns)))


def by_column(X):
    return {f"x{i}": np.ascontiguousarray(values) for i, values in enumerate(np.asarray(X, dtype=np.float64).T)}


def mixed_rows(n_rows, seed=0):
    """Make rows of `MIXED` as raw columns, a tenth of most columns missing."""
    random = np.random.default_rng(seed)
    amount = random.normal(50, 10, n_rows)
    columns = {
        "amount": amount,
        "colour": random.choice(["red", "green", "blue", "mauve"], n_rows, p=[0.5, 0.3, 0.19, 0.01]).astype(object),
        "at": 1.6e9 + random.uniform(0, 3 * 365 * DAY, n_rows),
        "price": 1e9 + 2 * amount + random.normal(0, 1, n_rows),
        "status": np.full(n_rows, 7.0),
        "active": np.where(amount + random.normal(0, 5, n_rows) > 50, "yes", "no").astype(object),
        "nothing": np.full(n_rows, np.nan),
        "city": np.array([f"city {i}" for i in np.minimum(random.geometric(0.1, n_rows), 40)], dtype=object),
        "opened": 1.6e9 + DAY * random.integers(0, 10, n_rows) + 3600 * random.normal(9, 0.5, n_rows),
        "heavy": random.standard_t(1.5, n_rows),
        "no word": np.full(n_rows, "", dtype=object),
    }
    for name in ("amount", "colour", "at", "active", "heavy"):
        hide(columns[name], random.random(n_rows) < 0.1)
    return columns


def hide(values, where):
    values[where] = "" if values.dtype == object else np.nan


EXTREMES = [np.inf, -np.inf, np.nan, 1e308, -1e308, 5e-324, -0.0, 0.0, 1e6, -1e6, 2.0**53 + 1]
STRANGE = ["", "unheard of", "Red", " red", "mauve", "city 1", "yes", "no", "\u2400", "x" * 1000, "naïve ☃"]


def hard_rows(n_rows=330, seed=1):
    """Make rows of `MIXED` in which one to all columns are missing, infinite, unknown or extreme."""
    columns = mixed_rows(n_rows, seed)
    random = np.random.default_rng(seed)
    share = random.choice([0.1, 0.5, 1.0], n_rows)
    for values in columns.values():
        strange = random.random(n_rows) < share
        pool = np.array(STRANGE, dtype=object) if values.dtype == object else np.array(EXTREMES)
        values[strange] = random.choice(pool, strange.sum())
    for name, values in columns.items():
        hide(values, np.arange(n_rows) == 0)  # one row without any value
        assert len(values) == n_rows, name
    return columns


def taken(columns, rows):
    return {name: values[rows] for name, values in columns.items()}

"""Count what the rule for gross rows finds, and what it takes from clean tables.

Every ``NAME.npz`` in the folder holds ``X`` (rows, columns) and ``y`` (1 = anomaly). Into one in 200 of the normal
training rows one glitch is planted; nothing is trained::

    python benchmarks/trimming.py DATA_FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from splits import SETTINGS, Split

from gandetect.tables.frames import array_columns, array_schema
from gandetect.tables.trimming import find_gross

GLITCHES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "times 1e6": lambda values: 1e6 * (np.abs(values) + 1),
    "times 1 000": lambda values: 1e3 * values,
    "-9 999": lambda values: np.full_like(values, -9999),
}
"""What becomes of the cells that a glitch hits."""


def gross_rows(X: np.ndarray) -> np.ndarray:
    """Return which rows the rule finds."""
    schema = array_schema(X.shape[1])
    return find_gross(array_columns(X, schema), schema).rows


def share_found(X: np.ndarray, glitch: Callable[[np.ndarray], np.ndarray]) -> float:
    """Plant a glitch into one cell of one row in 200, at least one; return the share of these rows that is found."""
    random = np.random.default_rng(0)
    rows = random.choice(len(X), max(1, len(X) // 200), replace=False)
    columns = random.integers(0, X.shape[1], len(rows))
    X = X.copy()
    X[rows, columns] = glitch(X[rows, columns])
    return float(gross_rows(X)[rows].mean())


def splits(folder: Path, setting: str) -> list[Split]:
    """Return the rows of every set, with seed 0."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            found.append(SETTINGS[setting](file["X"].astype(np.float64), file["y"].astype(int), 0))
    return found


def main() -> None:
    """Print the shares, means over the sets, as Markdown."""
    if len(sys.argv) != 2:
        sys.exit("Expected one argument, the folder with the data.")
    folder = Path(sys.argv[1])
    clean = [split.X_train for split in splits(folder, "one-class")]
    lines = ["| training rows | share trimmed |", "| --- | --- |"]
    lines.append(f"| normal | {np.mean([gross_rows(X).mean() for X in clean]):.3%} |")
    mixed = np.mean([gross_rows(split.X_train).mean() for split in splits(folder, "mixed-10")])
    lines.append(f"| with up to 10 % anomalies | {mixed:.3%} |")
    lines += ["", "| glitch | share of the planted rows that is found |", "| --- | --- |"]
    lines += [
        f"| {name} | {np.mean([share_found(X, glitch) for X in clean]):.1%} |" for name, glitch in GLITCHES.items()
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()

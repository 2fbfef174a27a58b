"""Compare gandetect's command line with kNN and IsolationForest on a raw table: text, yes/no, ``?`` for missing, an id.

Half of the rows with the diagnosis ``negative`` are the training table; the other half and every ``sick`` row are new.
The peers get what a careful user would give them: one-hot categories, scaled numbers, the median for a missing one::

    python benchmarks/thyroid.py thyroid_sick.csv --seeds 0,1,2
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

LABEL = "diagnosis"
ID = "record id"
MISSING = "?"


def split(rows: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a random half of the normal rows, and the other half with every anomaly."""
    normal = np.random.RandomState(seed).permutation(np.flatnonzero(rows[LABEL] == "negative"))
    half = len(normal) // 2
    new = np.concatenate([normal[half:], np.flatnonzero(rows[LABEL] != "negative")])
    return rows.iloc[normal[:half]], rows.iloc[new]


def numbers(rows: pd.DataFrame) -> list[str]:
    """Return the names of the columns that hold numbers only, and at least one."""
    known = rows.replace(MISSING, np.nan)
    return [str(name) for name in known if known[name].notna().any() and is_numeric(known[name].dropna())]


def is_numeric(values: pd.Series) -> bool:
    """Tell whether every text is a number."""
    return bool(pd.to_numeric(values, errors="coerce").notna().all())


def encoder(rows: pd.DataFrame) -> ColumnTransformer:
    """Return the peers' encoding: scaled numbers, one-hot categories (missing is one of them)."""
    numeric = numbers(rows)
    categories = [name for name in rows if name not in numeric]
    impute = SimpleImputer(missing_values=np.nan, strategy="median")
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(impute, StandardScaler()), numeric),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
        ]
    )


def encode(train: pd.DataFrame, new: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Turn both tables into arrays (rows, encoded columns), as learned from the first; the id is left out."""
    train, new = (rows.drop(columns=[LABEL, ID]) for rows in (train, new))
    numeric = numbers(train)
    train, new = (rows.assign(**rows[numeric].apply(pd.to_numeric, errors="coerce")) for rows in (train, new))
    fitted = encoder(train).fit(train)
    return fitted.transform(train), fitted.transform(new)


def score_neighbours(train: pd.DataFrame, new: pd.DataFrame, seed: int) -> np.ndarray:
    """Return the mean distance to the five nearest training rows."""
    X_train, X_new = encode(train, new)
    distances, _ = NearestNeighbors(n_neighbors=5).fit(X_train).kneighbors(X_new)
    return np.asarray(distances.mean(axis=1))


def score_isolation_forest(train: pd.DataFrame, new: pd.DataFrame, seed: int) -> np.ndarray:
    """Return scikit-learn's isolation forest's score, turned so that high = anomalous."""
    X_train, X_new = encode(train, new)
    return -np.asarray(IsolationForest(random_state=seed).fit(X_train).score_samples(X_new))


def score_gandetect(train: pd.DataFrame, new: pd.DataFrame, seed: int) -> np.ndarray:
    """Return the anomaly scores of the command line, which sees the raw text and no option but the label column."""
    # The command of this very environment, whatever PATH says.
    command = str(Path(sys.executable).with_name("gandetect"))
    with tempfile.TemporaryDirectory() as folder:
        train.to_csv(Path(folder, "train.csv"), index=False)
        new.to_csv(Path(folder, "new.csv"), index=False)
        fit = [command, "fit", "train.csv", "--label-column", LABEL, "--seed", str(seed)]
        subprocess.run(fit, cwd=folder, check=True)
        with Path(folder, "scored.csv").open("wb") as scored:
            subprocess.run([command, "score", "new.csv"], cwd=folder, stdout=scored, check=True)
        return pd.read_csv(Path(folder, "scored.csv"))["anomaly_score"].to_numpy()


DETECTORS: dict[str, Callable[[pd.DataFrame, pd.DataFrame, int], np.ndarray]] = {
    "gandetect": score_gandetect,
    "knn-mean": score_neighbours,
    "iforest": score_isolation_forest,
}


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path, help="the raw CSV file, with a column 'diagnosis'")
    parser.add_argument("--detectors", type=lambda text: text.split(","), default=list(DETECTORS))
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0])
    return parser.parse_args()


def main() -> None:
    """Print one Markdown row for each detector and seed."""
    arguments = parse()
    # Everything as text: what the values are is for the detectors to find out.
    rows = pd.read_csv(arguments.table, dtype=str, keep_default_na=False)
    print("| detector | seed | AUROC | AP |\n|---|---|---|---|")
    for seed in arguments.seeds:
        train, new = split(rows, seed)
        y = (new[LABEL] != "negative").to_numpy()
        for name in arguments.detectors:
            scores = DETECTORS[name](train, new, seed)
            auroc, ap = roc_auc_score(y, scores), average_precision_score(y, scores)
            print(f"| {name} | {seed} | {100 * auroc:.2f} | {100 * ap:.2f} |", flush=True)


if __name__ == "__main__":
    main()

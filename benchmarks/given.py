"""Conditional detection: what is normal depends on a given column, whose values have other shares among new rows.

The made tables have two or three columns that follow the given one, and seven of noise. In one new row of ten they
follow another value than the row's own: what is normal in one group is not in the other. Every detector sees the column
like any other, or not at all; gandetect also sees it as given::

    python benchmarks/given.py --seeds 0,1,2
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from gandetect import GANDetector, export_model

Rows = tuple[pd.DataFrame, np.ndarray]
N_TRAIN, N_NEW, SHARE_OF_ANOMALIES = 1500, 2000, 0.1


def with_noise(columns: dict[str, np.ndarray], random: np.random.Generator) -> pd.DataFrame:
    """Add seven columns that say nothing."""
    n_rows = len(next(iter(columns.values())))
    return pd.DataFrame(columns | {f"noise {i}": random.normal(size=n_rows) for i in range(7)})


def regions(n_rows: int, share_of_anomalies: float, seed: int) -> Rows:
    """Make rows of three regions with their own means; training rows are nearly all from the first one."""
    random = np.random.default_rng(seed)
    shares = [0.1, 0.45, 0.45] if share_of_anomalies else [0.97, 0.02, 0.01]
    region, anomaly = random.choice(3, n_rows, p=shares), random.random(n_rows) < share_of_anomalies
    followed = np.where(anomaly, (region + random.integers(1, 3, n_rows)) % 3, region)
    a, b, c = (np.array([[0, 0, 0], [4, -3, 2], [-3, 3, 4]])[followed] + random.normal(size=(n_rows, 3))).T
    names = np.array(["north", "south", "west"])[region]
    return with_noise({"region": names, "a": a, "b": b, "c": c}, random), anomaly


def hours(n_rows: int, share_of_anomalies: float, seed: int) -> Rows:
    """Make rows whose load and temperature follow the hour; training rows are nearly all from the day."""
    random = np.random.default_rng(seed)
    by_day = random.random(n_rows) < (0.2 if share_of_anomalies else 0.97)
    hour = np.where(by_day, random.uniform(8, 20, n_rows), random.uniform(20, 32, n_rows) % 24)
    anomaly = random.random(n_rows) < share_of_anomalies
    followed = np.where(anomaly, (hour + 12) % 24, hour)
    load = 50 - 30 * np.cos(2 * np.pi * (followed - 2) / 24) + random.normal(0, 3, n_rows)
    temperature = 15 - 6 * np.cos(2 * np.pi * (followed - 4) / 24) + random.normal(0, 1.5, n_rows)
    return with_noise({"hour": hour, "load": load, "temperature": temperature}, random), anomaly


def encoded(train: pd.DataFrame, new: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Scale numbers and spread out words, for the peers."""
    words = OneHotEncoder(sparse_output=False)
    numbers = make_column_selector(dtype_include="number")
    encoder = make_column_transformer(
        (StandardScaler(), numbers), (words, make_column_selector(dtype_exclude="number"))
    )
    return encoder.fit_transform(train), encoder.transform(new)


def neighbours(train: pd.DataFrame, new: pd.DataFrame, seed: int) -> np.ndarray:
    """Return the mean distance to the five nearest training rows."""
    X_train, X_new = encoded(train, new)
    return np.asarray(NearestNeighbors(n_neighbors=5).fit(X_train).kneighbors(X_new)[0].mean(1))


def forest(train: pd.DataFrame, new: pd.DataFrame, seed: int) -> np.ndarray:
    """Return the isolation forest's score, high = anomalous."""
    X_train, X_new = encoded(train, new)
    return -np.asarray(IsolationForest(random_state=seed).fit(X_train).score_samples(X_new))


def gandetect(train: pd.DataFrame, new: pd.DataFrame, seed: int) -> np.ndarray:
    """Return the package's own anomaly score."""
    return np.asarray(GANDetector(random_state=seed).fit(train).anomaly_score(new))


def with_student(train: pd.DataFrame, new: pd.DataFrame, seed: int, given: str) -> dict[str, np.ndarray]:
    """Return the package's anomaly scores with a given column, and those of a student of that detector."""
    detector = GANDetector(given=[given], random_state=seed).fit(train)
    scores, student = detector.anomaly_score(new), export_model(detector.model_, distill=True, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        student.write(f"{folder}/student.onnx")
        taught = GANDetector.load(f"{folder}/student.onnx")
    return {"gandetect, given": scores, "gandetect, given, distilled": taught.anomaly_score(new)}


DETECTORS: dict[str, Callable[[pd.DataFrame, pd.DataFrame, int], np.ndarray]] = {
    "gandetect": gandetect,
    "kNN": neighbours,
    "isolation forest": forest,
}


def measured(make: Callable[[int, float, int], Rows], given: str, seed: int) -> dict[str, float]:
    """Return the AUROC of every detector in every way to see the given column."""
    (train, _), (new, anomaly) = make(N_TRAIN, 0, 2 * seed), make(N_NEW, SHARE_OF_ANOMALIES, 2 * seed + 1)
    scores = with_student(train, new, seed, given)
    for name, detect in DETECTORS.items():
        scores[f"{name}, as a column"] = detect(train, new, seed)
        scores[f"{name}, without"] = detect(train.drop(columns=given), new.drop(columns=given), seed)
    return {name: float(roc_auc_score(anomaly, values)) for name, values in scores.items()}


def main() -> None:
    """Print one Markdown row for each detector."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    tables = {"region": regions, "hour": hours}
    found = {given: [measured(make, given, seed) for seed in seeds] for given, make in tables.items()}
    print("| detector | " + " | ".join(f"AUROC, {given}" for given in tables) + " |\n|" + "---|" * (1 + len(tables)))
    for name in found["region"][0]:
        cells = [np.array([row[name] for row in rows]) for rows in found.values()]
        print(f"| {name} | " + " | ".join(f"{cell.mean():.3f} ± {cell.std():.3f}" for cell in cells) + " |")


if __name__ == "__main__":
    main()

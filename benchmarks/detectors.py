"""The detectors that the benchmarks compare, gandetect and its peers: each turns rows into a scoring function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

Scores = dict[str, np.ndarray]


@dataclass(frozen=True)
class Fitted:
    """A trained detector.

    Parameters
    ----------
    score : Callable
        Rows (rows, columns) -> scores (rows,), high = anomalous.
    parts : Callable, optional
        Rows -> further scores by name, each reported as a detector of its own, ``detector:part``.
    p_value : Callable, optional
        Rows -> p-values (rows,).
    """

    score: Callable[[np.ndarray], np.ndarray]
    parts: Callable[[np.ndarray], Scores] | None = None
    p_value: Callable[[np.ndarray], np.ndarray] | None = None


def fit_pyod(module: str, name: str, X_train: np.ndarray, seed: int, *, seeded: bool = False, **options: Any) -> Fitted:
    """Train one of PyOD's detectors on standardised columns."""
    seeds = {"random_state": seed} if seeded else {}
    scaler = StandardScaler().fit(X_train)
    detector = getattr(import_module(module), name)(**options, **seeds)
    X_scaled = scaler.transform(X_train)
    detector.fit(X_scaled)

    def score(X: np.ndarray) -> np.ndarray:
        # A training row is its own neighbour; only `decision_scores_` leaves it out.
        if X is X_train:
            return np.asarray(detector.decision_scores_)
        return np.asarray(detector.decision_function(scaler.transform(X)))

    return Fitted(score)


def fit_gandetect(X_train: np.ndarray, seed: int, **parameters: Any) -> Fitted:
    """Train the package's own detector, with its defaults but for the given parameters."""
    from gandetect import GANDetector

    detector = GANDetector(random_state=seed, **parameters).fit(X_train)
    return Fitted(detector.anomaly_score, partial(network_scores, detector), detector.p_value)


def network_scores(detector: Any, X: np.ndarray) -> Scores:
    """Return what the discriminator and the generator say on their own, high = anomalous."""
    scorer = detector.scorer_
    columns = {column.name: X[:, position] for position, column in enumerate(scorer.schema.columns)}
    outputs = scorer(columns, ("realness", "reconstruction_error"))
    return {"realness": -outputs["realness"], "reconstruction_error": outputs["reconstruction_error"]}


@dataclass(frozen=True)
class Detector:
    """How a detector is trained.

    Parameters
    ----------
    module : str
        Imported before the clock starts, so that the seconds of a fit hold no import.
    fit : Callable
        Training rows (rows, columns) and a seed -> `Fitted`.
    """

    module: str
    fit: Callable[[np.ndarray, int], Fitted]


def pyod(module: str, name: str, *, seeded: bool = False, **options: Any) -> Detector:
    """Describe one of PyOD's detectors."""
    module = f"pyod.models.{module}"
    return Detector(module, partial(fit_pyod, module, name, seeded=seeded, **options))


DETECTORS = {
    "gandetect": Detector("torch", fit_gandetect),
    "gandetect-least-squares": Detector("torch", partial(fit_gandetect, loss="least-squares")),
    "gandetect-hinge": Detector("torch", partial(fit_gandetect, loss="hinge")),
    "gandetect-wasserstein": Detector("torch", partial(fit_gandetect, loss="wasserstein")),
    "knn-mean": pyod("knn", "KNN", method="mean"),
    "knn": pyod("knn", "KNN"),
    "lof": pyod("lof", "LOF"),
    "ocsvm": pyod("ocsvm", "OCSVM"),
    "iforest": pyod("iforest", "IForest", seeded=True),
    "ecod": pyod("ecod", "ECOD"),
    "copod": pyod("copod", "COPOD"),
    "hbos": pyod("hbos", "HBOS"),
    "pca": pyod("pca", "PCA", seeded=True),
    "mcd": pyod("mcd", "MCD", seeded=True),
    "cblof": pyod("cblof", "CBLOF", seeded=True),
    "inne": pyod("inne", "INNE", seeded=True),
}
"""Every detector by the name that the command line takes."""

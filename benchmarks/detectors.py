"""The detectors that the benchmarks compare, gandetect and its peers: each turns rows into a scoring function."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
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


def fit_peer(
    module: str, name: str, X_train: np.ndarray, known: np.ndarray | None, seed: int, *, sign: int = 1, **options: Any
) -> Fitted:
    """Train a detector with PyOD's methods on standardised columns; ``sign`` -1 turns its scores around."""
    scaler = StandardScaler().fit(X_train)
    X_scaled = scaler.transform(X_train)
    kind = getattr(import_module(module), name)
    accepted = signature(kind).parameters
    given = {"random_state": seed, "n_features": X_train.shape[1]}
    # After the import, since PyOD's DevNet seeds the global generators when it is imported.
    seed_everything(seed)
    detector = kind(**options, **{key: value for key, value in given.items() if key in accepted})
    detector.fit(X_scaled, known)

    def score(X: np.ndarray) -> np.ndarray:
        # A training row is its own neighbour; only `decision_scores_` leaves it out.
        if X is X_train:
            return sign * np.asarray(detector.decision_scores_)
        return sign * np.asarray(detector.decision_function(scaler.transform(X)))

    return Fitted(score)


def seed_everything(seed: int) -> None:
    """Seed the global generators; several peers take no seed of their own."""
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def fit_with_texts(X_train: np.ndarray, known: np.ndarray | None, seed: int) -> Fitted:
    """Train the package's own detector on numbers and texts as they are, (rows, columns) of objects."""
    fitted = fit_gandetect(framed(X_train), known, seed)
    return Fitted(lambda X: fitted.score(framed(X)), p_value=lambda X: fitted.p_value(framed(X)))


def framed(X: np.ndarray) -> pd.DataFrame:
    """Return objects as a frame whose columns have the kinds of what they hold."""
    return pd.DataFrame(X, columns=[f"x{position}" for position in range(X.shape[1])]).infer_objects()


def fit_gandetect(X_train: Any, known: np.ndarray | None, seed: int, **parameters: Any) -> Fitted:
    """Train the package's own detector, with its defaults but for the given parameters."""
    from gandetect import GANDetector

    detector = GANDetector(random_state=seed, **parameters).fit(X_train, known)
    return Fitted(detector.anomaly_score, partial(network_scores, detector), detector.p_value)


class NoGame:
    """Nobody wins or loses: the generator only reconstructs, the discriminator only rejects the reference noise."""

    gradient_penalty = 0.0

    def nothing(self, logits: Any) -> Any:
        """Return zero for every logit."""
        return 0 * logits

    real = fake = generator = nothing


def fit_without_game(X_train: np.ndarray, known: np.ndarray | None, seed: int) -> Fitted:
    """Train the package's own detector without the adversarial game."""
    from gandetect.training.losses import LOSSES

    LOSSES["none"] = NoGame
    return fit_gandetect(X_train, known, seed, loss="none")


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
        Training rows (rows, columns), which of them are known anomalies (rows,) or None, and a seed -> `Fitted`.
    uses_labels : bool
        Whether it learns from known anomalies; one that does not gets the training rows without them.
    reads_texts : bool
        Whether it gets texts as they are, in an array of objects, where all others get numbers that stand for them.
    """

    module: str
    fit: Callable[[np.ndarray, np.ndarray | None, int], Fitted]
    uses_labels: bool = False
    reads_texts: bool = False


def ours(*, uses_labels: bool = False, **parameters: Any) -> Detector:
    """Describe the package's own detector with these parameters."""
    return Detector("torch", partial(fit_gandetect, **parameters), uses_labels)


def peer(module: str, name: str, *, uses_labels: bool = False, **options: Any) -> Detector:
    """Describe a detector with PyOD's methods."""
    return Detector(module, partial(fit_peer, module, name, **options), uses_labels)


def pyod(module: str, name: str, **options: Any) -> Detector:
    """Describe one of PyOD's detectors."""
    return peer(f"pyod.models.{module}", name, **options)


VARIANTS = {
    "gandetect": ours(),
    "gandetect-low": ours(effort="low"),
    "gandetect-high": ours(effort="high"),
    "gandetect-least-squares": ours(loss="least-squares"),
    "gandetect-hinge": ours(loss="hinge"),
    "gandetect-wasserstein": ours(loss="wasserstein"),
    "gandetect-labels": ours(uses_labels=True, use_labels=True),
    "gandetect-texts": Detector("torch", fit_with_texts, reads_texts=True),
    "gandetect-no-game": Detector("torch", fit_without_game),
}
"""The package's own detector: the defaults, and the defaults but for one thing."""

PEERS = {
    "knn-mean": pyod("knn", "KNN", method="mean"),
    "knn": pyod("knn", "KNN"),
    "lof": pyod("lof", "LOF"),
    "ocsvm": pyod("ocsvm", "OCSVM"),
    "iforest": pyod("iforest", "IForest"),
    "inne": pyod("inne", "INNE"),
    "hbos": pyod("hbos", "HBOS"),
    "ecod": pyod("ecod", "ECOD"),
    "copod": pyod("copod", "COPOD"),
    "pca": pyod("pca", "PCA"),
    "mcd": pyod("mcd", "MCD"),
    "cblof": pyod("cblof", "CBLOF"),
    # Standardised twice, a constant column would be divided by zero.
    "autoencoder": pyod("auto_encoder", "AutoEncoder", preprocessing=False, verbose=0),
    "deep-svdd": pyod("deep_svdd", "DeepSVDD", preprocessing=False, verbose=0),
    "lunar": pyod("lunar", "LUNAR"),
    "alad": pyod("alad", "ALAD"),
    "so-gaal": pyod("so_gaal", "SO_GAAL"),
    # As shipped, the score is how real the discriminator finds a row: high = normal.
    "so-gaal-mended": pyod("so_gaal", "SO_GAAL", sign=-1),
    "ganomaly": peer("ganomaly", "GANomaly"),
}
"""Peers that use no labels: PyOD's with their defaults, and one of our own making."""

LABEL_PEERS = {
    "devnet": pyod("devnet", "DevNet", uses_labels=True),
    "devnet-mended": peer("mended_devnet", "MendedDevNet", uses_labels=True),
    "xgbod": pyod("xgbod", "XGBOD", uses_labels=True),
}
"""Peers that learn from known anomalies."""

DETECTORS = VARIANTS | PEERS | LABEL_PEERS
"""Every detector by the name that the command line takes."""


def default_detectors(setting: str) -> list[str]:
    """Return what is compared in a setting when the command line names no detectors."""
    if setting == "labelled":
        return ["gandetect", "gandetect-labels", *LABEL_PEERS]
    return ["gandetect", *PEERS]

"""What the scikit-learn estimators share: a model file that scores, and scikit-learn's ladder of signs."""

from __future__ import annotations

import os
import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from gandetect.model_file import read_model, write_model
from gandetect.scorer import Scorer

Doubles = NDArray[np.float64]


class ModelFileDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """An outlier detector that scores through its model file; each modality says how in `_answer`."""

    model_: bytes
    scorer_: Scorer
    offset_: float
    health_: dict[str, Any]

    random_state: int | np.random.RandomState | None

    def _answer(self, X: Any, output: str) -> NDArray[Any]:
        """Run the model file and return one of its outputs."""
        raise NotImplementedError

    @classmethod
    def _remembered(cls, manifest: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return parameters that a manifest's settings do not hold, and the attributes that say what `fit` saw.

        Raises
        ------
        InputError
            It is a model for something else.
        """
        raise NotImplementedError

    def anomaly_score(self, X: Any) -> Doubles:
        """Return how anomalous rows or images are.

        Parameters
        ----------
        X
            As `fit` takes them.

        Returns
        -------
        array of float64 of shape (n_samples,)
            The higher, the more anomalous.

        Raises
        ------
        NotFittedError
            There was no `fit` before.
        ValueError
            `X` is not what `fit` took, or cannot be read; an `InputError` unless scikit-learn's own check finds it.
        """
        return np.asarray(self._answer(X, "anomaly_score"), dtype=np.float64)

    def score_samples(self, X: Any) -> Doubles:
        """Return the opposite of the anomaly score, as scikit-learn wants it.

        Parameters
        ----------
        X
            As `fit` takes them.

        Returns
        -------
        array of float64 of shape (n_samples,)
            The higher, the more normal.

        Raises
        ------
        NotFittedError, ValueError
            As from `anomaly_score`.
        """
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> Doubles:
        """Return ``score_samples(X) - offset_``.

        Parameters
        ----------
        X
            As `fit` takes them.

        Returns
        -------
        array of float64 of shape (n_samples,)
            Negative for outliers.

        Raises
        ------
        NotFittedError, ValueError
            As from `anomaly_score`.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Tell outliers from inliers.

        Parameters
        ----------
        X
            As `fit` takes them.

        Returns
        -------
        array of int64 of shape (n_samples,)
            -1 for outliers, +1 for inliers.

        Raises
        ------
        NotFittedError, ValueError
            As from `anomaly_score`.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def fit_predict(self, X: Any, y: Any = None, **kwargs: Any) -> NDArray[np.int64]:
        """Fit, and tell outliers from inliers among the same rows or images.

        Parameters
        ----------
        X, y
            As `fit` takes them.
        **kwargs
            Further arguments of `fit`, such as ``callback``.

        Returns
        -------
        array of int64 of shape (n_samples,)
            -1 for outliers, +1 for inliers.

        Raises
        ------
        InputError, ValueError
            As from `fit`.
        """
        labels: NDArray[np.int64] = self.fit(X, y, **kwargs).predict(X)
        return labels

    def p_value(self, X: Any) -> Doubles:
        """Return the share of normal rows or images that are at least as anomalous.

        Parameters
        ----------
        X
            As `fit` takes them.

        Returns
        -------
        array of float64 of shape (n_samples,)
            From 0 to 1: the smaller, the more anomalous.

        Raises
        ------
        NotFittedError, ValueError
            As from `anomaly_score`.
        """
        return np.asarray(self._answer(X, "p_value"), dtype=np.float64)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file, whole or not at all.

        It takes what `fit` was given. Earlier steps of a scikit-learn pipeline, ``pipeline[:-1]``, are not in the
        file: whoever scores with it has to run them first.

        Parameters
        ----------
        path : path-like
            Of the file.

        Raises
        ------
        NotFittedError
            There was no `fit` before.
        FileAccessError
            The file cannot be written; a file that was there is unchanged.
        """
        check_is_fitted(self)
        write_model(self.model_, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return a fitted detector from a model file.

        Parameters
        ----------
        path : path-like
            Of the file.

        Returns
        -------
        GANDetector or ImageGANDetector
            With the parameters that the file was fitted with.

        Raises
        ------
        FileAccessError
            The file cannot be read.
        ModelFileError
            It is not a model file, is damaged, or needs a newer gandetect.
        InputError
            It is a model for something else than what this detector takes.
        """
        model, manifest = read_model(path)
        parameters, seen = cls._remembered(manifest)
        training, known = manifest["training"], cls().get_params()
        settings = {name: value for name, value in training["settings"].items() if name in known}
        settings |= {"contamination": training["contamination"], "random_state": training["seed"]}
        detector = cls(**settings | parameters)._use(model)
        for name, value in seen.items():
            setattr(detector, name, value)
        return detector

    def _use(self, model: bytes) -> Self:
        """Take over a model file."""
        self.model_ = model
        self.scorer_ = Scorer(model)
        self.health_ = self.scorer_.manifest["health"]
        calibration = self.scorer_.manifest["calibration"]
        threshold = calibration["threshold"]
        self.offset_ = -(calibration["critical_score"] if threshold is None else threshold)
        return self

    def _warn(self) -> None:
        """Warn of members that are sick."""
        for diagnosis in self.health_["diagnoses"]:
            message = f"{diagnosis}; more steps, more training data or another seed may help."
            warnings.warn(message, ConvergenceWarning, stacklevel=3)

    def _seed(self) -> int:
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

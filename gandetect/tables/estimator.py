"""The scikit-learn face of the detector for tables."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from gandetect.arguments import require_type
from gandetect.column import Kind, Role
from gandetect.detector import ModelFileDetector
from gandetect.errors import InputError, quoted
from gandetect.explaining import explain
from gandetect.explanation import Explanation
from gandetect.manifest import modality_of
from gandetect.schema import Schema, table_of
from gandetect.tables.frames import (
    array_columns,
    array_schema,
    as_frame,
    find_no_categories,
    find_no_measurements,
    frame_columns,
    frame_schema,
)

if TYPE_CHECKING:
    from gandetect.tables.settings import TableSettings
    from gandetect.training.course import Progress


class GANDetector(ModelFileDetector):
    """Anomaly detector for tables: a generative adversarial network that ends as one ONNX file.

    The discriminator learns to tell training rows from noise around them and from a generator's rows; the generator
    learns to fill in masked columns. Realness, reconstruction error and the distances to what the generator remembers
    and finds typical, calibrated out of fold, form the score. After `fit` the estimator scores through the very file
    that `save` writes.

    Parameters
    ----------
    loss : {"logistic", "least-squares", "hinge", "wasserstein"}, default="logistic"
        The game between the generator and the discriminator's heads for it.
    contamination : "auto" or float in (0, 0.5], default="auto"
        "auto": rows are flagged at a false-alarm rate of 0.05 (or the smallest that few rows allow). A number: the
        share of the training rows that `predict` calls outliers. Where there are more numbers than rows, the share of
        new rows like them: the detector knows the training rows by heart, and calls few of them outliers.
    effort : {"low", "default", "high"}, default="default"
        Trades time for accuracy: 400, 1200 or 2400 steps, and 4, 4 or 8 members.
    n_members : int, optional
        Generator and discriminator pairs, each blind to its own fold of the training rows; the effort's without it.
    n_steps : int, optional
        Training steps, the effort's without it; the time of `fit` is proportional to it and nearly independent of the
        number of rows.
    width : int, default=64
        Width of the hidden layers of both networks.
    depth : int, default=3
        Number of the discriminator's hidden layers.
    use_labels : bool, default=False
        Whether `fit` learns from known anomalies: rows with 1 in `y`.
    given : sequence of str or int, default=()
        Names or positions of columns that are not judged: rows are judged among those that are alike there.
    device : str, default="auto"
        Where to train: "auto" (a GPU when there is one), "cpu", "cuda", ...
    random_state : int, RandomState instance or None, default=None
        An int gives the same model file every time.

    Attributes
    ----------
    model_ : bytes
        The model file.
    scorer_ : Scorer
        Runs it.
    offset_ : float
        ``decision_function = score_samples - offset_``.
    health_ : dict
        How the training went: precision and coverage of the generator's rows, how well both networks do their part, the
        realness of real and generated rows over time, and ``diagnoses``, empty when nothing is wrong.
    trimmed_share_ : float
        Share of the training rows that was left out, since a number in them lies far beyond all others of its column.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns; only if all column names are strings.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Trees instead of networks.

    Notes
    -----
    NaN and infinities are missing values. An array holds numbers only; the dtypes of a data frame decide the kinds of
    its columns (pandas; record arrays; polars, pyarrow and others through the Arrow PyCapsule interface), and where a
    dtype is object its values do: decimals are numbers, dates are times. Text is a category: leave out ids and free
    text, and convert times and numbers that are written as text; `fit` warns of them.

    References
    ----------
    I. Goodfellow et al., "Generative Adversarial Nets", 2014.

    J. Yoon, J. Jordon, M. van der Schaar, "GAIN: Missing Data Imputation using Generative Adversarial Nets", 2018:
    masked columns that a generator fills in.

    S. Bates, E. Candès, L. Lei, Y. Romano, M. Sesia, "Testing for outliers with conformal p-values", 2023; V. Vovk,
    "Cross-conformal predictors", 2015: p-values from scores out of fold.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from gandetect import GANDetector
    >>> X, y = load_wine(return_X_y=True)
    >>> detector = GANDetector(n_steps=300, random_state=0).fit(X[y == 1])
    >>> bool(detector.score_samples(X[y == 1]).mean() > detector.score_samples(X[y == 0]).mean())
    True
    """

    def __init__(
        self,
        *,
        loss: str = "logistic",
        contamination: float | Literal["auto"] = "auto",
        effort: str = "default",
        n_members: int | None = None,
        n_steps: int | None = None,
        width: int = 64,
        depth: int = 3,
        use_labels: bool = False,
        given: Sequence[str | int] = (),
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.contamination = contamination
        self.effort = effort
        self.n_members = n_members
        self.n_steps = n_steps
        self.width = width
        self.depth = depth
        self.use_labels = use_labels
        self.given = given
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, callback: Callable[[Progress], None] | None = None) -> Self:
        """Learn what normal rows look like.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Normal (or mostly normal) rows.
        y : array-like of shape (n_samples,), optional
            With `use_labels`: 1 = known to be an anomaly, 0 = nothing known; else ignored.
        callback : callable, optional
            Called with `gandetect.Progress` about a hundred times while training.

        Returns
        -------
        GANDetector
            The fitted detector.

        Raises
        ------
        InputError
            Too few rows, no columns, text in an array, labels other than 0 and 1, a parameter out of range, or a
            training that diverged twice; a `ValueError`.

        Warns
        -----
        UserWarning
            Columns of text look like ids, free text, times or numbers. They are learned as categories all the same, and
            new values are anomalous; a column of dtype category is not asked. Or columns of a data frame are empty or
            look like clocks or counters, which new rows are flagged for, or hold a number for what is missing. Or rows
            hold no value at all: they are left out.
        ConvergenceWarning
            A member of the ensemble is sick, also after it was trained once more; see `health_`.
        """
        from gandetect.tables.fitting import fit_table

        require_type("use_labels to be True or False", self.use_labels, (bool, np.bool_), "pass one of them")
        X = as_frame(X)
        if isinstance(X, pd.DataFrame):
            schema = self._with_given(frame_schema(X))
            validate_data(self, X, skip_check_array=True)
            columns = frame_columns(X, schema)
            if doubt := find_no_categories(X, columns, schema):
                warnings.warn(doubt, UserWarning, stacklevel=2)
            for doubt in find_no_measurements(columns, schema):
                warnings.warn(doubt, UserWarning, stacklevel=2)
        else:
            X = self._checked(X, dtype=np.float64)
            schema = self._with_given(array_schema(X.shape[1]))
            columns = array_columns(X, schema)
        known = _known(y, X.shape[0]) if self.use_labels else np.zeros(X.shape[0], dtype=bool)
        if n_empty := int((~schema.holding_values(columns)).sum()):
            doubt = f"Expected values in every row, found {n_empty} of {len(known)} without any; they are left out."
            warnings.warn(doubt, UserWarning, stacklevel=2)
        model = fit_table(
            {name: values[~known] for name, values in columns.items()},
            schema,
            settings=self._settings(),
            seed=self._seed(),
            contamination=self.contamination,
            named=hasattr(self, "feature_names_in_"),
            device=self.device,
            known_anomalies={name: values[known] for name, values in columns.items()} if known.any() else None,
            callback=callback,
        )
        self._use(model)
        self._warn()
        return self

    def explain(self, X: Any) -> Explanation:
        """Say why rows are anomalous: the columns to blame, what was expected there, and which repair would help.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        Explanation
            ``blame``, (n_samples, n_features): non-negative shares, every row sums to 1; ``expected`` values by column;
            ``reasons(row)`` in words; ``repair(row)``: new values that make an outlier normal.

        Raises
        ------
        NotFittedError, ValueError
            As from `anomaly_score`.
        """
        columns = self._columns(X)
        return explain(self.scorer_, columns)

    @classmethod
    def _remembered(cls, manifest: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        schema, training = table_of(modality_of(manifest)), manifest["training"]
        names = [column.name for column in schema.used]
        given = tuple(names.index(column.name) for column in schema.used if column.role is Role.GIVEN)
        seen: dict[str, Any] = {"n_features_in_": len(names)}
        if training["named"]:
            seen["feature_names_in_"] = np.array(names, dtype=object)
        return {"use_labels": training["n_known_anomalies"] > 0, "given": given}, seen

    def _use(self, model: bytes) -> Self:
        """Take over a model file."""
        super()._use(model)
        self.trimmed_share_ = float(self.scorer_.manifest["training"]["trimmed_share"])
        return self

    def _answer(self, X: Any, output: str) -> NDArray[Any]:
        """Run the model file on rows and return one of its outputs."""
        columns = self._columns(X)
        return self.scorer_(columns, [output])[output]

    def _columns(self, X: Any) -> dict[str, NDArray[Any]]:
        """Return rows as the raw columns that the model file takes."""
        check_is_fitted(self)
        X, schema = as_frame(X), Schema(table_of(self.scorer_.schema).used)
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, skip_check_array=True, reset=False)
            return frame_columns(X, schema)
        numbers = all(column.kind is Kind.NUMBER for column in schema.columns)
        dtype = np.float64 if numbers else None
        X = self._checked(X, dtype=dtype, reset=False)
        return array_columns(X, schema)

    def _checked(self, X: Any, **options: Any) -> NDArray[Any]:
        """Check an array as scikit-learn does; where it holds text, say what to pass instead.

        scikit-learn would take what a masked array masks for data, and times for numbers.
        """
        if options["dtype"] is not None and getattr(getattr(X, "dtype", None), "kind", "") in ("M", "m"):
            raise InputError(
                f"Expected an array of numbers, found {X.dtype}; pass a data frame, in which times are times."
            )
        try:
            if isinstance(X, np.ma.MaskedArray):
                X = np.ma.filled(X.astype(options["dtype"] or object), np.nan)
            array: NDArray[Any] = validate_data(self, X, ensure_all_finite=False, **options)
        except ValueError as error:
            if not str(error).startswith("could not convert string to float"):
                raise
            raise InputError(
                f"Expected an array of numbers, found text ({error}); pass a data frame, as steps of a pipeline give "
                "after set_output(transform='pandas')."
            ) from error
        except TypeError:
            if isinstance(X, Sequence) and any(isinstance(row, Mapping) for row in X):
                raise InputError("Expected an array of numbers, found dicts; pass pandas.DataFrame(X).") from None
            if isinstance(X, Sequence) or hasattr(X, "shape"):
                raise
            found = type(X).__name__
            raise InputError(f"Expected an array of numbers, found {found}; pass an array or a data frame.") from None
        return array

    def _with_given(self, schema: Schema) -> Schema:
        """Return the schema with the given columns in their role."""
        given = self.given
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise InputError(f"Expected given to be a list of columns, found {given!r}; pass [{given!r}].")
        return schema.with_given([column if isinstance(column, str) else _name(column, schema) for column in given])

    def _settings(self) -> TableSettings:
        """Return the record of hyper-parameters that the estimator's parameters stand for."""
        from gandetect.tables.settings import TableSettings

        known = {field.name for field in fields(TableSettings)}
        given = {name: value for name, value in self.get_params().items() if name in known}
        return TableSettings.of_effort(**given, generator_width=self.width)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.target_tags.required = self.use_labels
        return tags


def _name(position: Any, schema: Schema) -> str:
    """Return a column's name from its position."""
    n_columns = len(schema.columns)
    if isinstance(position, bool | np.bool_):
        raise InputError(
            "Expected given to hold names or positions of columns, found a mask; pass numpy.flatnonzero(mask)."
        )
    if not isinstance(position, int | np.integer) or not 0 <= position < n_columns:
        raise InputError(f"Expected positions of columns from 0 to {n_columns - 1}, found {position!r} in given.")
    return schema.columns[position].name


def _known(y: Any, n_rows: int) -> NDArray[np.bool_]:
    """Return which rows are known anomalies."""
    expected = f"Expected y with use_labels to hold {n_rows} values, 1 = known anomaly and 0 = unlabelled, found"
    if y is None:
        raise InputError(f"{expected} none; pass such labels or leave use_labels out.")
    try:
        labels = np.asarray(y)
    except ValueError:
        raise InputError(f"{expected} lists; pass one label for each row.") from None
    if labels.shape != (n_rows,):
        raise InputError(f"{expected} shape {labels.shape}; pass one label for each row.")
    if not np.isin(labels, [0, 1]).all():
        values = pd.unique(labels).tolist()
        anomaly = "-1" if np.isin(labels, [-1, 1]).all() else "the value of known anomalies"
        raise InputError(f"{expected} {quoted(values)}; pass y == {anomaly}.")
    return np.asarray(labels == 1, dtype=bool)

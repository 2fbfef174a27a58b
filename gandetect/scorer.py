"""Scores raw columns with a model file: numpy and ONNX Runtime, nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from gandetect.errors import InputError, ModelFileError
from gandetect.model_file import read_model
from gandetect.schema import ALPHA, NUMERIC, OUTPUTS, Column, Schema, quoted

CHUNK_ROWS = 1024
"""Rows that go into one run: as fast as larger chunks, and memory stays bounded."""

TOLERANCE = 1e-5
"""Two hosts agree on a value when they differ by at most this times ``max(1, abs(value))``."""

Columns = Mapping[str, NDArray[Any]]


class Scorer:
    """A model file, ready to score.

    Parameters
    ----------
    model : str, os.PathLike or bytes
        Path or contents of a model file. It is checked before ONNX Runtime sees it.
    threads : int, default=1
        Threads that ONNX Runtime may use within a run. The answers do not depend on it.

    Attributes
    ----------
    manifest : dict
        What the model file says of itself.
    schema : Schema
        The columns that it was trained on.

    Raises
    ------
    FileAccessError
        The file cannot be read.
    ModelFileError
        It is not a model file, is damaged, or needs a newer gandetect.

    Notes
    -----
    A scorer may be shared by several threads.
    """

    def __init__(self, model: str | os.PathLike[str] | bytes, *, threads: int = 1) -> None:
        contents, self.manifest = read_model(model)
        self.schema = Schema.from_json(self.manifest["columns"])
        self._session = open_session(contents, threads)

    def __call__(
        self, columns: Columns, outputs: Sequence[str] = OUTPUTS, alpha: float | None = None
    ) -> dict[str, NDArray[Any]]:
        """Score rows.

        Parameters
        ----------
        columns : mapping of str to array of shape (n_rows,)
            Raw columns by name: float64 with NaN for missing, or str with '' for missing. More columns than the
            model's are ignored.
        outputs : sequence of str
            What to compute, out of `gandetect.schema.OUTPUTS`; nothing else is.
        alpha : float, optional
            False-alarm rate of `is_anomaly`; the model file's own rule without it.

        Returns
        -------
        dict of str to array
            The outputs asked for, each with n_rows rows.

        Raises
        ------
        InputError
            A column is missing or of another type, columns differ in length, or an output or `alpha` is unknown.
        """
        unknown = [name for name in outputs if name not in OUTPUTS]
        if unknown:
            raise InputError(f"Expected outputs out of {quoted(OUTPUTS)}, found {quoted(unknown)}.")
        constants = {} if alpha is None else {ALPHA: np.array(_checked_alpha(alpha), dtype=np.float32)}
        return run_in_chunks(self._session, outputs, self._feeds(columns), constants)

    def verify(self) -> float:
        """Recompute the golden rows on this machine.

        Returns
        -------
        float
            Largest difference to the stored outputs, relative to ``max(1, abs(value))``.

        Raises
        ------
        ModelFileError
            A difference is larger than 1e-5, or there are no golden rows.
        """
        try:
            golden = self.manifest["golden"]
            inputs = {column.name: _from_json(column, golden["inputs"][column.name]) for column in self.schema.features}
            outputs = {name: np.array(golden["outputs"][name], dtype=float) for name in OUTPUTS}
            computed = self(inputs)
            differences = {name: np.abs(computed[name] - expected) for name, expected in outputs.items()}
            relative = {
                name: float((d / np.maximum(1, np.abs(outputs[name]))).max()) for name, d in differences.items()
            }
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                "Expected golden rows and their outputs in the model file, found none that can be used; "
                "fit the model again."
            ) from error
        for name, largest in relative.items():
            if not largest <= TOLERANCE:
                raise ModelFileError(
                    f"Expected the golden rows' {name} within {TOLERANCE:g}, found a difference of {largest:.3g}: "
                    "this machine does not compute what was trained; update onnxruntime."
                )
        return max(relative.values())

    def _feeds(self, columns: Columns) -> dict[str, NDArray[Any]]:
        """Check and convert the columns that the model needs, by input name."""
        absent = [column.name for column in self.schema.features if column.name not in columns]
        if absent:
            raise InputError(
                f"Expected the columns that the model was trained on, found no {quoted(absent)} "
                f"among {quoted(columns)}; add what is missing or rename a column."
            )
        feeds = {column.input_name: _converted(column, columns[column.name]) for column in self.schema.features}
        lengths = {len(values) for values in feeds.values()}
        if len(lengths) > 1:
            raise InputError(f"Expected columns of one length, found lengths {sorted(lengths)}.")
        return feeds


def open_session(contents: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """Open a model that has passed the guard, or that was built here.

    Raises
    ------
    ModelFileError
        ONNX Runtime cannot load it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # an input with a default value is on purpose, and no warning
    try:
        # A fallback to other providers would print a banner to stdout, among the data.
        return onnxruntime.InferenceSession(contents, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:
        raise ModelFileError(
            f"Expected a model that ONNX Runtime {onnxruntime.__version__} can load, found: {error}; "
            "update onnxruntime, or fit the model again."
        ) from error


def run_in_chunks(
    session: onnxruntime.InferenceSession,
    outputs: Sequence[str],
    feeds: Columns,
    constants: Mapping[str, NDArray[Any]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Run a session over any number of rows in bounded memory.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        From `open_session`.
    outputs : sequence of str
        Names of the outputs to compute.
    feeds : mapping of str to array of shape (n_rows, ...)
        Inputs that are cut into chunks of rows.
    constants : mapping of str to array, optional
        Inputs that are the same for every chunk.

    Returns
    -------
    dict of str to array
        The outputs, each with n_rows rows.
    """
    n_rows = len(next(iter(feeds.values())))
    starts = range(0, n_rows, CHUNK_ROWS) or [0]
    parts = [_run_chunk(session, outputs, feeds, start, constants or {}) for start in starts]
    return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(outputs)}


def _run_chunk(
    session: onnxruntime.InferenceSession,
    outputs: Sequence[str],
    feeds: Columns,
    start: int,
    constants: Mapping[str, NDArray[Any]],
) -> list[NDArray[Any]]:
    chunk = {name: values[start : start + CHUNK_ROWS] for name, values in feeds.items()}
    n_rows = len(next(iter(chunk.values())))
    if n_rows == 1:
        # ONNX Runtime rounds a batch of one differently from larger ones.
        chunk = {name: np.repeat(values, 2, axis=0) for name, values in chunk.items()}
    return [np.asarray(answer)[:n_rows] for answer in session.run(list(outputs), {**chunk, **constants})]


def _converted(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    values = np.asarray(values)
    if values.ndim != 1:
        raise InputError(f"Expected column {column.name!r} to have one dimension, found shape {values.shape}.")
    if column.kind in NUMERIC:
        if values.dtype.kind not in "fiub":
            raise InputError(
                f"Expected numbers in column {column.name!r}, found {values.dtype}; convert them to float64."
            )
        return values.astype(np.float64, copy=False)
    if values.dtype.kind == "U":
        return values.astype(object)
    # ONNX Runtime would turn anything else into text without a word: None into 'None', 5 into '5'.
    if values.dtype != object or not all(type(value) is str for value in values):
        raise InputError(f"Expected text in column {column.name!r}, found other values; use '' for a missing one.")
    return values


def _checked_alpha(alpha: float) -> float:
    if not 0 < alpha < 1:
        raise InputError(f"Expected a false-alarm rate alpha between 0 and 1, found {alpha!r}.")
    return alpha


def _from_json(column: Column, values: list[Any]) -> NDArray[Any]:
    if column.kind in NUMERIC:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array(values, dtype=object)

"""Scores raw columns or images with a model file: numpy and ONNX Runtime, nothing else."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from gandetect.arguments import require_type
from gandetect.errors import InputError, ModelFileError, quoted
from gandetect.manifest import modality_of
from gandetect.modality import ALPHA, CHUNK_ROWS
from gandetect.model_file import read_model
from gandetect.pruning import prune
from gandetect.schema import Schema, table_of

STUDENT_CHUNKS = 3
"""A student takes the rows of so many chunks at once: its layers are small, so that to begin a run counts for more."""

Arrays = Mapping[str, NDArray[Any]]


class Scorer:
    """A model file, ready to score.

    Parameters
    ----------
    model : str, os.PathLike or bytes
        Path or contents of a model file. It is checked before ONNX Runtime sees it.
    threads : int, default=1
        Threads that ONNX Runtime may use within a run, of which it takes no more than there are processors for this
        process: they would only wait for each other. The answers do not depend on it.

    Attributes
    ----------
    manifest : dict
        What the model file says of itself.
    threads : int
        Threads that a run takes on this machine.
    schema : Schema, ImageSchema or CoreSchema
        The columns or images that it was trained on, or the encoded rows that a core model takes.

    Raises
    ------
    FileAccessError
        The file cannot be read.
    ModelFileError
        It is not a model file, is damaged, or needs a newer gandetect.
    InputError
        The model is neither a path nor bytes, or `threads` is no whole number of at least 1.

    Notes
    -----
    A scorer may be shared by several threads. For each choice of outputs it opens a session, once, when they are first
    asked for: ONNX Runtime would compute them all. It can be pickled and copied, as pools of processes do: it takes the
    bytes along that it read, whatever its file has become since, and they are checked again where it arrives.
    """

    def __init__(self, model: str | os.PathLike[str] | bytes, *, threads: int = 1) -> None:
        self._most_threads = _checked_threads(threads)
        self.threads = min(self._most_threads, _n_processors())
        self._contents, self.manifest = read_model(model)
        self.schema = modality_of(self.manifest)
        self._sessions: dict[frozenset[str], onnxruntime.InferenceSession] = {}
        self._opening = threading.Lock()

    def __call__(
        self, raw: Any, outputs: str | Sequence[str] | None = None, alpha: float | None = None
    ) -> dict[str, NDArray[Any]]:
        """Score rows or images.

        Parameters
        ----------
        raw : mapping of str to array of shape (n,), or array
            For a table raw columns by name: float64 with NaN for missing, or str with '' for missing. More columns than
            the model's are ignored. For images uint8 of shape (n, height, width, channels), of any height and width,
            and with their folders ``{"images": ..., "folder": ...}`` where they are judged given these. For a core
            model encoded rows, float32 of shape (n, n_features).
        outputs : str or sequence of str, optional
            What to compute, out of the model's outputs; nothing else is. Without it those of
            its schema's `default_outputs`.
        alpha : float, optional
            False-alarm rate of `is_anomaly`; the model file's own rule without it.

        Returns
        -------
        dict of str to array
            The outputs asked for, each with n rows.

        Raises
        ------
        InputError
            A column is missing or of another type, columns differ in length, images have another number of channels, an
            output or `alpha` is unknown, or the model takes no `alpha`.
        ModelFileError
            ONNX Runtime cannot load or run the model.
        MemoryError
            There is too little memory for it.
        """
        if outputs is None:
            outputs = self.schema.default_outputs
        outputs = _as_list(outputs)
        unknown = [name for name in outputs if not (isinstance(name, str) and name in self.schema.outputs)]
        if unknown or not outputs:
            found = quoted(unknown) or "none"
            raise InputError(f"Expected outputs out of {quoted(self.schema.outputs)}, found {found}.")
        if alpha is not None:
            require_alpha(alpha)
        constants = {} if alpha is None else {ALPHA: np.array(alpha, dtype=np.float32)}
        feeds = self.schema.feeds(raw)
        session = self._session(frozenset(outputs))
        if constants and not session.get_overridable_initializers():
            raise InputError(
                f"Expected no alpha, since the false-alarm rate of a core model is fixed, found {alpha!r}; compare the "
                "p-values with it."
            )
        return run_in_chunks(session, outputs, feeds, constants, self.chunk_size(feeds))

    def chunk_size(self, feeds: Arrays) -> int:
        """Return how many rows or images go into one run.

        Parameters
        ----------
        feeds : mapping of str to array
            The graph's inputs.

        Returns
        -------
        int
        """
        is_student = self.manifest.get("export", {}).get("kind") == "distilled"
        return (STUDENT_CHUNKS if is_student else 1) * self.schema.chunk_size(feeds)

    def __reduce__(self) -> tuple[partial[Scorer], tuple[bytes]]:
        return partial(type(self), threads=self._most_threads), (self._contents,)

    def verify(self) -> float:
        """Recompute the golden rows on this machine.

        Returns
        -------
        float
            Largest difference to the stored outputs, relative to ``max(1, abs(value))``.

        Raises
        ------
        ModelFileError
            A difference is larger than 1e-5 for tables or 1e-4 for images, or there are no golden rows.
        """
        inputs, expected = self.golden_rows()
        answers = self(inputs)
        largest = {name: self._difference(values, name, expected[name]) for name, values in answers.items()}
        for name, difference in largest.items():
            if not difference <= self.schema.tolerance:
                raise ModelFileError(
                    f"Expected the golden {self.schema.noun}s' {name} within {self.schema.tolerance:g}, found a "
                    f"difference of {difference:.3g}: this machine does not compute what was trained; update "
                    "onnxruntime."
                )
        return max(largest.values())

    def golden_rows(self) -> tuple[Any, dict[str, NDArray[np.float32]]]:
        """Return the rows or images that the model file holds for checks, none of them real, and its answers.

        Returns
        -------
        raw : mapping or array
            As the scorer takes them.
        answers : dict of str to array
            Of the schema's `default_outputs`, as they were where the model was trained; of heat maps and
            reconstructions every eighth pixel.

        Raises
        ------
        ModelFileError
            There are none that can be used.
        """
        try:
            golden = self.manifest["golden"]
            inputs = self.schema.raw_from_json(golden["inputs"])
            self.schema.feeds(inputs)
            with np.errstate(over="raise"):  # what single precision cannot hold is no answer
                outputs = {name: np.array(golden["outputs"][name], np.float32) for name in self.schema.default_outputs}
            return inputs, outputs
        except (ArithmeticError, KeyError, TypeError, ValueError) as error:  # 256 is no value of a pixel
            raise self._no_golden() from error

    def _difference(self, values: NDArray[Any], name: str, expected: NDArray[np.float32]) -> float:
        """Return the largest difference to what is stored, relative to ``max(1, abs(stored))``."""
        computed, stored = (x.astype(np.float64) for x in (self.schema.golden_view(name, values), expected))
        if computed.shape != stored.shape or not stored.size:
            raise self._no_golden()
        return float((np.abs(computed - stored) / np.maximum(1, np.abs(stored))).max())

    def _no_golden(self) -> ModelFileError:
        return ModelFileError(
            f"Expected golden {self.schema.noun}s and their outputs in the model file, found none that can be used; "
            "fit the model again."
        )

    def _session(self, outputs: frozenset[str]) -> onnxruntime.InferenceSession:
        """Return the session that computes these outputs and no others."""
        with self._opening:
            if outputs not in self._sessions:
                every = outputs == set(self.schema.outputs)
                model = self._contents if every else prune(self._contents, outputs)
                self._sessions[outputs] = open_session(model, self.threads)
            return self._sessions[outputs]


def table_scored_by(scorer: Scorer) -> Schema:
    """Return the schema of a scorer's model for tables.

    Raises
    ------
    InputError
        It is no scorer, or its model is for something else.
    """
    require_type("a Scorer", scorer, Scorer, "pass Scorer('model.onnx')")
    return table_of(scorer.schema)


def open_session(contents: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """Open a model that has passed the guard, or that was built here.

    Raises
    ------
    ModelFileError
        ONNX Runtime cannot load it.
    MemoryError
        There is too little memory for it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # an input with a default value is on purpose; errors come as exceptions
    try:
        # A fallback to other providers would print a banner to stdout, among the data.
        return onnxruntime.InferenceSession(contents, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:
        raise _failure("load", error) from error


def _failure(verb: str, error: Exception) -> Exception:
    """Return what to raise where ONNX Runtime cannot load or run a model."""
    if any(sign in str(error) for sign in ("bad_alloc", "Failed to allocate memory")):
        return MemoryError(f"Expected enough memory to {verb} the model, found too little; free some of it.")
    return ModelFileError(
        f"Expected a model that ONNX Runtime {onnxruntime.__version__} can {verb}, found: {str(error).strip()}; "
        "update onnxruntime, or fit the model again."
    )


def run_in_chunks(
    session: onnxruntime.InferenceSession,
    outputs: Sequence[str],
    feeds: Arrays,
    constants: Arrays | None = None,
    chunk_size: int = CHUNK_ROWS,
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
    chunk_size : int
        Rows of one run.

    Returns
    -------
    dict of str to array
        The outputs, each with n_rows rows.
    """
    n_rows = len(next(iter(feeds.values())))
    starts = range(0, n_rows, chunk_size) or [0]
    chunks = ({name: values[start : start + chunk_size] for name, values in feeds.items()} for start in starts)
    parts = [_run_chunk(session, outputs, chunk, constants or {}) for chunk in chunks]
    return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(outputs)}


def _run_chunk(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], chunk: Arrays, constants: Arrays
) -> list[NDArray[Any]]:
    n_rows = len(next(iter(chunk.values())))
    if n_rows < 2:
        # ONNX Runtime rounds a batch of one differently from larger ones, and some releases crash on an empty one.
        chunk = {name: _two_rows(values) for name, values in chunk.items()}
    try:
        answers = session.run(list(outputs), {**chunk, **constants})
    except UnicodeEncodeError as error:
        raise InputError(f"Expected text that UTF-8 can hold, found {error.object!r}; decode its bytes anew.") from None
    except Exception as error:
        raise _failure("run", error) from error
    return [np.asarray(answer)[:n_rows] for answer in answers]


def _two_rows(values: NDArray[Any]) -> NDArray[Any]:
    """Return the one row twice, or two missing ones where there is none."""
    row = values if len(values) else np.full((1, *values.shape[1:]), "" if values.dtype == object else 0, values.dtype)
    return row.repeat(2, axis=0)


def _as_list(outputs: Any) -> list[Any]:
    """Return the names of several outputs, or of one."""
    if isinstance(outputs, str):
        return [outputs]
    try:
        return list(outputs)
    except TypeError:
        return [outputs]


def _checked_threads(threads: int) -> int:
    if not (isinstance(threads, Integral) and threads >= 1) or isinstance(threads, bool):
        raise InputError(f"Expected threads to be a whole number of at least 1, found {threads!r}.")
    return int(threads)


def _n_processors() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def require_alpha(alpha: float) -> None:
    """Refuse what is no false-alarm rate.

    Raises
    ------
    InputError
        It is no number between 0 and 1.
    """
    if not (isinstance(alpha, Real) and 0 < alpha < 1):
        raise InputError(f"Expected a false-alarm rate alpha between 0 and 1, found {alpha!r}.")

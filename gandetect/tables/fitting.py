"""Raw columns in, the bytes of a model file out: wires the rooms for tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gandetect.arguments import checked_contamination, checked_seed, require_callable, require_text, require_type
from gandetect.calibration import default_alpha
from gandetect.column import LEARNABLE, NUMERIC
from gandetect.errors import InputError, quoted
from gandetect.modality import MIN_ROWS
from gandetect.model_file import seal
from gandetect.networks.tables import TablePair
from gandetect.record import manifest_of
from gandetect.schema import Schema
from gandetect.tables.assembly import (
    build_model,
    generated_rows,
    golden_rows,
    share_threshold,
    with_distributions,
)
from gandetect.tables.calibration import calibrated
from gandetect.tables.certificate import certified
from gandetect.tables.encoding import Encoding
from gandetect.tables.encoding_fitting import fit_encoding
from gandetect.tables.ensemble import TableRows, train_ensemble
from gandetect.tables.health import examined
from gandetect.tables.islands import find_islands
from gandetect.tables.partial_graphs import run_encoding
from gandetect.tables.settings import TableSettings
from gandetect.tables.summaries import column_summaries
from gandetect.tables.trimming import find_gross
from gandetect.tables.weights import trained_weights
from gandetect.training.checkpoint import require_checkpoint, resumable
from gandetect.training.course import Course, Progress
from gandetect.training.folds import draw_folds
from gandetect.training.healing import Retrained, heal
from gandetect.training.loop import find_device
from gandetect.training.members import transplant

Columns = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]


def fit_table(
    columns: Columns,
    schema: Schema,
    *,
    settings: TableSettings | None = None,
    seed: int = 0,
    contamination: float | Literal["auto"] = "auto",
    named: bool = True,
    device: str = "auto",
    known_anomalies: Columns | None = None,
    callback: Callable[[Progress], None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
) -> bytes:
    """Train a detector on a table and return its model file.

    Parameters
    ----------
    columns : mapping of str to array of shape (n_rows,)
        Raw columns by name: numbers with NaN for missing, or str with '' for missing. Rows without any value are left
        out, and gross ones (see `gandetect.tables.trimming`), of which the manifest says how many.
    schema : Schema
        Kinds and roles of the columns: features are judged conditionally on the given ones; no other is read.
    settings : TableSettings, optional
        Hyper-parameters; the defaults without it.
    seed : int in [0, 2**32), default=0
        Same data, seed, package versions and kind of CPU: same bytes.
    contamination : float in (0, 0.5] or "auto", default="auto"
        Share of the training rows that the file flags as long as no `alpha` is given; "auto": the p-value decides.
    named : bool, default=True
        Whether the columns' names are the user's own, or were made up for an array.
    device : str, default="auto"
        A torch device; "auto" is a GPU when there is one, else the CPU.
    known_anomalies : mapping of str to array of shape (n_known,), optional
        Rows that are known to be anomalies, as raw columns; they must not be among `columns`. They become negatives of
        their own, and likeness to them counts in the score.
    callback : callable, optional
        Called with `gandetect.Progress` about a hundred times, and again from the first step on where sick members are
        trained once more; what it raises ends the fit.
    checkpoint : path-like, optional
        File that holds the training's state: written every ten seconds, and when an exception ends the fit. It stays
        until you remove it: only you know when the model is safe. After a training that failed (`InputError`) it is
        gone.
    resume : bool, default=False
        Go on from the checkpoint, if it is there; the model file is the one of a fit without interruption.

    Returns
    -------
    bytes
        Contents of the model file.

    Raises
    ------
    InputError
        A column that is missing, of another type or of another length, too few rows, no column to learn from, an
        argument out of range, a device that is not there, no checkpoint to resume from or that of another fit, or a
        training that diverged twice.
    FileAccessError
        The checkpoint cannot be read or written.
    """
    require_type("a Schema", schema, Schema, "pass Schema((Column(...), ...))")
    settings = TableSettings() if settings is None else settings
    require_type("settings to be TableSettings", settings, TableSettings, "pass TableSettings(...), or leave them out")
    require_type("named to be True or False", named, (bool, np.bool_), "pass one of them")
    require_callable("callback", callback)
    settings, seed = settings.checked(), checked_seed(seed)
    contamination = checked_contamination(contamination)
    require_checkpoint(checkpoint, resume=resume)
    given = _raw(columns, schema)
    columns = everything = _with_values(given, schema)
    known = None if known_anomalies is None else _raw(known_anomalies, schema)
    gross = find_gross(columns, schema)
    columns = {name: values[~gross.rows] for name, values in everything.items()}
    _require_rows(columns, schema, settings.n_members, any_empty=everything is not given)
    encoding = fit_encoding(columns, schema)
    schema = schema.with_summaries(column_summaries(columns, schema))
    rows = _encode(columns, schema, encoding, seed, settings.n_members)
    if known is not None:
        rows = replace(rows, known=run_encoding(known, schema, encoding).samples)
    encoding = replace(encoding, departure=rows.departure)
    where = find_device(device)
    learned_from = rows.samples, rows.present, rows.known, rows.given
    with resumable(checkpoint, learned_from, asdict(settings), seed, where.type, resume=resume) as (keep, start):
        pair, course = train_ensemble(rows, encoding, settings, seed, where, callback, keep, start)
        health = _heal(pair, rows, encoding, settings, seed, course, callback)
        schema = with_distributions(schema, columns, pair, encoding, seed)
        learned, scores = calibrated(rows, schema, encoding, trained_weights(pair, rows), settings)
    alpha = default_alpha(len(rows.samples)) if contamination == "auto" else contamination
    certificate = certified(columns, rows, learned, scores, alpha, settings.n_planted, seed)
    threshold = (
        None if contamination == "auto" else share_threshold(learned, everything, contamination, ~gross.rows, scores)
    )
    about = {
        "columns": learned.schema.to_json(),
        "certificate": certificate,
        "golden": golden_rows(learned, threshold, generated_rows(pair, encoding, seed)),
    }
    training = {
        "seed": seed,
        "contamination": contamination,
        "named": bool(named),
        "n_known_anomalies": len(rows.known),
        "trimmed_share": round(gross.share, 6),
        "trimmed_columns": gross.columns,
        "island_share": round(float(rows.islands.mean()), 6),
    }
    manifest = manifest_of("table", about, training, learned.calibration, settings, threshold, health)
    return seal(build_model(learned, threshold, manifest))


def _raw(columns: Columns, schema: Schema) -> dict[str, NDArray[Any]]:
    """Check and convert the columns that are learned from, by name."""
    unfit = [column.name for column in schema.used if column.kind not in LEARNABLE]
    if unfit:
        kinds = quoted(map(str, sorted(LEARNABLE)))
        raise InputError(
            f"Expected columns to learn from of the kinds {kinds}, found {quoted(unfit)} of others; "
            "choose their kinds, or leave them out."
        )
    raw = schema.checked(columns)
    for column in schema.used:
        if column.kind not in NUMERIC:
            for level in dict.fromkeys(raw[column.name].tolist()):
                require_text(f"the values of column {column.name!r} as text", level)
    return raw


def _with_values(columns: dict[str, NDArray[Any]], schema: Schema) -> dict[str, NDArray[Any]]:
    """Leave out rows without any value: among them normal ones would look odd, and twice as many would be flagged."""
    if not schema.features:
        return columns
    held = schema.holding_values(columns)
    return columns if held.all() else {name: values[held] for name, values in columns.items()}


def _require_rows(columns: Columns, schema: Schema, n_members: int, *, any_empty: bool) -> None:
    if not schema.features:
        raise InputError("Expected at least one column to learn from, found none.")
    n_rows = len(columns[schema.features[0].name])
    smallest = max(MIN_ROWS, n_members)
    if n_rows < smallest:
        noun = ("sample" if n_rows == 1 else "samples") + any_empty * " with a value"
        raise InputError(f"Expected at least {smallest} rows to fit, found {n_rows} {noun}; add normal rows.")


# --- health -----------------------------------------------------------------------------------------------------------


def _heal(
    pair: TablePair,
    rows: TableRows,
    encoding: Encoding,
    settings: TableSettings,
    seed: int,
    course: Course,
    callback: Callable[[Progress], None] | None,
) -> dict[str, Any]:
    """Examine all members, train sick ones once more from other weights, and return what the file says of it."""

    def train_again(sick: list[int], again: int) -> Retrained:
        device = pair.generator.memory.device
        donor, new = train_ensemble(rows, encoding, settings, again, device, callback, members=sick)
        return Retrained(examined(donor, rows, new, again, sick), new.realness, partial(transplant, pair, donor))

    found = examined(pair, rows, course, seed, range(settings.n_members))
    return heal(found, course.realness, train_again, seed, settings.loss)


# --- encoding ---------------------------------------------------------------------------------------------------------


def _encode(columns: Columns, schema: Schema, encoding: Encoding, seed: int, n_members: int) -> TableRows:
    """Encode the training rows; what surprises in a row is what the other folds do not have.

    Numbers that vary have no excess out of fold: it is measured in units of the whole range, which no row leaves.
    """
    samples, present, *_ = run_encoding(columns, schema, encoding)
    n_rows = len(samples)
    folds = draw_folds(n_rows, n_members, seed)
    excess, departed = np.zeros_like(present), np.zeros(present.shape, dtype=bool)
    for member in range(n_members):
        own = folds == member
        seen, unseen = ({name: values[rows] for name, values in columns.items()} for rows in (~own, own))
        blind = fit_encoding(seen, schema)
        surprise = run_encoding(unseen, schema, blind).excess
        excess[own] = surprise * blind.is_category
        departed[own] = (surprise > 0) & blind.is_constant
    departure = float(np.log1p((n_rows + 1) / (departed.any(1).sum() + 1)))
    return TableRows(
        samples=samples,
        present=present,
        excess=np.where(departed, np.float32(departure), excess),
        departure=departure,
        folds=folds,
        islands=find_islands(samples[:, ~encoding.is_given[encoding.column_of]], seed),
        known=samples[:0],
        given=encoding.is_given,
    )

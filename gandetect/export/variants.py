"""Makes variants of a model file, and writes none that answers otherwise than its bound allows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gandetect.arguments import checked_seed, require_callable, require_one_of, require_type
from gandetect.core_schema import FEATURES, encoding_beside, require_columns
from gandetect.errors import InputError
from gandetect.export.comparison import Bound, Comparison, compare
from gandetect.export.core import encoding_spec
from gandetect.export.distillation import distilled
from gandetect.export.opened import Opened
from gandetect.export.p_values import read_calibration, write_calibration
from gandetect.export.pictures import PictureSource
from gandetect.export.source import Columns, Source
from gandetect.files import write_together
from gandetect.graph.core import core_graph
from gandetect.graph.surgery import OpenModel
from gandetect.modality import INTERNAL_PREFIX
from gandetect.model_file import read_model, seal, unsealed_metadata, write_model
from gandetect.record import answers_as_json, clear_of_steps
from gandetect.scorer import Scorer

STORAGES = ("fp32", "fp16")
"""How the weights are stored; they are computed with in single precision."""

BOUNDS = {
    "core": Bound(1e-5, 0.0005, 0.9999),
    "fp16": Bound(0.05, 0.005, 0.999),
    "distilled": Bound(np.inf, 0.1, 0.9),
}
"""What a variant keeps to. A student has opinions of its own, but on the whole the same ones."""


@dataclass(frozen=True)
class Exported:
    """A variant of a model file.

    Parameters
    ----------
    model : bytes
        Contents of the model file.
    comparison : Comparison
        How it compares with its source.
    encoding : bytes, optional
        For a core model how to encode, as JSON.
    """

    model: bytes
    comparison: Comparison
    encoding: bytes | None = None

    def write(self, path: str | os.PathLike[str]) -> list[str]:
        """Write the model file, and with a core model what says how to encode, or nothing.

        Parameters
        ----------
        path : path-like
            Of the model file.

        Returns
        -------
        list of str
            Paths of the files that were written.

        Raises
        ------
        InputError
            `path` is not a path.
        FileAccessError
            A file cannot be written; earlier files are untouched.
        """
        require_type("a path to write to", path, (str, os.PathLike), "pass one")
        name = os.fspath(path)
        if self.encoding is None:
            write_model(self.model, name)
            return [name]
        beside = encoding_beside(name)
        read_model(self.model)
        write_together({name: self.model, beside: self.encoding})
        return [name, beside]


def export_model(
    model: str | os.PathLike[str] | bytes,
    *,
    storage: str | None = None,
    distill: bool = False,
    core: bool = False,
    columns: Columns | None = None,
    seed: int = 0,
    callback: Callable[[int, int], None] | None = None,
) -> Exported:
    """Make a variant of a model file for tables, or one for pictures that is stored in less space.

    Parameters
    ----------
    model : str, os.PathLike or bytes
        Path or contents of the model file, the source.
    storage : {"fp32", "fp16"}, optional
        "fp16" stores the weights in half the space; they are unpacked when the file is opened, and as fast. Of the
        p-values it keeps fewer steps: what is flagged at the model's own false-alarm rate stays, other p-values are up
        to 2 % larger. Without it only those of a distilled model are stored so, of which it loses nothing, and not in
        a core model. A model for pictures is stored so already, but for the weights of its backbone.
    distill : bool, default=False
        Teach the whole ensemble to one small network, which takes its place.
    core : bool, default=False
        Leave the encoding to the device, and use core operators only: `gandetect.graph.core.OPERATORS`.
    columns : mapping of str to array of shape (n_rows,), optional
        Real rows for teaching, as raw columns, of which those that miss a cell are passed over; without them the file's
        own generators make all rows. Only together with `distill`.
    seed : int in [0, 2**32), default=0
        Same source, seed and package versions: same bytes.
    callback : callable, optional
        Called with the steps of teaching that are done, and all of them.

    Returns
    -------
    Exported
        The variant, a model file like its source, and the comparison.

    Raises
    ------
    InputError
        Nothing is asked for, or rows without teaching, `storage` is unknown, `seed` out of range, or the source is a
        variant itself, or a model for pictures to be distilled, taught or made a core model.
    ModelFileError
        The source is no model file that can be exported, or the variant that was made is outside its bound.
    FileAccessError
        The source cannot be read.
    """
    storage = ("fp16" if distill and not core else "fp32") if storage is None else storage
    require_one_of("storage", storage, STORAGES)
    require_callable("callback", callback)
    for name, wanted in {"distill": distill, "core": core}.items():
        require_type(f"{name} to be True or False", wanted, bool, "pass one of them")
    if storage == "fp32" and not distill and not core:
        raise InputError(
            "Expected a variant to make, found none; pass storage='fp16', distill=True or core=True (--storage fp16, "
            "--distill or --core)."
        )
    if columns is not None and not distill:
        raise InputError("Expected distill=True together with columns, found columns alone; add it, or leave them out.")
    seed = checked_seed(seed)
    model, manifest = read_model(model)
    source = SOURCES[manifest["modality"]](model, columns)
    changed, calibration = distilled(_tables(source), None, seed, callback) if distill else (source.open, {})
    if storage == "fp16" and not distill:
        steps = read_calibration(changed, manifest["calibration"]["n"])
        write_calibration(changed, steps.coarser(manifest["calibration"]["alpha"]))
    about = {"kind": "distilled" if distill else "stored", "storage": storage, "core": core, "source": _digest(model)}
    manifest = manifest | {"calibration": manifest["calibration"] | calibration, "export": about}
    if core:
        # Whatever else is changed: this step changes next to nothing.
        tables = _tables(source)
        sizes = tables.sample_dim, tables.n_columns, len(tables.schema.features)
        whole, changed = _sealed(changed, manifest), core_graph(changed, *sizes)
        manifest = _core_manifest(tables, manifest)
        compare(source, whole, _sealed(changed, manifest), seed).require(BOUNDS["core"])
    if storage == "fp16":
        changed.halve(source.smallest_halved)
    labelled = storage != "fp16"  # an export finds its way by labels, and starts from no variant
    comparison = compare(source, model, _sealed(changed, manifest, labelled=labelled), seed)
    comparison.require(BOUNDS["distilled" if distill else "fp16" if storage == "fp16" else "core"])
    unkept = "n_bytes", "one_row", "batch"
    measured = {k: v for k, v in asdict(comparison).items() if k not in unkept and v is not None}
    variant = _sealed(changed, manifest | {"export": about | measured}, labelled=labelled)
    comparison = replace(comparison, n_bytes=(len(model), len(variant)))  # what was measured is in the file by now
    return Exported(variant, comparison, encoding_spec(_tables(source), _digest(variant)) if core else None)


SOURCES: dict[str, Callable[[bytes, Columns | None], Opened]] = {
    "table": Source,
    "encoded row": Source,
    "image": PictureSource,
}
"""What opens a model file for an export, by its modality; encoded rows are those of a variant, which is refused."""


def _tables(source: Opened) -> Source:
    """Return a source that is one for tables."""
    require_columns(source.scorer.schema)
    return cast(Source, source)


def _core_manifest(source: Source, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what a core model says of itself: its golden rows are encoded ones."""
    rows = source.features(source.golden)
    return manifest | {
        "modality": "encoded row",
        "n_features": rows.shape[1],
        "golden": {"inputs": {FEATURES: rows.tolist()}},
    }


def _digest(model: bytes) -> str:
    return hashlib.sha256(model).hexdigest()


def _sealed(model: OpenModel, manifest: dict[str, Any], *, labelled: bool = True) -> bytes:
    """Return a model file with golden rows of its own."""

    def file(manifest: dict[str, Any]) -> bytes:
        return seal(model.saved(unsealed_metadata(manifest), labelled=labelled))

    scorer = Scorer(file(manifest))
    inputs = manifest["golden"]["inputs"]
    answers = scorer(scorer.schema.raw_from_json(inputs))
    clear = _clear_of_steps(model, answers["anomaly_score"], manifest, scorer.schema.tolerance)
    inputs = {name: [value for value, own in zip(values, clear, strict=True) if own] for name, values in inputs.items()}
    outputs = answers_as_json(
        {name: scorer.schema.golden_view(name, values[clear]) for name, values in answers.items()}
    )
    return file(manifest | {"golden": {"inputs": inputs, "outputs": outputs}})


def _clear_of_steps(
    model: OpenModel, scores: NDArray[np.float32], manifest: dict[str, Any], tolerance: float
) -> NDArray[np.bool_]:
    """Return which samples may be golden in a variant; in a core model, whose steps have no labels, all may."""
    steps = model.constants.get(f"{INTERNAL_PREFIX}calibration/scores", np.array([], dtype=np.float32))
    return clear_of_steps(scores, steps.ravel(), manifest["calibration"]["threshold"], 10 * tolerance)

"""Reading and writing the model file: one ONNX file that says of itself what it is, and proves that it is whole.

Two entries of the model's ``metadata_props`` make an ONNX file a model file. `MANIFEST_KEY` holds the manifest,
canonical JSON in UTF-8. `DIGEST_KEY` holds 64 lowercase hexadecimal characters: the SHA-256 of the whole file with
these characters replaced by `DIGEST_PLACEHOLDER`. Both stay as they are in every later format, so that damaged files
and newer ones can always be told apart. The digest detects damage, not malice: whoever alters a file on purpose can
compute it anew. What keeps a hostile file away from ONNX Runtime is `gandetect.guard.check_graph`.

This module never runs a model and knows nothing of what its columns mean.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

from gandetect import wire
from gandetect.arguments import require_type
from gandetect.errors import ModelFileError
from gandetect.files import access_error, write_atomically
from gandetect.guard import MAX_BYTES, ONNX_START, check_graph, shown
from gandetect.manifest import checked_modality, manifest_json, parse_manifest
from gandetect.onnx_layout import LAYOUT
from gandetect.wire import RefusedError

FORMAT = 1
"""Newest format that this version reads, and the one that it writes."""

MANIFEST_KEY = "gandetect"
DIGEST_KEY = "gandetect.sha256"
DIGEST_PLACEHOLDER = "0" * 64

MAX_MANIFEST_BYTES = 8 * 2**20
"""Largest manifest; parsed JSON takes many times the memory of its text."""

# Other keys are refused: ONNX Runtime can be told to take settings from one of them ("ort_config").
_KEYS = frozenset({MANIFEST_KEY, DIGEST_KEY})

_NO_FORMAT = 10_000
"""No release will ever count its formats this far."""

_METADATA_PROPS = 14
"""The field's number in ModelProto."""

_MAX_TOP_FIELDS = 1000
"""Most fields of ModelProto itself; a model file has about ten."""


class _Span(NamedTuple):
    start: int
    end: int


def unsealed_metadata(manifest: dict[str, Any]) -> dict[str, str]:
    """Return the metadata of a model that is to be sealed; it raises as `manifest_json`."""
    return {MANIFEST_KEY: manifest_json(manifest), DIGEST_KEY: DIGEST_PLACEHOLDER}


def seal(model: bytes) -> bytes:
    """Fill in the digest, the last step of making a model file.

    Parameters
    ----------
    model : bytes
        A serialized ONNX ModelProto with the metadata of `unsealed_metadata`.

    Returns
    -------
    bytes
        The same bytes with the digest in place of the placeholder.

    Raises
    ------
    ModelFileError
        The model has no such placeholder.
    """
    try:
        span = _metadata(model).get(DIGEST_KEY)
        if span is None or model[span.start : span.end] != DIGEST_PLACEHOLDER.encode():
            raise RefusedError("none")
    except RefusedError as found:
        raise ModelFileError(
            f"Expected 64 zeros under {DIGEST_KEY!r} in the model's metadata, found {found}; seal a model once, "
            "when all else is in it."
        ) from None
    return model[: span.start] + _digest(model, span) + model[span.end :]


def write_model(model: bytes, path: str | os.PathLike[str]) -> None:
    """Write a model file, after making sure that it can be read again; a crash leaves the earlier file or the new one.

    Parameters
    ----------
    model : bytes
        What `seal` returned.
    path : path-like
        The file to create or replace.

    Raises
    ------
    InputError
        `model` is not bytes, or `path` is not a path.
    ModelFileError
        `read_model` would refuse the model.
    FileAccessError
        The file cannot be written; an earlier file of that name is untouched.
    """
    require_type("the bytes of a model file", model, bytes, "pass what fit_table, fit_images or read_model returned")
    require_type("a path to write to", path, (str, os.PathLike), "pass one")
    read_model(model)
    write_atomically(path, model)


def read_model(source: str | os.PathLike[str] | bytes) -> tuple[bytes, dict[str, Any]]:
    """Read a model file and make sure that it is whole, readable by this version, and safe to hand to ONNX Runtime.

    Parameters
    ----------
    source : path-like or bytes
        The model file, or its bytes.

    Returns
    -------
    model : bytes
        The bytes that were checked. Run these: the file could be another one a moment later.
    manifest : dict
        What the model says of itself. `gandetect.manifest.modality_of` accepts it, and all that gandetect reads of it
        has the right JSON types; golden rows, bins of distributions and whatever else is there are unchecked.

    Raises
    ------
    InputError
        `source` is neither a path nor bytes.
    FileAccessError
        The file does not exist, is a folder, or cannot be read.
    ModelFileError
        It is not a model file, is damaged, was written by a newer version, or holds what the guard refuses.
    """
    require_type("the path of a model file or its bytes", source, (str, os.PathLike, bytes), "pass one of both")
    name = "the given bytes" if isinstance(source, bytes) else repr(os.fspath(source))
    model = source if isinstance(source, bytes) else _read_file(source)
    if len(model) > MAX_BYTES:
        raise _too_large(name)
    manifest = _checked_manifest(model, name)
    try:
        schema = checked_modality(manifest)
    except RefusedError as found:
        raise _unreadable(found, name) from None
    check_graph(model, schema, name)
    return model, manifest


def _read_file(path: str | os.PathLike[str]) -> bytes:
    """Return a file's content; read no file that is too large, and of an endless pipe only the allowed part."""
    try:
        with Path(path).open("rb") as file:
            n_bytes = os.fstat(file.fileno()).st_size
            if n_bytes > MAX_BYTES:
                raise _too_large(repr(os.fspath(path)))
            # A pipe has no size.
            return file.read((n_bytes or MAX_BYTES) + 1)
    except ModelFileError:
        raise
    except (OSError, ValueError) as cause:
        raise access_error(path, "read the model file", cause) from cause


def _too_large(name: str) -> ModelFileError:
    return ModelFileError(
        f"Expected a model file of at most {MAX_BYTES >> 20} MB, found more in {name}; "
        "name a file that gandetect wrote."
    )


def _metadata(model: bytes) -> dict[str, _Span]:
    """Return where the values of the metadata stand, by key, without looking into the rest of the model."""
    entries: dict[str, _Span] = {}
    for count, field in enumerate(wire.fields(model)):
        if count >= _MAX_TOP_FIELDS:
            raise RefusedError(f"more than {_MAX_TOP_FIELDS} fields")
        if field.number != _METADATA_PROPS:
            continue
        if field.wire_type != wire.BYTES:
            raise RefusedError(f"wire type {field.wire_type} for metadata")
        entry = wire.decode(model, LAYOUT, "StringStringEntryProto", field.start, field.end)
        if entry["key"] in entries:
            raise RefusedError(f"the metadata key {shown(entry['key'])} twice")
        entries[entry["key"]] = _Span(*(entry["value"] or (field.end, field.end)))
    return entries


def _digest(model: bytes, span: _Span) -> bytes:
    """Return the digest of a model file whose digest stands, or will stand, in `span`."""
    view = memoryview(model)
    digest = hashlib.sha256(view[: span.start])
    digest.update(DIGEST_PLACEHOLDER.encode())
    digest.update(view[span.end :])
    return digest.hexdigest().encode()


def _checked_manifest(model: bytes, name: str) -> dict[str, Any]:
    """Return the manifest of a file that is ours, undamaged and not too new."""
    entries = _whole_file(model, name)
    try:
        manifest = parse_manifest(_text(model, entries[MANIFEST_KEY]))
        number = manifest.get("format")
        if type(number) is not int or not 1 <= number < _NO_FORMAT:
            raise RefusedError(f"the format {shown(number)}")
        if number <= FORMAT and len(entries) > 2:
            raise RefusedError(f"the metadata key {shown(next(key for key in entries if key not in _KEYS))}")
    except RefusedError as found:
        raise _unreadable(found, name) from None
    if number > FORMAT:
        raise ModelFileError(
            f"{name} was written by a newer gandetect (format {number}, this one reads up to {FORMAT}); "
            "upgrade with pip install -U gandetect."
        )
    return manifest


def _whole_file(model: bytes, name: str) -> dict[str, _Span]:
    """Return the metadata of a file that is one of ours and undamaged."""
    try:
        entries = _metadata(model)
    except RefusedError as found:
        if model.startswith(ONNX_START):
            raise _damaged(f"{found} in {name}") from None
        raise ModelFileError(
            f"Expected a model file written by gandetect, found that {name} is not an ONNX file; name the file that "
            "gandetect fit wrote."
        ) from None
    if MANIFEST_KEY not in entries:
        raise ModelFileError(
            f"Expected a model file written by gandetect, found no manifest in {name}; name the file that "
            "gandetect fit wrote, or copy it again if it was cut short."
        )
    if DIGEST_KEY not in entries:
        raise _damaged(f"no digest in {name}")
    span = entries[DIGEST_KEY]
    if model[span.start : span.end] != _digest(model, span):
        raise _damaged(f"that the content of {name} does not match its digest")
    return entries


def _damaged(found: str) -> ModelFileError:
    return ModelFileError(
        f"Expected a whole model file, found {found}; it is damaged or was altered: copy it again from where the model "
        "was trained."
    )


def _unreadable(found: RefusedError, name: str) -> ModelFileError:
    return ModelFileError(
        f"Expected a manifest that gandetect wrote, found {found} in {name}; do not use this file, get it again from "
        "where the model was trained."
    )


def _text(model: bytes, span: _Span) -> str:
    if span.end - span.start > MAX_MANIFEST_BYTES:
        raise RefusedError(f"more than {MAX_MANIFEST_BYTES >> 20} MB")
    return wire.text(model, span.start, span.end)

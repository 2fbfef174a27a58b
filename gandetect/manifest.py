"""What a model file says of itself: the manifest, as canonical JSON, and what raw data the model takes by it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from types import UnionType
from typing import Any

from gandetect.core_schema import CoreSchema
from gandetect.guard import shown
from gandetect.image_schema import IMAGE_SIZES, ImageSchema
from gandetect.modality import Modality
from gandetect.schema import Schema
from gandetect.wire import RefusedError

_Types = Mapping[str, type | UnionType]

_MANIFEST_TYPES: _Types = {
    "modality": str,
    "gandetect_version": str,
    "training": dict,
    "calibration": dict,
    "health": dict,
    "certificate": dict,
    "golden": dict,
    "export": dict,
    "backbone": dict,
}
_REQUIRED = ("modality", "training", "calibration", "health", "golden")
_PART_TYPES: Mapping[str, _Types] = {
    "training": {"n_rows": int, "seed": int, "contamination": float | str, "settings": dict},
    "calibration": {"n": int, "alpha": float, "threshold": float | None, "critical_score": float},
    "backbone": {"name": str},
}
_TABLE_TRAINING_TYPES: _Types = {"named": bool, "n_known_anomalies": int, "trimmed_share": float}
_COLUMN_TYPES: _Types = {
    "name": str,
    "kind": str,
    "role": str,
    "reason": str,
    "time_format": str,
    "decimal": str,
    "grouping": str,
    "prefix": str,
    "suffix": str,
    "summary": dict,
    "input": str,
}


def manifest_json(manifest: dict[str, Any]) -> str:
    """Return a manifest as canonical JSON: sorted keys, no spaces, the same text for the same content.

    Parameters
    ----------
    manifest : dict
        JSON values with None in place of NaN.

    Raises
    ------
    ValueError
        A number is NaN or infinite, which JSON cannot say.
    TypeError
        A value is no JSON value, an array of numpy for instance.
    """
    # The way through JSON turns keys that are numbers into text before they are sorted.
    return _canonical(json.loads(json.dumps(manifest, allow_nan=False)))


def _canonical(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def parse_manifest(text: str) -> dict[str, Any]:
    """Return a manifest from its text.

    Raises
    ------
    RefusedError
        The text is no JSON object, or is not canonical and could so be read in two ways.
    """
    try:
        manifest = json.loads(text)
        is_canonical = _canonical(manifest) == text
    except (ValueError, RecursionError):
        raise RefusedError("text that is not JSON") from None
    if not isinstance(manifest, dict) or not is_canonical:
        raise RefusedError("JSON that is not a canonical object")
    return manifest


def modality_of(manifest: dict[str, Any]) -> Modality:
    """Return what raw data a model takes, from a manifest that was checked."""
    return _MODALITIES[manifest["modality"]](manifest)


def checked_modality(manifest: dict[str, Any]) -> Modality:
    """Check the types of what a manifest holds, and return what raw data the model takes.

    Raises
    ------
    RefusedError
        Something is missing or has another type, or describes data that cannot be.
    """
    _check_types(manifest, _MANIFEST_TYPES, _REQUIRED)
    for part, types in _PART_TYPES.items():
        if part in manifest:
            _check_types(manifest[part], types, types)
    if manifest["calibration"]["n"] < 1 or not 0 < manifest["calibration"]["alpha"] < 1:
        raise RefusedError("a calibration on no rows or at an impossible rate")
    if manifest["modality"] not in _MODALITIES:
        raise RefusedError(f"the modality {shown(manifest['modality'])}")
    return modality_of(manifest)


def _table(manifest: dict[str, Any]) -> Schema:
    _check_types(manifest["training"], _TABLE_TRAINING_TYPES, _TABLE_TRAINING_TYPES)
    _check_types(manifest, {"columns": list}, ("columns",))
    for column in manifest["columns"]:
        if not isinstance(column, dict):
            raise RefusedError("a column that is no JSON object")
        _check_types(column, _COLUMN_TYPES, ("name", "kind", "role"))
    if len({column["name"] for column in manifest["columns"]}) < len(manifest["columns"]):
        raise RefusedError("two columns of the same name")
    try:
        schema = Schema.from_json(manifest["columns"])
    except (TypeError, ValueError):
        raise RefusedError("a column with an unknown kind, role or property") from None
    for column, entry in zip(schema.columns, manifest["columns"], strict=True):
        if entry.get("input", column.input_name) != column.input_name:
            raise RefusedError(f"the wrong input name for the column {shown(column.name)}")
    return schema


def _image(manifest: dict[str, Any]) -> ImageSchema:
    shape = manifest["training"].get("image_shape") or []
    if not isinstance(shape, list) or not all(isinstance(size, int) for size in shape):
        raise RefusedError("an image_shape that is no list of sizes")
    _check_types(manifest, {"image": dict}, ("image",))
    _check_types(manifest["image"], dict.fromkeys(IMAGE_SIZES, int), IMAGE_SIZES)
    folders = manifest["image"].get("folders", [])
    if not isinstance(folders, list) or not all(isinstance(name, str) for name in folders):
        raise RefusedError("folders that are no list of names")
    if len(folders) == 1 or len(set(folders)) < len(folders):
        raise RefusedError("a folder twice, or one alone")
    try:
        return ImageSchema(**{name: manifest["image"][name] for name in IMAGE_SIZES}, folders=tuple(folders))
    except ValueError:
        raise RefusedError("an image of impossible size") from None


def _encoded_row(manifest: dict[str, Any]) -> CoreSchema:
    _check_types(manifest, {"n_features": int}, ("n_features",))
    return CoreSchema(manifest["n_features"], _table(manifest))


_MODALITIES: dict[str, Callable[[dict[str, Any]], Modality]] = {
    "table": _table,
    "image": _image,
    "encoded row": _encoded_row,
}
"""What a model of this format may be for, and how its manifest says what raw data it takes."""


def _check_types(found: Mapping[str, Any], types: _Types, required: Collection[str]) -> None:
    for key, expected in types.items():
        if key not in found and key not in required:
            continue
        if key not in found:
            raise RefusedError(f"no {key}")
        if not isinstance(found[key], expected):
            raise RefusedError(f"a {key} that is no {getattr(expected, '__name__', expected)}")

"""What a model file says of itself: the manifest, as canonical JSON, and what raw data the model takes by it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from gandetect.column import KNOWN_ANOMALIES, QUANTILES
from gandetect.core_schema import CoreSchema
from gandetect.guard import shown
from gandetect.image_schema import IMAGE_SIZES, ImageSchema
from gandetect.modality import Modality
from gandetect.schema import Schema
from gandetect.wire import RefusedError

_Types = Mapping[str, Any]
"""Types by key, also of what lists and objects hold; a key that ends with a question mark may be absent."""

_MANIFEST_TYPES: _Types = {
    "modality": str,
    "gandetect_version": str,
    "training": dict,
    "calibration": dict,
    "health": dict,
    "golden": dict,
    "certificate?": dict,
    "export?": dict,
    "backbone?": dict,
}
_PART_TYPES: Mapping[str, _Types] = {
    "training": {"n_rows": int, "seed": int, "contamination": float | str, "settings": dict},
    "calibration": {
        "n": int,
        "alpha": float,
        "threshold": float | None,
        "critical_score": float,
        "percentiles?": list[float],
    },
    "health": {
        "diagnoses?": list[str],
        "restarted?": list[int],
        "members?": list[dict[str, float | list[str] | None]],
        "realness_real?": list[float],
        "realness_generated?": list[float],
    },
    "backbone": {"name": str},
}
_SETTINGS_TYPES: _Types = {"loss": str, "n_steps": int, "n_members": int}
_CERTIFICATE_TYPES: _Types = {
    "alpha": float,
    "strengths": dict[str, float],
    "n_planted": int,
    "false_alarm_rate": dict[str, float],
    "power": dict[str, dict[str, float]],
}
_TABLE_TRAINING_TYPES: _Types = {"named": bool, "n_known_anomalies": int, "trimmed_share": float}
_COLUMN_TYPES: _Types = {
    "name": str,
    "kind": str,
    "role": str,
    "reason?": str,
    "time_format?": str,
    "decimal?": str,
    "grouping?": str,
    "prefix?": str,
    "suffix?": str,
    "missing?": list[float],
    "summary?": dict,
    "input?": str,
}
_SUMMARY_TYPES: _Types = {
    "missing?": float,
    "quantiles?": list[float],
    "levels?": dict[str, float],
    "known?": list[str],
    f"{KNOWN_ANOMALIES}?": list[str],
}
_IMAGE_TRAINING_TYPES: _Types = {
    "image_shape?": list[int] | None,
    "feature_names?": list[str],
    "overlapping_share?": float,
    "usual_lowest?": int,
    "usual_highest?": int,
}
_IMAGE_TYPES: _Types = dict.fromkeys(IMAGE_SIZES, int) | {"folders?": list[str]}


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
        manifest = json.loads(text, parse_int=_whole_number)
        is_canonical = _canonical(manifest) == text
    except (ValueError, OverflowError, RecursionError):
        raise RefusedError("text that is not JSON") from None
    if not isinstance(manifest, dict) or not is_canonical:
        raise RefusedError("JSON that is not a canonical object")
    return manifest


def _whole_number(digits: str) -> int:
    """Return a whole number; refuse one that no float can hold, since readers of manifests make floats of numbers."""
    number = int(digits)
    float(number)
    return number


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
    _check_types(manifest, _MANIFEST_TYPES)
    for part, types in _PART_TYPES.items():
        if part in manifest:
            _check_types(manifest[part], types)
    _check_types(manifest["training"]["settings"], _SETTINGS_TYPES)
    calibration = manifest["calibration"]
    if calibration["n"] < 1 or not 0 < calibration["alpha"] < 1:
        raise RefusedError("a calibration on no rows or at an impossible rate")
    if len(calibration.get("percentiles", [])) == 1:
        raise RefusedError("one percentile alone")
    if manifest.get("certificate"):  # it is empty where there were too few rows
        _check_certificate(manifest["certificate"])
    if manifest["modality"] not in _MODALITIES:
        raise RefusedError(f"the modality {shown(manifest['modality'])}")
    return modality_of(manifest)


def _check_certificate(certificate: Mapping[str, Any]) -> None:
    _check_types(certificate, _CERTIFICATE_TYPES)
    kinds, detectors = certificate["strengths"].keys(), certificate["false_alarm_rate"].keys()
    power = certificate["power"]
    if (
        "gandetect" not in detectors
        or power.keys() != kinds
        or any(found.keys() != detectors for found in power.values())
    ):
        raise RefusedError("a certificate whose parts speak of different kinds or detectors")


def _table(manifest: dict[str, Any]) -> Schema:
    _check_types(manifest["training"], _TABLE_TRAINING_TYPES)
    _check_types(manifest, {"columns": list[dict[str, object]]})
    for column in manifest["columns"]:
        _check_types(column, _COLUMN_TYPES)
        _check_summary(column.get("summary", {}))
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


def _check_summary(summary: Mapping[str, Any]) -> None:
    _check_types(summary, _SUMMARY_TYPES)
    if len(summary.get("quantiles", [])) not in (0, len(QUANTILES)):
        raise RefusedError(f"quantiles that are not {len(QUANTILES)}")


def _image(manifest: dict[str, Any]) -> ImageSchema:
    _check_types(manifest["training"], _IMAGE_TRAINING_TYPES)
    _check_types(manifest, {"image": dict})
    image = manifest["image"]
    _check_types(image, _IMAGE_TYPES)
    folders = image.get("folders", [])
    if len(folders) == 1 or len(set(folders)) < len(folders):
        raise RefusedError("a folder twice, or one alone")
    try:
        return ImageSchema(**{name: image[name] for name in IMAGE_SIZES}, folders=tuple(folders))
    except ValueError:
        raise RefusedError("an image of impossible size") from None


def _encoded_row(manifest: dict[str, Any]) -> CoreSchema:
    _check_types(manifest, {"n_features": int})
    return CoreSchema(manifest["n_features"], _table(manifest))


_MODALITIES: dict[str, Callable[[dict[str, Any]], Modality]] = {
    "table": _table,
    "image": _image,
    "encoded row": _encoded_row,
}
"""What a model of this format may be for, and how its manifest says what raw data it takes."""


def _check_types(found: Mapping[str, Any], types: _Types) -> None:
    for name, expected in types.items():
        key = name.removesuffix("?")
        if key not in found and key == name:
            raise RefusedError(f"no {key}")
        if key in found and not _fits(found[key], expected):
            words = expected.__name__ if isinstance(expected, type) and not get_args(expected) else expected
            raise RefusedError(f"a {key} that is no {words}")


def _fits(value: Any, expected: Any) -> bool:
    """Tell whether a JSON value is of a type, and all that a list or an object holds is."""
    origin, inner = get_origin(expected), get_args(expected)
    if origin is None:
        return isinstance(value, expected)
    if origin not in (list, dict):  # a union
        return any(_fits(value, one) for one in inner)
    return isinstance(value, origin) and all(
        _fits(item, inner[-1]) for item in (value.values() if origin is dict else value)
    )

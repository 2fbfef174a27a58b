"""``gandetect inspect`` and ``gandetect verify``: what a model file says of itself, and whether it is true here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import gandetect
from gandetect.schema import Column, Kind, Role, Schema
from gandetect_cli.options import MODEL_FILE, Json, ModelArgument
from gandetect_cli.output import emit
from gandetect_cli.terminal import counted, plain, size, table

HELP = {
    "inspect": """\
\b
Examples:
  gandetect inspect
  gandetect inspect pumps.onnx
  gandetect inspect pumps.onnx --json | jq .calibration

Show what a model file says of itself: its columns, training, calibration and versions. Nothing is run.
""",
    "verify": """\
\b
Examples:
  gandetect verify
  gandetect verify pumps.onnx && gandetect score new.csv --model pumps.onnx

Recompute the rows that a model file carries with their answers, and compare: whether this machine computes what was
trained.
""",
}


def inspect(model: ModelArgument = MODEL_FILE, as_json: Json = False) -> None:
    """Show what a model file says of itself."""
    contents, manifest = gandetect.read_model(model)
    about = {key: value for key, value in manifest.items() if key != "golden"}
    file = {"model": model, "bytes": len(contents), "sha256": hashlib.sha256(contents).hexdigest()}
    emit(json.dumps(file | about) + "\n" if as_json else _text(file, about))


def verify(model: ModelArgument = MODEL_FILE, as_json: Json = False) -> None:
    """Recompute a model file's golden rows on this machine."""
    scorer = gandetect.Scorer(model)
    largest = scorer.verify()
    n_rows = max((len(values) for values in scorer.manifest["golden"]["inputs"].values()), default=0)
    if as_json:
        emit(json.dumps({"ok": True, "model": model, "golden_rows": n_rows, "largest_difference": largest}) + "\n")
    else:
        emit(f"OK: {plain(model)}: {counted(n_rows, 'golden row')} recomputed, largest difference {largest:.2g}\n")


def _text(file: dict[str, Any], manifest: dict[str, Any]) -> str:
    schema = Schema.from_json(manifest["columns"])
    head = [
        f"{file['model']}: {size(file['bytes'])} for a {manifest['modality']}, format {manifest['format']}",
        f"sha256 {file['sha256']}",
    ]
    features = [(c.name, c.kind, _missing(c), _described(c)) for c in schema.features]
    others = [(c.name, c.kind, c.reason or str(c.role)) for c in schema.columns if c.role is not Role.FEATURE]
    parts = ["".join(f"{plain(line)}\n" for line in head), table(("column", "kind", "missing", "values"), features)]
    if others:
        parts.append(table(("not learned from", "kind", "because"), others))
    parts += [
        f"{name}\n{_listed(manifest[name])}"
        for name in ("training", "calibration", "quality", "health")
        if manifest.get(name)
    ]
    return "\n".join(parts)


def _missing(column: Column) -> str:
    missing = column.summary.get("missing")
    return f"{100 * missing:.1f} %" if isinstance(missing, int | float) else ""


def _described(column: Column) -> str:
    """Return a feature's training values in a few words: the range, or the most frequent levels."""
    quantiles, levels = column.summary.get("quantiles"), column.summary.get("levels")
    if isinstance(quantiles, list) and quantiles:
        show = _day if column.kind is Kind.TIME else "{:.6g}".format
        return f"{show(quantiles[0])} to {show(quantiles[-1])}, median {show(quantiles[len(quantiles) // 2])}"
    if isinstance(levels, dict):
        named = ", ".join(sorted(levels, key=lambda level: -levels[level])[:4])
        known = column.summary.get("known", levels)
        return f"{named}, ... ({len(known)} in all)" if len(known) > 4 else named
    return ""


def _day(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.6g} s"


def _listed(values: Mapping[str, Any]) -> str:
    """List JSON values, one to a line."""
    return "".join(f"  {plain(key)}: {plain(_words(value))}\n" for key, value in values.items() if value is not None)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
    return f"{value:.6g}" if isinstance(value, float) else str(value)

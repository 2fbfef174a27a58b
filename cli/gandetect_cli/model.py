"""``gandetect inspect`` and ``gandetect verify``: what a model file says of itself, and whether it is true here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gandetect
from gandetect.column import Column, Role
from gandetect.core_schema import columns_of
from gandetect.image_schema import ImageSchema
from gandetect.manifest import modality_of
from gandetect.schema import Schema
from gandetect.wording import missing_in_words, plain, training_in_words, verdicts
from gandetect_cli.options import MODEL_FILE, Json, ModelArgument, Threads, Timing
from gandetect_cli.output import emit
from gandetect_cli.terminal import counted, size, table

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
  gandetect verify pumps.onnx --timing

Recompute the rows that a model file carries with their answers, and compare: whether this machine computes what was
trained. With --timing, also how long it takes, and how much memory.
""",
}


def inspect(model: ModelArgument = MODEL_FILE, as_json: Json = False) -> None:
    """Show what a model file says of itself."""
    contents, manifest = gandetect.read_model(model)
    about = {key: value for key, value in manifest.items() if key != "golden"}
    file = {"model": model, "bytes": len(contents), "sha256": hashlib.sha256(contents).hexdigest()}
    emit(json.dumps(file | about) + "\n" if as_json else _text(file, about))


def verify(
    model: ModelArgument = MODEL_FILE, timing: Timing = False, threads: Threads = 1, as_json: Json = False
) -> None:
    """Recompute a model file's golden rows on this machine."""
    scorer = gandetect.Scorer(model, threads=threads)
    largest = scorer.verify()
    costs = None
    if timing:
        from gandetect_cli.timing import measure  # brings ONNX Runtime, which inspect has no need of

        costs = measure(model, threads)
    n_rows = max((len(values) for values in scorer.manifest["golden"]["inputs"].values()), default=0)
    if as_json:
        answer = {"ok": True, "model": model, "golden_rows": n_rows, "largest_difference": largest}
        emit(json.dumps(answer | ({"timing": asdict(costs)} if costs else {})) + "\n")
    else:
        golden = counted(n_rows, f"golden {scorer.schema.noun}")
        emit(f"OK: {plain(model)}: {golden} recomputed, largest difference {largest:.2g}\n")
        emit(costs.text() if costs else "")


def _text(file: dict[str, Any], manifest: dict[str, Any]) -> str:
    head = [
        f"{file['model']}: {size(file['bytes'])} for {manifest['modality']}s, format {manifest['format']}",
        f"sha256 {file['sha256']}",
    ]
    schema = modality_of(manifest)
    described = _images(schema) if isinstance(schema, ImageSchema) else _columns(columns_of(schema))
    parts = ["".join(f"{plain(line)}\n" for line in head), *described]
    parts += [
        f"{name}\n{_listed(manifest[name])}"
        for name in ("backbone", "training", "calibration", "export")
        if manifest.get(name)
    ]
    if "certificate" in manifest:
        parts.append(_certificate(manifest["certificate"]))
    if manifest.get("health"):
        parts.append(_health(manifest["health"]))
    return "\n".join(parts)


def _columns(schema: Schema) -> list[str]:
    """Lay out the columns that a model learned from, and the others."""
    features = [(_named(c), c.kind, missing_in_words(c), training_in_words(c)) for c in schema.used]
    others = [(c.name, c.kind, c.reason or str(c.role)) for c in schema.columns if c not in schema.used]
    learned = table(("column", "kind", "missing", "values"), features)
    return [learned, table(("not learned from", "kind", "because"), others)] if others else [learned]


def _images(schema: ImageSchema) -> list[str]:
    """Say what pictures a model takes."""
    colour = "grey" if schema.channels == 1 else "in colour"
    said = [f"pictures of any size, {colour}, judged at {schema.width} x {schema.height} pixels"]
    if schema.folders:
        said.append(f"given their folder: {', '.join(schema.folders)}")
    return ["".join(f"{plain(line)}\n" for line in said)]


def _certificate(certificate: Mapping[str, Any]) -> str:
    """Say what is found of planted anomalies, and where a plain detector finds more."""
    if not certificate:
        return "certificate\n  none: there were too few rows to plant anomalies into\n"
    power, rates = certificate["power"], certificate["false_alarm_rate"]
    rows = [
        (kind, f"{certificate['strengths'][kind]:g}", *(f"{100 * found[name]:.0f} %" for name in rates))
        for kind, found in power.items()
    ]
    rows.append(("false alarms", "", *(f"{100 * rate:.1f} %" for rate in rates.values())))
    said = [
        f"share found of {certificate['n_planted']} planted anomalies of each kind at a false-alarm rate of "
        f"{certificate['alpha']:.3g}, out of fold",
        *verdicts(certificate),
    ]
    titles = "kind", "strength", *rates
    return "certificate\n" + "".join(f"  {plain(line)}\n" for line in said) + "\n" + table(titles, rows)


def _health(health: Mapping[str, Any]) -> str:
    """Say how the training went: what ails whom, then every member's measures, then the game's course."""
    members = health.get("members", [])
    names = [name for name in members[0] if name != "diagnoses"] if members else []
    rows = [(name.replace("_", " "), *(_measured(member.get(name)) for member in members)) for name in names]
    curves = {name.replace("_", " "): health.get(name, []) for name in ("realness_real", "realness_generated")}
    said = [*health.get("diagnoses", []), *(["nothing found"] if members and not health.get("diagnoses") else [])]
    if health.get("restarted"):
        said.append(f"trained once more: {counted(len(health['restarted']), 'member')}")
    lines = [f"  {plain(line)}\n" for line in said]
    lines += [
        f"  {name} over the training: {' '.join(_measured(value) for value in curve)}\n"
        for name, curve in curves.items()
        if curve
    ]
    titles = "member", *(str(index) for index in range(len(members)))
    return "health\n" + "".join(lines) + ("\n" + table(titles, rows) if rows else "")


def _measured(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, int | float) else "-"


def _named(column: Column) -> str:
    return f"{column.name} (given)" if column.role is Role.GIVEN else column.name


def _listed(values: Mapping[str, Any]) -> str:
    """List JSON values, one to a line."""
    return "".join(
        f"  {plain(key)}: {plain(_words(value))}\n" for key, value in values.items() if value not in (None, {})
    )


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
    if isinstance(value, list) and len(value) > _MAX_LISTED:
        return f"{len(value)} values from {_words(value[0])} to {_words(value[-1])}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


_MAX_LISTED = 16
"""Of a longer list only the ends are shown."""

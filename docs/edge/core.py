"""Score raw rows with a core model: numpy encodes them, as MODEL.encoding.json says, for any runtime that takes floats.

    python core.py MODEL.onnx ROWS.json > answers.json

ROWS.json holds a list of values for each column by its name: null for a missing number, "" for a missing text.
answers.json holds a flat list for each output by its name. Numbers are doubles until they are entries of a feature.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np


def encode(spec, rows):
    """Return features (n, n_features) of raw columns by name: entries, presence, excess, and the largest growth."""
    n_rows, n_columns = len(next(iter(rows.values()))), len(spec["columns"])
    features = np.zeros((n_rows, spec["n_features"]), np.float32)
    growth = np.zeros((n_rows, n_columns))
    for position, column in enumerate(spec["columns"]):
        of_kind = {"number": number, "time": time, "category": category}[column["kind"]]
        with np.errstate(over="ignore"):  # infinity is clipped
            entries, present, excess, growth[:, position] = of_kind(spec, column, rows[column["name"]])
        features[:, column["at"] :][:, : entries.shape[1]] = entries * present[:, None]
        features[:, spec["present_at"] + position] = present
        features[:, spec["excess_at"] + position] = excess * present
    features[:, spec["growth_at"]] = growth.max(1)
    return features


def number(spec, column, values):
    """Return entries (n, 1), presence, excess and growth (n,)."""
    values = np.array(values, float)
    present = np.isfinite(values)
    values = np.where(present, values, column["centre"])
    entry = np.clip((values - column["centre"]) / column["scale"], -spec["clip"], spec["clip"])
    away = np.abs(values - column["middle"])
    growth = np.log(np.clip(away / column["half_range"], spec["free"], 1e300) - spec["free"] + 1)
    return entry[:, None], present, growth + column["surprise"] * (away > column["scale"]), growth


def time(spec, column, values):
    """Return entries (n, 2 * periods), presence, excess and growth (n,)."""
    values = np.array(values, float)
    present = np.isfinite(values)
    turns = np.where(present, values, 0)[:, None] / column["periods"]
    angle = 2 * np.pi * (turns - np.floor(turns))
    parts = np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(len(values), -1)
    entries = np.clip((parts - column["centres"]) / column["scales"], -spec["clip"], spec["clip"])
    return entries, present, np.zeros(len(values)), 0


def category(spec, column, values):
    """Return entries (n, width), presence, excess and growth (n,)."""
    unknown = len(column["levels"])
    places = {level: place for place, level in enumerate(column["levels"])}
    at = np.array([places.get(value, unknown) for value in values], int)
    present = np.array([value != "" for value in values], bool)
    return np.array(column["entries"])[at], present, column["unknown_excess"] * (at == unknown), 0


if __name__ == "__main__":
    import onnxruntime

    model, rows = map(Path, sys.argv[1:])
    spec = json.loads(model.with_suffix(".encoding.json").read_text(encoding="utf-8"))
    if spec["model_sha256"] != hashlib.sha256(model.read_bytes()).hexdigest():
        sys.exit("the encoding is that of another model")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    features = encode(spec, json.loads(rows.read_text(encoding="utf-8")))
    names = [output.name for output in session.get_outputs()]
    answers = dict(zip(names, session.run(names, {"features": features}), strict=True))
    json.dump({name: array.ravel().tolist() for name, array in answers.items()}, sys.stdout)

"""``gandetect export``: a smaller or faster variant of a model file, compared with it before it is written."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gandetect
from gandetect.core_schema import columns_of, encoding_beside, require_columns
from gandetect.manifest import modality_of
from gandetect.readers.values import parse_columns
from gandetect.schema import Schema
from gandetect.wording import plain
from gandetect_cli import options
from gandetect_cli.output import emit, require_other_files, require_writable
from gandetect_cli.progress import ProgressBar
from gandetect_cli.source import Table
from gandetect_cli.stopping import stop_if_asked
from gandetect_cli.terminal import Reporter, counted, duration, size

HELP = {
    "export": """\
\b
Examples:
  gandetect export --storage fp16 -o half.onnx
  gandetect export --distill -o small.onnx
  gandetect export pumps.onnx --distill --data normal.csv -o small.onnx
  gandetect export --distill --core -o device.onnx

Make a variant of a model for tables or pictures. It is a model file like its source: score, inspect and verify take it.
Before it is written, both answer golden rows or pictures and such of the file's own making; a variant outside its bound
is not written.

Of a model for pictures --storage fp16 halves what a backbone brought along; its own weights take half the space
already, and where next to nothing is saved nothing is written. --distill, --core and --data are for tables.

With --core the device encodes raw rows itself: FILE.encoding.json says how, and is written together with FILE.onnx.
Since it takes encoded rows, inspect and verify take such a file, but no command that reads a table does.

Bounds: with --core alone, scores, realness, reconstruction errors and contributions within 1e-5; with fp16, these and
heat maps within 5 % and at most 0.5 % of the flags changed; distilled, at most 10 % of the flags changed and a rank
correlation of at least 0.9. A distilled model has p-values of its own.
"""
}


def export(
    model: options.ModelArgument = options.MODEL_FILE,
    output: options.VariantOutput = "variant.onnx",
    storage: options.Storage = None,
    distill: options.Distill = False,
    core: options.Core = False,
    data: options.TeachingData = None,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Write a smaller or faster variant of a model file."""
    if data is not None and not distill:
        raise gandetect.InputError("Expected --distill together with --data, found --data alone; add --distill.")
    outputs = [output, encoding_beside(output)] if core else [output]
    if output == "-":
        raise gandetect.InputError("Expected --output to name a file, found '-': a variant does not go to a pipe.")
    require_other_files(outputs, [model, data])
    contents, manifest = gandetect.read_model(model)
    for path in outputs:
        require_writable(path)
    schema, reporter = modality_of(manifest), Reporter(quiet)
    if distill or core:
        require_columns(schema)
    columns = None if data is None else _columns(data, columns_of(schema))
    with ProgressBar("teaching", quiet=quiet) as bar:
        teaching = Teaching(reporter, bar)
        exported = gandetect.export_model(
            contents, storage=storage, distill=distill, core=core, columns=columns, seed=seed, callback=teaching
        )
    found = exported.comparison
    if not distill and not core and found.n_bytes[1] > (1 - LEAST_SAVED) * found.n_bytes[0]:
        raise gandetect.InputError(
            f"{model}: expected weights that --storage fp16 saves at least {100 * LEAST_SAVED:g} % of the file with, "
            "found hardly any that do not take half the space already; go on with this file: nothing was written."
        )
    written = exported.write(output)
    names = dict(zip(("model", "encoding"), written, strict=False))
    emit(json.dumps(names | asdict(found)) + "\n" if as_json else _text(" and ".join(written), found, schema.noun))


LEAST_SAVED = 0.03
"""Share of a file that storing its weights in half the space has to save."""


class Teaching:
    """Says how far teaching is: drawn on a terminal, and in three lines for everybody."""

    def __init__(self, reporter: Reporter, bar: ProgressBar) -> None:
        self._reporter, self._bar, self._start = reporter, bar, time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Take note of the steps that are done, and of all there are."""
        stop_if_asked()
        self._bar.update(done, total)
        seconds = time.monotonic() - self._start
        if done == 1:
            self._reporter.say(f"teaching the ensemble to one small network, in {counted(total, 'step')}")
        elif done == max(2, total // 20):
            self._reporter.say(f"about {seconds * (total - done) / done:.0f} s to go")
        elif done == total:
            self._reporter.say(f"taught in {seconds:.0f} s; comparing")


def _columns(data: str, schema: Schema) -> dict[str, NDArray[Any]]:
    """Read the rows to teach with."""
    with Table(data) as table:
        parts = [parse_columns(chunk.columns, chunk.lines, schema, name=table.name).columns for chunk in table.chunks()]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _text(output: str, found: gandetect.Comparison, noun: str) -> str:
    """Say how the variant compares on rows or pictures."""
    samples = f"{counted(found.n_golden, f'golden {noun}')} and {counted(found.n_fresh, f'made {noun}')}"
    flags = counted(found.flags_changed, "flag")
    before, after = found.n_bytes
    lines = [
        f"{plain(output)}: {size(after)} instead of {size(before)}",
        f"compared on {samples}: {flags} changed, rank correlation {found.rank_correlation:.4f}",
        f"largest differences: {', '.join(f'{name} {most:.2g}' for name, most in found.largest_differences.items())}",
        f"one {noun} {duration(found.one_row[1])} instead of {duration(found.one_row[0])}, "
        f"batches {1 / found.batch[1]:,.0f} {noun}s/s instead of {1 / found.batch[0]:,.0f}",
    ]
    return "".join(f"{line}\n" for line in lines)

"""What learning from tables and from pictures have in common: the checkpoint, the progress, the model file."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import gandetect
from gandetect_cli import options
from gandetect_cli.output import emit, require_other_files, require_writable, write_stdout
from gandetect_cli.progress import ProgressBar
from gandetect_cli.stopping import Stopped, stop_if_asked
from gandetect_cli.terminal import Reporter, size

if TYPE_CHECKING:
    from gandetect import Progress


def _checkpoint(output: str, *, resume: bool) -> Path | None:
    """Return where the state of the training is kept; None where the model goes to a pipe or device."""
    if output != "-" and (os.path.isfile(output) or not os.path.exists(output)):
        return Path(f"{output}.checkpoint")
    if resume:
        raise gandetect.InputError(
            f"Expected --output to name a file, beside which the checkpoint is, found {output!r}; drop --resume."
        )
    return None


def _report_checkpoint(checkpoint: Path | None, reporter: Reporter, *, resume: bool) -> None:
    """Say what becomes of an interrupted fit's checkpoint."""
    found = checkpoint is not None and os.path.exists(checkpoint)
    if resume:
        reporter.say(f"resuming from {checkpoint}" if found else f"no {checkpoint}: learning from the start")
    elif found:
        reporter.warn(f"{checkpoint} of an interrupted fit is not used: stop now and add --resume to go on from it")


def contamination_of(text: str) -> float | Literal["auto"]:
    """Return a share, or "auto"."""
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise gandetect.InputError(
            f"Expected --contamination to be auto or a share up to 0.5, found {text!r}; pass one of them."
        ) from None


def require_output(
    output: str, data: str, *, sheet: str | None, backbone: str | None, resume: bool, as_json: bool
) -> None:
    """Make sure before the work that all can be written, over nothing that is read, and the checkpoint be found."""
    if output == "-" and as_json:
        raise gandetect.InputError("Expected one thing on standard output, found --output - and --json; drop one.")
    checkpoint = _checkpoint(output, resume=resume)
    written = [output] if sheet is None else [output, sheet]
    require_other_files(written if checkpoint is None else [*written, str(checkpoint)], [data, backbone])
    for path in written:
        if path != "-":
            require_writable(path)


def learn(
    fit: Callable[..., bytes], output: str, arguments: dict[str, Any], new: str, reporter: Reporter, *, quiet: bool
) -> bytes:
    """Train, write the model file, and say so.

    Parameters
    ----------
    fit : callable
        From `callback`, `checkpoint`, `resume` and more keyword arguments to a model file.
    output : str
        Where the model goes, ``-`` being standard output.
    arguments : dict
        What `fit` takes beside the callback and the checkpoint; it holds `resume`.
    new : str
        What could be scored next, in words.
    reporter : Reporter
        Is told how it goes.
    quiet : bool
        Whether nothing is drawn.
    """
    checkpoint = _checkpoint(output, resume=arguments["resume"])
    _report_checkpoint(checkpoint, reporter, resume=arguments["resume"])
    start = time.monotonic()
    try:
        with ProgressBar("learning", quiet=quiet) as bar:
            model = fit(callback=lambda progress: _show(progress, bar), checkpoint=checkpoint, **arguments)
    except Stopped:
        if checkpoint and os.path.exists(checkpoint):
            reporter.say(f"interrupted; the same command with --resume goes on from {checkpoint}")
        raise
    for diagnosis in gandetect.read_model(model)[1]["health"]["diagnoses"]:
        reporter.warn(f"{diagnosis}; more steps, more training data or another seed may help")
    _write(model, output)
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    _report_model(model, output, time.monotonic() - start, new, reporter)
    return model


def _show(progress: Progress, bar: ProgressBar) -> None:
    stop_if_asked()
    losses = f"losses {progress.discriminator_loss:.3f} and {progress.generator_loss:.3f}"
    bar.update(progress.step, progress.n_steps, losses)


def _write(model: bytes, output: str) -> None:
    if output == "-":
        write_stdout(model)
    else:
        gandetect.write_model(model, output)


def _report_model(model: bytes, output: str, seconds: float, new: str, reporter: Reporter) -> None:
    place = "standard output" if output == "-" else output
    reporter.say(f"wrote {place} ({size(len(model))}) after {seconds:.0f} s of learning")
    if output != "-":
        option = "" if output == options.MODEL_FILE else f" --model {shlex.quote(output)}"
        reporter.say(f"next: gandetect score {new}{option}")


def emit_summary(model: bytes, output: str, about: dict[str, Any], reporter: Reporter) -> None:
    """Write what the command did as JSON; `about` says what was learned from."""
    manifest = gandetect.read_model(model)[1]
    file = {"model": output, "bytes": len(model), "sha256": hashlib.sha256(model).hexdigest()}
    learned = {name: manifest[name] for name in ("training", "calibration", "health")}
    summary = file | about | {"warnings": reporter.warnings} | learned
    emit(json.dumps(summary, ensure_ascii=False) + "\n")

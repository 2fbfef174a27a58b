"""``gandetect fit FOLDER``: normal pictures in, one model file out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gandetect
from gandetect.errors import quoted
from gandetect.files import write_atomically
from gandetect.image_schema import FOLDER_INPUT
from gandetect.readers.images import ImageReader, find_channels
from gandetect.readers.sources import NO_TRAINING, Source, list_images
from gandetect.wording import contrast_in_words, overlap_in_words
from gandetect_cli.learning import emit_summary, learn
from gandetect_cli.output import require_other_files
from gandetect_cli.pictures import picture_source, report_unreadable
from gandetect_cli.progress import ProgressBar
from gandetect_cli.stopping import stop_if_asked, unbroken
from gandetect_cli.terminal import Reporter, counted
from gandetect_cli.training_sheet import N_REAL, draw_training_sheet

Image = NDArray[np.uint8]


def learn_pictures(
    data: str,
    given: str | None,
    output: str,
    sheet: str | None,
    arguments: dict[str, Any],
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Learn what normal pictures look like and write one model file."""
    if given not in (None, FOLDER_INPUT):
        raise gandetect.InputError(
            f"Expected --given {FOLDER_INPUT} for pictures, found {given!r}; their folder is all that is known of them."
        )
    reporter = Reporter(quiet)
    source = picture_source(data)
    _require_no_picture([output] if sheet is None else [output, sheet], source)
    reader = ImageReader(source, part="train", channels=find_channels(source, "train"))
    with unbroken():  # an import that was cut short would look like a broken installation
        fit_images = gandetect.fit_images
    reporter.say(f"{reader.name}: learning from {counted(len(reader), 'picture')}")
    _warn_of_other_parts(reader, reporter)
    shown: list[Image] = []
    folders: list[str] = []
    imagined: list[Image] = []
    pictures = _pictures(reader, shown, folders, quiet=quiet)
    fit: Callable[..., bytes] = partial(
        fit_images, pictures, folders=folders if given else None, imagined=imagined.append
    )
    try:
        model = learn(fit, output, arguments, "NEW_FOLDER", reporter, quiet=quiet)
    finally:  # too few pictures may be left because of those that cannot be read
        report_unreadable(reporter, reader)
    _report(model, folders if given else [], reporter)
    if sheet is not None:
        write_atomically(sheet, draw_training_sheet(model, shown, folders[:N_REAL], imagined[0]))
        reporter.say(f"drew {sheet}: real, reconstructed and generated pictures")
    if as_json:
        emit_summary(model, output, _about(reader, model), reporter)


def _require_no_picture(outputs: list[str], source: Source) -> None:
    """Refuse to write over any picture of a source, those of its other parts and masks included."""
    existing = [path for path in outputs if path != "-" and os.path.isfile(path)]
    if existing:
        require_other_files(existing, {str(entry.path) for entry in list_images(source)})


def _warn_of_other_parts(reader: ImageReader, reporter: Reporter) -> None:
    """Warn of pictures in folders that hold masks and anomalies in MVTec AD's layout, which the source is not in."""
    found = [NO_TRAINING.intersection(PurePosixPath(entry.folder).parts) for entry in reader.entries]
    if n_others := sum(map(bool, found)):
        reporter.warn(
            f"{n_others:,} of the {counted(len(reader), 'picture')} to learn from are in folders called "
            f"{quoted(sorted(frozenset().union(*found)))}, where MVTec AD's layout has anomalies and masks: if so "
            "here, stop and name the folder of normal pictures alone (.../train)"
        )


def _pictures(reader: ImageReader, shown: list[Image], folders: list[str], *, quiet: bool) -> Iterator[Image]:
    """Read one picture after the other, and show how far it is; keep the first ones, and the folders of all."""
    with ProgressBar("reading", quiet=quiet, delay=1) as bar:
        for images in reader:
            for entry, picture in zip(images.entries, images.arrays, strict=True):
                stop_if_asked()
                if len(shown) < N_REAL:
                    shown.append(picture)
                folders.append(entry.product)
                yield picture
                bar.update(len(folders) + len(reader.unreadable), len(reader))


def _report(model: bytes, folders: list[str], reporter: Reporter) -> None:
    """Say how the pictures are judged; `folders` are those that they are judged given, one for each picture."""
    manifest = gandetect.read_model(model)[1]
    size, settings = manifest["image"], manifest["training"]["settings"]
    on_maps = f" on those of {manifest['backbone']['name']}" if "backbone" in manifest else ""
    reporter.say(
        f"{counted(manifest['training']['n_rows'], 'picture')} judged by the {settings['detector']} detector{on_maps} "
        f"at {size['width']} x {size['height']} pixels"
    )
    for sentence in filter(None, (overlap_in_words(manifest["training"]), contrast_in_words(manifest["training"]))):
        reporter.warn(sentence)
    if folders:
        reporter.say(f"given the folder: {', '.join(f'{name} {n:,}' for name, n in Counter(folders).items())}")


def _about(reader: ImageReader, model: bytes) -> dict[str, Any]:
    """Return what the pictures were, as JSON values."""
    manifest = gandetect.read_model(model)[1]
    n_learned, n_passed_over = manifest["training"]["n_rows"], reader.n_passed_over
    pictures = {"learned": n_learned, "unreadable": reader.unreadable, "passed_over": n_passed_over}
    return {"pictures": pictures, "image": manifest["image"]}

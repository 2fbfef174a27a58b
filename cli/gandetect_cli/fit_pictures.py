"""``gandetect fit FOLDER``: normal pictures in, one model file out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gandetect
from gandetect.readers.images import ImageReader
from gandetect_cli.learning import learn
from gandetect_cli.output import emit
from gandetect_cli.pictures import report_unreadable
from gandetect_cli.progress import ProgressBar
from gandetect_cli.stopping import stop_if_asked, unbroken
from gandetect_cli.terminal import Reporter, counted


def learn_pictures(
    data: str, detector: str, output: str, arguments: dict[str, Any], *, quiet: bool, as_json: bool
) -> None:
    """Learn what normal pictures look like and write one model file."""
    reporter = Reporter(quiet)
    with unbroken():  # an import that was cut short would look like a broken installation
        fit_images = gandetect.fit_images
    reader = ImageReader(data, part="train", channels=_channels(data))
    reporter.say(f"{reader.name}: learning from {counted(len(reader), 'picture')}")
    fit: Callable[..., bytes] = partial(fit_images, _pictures(reader, quiet=quiet), detector=detector)
    model = learn(fit, output, arguments, "NEW_FOLDER", reporter, quiet=quiet)
    report_unreadable(reporter, reader)
    manifest = gandetect.read_model(model)[1]
    size, settings = manifest["image"], manifest["training"]["settings"]
    reporter.say(
        f"{counted(manifest['training']['n_rows'], 'picture')} judged by the {settings['detector']} detector at "
        f"{size['width']} x {size['height']} pixels"
    )
    if as_json:
        emit(json.dumps(_summary(reader, model, output, reporter), ensure_ascii=False) + "\n")


def _channels(data: str) -> int:
    """Return 3 where one of the first pictures has colour, else 1: grey pictures fit among the others."""
    return max(int(picture.shape[2]) for picture in next(iter(ImageReader(data, part="train"))).arrays)


def _pictures(reader: ImageReader, *, quiet: bool) -> Iterator[NDArray[np.uint8]]:
    """Read one picture after the other, and show how far it is."""
    n_read = 0
    with ProgressBar("reading", quiet=quiet, delay=1) as bar:
        for picture in chain.from_iterable(images.arrays for images in reader):
            stop_if_asked()
            yield picture
            n_read += 1
            bar.update(n_read + len(reader.unreadable), len(reader))


def _summary(reader: ImageReader, model: bytes, output: str, reporter: Reporter) -> dict[str, Any]:
    """Return what the command did, as JSON values."""
    manifest = gandetect.read_model(model)[1]
    return {
        "model": output,
        "bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "pictures": {"learned": manifest["training"]["n_rows"], "unreadable": reader.unreadable},
        "image": manifest["image"],
        "warnings": reporter.warnings,
        "training": manifest["training"],
        "calibration": manifest["calibration"],
        "health": manifest["health"],
    }

"""Images in, the bytes of a model file out: wires the rooms for images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import chain, islice
from types import NoneType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gandetect.arguments import (
    checked_contamination,
    checked_numbers,
    checked_seed,
    require_callable,
    require_one_of,
    require_text,
    require_type,
)
from gandetect.errors import InputError, listed, quoted
from gandetect.graph.backbone import Backbone, FeatureMaps
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.images import add_images
from gandetect.image_schema import ImageSchema, batches, checked_image_shape
from gandetect.images.assembly import build_model, drawn_images, golden_images, share_threshold
from gandetect.images.backbone import load_backbone, summary
from gandetect.images.calibration import calibrated
from gandetect.images.ensemble import ImageRows, train_ensemble
from gandetect.images.health import examined
from gandetect.images.heatmap import depends_on_position
from gandetect.images.maps import altered_maps, fit_feature_maps, maps_of
from gandetect.images.overlap import overlapping_share
from gandetect.images.settings import DETECTORS, ImageSettings
from gandetect.images.texture import energies_of
from gandetect.images.weights import trained_weights
from gandetect.modality import MIN_ROWS
from gandetect.model_file import seal
from gandetect.networks.images import ImagePair
from gandetect.record import manifest_of
from gandetect.scorer import open_session, run_in_chunks
from gandetect.training.checkpoint import require_checkpoint, resumable
from gandetect.training.course import Course, Progress
from gandetect.training.folds import draw_folds
from gandetect.training.healing import Retrained, heal
from gandetect.training.loop import find_device
from gandetect.training.members import transplant

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

WHOLE_SIDE = 32
"""Height and width to which images are resized that are judged as a whole."""

INSPECTED_SIDE = 128
"""Images whose shorter side is at least this are judged patch by patch, unless told otherwise."""

LARGEST_SIDE = 256
"""Height, or width, to which images for patches are resized if theirs is at least as large; else `INSPECTED_SIDE`."""

N_IMAGINED = 8
"""Images that each generator draws to be looked at."""

N_LOOKED_AT = 64
"""Images that are looked at to choose the detector and its size."""

_FEW_LEVELS = 8
"""Where nearly all pixels lie closer together than this, of 256 values, the file says so."""


def fit_images(
    images: Iterable[Image],
    *,
    folders: Sequence[str] | None = None,
    detector: str = "auto",
    backbone: str | os.PathLike[str] | None = None,
    effort: str = "default",
    loss: str = "logistic",
    n_members: int | None = None,
    n_steps: int | None = None,
    seed: int = 0,
    contamination: float | Literal["auto"] = "auto",
    image_shape: tuple[int, ...] | None = None,
    feature_names: Sequence[str] | None = None,
    device: str = "auto",
    callback: Callable[[Progress], None] | None = None,
    imagined: Callable[[Image], None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
) -> bytes:
    """Train a detector on images and return its model file.

    Parameters
    ----------
    images : iterable of uint8 array of shape (height, width, channels)
        Normal images of any size, all with one channel (grey) or all with three. They are resized one after the other;
        only what the networks see is kept.
    folders : sequence of str, optional
        Names of the images' folders, each for one product: every image is judged given its folder. Looked at once the
        last image is read.
    detector : {"auto", "whole", "patch"}, default="auto"
        "whole" judges an image at a time, at 32 x 32 pixels; "patch" every part of it, with 128 pixels along each side
        or, along a side of at least 256, with 256. "auto": "patch" where the shorter side of the first 64 images has a
        median of at least 128, or with a backbone.
    backbone : str or path-like, optional
        A pretrained network whose feature maps take the place of the pixels: the name of a timm model, or the path of
        an ONNX file, see `gandetect.images.backbone.load_backbone`. It stays as it is, and becomes a part of the model
        file.
    effort, loss : str
        See `gandetect.images.settings.ImageSettings`.
    n_members, n_steps : int, optional
        Instead of the effort's.
    seed : int in [0, 2**32), default=0
        Same images, seed, package versions and kind of CPU: same bytes.
    contamination : float in (0, 0.5] or "auto", default="auto"
        Share of the training images that the file flags as long as no `alpha` is given; "auto": the p-value decides.
    image_shape : tuple of int, optional
        Shape of an image where images come as rows of a table; only kept, for whoever loads the model.
    feature_names : sequence of str, optional
        Names of that table's columns; kept likewise.
    device : str, default="auto"
        A torch device; "auto" is a GPU when there is one, else the CPU.
    imagined : callable, optional
        Is given what the generators draw after the training, uint8 of shape (members, `N_IMAGINED`, height, width,
        channels): a generator whose images are all alike has collapsed.
    callback, checkpoint, resume
        See `gandetect.fit_table`.

    Returns
    -------
    bytes
        Contents of the model file.

    Raises
    ------
    InputError
        Too few images, in all or in a folder, images that are all the same or differ in their channels, one folder for
        all, an argument out of range, a file that is not a usable backbone, a training that diverged, or a checkpoint
        that is not there to resume from or of another fit.
    FileAccessError
        The checkpoint cannot be read or written, the backbone not read or not downloaded.
    MissingExtraError
        timm is needed, and not installed.
    """
    seed, contamination = checked_seed(seed), checked_contamination(contamination)
    require_checkpoint(checkpoint, resume=resume)
    require_callable("callback", callback)
    require_callable("imagined", imagined)
    require_type("images, one after the other", images, Iterable, "pass a list of arrays, or an array of all")
    for name, names in {"folders": folders, "feature_names": feature_names}.items():
        require_type(f"{name} to be names", names, (Sequence, np.ndarray, NoneType), "pass a list, or leave them out")
        for one in () if names is None else names:
            require_text(f"{name} as text", one)
    image_shape = None if image_shape is None else checked_image_shape(image_shape)
    remaining = iter(images)
    looked_at = [np.asarray(image) for image in islice(remaining, N_LOOKED_AT)]
    detector, schema, frozen = _chosen(looked_at, detector, backbone)
    settings = ImageSettings.of_effort(detector, effort, loss, n_members=n_members, n_steps=n_steps)
    settings = checked_numbers(settings, {"n_members": 2, "n_steps": 1})
    pixels = np.concatenate(list(_resized(chain(looked_at, remaining), schema)))
    schema, numbers = _with_folders(schema, folders, len(pixels))
    rows = _rows(pixels, numbers, schema.folders, settings, seed)
    where, about = find_device(device), {"backbone": summary(frozen)} if frozen else {}
    used = {name: one["sha256"] for name, one in about.items()}
    saved = resumable(checkpoint, [pixels, numbers], asdict(settings), seed, where.type, resume=resume, **used)
    with saved as (keep, start):
        maps = fit_feature_maps(frozen, pixels, seed) if frozen else None
        rows = _on_maps(rows, maps, seed) if maps else rows
        pair, course = train_ensemble(rows, settings, seed, where, callback, keep, start)
        health = _heal(pair, rows, settings, seed, course, callback)
        learned = replace(calibrated(rows, schema, trained_weights(pair, rows, settings), settings), maps=maps)
        if imagined is not None:
            imagined(drawn_images(pair, maps, seed, N_IMAGINED))
    threshold = None if contamination == "auto" else share_threshold(learned, rows, contamination)
    about |= {
        "image": schema.to_json(),
        "golden": golden_images(learned, threshold, drawn_images(pair, maps, seed, 3)[0], seed),
    }
    training: dict[str, Any] = {
        "seed": seed,
        "contamination": contamination,
        "positional": rows.positional,
        "image_shape": image_shape,
        **_usual_values(looked_at),
    }
    if feature_names is not None:
        training["feature_names"] = list(feature_names)
    if settings.detector != "whole":
        training["overlapping_share"] = round(overlapping_share(pixels, seed), 6)
    manifest = manifest_of("image", about, training, learned.calibration, settings, threshold, health)
    return seal(build_model(learned, threshold, manifest))


# --- samples ----------------------------------------------------------------------------------------------------------


def _chosen(
    images: list[Image], detector: str, backbone: str | os.PathLike[str] | None
) -> tuple[str, ImageSchema, Backbone | None]:
    """Choose the detector and the size it works at, and load the backbone, which may have a size of its own."""
    require_one_of("detector", detector, ("auto", *DETECTORS))
    if backbone is not None and detector == "whole":
        raise InputError(
            "Expected the detector 'patch' or 'auto' with a backbone, whose maps are judged at every position, found "
            "'whole'; leave one of them out."
        )
    if not images:
        raise InputError(f"Expected at least {MIN_ROWS} images to fit, found none; add normal images.")
    channels = images[0].shape[2] if images[0].ndim == 3 else 0
    if channels not in (1, 3):
        raise InputError(
            "Expected images of shape (height, width, channels) with 1 or 3 channels, found "
            f"{images[0].shape}; convert them first."
        )
    shorter = float(np.median([min(image.shape[:2]) for image in images]))
    if backbone is not None:
        frozen = load_backbone(backbone, _working_side(shorter))
        return "maps", ImageSchema(*frozen.size, channels), frozen
    if detector == "auto":
        detector = "patch" if shorter >= INSPECTED_SIDE else "whole"
    if detector == "whole":
        return detector, ImageSchema(WHOLE_SIDE, WHOLE_SIDE, channels), None
    height, width = (_working_side(side) for side in np.median([image.shape[:2] for image in images], axis=0))
    return detector, ImageSchema(height, width, channels), None


def _usual_values(images: list[Image]) -> dict[str, int]:
    """Return what the file says of pixels that hardly differ; empty where they do.

    All pixels but one in five hundred have the usual values, half of the others are lower and half higher.
    """
    counts = np.sum([np.bincount(image.ravel(), minlength=256) for image in images], axis=0)
    low, high = np.searchsorted(np.cumsum(counts), counts.sum() * np.array([0.001, 0.999]))
    return {"usual_lowest": int(low), "usual_highest": int(high)} if high - low < _FEW_LEVELS else {}


def _working_side(side: float) -> int:
    return LARGEST_SIDE if side >= LARGEST_SIDE else INSPECTED_SIDE


def _with_folders(
    schema: ImageSchema, folders: Sequence[str] | None, n_images: int
) -> tuple[ImageSchema, NDArray[np.int64]]:
    """Return the schema with the names of all folders, and the number of each image's folder."""
    if folders is None:
        return schema, np.zeros(n_images, dtype=np.int64)
    if len(folders) != n_images:
        raise InputError(
            f"Expected the folder of each of {n_images} images, found {len(folders)}; give one name for each."
        )
    names, numbers = np.unique(np.array(folders, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise InputError(
            f"Expected images in two folders or more, one for each product, found {quoted(names.tolist()) or 'none'}; "
            "sort them, or fit without folders."
        )
    return replace(schema, folders=tuple(names.tolist())), numbers


def _rows(
    samples: Floats, folders: NDArray[np.int64], names: tuple[str, ...], settings: ImageSettings, seed: int
) -> ImageRows:
    n_folders, smallest = max(1, len(names)), max(MIN_ROWS, 2 * settings.n_members)
    expected = f"Expected at least {smallest} images"
    if len(samples) < smallest:
        raise InputError(f"{expected} to fit, found {len(samples)}; add normal images.")
    few = [f"{name!r} ({n})" for name, n in zip(names, np.bincount(folders), strict=False) if n < smallest]
    if few:
        raise InputError(
            f"{expected} in every folder to fit, found too few in {listed(few)}; add normal images, or move these "
            "folders away."
        )
    if not np.ptp(samples, axis=0).any():
        raise InputError(f"Expected images that differ, found {len(samples)} identical ones; add other normal images.")
    folds = draw_folds(len(samples), settings.n_members, seed, folders)
    positional = [depends_on_position(samples[folders == own]) for own in range(n_folders)]
    energies = None if settings.detector == "whole" else energies_of(samples)
    return ImageRows(samples, folds, folders, n_folders, 2 * sum(positional) > n_folders, energies)


def _resized(images: Iterable[Image], schema: ImageSchema) -> Iterator[Floats]:
    """Resize images by the very nodes that the model file begins with."""
    builder = GraphBuilder()
    builder.output("samples", add_images(builder, schema), np.float32, ["n", None, None, None])
    session = open_session(builder.build())
    for batch in batches(images):
        feeds = schema.feeds(batch)  # there are no folders yet
        yield run_in_chunks(session, ["samples"], feeds, chunk_size=schema.chunk_size(feeds))["samples"]


def _on_maps(rows: ImageRows, maps: FeatureMaps, seed: int) -> ImageRows:
    """Return the rows as a backbone sees them, and altered ones."""
    groups = np.stack([rows.folds, rows.folders], 1)
    altered = altered_maps(rows.samples, maps, groups, seed)
    return replace(rows, samples=maps_of(rows.samples, maps), altered=altered)


# --- health -----------------------------------------------------------------------------------------------------------


def _heal(
    pair: ImagePair,
    rows: ImageRows,
    settings: ImageSettings,
    seed: int,
    course: Course,
    callback: Callable[[Progress], None] | None,
) -> dict[str, Any]:
    """Examine all members, train sick ones once more from other weights, and return what the file says of it."""

    def train_again(sick: list[int], again: int) -> Retrained:
        donor, new = train_ensemble(rows, settings, again, pair.generator.past.device, callback, members=sick)
        found_again = examined(donor, rows, new, again, sick, settings.detector)
        return Retrained(found_again, new.realness, partial(transplant, pair, donor))

    found = examined(pair, rows, course, seed, range(settings.n_members), settings.detector)
    return heal(found, course.realness, train_again, seed, settings.loss)

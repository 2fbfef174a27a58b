"""Images in, the bytes of a model file out: wires the rooms for images."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import chain, islice
from numbers import Real
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from gandetect.calibration import Calibration, Evidence, calibrate, default_alpha, fit_evidence, float32_at_most
from gandetect.checkpoint import kept
from gandetect.errors import InputError
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.heatmap import add_conspicuousness, add_heatmap
from gandetect.graph.images import ImageWeights, Seen, add_images, add_networks, add_standing_out
from gandetect.graph.score import add_evidence, add_verdict
from gandetect.health import examine, health_record
from gandetect.heatmap import Heat, MapScale, depends_on_position, fit_heat, fit_scale
from gandetect.image_ensemble import LIMITS, ImageRows, ImageSettings, probes, train_images, trained_weights
from gandetect.image_schema import IMAGE_INPUT, ImageSchema, batches
from gandetect.model_file import DIGEST_KEY, DIGEST_PLACEHOLDER, FORMAT, MANIFEST_KEY, manifest_json, seal
from gandetect.networks.images import ImagePair
from gandetect.schema import MIN_ROWS
from gandetect.scorer import open_session, run_in_chunks
from gandetect.training import Progress, find_device

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

WHOLE_SIDE = 32
"""Height and width to which images are resized that are judged as a whole."""

INSPECTED_SIDE = 128
"""Images whose shorter side is at least this are judged patch by patch, unless told otherwise."""

LARGEST_SIDE = 256
"""Height and width to which images for patches are resized, if they are at least as large; else `INSPECTED_SIDE`."""

N_IMAGINED = 8
"""Images that each generator draws to be looked at."""

N_LOOKED_AT = 64
"""Images that are looked at to choose the detector and its size."""


@dataclass(frozen=True)
class LearnedImages:
    """Everything that the final graph is built from."""

    schema: ImageSchema
    weights: ImageWeights
    scale: MapScale
    heat: Heat
    evidence: Evidence
    calibration: Calibration


def fit_images(
    images: Iterable[Image],
    *,
    detector: str = "auto",
    effort: str = "default",
    loss: str = "logistic",
    n_members: int | None = None,
    n_steps: int | None = None,
    seed: int = 0,
    contamination: float | Literal["auto"] = "auto",
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
    detector : {"auto", "whole", "patch"}, default="auto"
        "whole" judges an image at a time, at 32 x 32 pixels; "patch" every part of it, at 128 x 128 or, from 256 pixels
        on, at 256 x 256. "auto": "patch" where the shorter side of the first 64 images has a median of at least 128.
    effort, loss : str
        See `gandetect.image_ensemble.ImageSettings`.
    n_members, n_steps : int, optional
        Instead of the effort's.
    seed : int, default=0
        Same images, seed, package versions and kind of CPU: same bytes.
    contamination : float in (0, 0.5] or "auto", default="auto"
        Share of the training images that the file flags as long as no `alpha` is given; "auto": the p-value decides.
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
        Too few images, images that are all the same or differ in their channels, an argument out of range, a training
        that diverged, or a checkpoint of another fit.
    FileAccessError
        The checkpoint cannot be read or written.
    """
    if contamination != "auto" and not (isinstance(contamination, Real) and 0 < contamination <= 0.5):
        raise InputError(f"Expected contamination to be 'auto' or in (0, 0.5], found {contamination!r}.")
    remaining = iter(images)
    looked_at = [np.asarray(image) for image in islice(remaining, N_LOOKED_AT)]
    detector, schema = _chosen(looked_at, detector)
    settings = ImageSettings.of_effort(detector, effort, loss, n_members=n_members, n_steps=n_steps)
    rows = _rows(chain(looked_at, remaining), schema, settings, seed)
    where = find_device(device)
    with kept(checkpoint, [rows.samples], asdict(settings), seed, where.type) as state:
        keep, start = (state.keep, state.load() if resume else None) if state else (None, None)
        pair, course = train_images(rows, settings, seed, where, callback, keep, start)
        found = [examine(probe, LIMITS) for probe in probes(pair, rows, course, seed)]
        if any("diverged" in health.diagnoses for health in found):
            raise InputError(
                f"Expected the training to stay finite, found that it diverged with the loss {loss!r}; choose another "
                "loss or seed."
            )
        learned, scores = _calibrated(rows, schema, trained_weights(pair, rows, settings), settings)
        if imagined is not None:
            drawn = pair.imagine(N_IMAGINED, torch.Generator().manual_seed(seed)).detach().cpu()
            imagined(_as_bytes(drawn.permute(0, 1, 3, 4, 2).numpy()))
    threshold = None if contamination == "auto" else float(float32_at_most(np.quantile(scores, 1 - contamination)))
    manifest = _manifest(learned, settings, threshold) | {
        "golden": _golden(learned, threshold, _drawn(pair, seed)),
        "health": health_record(found, [], course.realness),
    }
    share = contamination if contamination == "auto" else float(contamination)
    manifest["training"] |= {"seed": seed, "contamination": share, "positional": rows.positional}
    return seal(build_image_model(learned, threshold, manifest))


# --- samples ----------------------------------------------------------------------------------------------------------


def _chosen(images: list[Image], detector: str) -> tuple[str, ImageSchema]:
    """Choose the detector and the size it works at."""
    if not images:
        raise InputError(f"Expected at least {MIN_ROWS} images to fit, found none; add normal images.")
    channels = images[0].shape[2] if images[0].ndim == 3 else 0
    if channels not in (1, 3):
        raise InputError(
            "Expected images of shape (height, width, channels) with 1 or 3 channels, found "
            f"{images[0].shape}; convert them first."
        )
    side = float(np.median([min(image.shape[:2]) for image in images]))
    if detector == "auto":
        detector = "patch" if side >= INSPECTED_SIDE else "whole"
    if detector == "whole":
        return detector, ImageSchema(WHOLE_SIDE, WHOLE_SIDE, channels)
    size = LARGEST_SIDE if side >= LARGEST_SIDE else INSPECTED_SIDE
    return detector, ImageSchema(size, size, channels)


def _rows(images: Iterable[Image], schema: ImageSchema, settings: ImageSettings, seed: int) -> ImageRows:
    samples = np.concatenate(list(_resized(images, schema)))
    smallest = max(MIN_ROWS, 2 * settings.n_members)
    if len(samples) < smallest:
        raise InputError(f"Expected at least {smallest} images to fit, found {len(samples)}; add normal images.")
    if not np.ptp(samples, axis=0).any():
        raise InputError(f"Expected images that differ, found {len(samples)} identical ones; add other normal images.")
    folds = np.random.default_rng([seed, len(samples)]).permutation(len(samples)) % settings.n_members
    return ImageRows(samples, folds, depends_on_position(samples))


def _resized(images: Iterable[Image], schema: ImageSchema) -> Iterator[Floats]:
    """Resize images by the very nodes that the model file begins with."""
    builder = GraphBuilder()
    builder.output("samples", add_images(builder, schema), np.float32, ["n", None, None, None])
    session = open_session(builder.build())
    for batch in batches(images):
        feeds = schema.feeds(batch)
        yield run_in_chunks(session, ["samples"], feeds, chunk_size=schema.chunk_size(feeds))["samples"]


# --- calibration ------------------------------------------------------------------------------------------------------


def _calibrated(
    rows: ImageRows, schema: ImageSchema, weights: ImageWeights, settings: ImageSettings
) -> tuple[LearnedImages, Floats]:
    """Look at every training image with the member that never saw it, and calibrate on what it finds.

    Returns what was learned and the images' scores, (n,).
    """
    values, maps = _out_of_fold(rows, weights)
    map_weights = np.array([0.3, 1.0, 0.2]) if weights.judges_positions else np.ones(1)
    scale = fit_scale(maps, map_weights, positional=rows.positional)
    builder = GraphBuilder()
    seen = builder.input("values", np.float32, ["n", None]), builder.input("maps", np.float32, ["n", *maps.shape[1:]])
    conspicuous = add_conspicuousness(builder, seen[1], scale)
    builder.output("conspicuous", conspicuous, np.float32, ["n", None, None, None])
    components_of = _add_components(builder, seen[0], conspicuous, weights.n_highest)
    builder.output("components", components_of, np.float32, ["n", None])
    answers = _run(builder, {"values": values, "maps": maps}, ["conspicuous", "components"])
    components = answers["components"]
    smallest = np.full(components.shape[1], 0.05)  # logarithms and sums of them that vary less are rounding
    evidence = fit_evidence(components.astype(np.float64), *settings.evidence_weights(), smallest)
    scores = _scores(components, evidence)
    return LearnedImages(schema, weights, scale, fit_heat(answers["conspicuous"]), evidence, calibrate(scores)), scores


def _out_of_fold(rows: ImageRows, weights: ImageWeights) -> tuple[Floats, Floats]:
    """Run each member, as an ensemble of its own, on the images that it never saw."""
    parts = []
    for member in range(weights.n_members):
        builder = GraphBuilder()
        samples = builder.input("samples", np.float32, ["n", *rows.samples.shape[1:]])
        seen = add_networks(builder, samples, weights.member(member))
        builder.output("values", seen.values, np.float32, ["n", None])
        builder.output("maps", seen.maps, np.float32, ["n", None, None, None])
        parts.append(_run(builder, {"samples": rows.samples[rows.unseen_by(member)]}, ["values", "maps"]))
    order = np.argsort(np.concatenate([rows.unseen_by(member) for member in range(weights.n_members)]), kind="stable")
    values, maps = (np.concatenate([part[name] for part in parts])[order] for name in ("values", "maps"))
    return values, maps


def _run(builder: GraphBuilder, feeds: dict[str, Floats], outputs: list[str]) -> dict[str, Floats]:
    return run_in_chunks(open_session(builder.build()), outputs, feeds, chunk_size=64)


def _add_components(builder: GraphBuilder, values: str, conspicuous: str, n_highest: int) -> str:
    """Join what is found of an image: (n, 3)."""
    return builder.node("Concat", values, add_standing_out(builder, conspicuous, n_highest), axis=1)


def _scores(components: Floats, evidence: Evidence) -> Floats:
    builder = GraphBuilder()
    tensor = builder.input("components", np.float32, ["n", components.shape[1]])
    builder.output("score", add_evidence(builder, tensor, evidence), np.float32, ["n", 1])
    return _run(builder, {"components": components}, ["score"])["score"][:, 0]


# --- the model file ---------------------------------------------------------------------------------------------------


def build_image_model(learned: LearnedImages, threshold: float | None, manifest: dict[str, Any]) -> bytes:
    """Build the whole graph: raw images in, all answers out."""
    builder = GraphBuilder()
    seen = add_networks(builder, add_images(builder, learned.schema), learned.weights)
    conspicuous = add_conspicuousness(builder, seen.maps, learned.scale)
    components = _add_components(builder, seen.values, conspicuous, learned.weights.n_highest)
    score = add_evidence(builder, components, learned.evidence)
    add_verdict(builder, score, learned.calibration, threshold)
    _add_looks(builder, seen)
    height, width, channels = learned.schema.height, learned.schema.width, learned.schema.channels
    heat = add_heatmap(builder, conspicuous, learned.heat, learned.schema)
    builder.output("heatmap", heat, np.float32, ["n", height, width])
    shown = builder.node("Mul", builder.node("Add", seen.reconstruction, builder.floats(1.0)), builder.floats(127.5))
    shown = builder.node("Transpose", shown, perm=[0, 2, 3, 1])
    builder.output("reconstruction", shown, np.float32, ["n", height, width, channels])
    return builder.build({MANIFEST_KEY: manifest_json(manifest), DIGEST_KEY: DIGEST_PLACEHOLDER})


def _add_looks(builder: GraphBuilder, seen: Seen) -> None:
    """Declare what both networks find of an image as outputs."""
    flat = builder.ints([-1])
    unreal = builder.node("Reshape", builder.node("Gather", seen.values, builder.ints([0]), axis=1), flat)
    builder.output("realness", builder.node("Sigmoid", builder.node("Neg", unreal)), np.float32, ["n"])
    builder.output("reconstruction_error", builder.node("Reshape", seen.error, flat), np.float32, ["n"])


def _drawn(pair: ImagePair, seed: int, n_images: int = 3) -> Image:
    """Let the generator draw images, made small, and add one of noise: no real image has to be in the file."""
    drawn = pair.imagine(n_images, torch.Generator().manual_seed(seed))[0].detach().cpu()
    small = torch.nn.functional.adaptive_avg_pool2d(drawn, 16).permute(0, 2, 3, 1).numpy()
    noise = np.random.default_rng(seed).uniform(-1, 1, (1, *small.shape[1:]))
    return _as_bytes(np.concatenate([small, noise]))


def _as_bytes(values: NDArray[Any]) -> Image:
    """Return pixels of values from -1 to 1."""
    return np.asarray(np.round(127.5 * (1 + values)).clip(0, 255), dtype=np.uint8)


def _golden(learned: LearnedImages, threshold: float | None, images: Image) -> dict[str, Any]:
    """Return images and what the file answers to them, as JSON values, so that any machine can check itself."""
    session = open_session(build_image_model(learned, threshold, {}))
    schema = learned.schema
    answers = run_in_chunks(session, list(schema.outputs), schema.feeds(images))
    # Beside a step of the p-value another machine's rounding could fall on its other side.
    steps = np.append(learned.calibration.scores, np.inf if threshold is None else threshold)
    scores = answers["anomaly_score"][:, None]
    clear = (np.abs(scores - steps) > 1e-3 * np.maximum(1, np.abs(scores))).all(1)
    clear |= not clear.any()
    return {
        "inputs": {IMAGE_INPUT: images[clear].tolist()},
        "outputs": {name: schema.golden_view(name, values[clear]).tolist() for name, values in answers.items()},
    }


def _manifest(learned: LearnedImages, settings: ImageSettings, threshold: float | None) -> dict[str, Any]:
    """Return what the model file says of itself, as JSON values; without golden images and arguments."""
    calibration = learned.calibration
    alpha = default_alpha(calibration.n_rows)
    packages = ("gandetect", "numpy", "onnx", "onnxruntime", "scikit-learn", "torch")
    return {
        "format": FORMAT,
        "modality": "image",
        "gandetect_version": version("gandetect"),
        "image": learned.schema.to_json(),
        "training": {
            "n_rows": calibration.n_rows,
            "settings": asdict(settings),
            "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        },
        "calibration": {
            "n": calibration.n_rows,
            "alpha": alpha,
            "threshold": threshold,
            "critical_score": calibration.critical_score(alpha),
        },
        "quality": {},
    }

"""What members say of images that they never saw: the calibration of a detector for images, and its heat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gandetect.calibration import Disagreement, Evidence, calibrate, fit_evidence
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.folders import Levels, add_levelled
from gandetect.graph.heatmap import add_components, add_conspicuousness
from gandetect.graph.images import ImageWeights, add_networks
from gandetect.graph.score import add_evidence
from gandetect.graph.texture import Texture, add_texture_map
from gandetect.image_schema import ImageSchema
from gandetect.images.assembly import Learned, add_number, run_told
from gandetect.images.ensemble import ImageRows
from gandetect.images.grid import PRIOR
from gandetect.images.heatmap import OF_FEATURE_MAPS, OF_PATCHES, OF_WHOLE, MapRule, MapScale, fit_heat, fit_scale
from gandetect.images.settings import ImageSettings
from gandetect.images.texture import fit_texture
from gandetect.scorer import open_session, run_in_chunks

Floats = NDArray[np.float32]


def calibrated(rows: ImageRows, schema: ImageSchema, weights: ImageWeights, settings: ImageSettings) -> Learned:
    """Look at every training image with the member that never saw it, and calibrate on what it finds."""
    values, maps = _out_of_fold(rows, weights)
    texture = None
    if rows.energies is not None:
        maps = np.concatenate([maps, unseen_texture_maps(rows.energies, rows, weights.grid)], axis=1)
        texture = fit_texture(rows.energies, rows, np.arange(len(maps)))
    rule = OF_FEATURE_MAPS if weights.sees_maps else OF_PATCHES if weights.judges_positions else OF_WHOLE
    scale = _scale_of_folders(maps, rule, rows)
    answers = _components(values, maps, scale, weights.n_highest, rows)
    levels = _levels(answers["components"], rows)
    components = _levelled(answers["components"], levels, rows)
    smallest = np.full(components.shape[1], 0.05)  # logarithms and sums of them that vary less are rounding
    evidence = fit_evidence(components.astype(np.float64), *settings.evidence_weights(), smallest)
    scores = _scores(components, evidence)
    calibration = calibrate(scores, _disagreement(rows, weights, texture, scale, levels, evidence, scores))
    heat = fit_heat(answers["conspicuous"])
    return Learned(schema, weights, texture, scale, heat, levels, evidence, calibration)


def _scale_of_folders(maps: Floats, rule: MapRule, rows: ImageRows) -> MapScale:
    """Fit what is usual in the maps of each folder."""
    if rows.n_folders == 1:
        return fit_scale(maps, rule, positional=rows.positional)
    of_each = [fit_scale(maps[rows.folders == own], rule, positional=rows.positional) for own in range(rows.n_folders)]
    mean, deviation = (np.stack([getattr(one, name) for one in of_each]) for name in ("mean", "deviation"))
    return MapScale(mean, deviation, rule)


def _levels(components: Floats, rows: ImageRows) -> Levels | None:
    """Fit what components usually are in each folder, so that one calibration serves all."""
    if rows.n_folders == 1:
        return None
    own = [components[rows.folders == number].astype(np.float64) for number in range(rows.n_folders)]
    mean = np.stack([values.mean(0) for values in own])
    common = np.square(components - mean[rows.folders]).mean(0)
    n_own = np.array([[len(values)] for values in own])
    variance = (n_own * np.stack([values.var(0) for values in own]) + PRIOR * common) / (n_own + PRIOR)
    deviation = np.sqrt(np.maximum(variance, 1e-6))
    return Levels(mean.astype(np.float32), deviation.astype(np.float32))


def _out_of_fold(rows: ImageRows, weights: ImageWeights) -> tuple[Floats, Floats]:
    """Run each member, as an ensemble of its own, on the images that it never saw."""
    unseen = [rows.unseen_by(number) for number in range(weights.n_members)]
    parts = [_run_member(rows, some, weights.member(number)) for number, some in enumerate(unseen)]
    values, maps = (np.concatenate(part)[np.argsort(np.concatenate(unseen))] for part in zip(*parts, strict=True))
    return values, maps


N_PARTS = 8
"""Parts of the training images, each judged by a texture that is fitted on all others: so nearly as new images are."""


def unseen_texture_maps(energies: Floats, rows: ImageRows, grid: tuple[int, int]) -> Floats:
    """Return how unexpected the texture of each image is to the others, (n, 1, *grid)."""
    parts = np.array_split(np.argsort(rows.folds, kind="stable"), min(N_PARTS, len(rows.folds)))
    maps = []
    for part in parts:
        others = np.setdiff1d(np.arange(len(rows.folds)), part)
        maps.append(_texture_maps(energies, rows, fit_texture(energies, rows, others), grid, part))
    return np.concatenate(maps)[np.argsort(np.concatenate(parts))]


def _texture_maps(
    energies: Floats, rows: ImageRows, texture: Texture, grid: tuple[int, int], chosen: NDArray[np.int64]
) -> Floats:
    """Return the map of some images, (n_chosen, 1, *grid)."""
    builder, own = GraphBuilder(), energies[chosen]
    tensor = builder.input("energies", np.float32, ["n", *own.shape[1:]])
    found = add_texture_map(builder, tensor, texture, grid, add_number(builder, rows))
    builder.output("map", found, np.float32, ["n", 1, *grid])
    return run_told(builder, {"energies": own}, rows.folders[chosen], ["map"])["map"]


MAX_COMPARED = 1_000
"""Training images on which the members are compared."""


def _disagreement(
    rows: ImageRows,
    weights: ImageWeights,
    texture: Texture | None,
    scale: MapScale,
    levels: Levels | None,
    evidence: Evidence,
    scores: Floats,
) -> Disagreement:
    """Score images by every member that saw them, and compare; two members leave nothing to compare."""
    chosen = np.arange(len(scores))[:: -(-len(scores) // MAX_COMPARED)]
    some = replace(rows, folders=rows.folders[chosen])
    of_all = []  # maps that are the same whichever member looks
    if texture is not None and rows.energies is not None:
        of_all.append(_texture_maps(rows.energies, rows, texture, weights.grid, chosen))

    def scored(member: ImageWeights) -> Floats:
        values, maps = _run_member(rows, chosen, member)
        maps = np.concatenate([maps, *of_all], axis=1)
        components = _components(values, maps, scale, weights.n_highest, some)["components"]
        return _scores(_levelled(components, levels, some), evidence)

    by_member = [scored(weights.member(member)) for member in range(weights.n_members)]
    return Disagreement.between(np.stack(by_member), scores[chosen], rows.folds[chosen])


def _run_member(rows: ImageRows, chosen: NDArray[np.int64], member: ImageWeights) -> tuple[Floats, Floats]:
    """Return the values and maps of one member, as an ensemble of its own, of some images."""
    builder, samples = GraphBuilder(), rows.samples[chosen]
    tensor = builder.input("samples", np.float32, ["n", *samples.shape[1:]])
    seen = add_networks(builder, tensor, member, add_number(builder, rows))
    builder.output("values", seen.values, np.float32, ["n", None])
    builder.output("maps", seen.maps, np.float32, ["n", None, None, None])
    answers = run_told(builder, {"samples": samples}, rows.folders[chosen], ["values", "maps"])
    return answers["values"], answers["maps"]


def _components(values: Floats, maps: Floats, scale: MapScale, n_highest: int, rows: ImageRows) -> dict[str, Floats]:
    """Return how conspicuous each position is, and the components of the score."""
    builder = GraphBuilder()
    tensors = (
        builder.input("values", np.float32, ["n", None]),
        builder.input("maps", np.float32, ["n", *maps.shape[1:]]),
    )
    conspicuous = add_conspicuousness(builder, tensors[1], scale, add_number(builder, rows))
    builder.output("conspicuous", conspicuous, np.float32, ["n", None, None, None])
    builder.output("components", add_components(builder, tensors[0], conspicuous, n_highest), np.float32, ["n", None])
    return run_told(builder, {"values": values, "maps": maps}, rows.folders, ["conspicuous", "components"])


def _levelled(components: Floats, levels: Levels | None, rows: ImageRows) -> Floats:
    if levels is None:
        return components
    builder = GraphBuilder()
    tensor = builder.input("components", np.float32, ["n", components.shape[1]])
    levelled = add_levelled(builder, tensor, levels, add_number(builder, rows))
    builder.output("levelled", levelled, np.float32, ["n", components.shape[1]])
    return run_told(builder, {"components": components}, rows.folders, ["levelled"])["levelled"]


def _scores(components: Floats, evidence: Evidence) -> Floats:
    builder = GraphBuilder()
    tensor = builder.input("components", np.float32, ["n", components.shape[1]])
    builder.output("score", add_evidence(builder, tensor, evidence), np.float32, ["n", 1])
    session = open_session(builder.build())
    return run_in_chunks(session, ["score"], {"components": components}, chunk_size=64)["score"][:, 0]

"""Out-of-fold values and maps of images to evidence, heat and p-values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gandetect.calibration import Calibration, Disagreement, Evidence, calibrate, fit_evidence
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.heatmap import add_conspicuousness
from gandetect.graph.images import ImageWeights, add_networks, add_standing_out
from gandetect.graph.score import add_evidence
from gandetect.heatmap import Heat, MapScale, fit_heat, fit_scale
from gandetect.image_ensemble import ImageRows, ImageSettings
from gandetect.image_schema import ImageSchema
from gandetect.scorer import open_session, run_in_chunks

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LearnedImages:
    """Everything that the final graph is built from."""

    schema: ImageSchema
    weights: ImageWeights
    scale: MapScale
    heat: Heat
    evidence: Evidence
    calibration: Calibration


def calibrated(rows: ImageRows, schema: ImageSchema, weights: ImageWeights, settings: ImageSettings) -> LearnedImages:
    """Look at every training image with the member that never saw it, and calibrate on what it finds."""
    values, maps = _out_of_fold(rows, weights)
    # Positions of patches are four pixels apart.
    map_weights, blur = (np.array([0.1, 1.0, 0.2]), 0.6) if weights.judges_positions else (np.ones(1), 1.0)
    scale = fit_scale(maps, map_weights, blur, positional=rows.positional)
    answers = _components(values, maps, scale, weights.n_highest)
    components = answers["components"]
    smallest = np.full(components.shape[1], 0.05)  # logarithms and sums of them that vary less are rounding
    evidence = fit_evidence(components.astype(np.float64), *settings.evidence_weights(), smallest)
    scores = _scores(components, evidence)
    calibration = calibrate(scores, _disagreement(rows, weights, scale, evidence, scores))
    return LearnedImages(schema, weights, scale, fit_heat(answers["conspicuous"]), evidence, calibration)


def _out_of_fold(rows: ImageRows, weights: ImageWeights) -> tuple[Floats, Floats]:
    """Run each member, as an ensemble of its own, on the images that it never saw."""
    unseen = [rows.unseen_by(member) for member in range(weights.n_members)]
    parts = [_run_member(rows.samples[own], weights.member(member)) for member, own in enumerate(unseen)]
    order = np.argsort(np.concatenate(unseen), kind="stable")
    values, maps = (np.concatenate(part)[order] for part in zip(*parts, strict=True))
    return values, maps


MAX_COMPARED = 1_000
"""Training images on which the members are compared."""


def _disagreement(
    rows: ImageRows, weights: ImageWeights, scale: MapScale, evidence: Evidence, scores: Floats
) -> Disagreement:
    """Score images by every member that saw them, and compare; two members leave nothing to compare."""
    chosen = np.arange(len(scores))[:: -(-len(scores) // MAX_COMPARED)]
    by_member = [
        _scores(
            _components(*_run_member(rows.samples[chosen], weights.member(member)), scale, weights.n_highest)[
                "components"
            ],
            evidence,
        )
        for member in range(weights.n_members)
    ]
    return Disagreement.between(np.stack(by_member), scores[chosen], rows.folds[chosen])


def _run_member(samples: Floats, member: ImageWeights) -> tuple[Floats, Floats]:
    """Return the values and maps of one member, as an ensemble of its own."""
    builder = GraphBuilder()
    seen = add_networks(builder, builder.input("samples", np.float32, ["n", *samples.shape[1:]]), member)
    builder.output("values", seen.values, np.float32, ["n", None])
    builder.output("maps", seen.maps, np.float32, ["n", None, None, None])
    answers = _run(builder, {"samples": samples}, ["values", "maps"])
    return answers["values"], answers["maps"]


def _components(values: Floats, maps: Floats, scale: MapScale, n_highest: int) -> dict[str, Floats]:
    """Return how conspicuous each position is, and the components of the score."""
    builder = GraphBuilder()
    tensors = (
        builder.input("values", np.float32, ["n", None]),
        builder.input("maps", np.float32, ["n", *maps.shape[1:]]),
    )
    conspicuous = add_conspicuousness(builder, tensors[1], scale)
    builder.output("conspicuous", conspicuous, np.float32, ["n", None, None, None])
    builder.output("components", add_components(builder, tensors[0], conspicuous, n_highest), np.float32, ["n", None])
    return _run(builder, {"values": values, "maps": maps}, ["conspicuous", "components"])


def _run(builder: GraphBuilder, feeds: dict[str, Floats], outputs: list[str]) -> dict[str, Floats]:
    return run_in_chunks(open_session(builder.build()), outputs, feeds, chunk_size=64)


def add_components(builder: GraphBuilder, values: str, conspicuous: str, n_highest: int) -> str:
    """Join what is found of an image: (n, 3)."""
    return builder.node("Concat", values, add_standing_out(builder, conspicuous, n_highest), axis=1)


def _scores(components: Floats, evidence: Evidence) -> Floats:
    builder = GraphBuilder()
    tensor = builder.input("components", np.float32, ["n", components.shape[1]])
    builder.output("score", add_evidence(builder, tensor, evidence), np.float32, ["n", 1])
    return _run(builder, {"components": components}, ["score"])["score"][:, 0]

"""Puts a trained image detector into its model file: the whole graph and golden images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gandetect.calibration import Calibration, Evidence, threshold_exceeded_by
from gandetect.graph.backbone import FeatureMaps, add_feature_maps, add_pictures
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.folders import Levels, add_folder, add_levelled
from gandetect.graph.heatmap import add_components, add_conspicuousness, add_heatmap
from gandetect.graph.images import ImageWeights, Seen, add_images, add_networks
from gandetect.graph.score import add_evidence, add_verdict
from gandetect.graph.texture import Texture, add_energies, add_texture_map
from gandetect.image_schema import FOLDER_INPUT, IMAGE_INPUT, ImageSchema
from gandetect.images.ensemble import ImageRows
from gandetect.images.heatmap import Heat, MapScale
from gandetect.images.maps import pictures_of
from gandetect.model_file import unsealed_metadata
from gandetect.networks.images import ImagePair
from gandetect.record import answers_as_json, clear_of_steps
from gandetect.scorer import open_session, run_in_chunks

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Learned:
    """Everything that the final graph is built from.

    There are no levels without folders, no texture of images that are judged as a whole, no maps without a backbone.
    """

    schema: ImageSchema
    weights: ImageWeights
    texture: Texture | None
    scale: MapScale
    heat: Heat
    levels: Levels | None
    evidence: Evidence
    calibration: Calibration
    maps: FeatureMaps | None = None


def build_model(learned: Learned, threshold: float | None, manifest: dict[str, Any]) -> bytes:
    """Build the whole graph: raw images in, all answers out."""
    builder = GraphBuilder()
    samples, folder = add_images(builder, learned.schema), add_folder(builder, learned.schema)
    size = learned.schema.height, learned.schema.width, learned.schema.channels
    energies = add_energies(builder, samples, (size[2], *size[:2])) if learned.texture else ""
    samples = add_feature_maps(builder, samples, learned.maps) if learned.maps else samples
    seen, conspicuous, score = _add_score(builder, samples, energies, folder, learned)
    add_verdict(builder, score, learned.calibration, threshold)
    _add_looks(builder, seen)
    heat = add_heatmap(builder, conspicuous, learned.heat, learned.schema)
    builder.output("heatmap", heat, np.float32, ["n", *size[:2]])
    shown = add_pictures(builder, seen.reconstruction, learned.maps) if learned.maps else seen.reconstruction
    shown = builder.node("Mul", builder.node("Add", shown, builder.floats(1.0)), builder.floats(127.5))
    shown = builder.node("Transpose", shown, perm=[0, 2, 3, 1])
    builder.output("reconstruction", shown, np.float32, ["n", *size])
    return builder.build(unsealed_metadata(manifest))


def _add_score(
    builder: GraphBuilder, samples: str, energies: str, folder: str, learned: Learned
) -> tuple[Seen, str, str]:
    """Add the networks and the score: what they find, how conspicuous each position is, and the score, (n, 1)."""
    seen = add_networks(builder, samples, learned.weights, folder)
    maps = seen.maps
    if learned.texture:
        unexpected = add_texture_map(builder, energies, learned.texture, learned.weights.grid, folder)
        maps = builder.node("Concat", maps, unexpected, axis=1)
    conspicuous = add_conspicuousness(builder, maps, learned.scale, folder)
    components = add_components(builder, seen.values, conspicuous, learned.weights.n_highest)
    levelled = add_levelled(builder, components, learned.levels, folder)
    return seen, conspicuous, add_evidence(builder, levelled, learned.evidence)


def _add_looks(builder: GraphBuilder, seen: Seen) -> None:
    """Declare what both networks find of an image as outputs."""
    flat = builder.ints([-1])
    unreal = builder.node("Reshape", builder.node("Gather", seen.values, builder.ints([0]), axis=1), flat)
    builder.output("realness", builder.node("Sigmoid", builder.node("Neg", unreal)), np.float32, ["n"])
    builder.output("reconstruction_error", builder.node("Reshape", seen.error, flat), np.float32, ["n"])


def share_threshold(learned: Learned, rows: ImageRows, contamination: float) -> float:
    """Return the score that is exceeded by the given share of the training images, as the model file scores them."""
    builder = GraphBuilder()
    feeds = {"samples": rows.samples} | ({} if rows.energies is None else {"energies": rows.energies})
    tensors = {name: builder.input(name, np.float32, ["n", *values.shape[1:]]) for name, values in feeds.items()}
    score = _add_score(builder, tensors["samples"], tensors.get("energies", ""), add_number(builder, rows), learned)[2]
    builder.output("score", score, np.float32, ["n", 1])
    scores = run_told(builder, feeds, rows.folders, ["score"])["score"]
    return threshold_exceeded_by(contamination, scores)


def drawn_images(pair: ImagePair, maps: FeatureMaps | None, seed: int, n_images: int) -> Image:
    """Let every generator draw images, (members, n_images, height, width, channels); those of maps are read off."""
    drawn = pair.imagine(n_images, torch.Generator().manual_seed(seed)).numpy(force=True)
    if maps:
        drawn = pictures_of(drawn.reshape(-1, *drawn.shape[2:]), maps).reshape(
            *drawn.shape[:2], -1, *maps.backbone.size
        )
    return np.asarray(np.round(127.5 * (1 + np.moveaxis(drawn, 2, 4))).clip(0, 255), dtype=np.uint8)


def golden_images(learned: Learned, threshold: float | None, drawn: Image, seed: int) -> dict[str, Any]:
    """Return drawn images and what the file answers to them, as JSON values, so that any machine can check itself."""
    images = _small(drawn, seed)
    session = open_session(build_model(learned, threshold, {}))
    schema = learned.schema
    folders = [schema.folders[i % len(schema.folders)] for i in range(len(images))] if schema.folders else []
    answers = run_in_chunks(session, list(schema.outputs), schema.feeds(schema.raw(images, folders)))
    clear = clear_of_steps(answers["anomaly_score"], learned.calibration.scores, threshold, 1e-3)
    named = {FOLDER_INPUT: [folder for folder, own in zip(folders, clear, strict=True) if own]} if folders else {}
    return {
        "inputs": {IMAGE_INPUT: images[clear].tolist()} | named,
        "outputs": answers_as_json({name: schema.golden_view(name, values[clear]) for name, values in answers.items()}),
    }


def _small(drawn: Image, seed: int) -> Image:
    """Make drawn images small, and add one of noise: no real image has to be in the file."""
    planes = torch.from_numpy(drawn).permute(0, 3, 1, 2).float()
    small = torch.nn.functional.adaptive_avg_pool2d(planes, 16).permute(0, 2, 3, 1).numpy()
    noise = np.random.default_rng(seed).uniform(0, 255, (1, *small.shape[1:]))
    return np.asarray(np.concatenate([small, noise]).round(), dtype=np.uint8)


def add_number(builder: GraphBuilder, rows: ImageRows) -> str:
    """Declare the number of each image's folder as an input, where there are several."""
    return builder.input(FOLDER_INPUT, np.int64, ["n"]) if rows.n_folders > 1 else ""


def run_told(
    builder: GraphBuilder, feeds: dict[str, NDArray[Any]], folders: NDArray[np.int64], outputs: list[str]
) -> dict[str, Floats]:
    """Run a graph that may have asked for the numbers of the images' folders."""
    session = open_session(builder.build())
    asked = {FOLDER_INPUT: folders} if FOLDER_INPUT in [one.name for one in session.get_inputs()] else {}
    return run_in_chunks(session, outputs, feeds | asked, chunk_size=64)

"""Compare gandetect with other detectors on images and on embeddings of images.

Four protocols, each with its data::

    python benchmarks/images.py classes mnist.npz --seeds 0 --out mnist.jsonl
    python benchmarks/images.py surfaces magnetic_tile --seeds 0 --out surfaces.jsonl
    python benchmarks/images.py embeddings 'embeddings/*.npz' --seeds 0 --out embeddings.jsonl
    python benchmarks/images.py latency made --detectors gandetect --out latency.jsonl
    python benchmarks/images.py report mnist.jsonl

``classes``: learn one class, tell its test images from those of all other classes. ``surfaces``: a folder in MVTec AD's
layout, with masks. ``embeddings``: one vector per image; half of the normal ones train. ``latency``: milliseconds per
image on one thread, of models trained for a step on made images. In ``surfaces`` and ``latency`` the detector
``gandetect:FILE`` has a backbone; ``gandetect-no-game`` is the same detector trained without the adversarial game.
Every result is a line of JSON as soon as it is there. Seconds are those of the processor, summed over its cores.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from detectors import NoGame
from ganomaly import ConvolutionalGANomaly, GANomaly
from onnxruntime import InferenceSession, SessionOptions
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from gandetect import GANDetector, PixelEvaluator, Scorer, fit_images
from gandetect.image_schema import IMAGE_INPUT, batches
from gandetect.readers.images import ImageReader
from gandetect.readers.masks import find_mask, read_mask
from gandetect.readers.sources import Entry
from gandetect.training.losses import LOSSES

Row = dict[str, Any]
Scores = np.ndarray


# --- peers on vectors -------------------------------------------------------------------------------------------------


def knn(train: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """Mean distance to the five nearest training rows."""
    return NearestNeighbors(n_neighbors=5).fit(train).kneighbors(new)[0].mean(1)


def pca(train: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """Squared distance to the principal components that hold 95 % of the variance."""
    model = PCA(0.95, svd_solver="full").fit(train)
    return np.square(new - model.inverse_transform(model.transform(new))).sum(1)


def iforest(train: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """scikit-learn's IsolationForest."""
    return -IsolationForest(random_state=seed).fit(train).score_samples(new)


def mahalanobis(train: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """Mahalanobis distance with Ledoit and Wolf's shrunk covariance."""
    return LedoitWolf().fit(train).mahalanobis(new)


def ganomaly(train: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """GANomaly with linear layers, see `ganomaly.py`; on standardised columns."""
    torch.manual_seed(seed)
    scaler = StandardScaler().fit(train)
    return GANomaly().fit(scaler.transform(train)).decision_function(scaler.transform(new))


def ganomaly_conv(train: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """GANomaly with convolutions, for 15 epochs; on images brought to 32 x 32 pixels."""
    torch.manual_seed(seed)
    n_steps = 15 * math.ceil(len(train) / 64)
    detector = ConvolutionalGANomaly(width=16, code_dim=100, n_steps=n_steps).fit(square_images(train))
    return np.concatenate([detector.decision_function(part) for part in np.array_split(square_images(new), 20)])


def square_images(vectors: np.ndarray) -> np.ndarray:
    """Return square images, grey or in colour, of values 0 to 1 as (images, channels, 32, 32) with values -1 to 1."""
    n_values = vectors.shape[1]
    channels = 1 if math.isqrt(n_values) ** 2 == n_values else 3
    side = math.isqrt(n_values // channels)
    images = torch.from_numpy(vectors).float().reshape(-1, side, side, channels).permute(0, 3, 1, 2)
    return 2 * torch.nn.functional.interpolate(images, (32, 32), mode="bilinear").numpy() - 1


def alad(train: np.ndarray, new: np.ndarray, seed: int) -> Scores:
    """PyOD's ALAD with its defaults."""
    from pyod.models.alad import ALAD

    torch.manual_seed(seed)
    return np.asarray(ALAD().fit(train).decision_function(new))


PEERS: dict[str, Callable[[np.ndarray, np.ndarray, int], Scores]] = {
    "knn": knn,
    "pca": pca,
    "iforest": iforest,
    "mahalanobis": mahalanobis,
    "ganomaly": ganomaly,
    "ganomaly-conv": ganomaly_conv,
    "alad": alad,
}


OWN = "gandetect"
"""How the names of the package's own detectors begin."""


def fit_own(name: str, train: Any, seed: int) -> bytes:
    """Train the package's own detector: with its defaults, ``:FILE`` as its backbone, or without the game."""
    if name == f"{OWN}-no-game":
        with patch.dict(LOSSES, none=NoGame):
            return fit_images(train, seed=seed, loss="none")
    return fit_images(train, seed=seed, backbone=name.partition(":")[2] or None)


# --- protocols --------------------------------------------------------------------------------------------------------


def classes(path: str, seed: int, detectors: list[str]) -> Iterator[Row]:
    """One class against all others; images are grey without an axis for channels."""
    data = np.load(path)
    images = [data[part].reshape(*data[part].shape[:3], -1) for part in ("X_train", "X_test")]
    for number in np.unique(data["y_train"]):
        train, new = images[0][data["y_train"] == number], images[1]
        is_anomaly = data["y_test"] != number
        row = {"set": f"class {number}", "seed": seed}
        for name in detectors:
            start = time.process_time()
            if name.startswith(OWN):
                model = fit_own(name, train, seed)
                seconds = time.process_time() - start
                answers = Scorer(model)(new, ["anomaly_score", "realness", "p_value"])
                alarms = float((answers["p_value"][~is_anomaly] <= 0.05).mean())
                yield (
                    row
                    | {"detector": name, "seconds": seconds, "megabytes": len(model) / 1e6, "alarms": alarms}
                    | {
                        "auroc": float(roc_auc_score(is_anomaly, answers["anomaly_score"])),
                        "realness_auroc": float(roc_auc_score(is_anomaly, -answers["realness"])),
                    }
                )
            else:
                vectors = [part.reshape(len(part), -1) / 255.0 for part in (train, new)]
                scores = PEERS[name](*vectors, seed)
                seconds = time.process_time() - start
                yield row | {"detector": name, "seconds": seconds, "auroc": float(roc_auc_score(is_anomaly, scores))}


def surfaces(path: str, seed: int, detectors: list[str]) -> Iterator[Row]:
    """Tell defective surfaces from normal ones, and compare heat maps with masks.

    Peers see 32 x 32 pixels, but for ``patch-gaussian``.
    """
    train = [picture for images in ImageReader(path, part="train") for picture in images.arrays]
    reader = ImageReader(path, part="test")
    entries, new = [], []
    for images in reader:
        entries += images.entries
        new += images.arrays
    is_anomaly = np.array([entry.folder != "good" for entry in entries])
    row = {"set": Path(path).name, "seed": seed}
    for name in detectors:
        start = time.process_time()
        if name.startswith(OWN):
            model = fit_own(name, train, seed)
            seconds = time.process_time() - start
            scorer, evaluator = Scorer(model), PixelEvaluator()
            answers = [scorer(batch, ["anomaly_score", "p_value", "heatmap"]) for batch in batches(new)]
            scores, p_values, heat = (
                np.concatenate([part[output] for part in answers]) for output in ("anomaly_score", "p_value", "heatmap")
            )
            for entry, picture, one in zip(entries, new, heat, strict=True):
                evaluator.add(resized(one, picture.shape[:2]), mask_of(entry, picture.shape[:2]))
            pixels = evaluator.result()
            yield (
                row
                | {"detector": name, "seconds": seconds, "megabytes": len(model) / 1e6}
                | image_aurocs(scores, entries)
                | {
                    "pixel_auroc": pixels.auroc,
                    "aupro": pixels.aupro,
                    "alarms": float((p_values[~is_anomaly] <= 0.05).mean()),
                }
            )
        else:
            if name == "patch-gaussian":
                scores = patch_gaussian(train, new)
            else:
                vectors = [np.stack([small(picture) for picture in pictures]) for pictures in (train, new)]
                scores = PEERS[name](*vectors, seed)
            seconds = time.process_time() - start
            yield row | {"detector": name, "seconds": seconds} | image_aurocs(scores, entries)


def patch_gaussian(train: list[np.ndarray], new: list[np.ndarray]) -> Scores:
    """Mahalanobis distance of patches of 8 x 8 pixels, wherever they are: the mean of the highest hundredth."""

    def patches(picture: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(picture / 255.0, (8, 8), axis=(0, 1))[::4, ::4]
        return windows.reshape(-1, 64 * picture.shape[2])

    model = LedoitWolf().fit(np.concatenate([patches(picture) for picture in train]))
    distances = [np.sort(model.mahalanobis(patches(picture))) for picture in new]
    return np.array([highest[-max(1, len(highest) // 100) :].mean() for highest in distances])


def image_aurocs(scores: Scores, entries: list[Entry]) -> Row:
    """Return how well scores tell all defects, and each kind of them, from normal pictures."""
    kinds = np.array([entry.folder for entry in entries])

    def auroc(*defects: str) -> float:
        chosen = np.isin(kinds, ["good", *defects])
        return float(roc_auc_score(kinds[chosen] != "good", scores[chosen]))

    defects = sorted({*kinds} - {"good"})
    return {"auroc": auroc(*defects), "kinds": {kind: auroc(kind) for kind in defects}}


def mask_of(entry: Entry, shape: tuple[int, ...]) -> np.ndarray:
    """Return where a picture is anomalous: nowhere without a mask."""
    path = find_mask(entry.path)
    return np.zeros(shape, dtype=bool) if path is None else read_mask(path, *shape)


def resized(heat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bring a heat map to a picture's size."""
    if heat.shape == shape:
        return heat
    return torch.nn.functional.interpolate(torch.from_numpy(heat)[None, None], shape, mode="bilinear")[0, 0].numpy()


def small(picture: np.ndarray) -> np.ndarray:
    """Return a picture's 32 x 32 pixels as one row."""
    planes = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    shrunk = torch.nn.functional.interpolate(planes, (32, 32), mode="bilinear", antialias=True)
    return shrunk[0].permute(1, 2, 0).flatten().numpy()


def embeddings(pattern: str, seed: int, detectors: list[str]) -> Iterator[Row]:
    """Half of the normal vectors against the other half and all anomalous ones."""
    for path in sorted(Path(pattern).parent.glob(Path(pattern).name)):
        data = np.load(path)
        X, y = data["X"].astype(np.float64), data["y"].astype(bool)
        normal = np.random.RandomState(seed).permutation(np.flatnonzero(~y))
        seen, unseen = normal[: len(normal) // 2], normal[len(normal) // 2 :]
        new = np.concatenate([unseen, np.flatnonzero(y)])
        for name in detectors:
            start = time.process_time()
            if name == "gandetect":
                scores = GANDetector(random_state=seed).fit(X[seen]).anomaly_score(X[new])
            else:
                scaler = StandardScaler().fit(X[seen])
                scores = PEERS[name](scaler.transform(X[seen]), scaler.transform(X[new]), seed)
            seconds = time.process_time() - start
            auroc = float(roc_auc_score(y[new], scores))
            yield {"set": path.stem, "seed": seed, "detector": name, "seconds": seconds, "auroc": auroc}


def latency(path: str, seed: int, detectors: list[str]) -> Iterator[Row]:
    """Score one image after the other on one thread; the best of many counts. No backbone sees the smallest ones."""
    for side, name in product((32, 128, 256), detectors):
        backbone = name.partition(":")[2] or None
        if backbone and side == 32:
            continue
        stripes = 100 + 40 * np.sin(np.arange(side) / 3)[None, None, :, None]
        images = (
            (stripes + np.random.default_rng(seed).normal(0, 10, (12, side, side, 1))).clip(0, 255).astype(np.uint8)
        )
        model = fit_images(images, n_steps=1, seed=seed, backbone=backbone)
        options = SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
        taken = []
        for image in images[np.arange(300) % len(images), None]:
            start = time.perf_counter()
            session.run(None, {IMAGE_INPUT: image})
            taken.append(1e3 * (time.perf_counter() - start))
        row = {"set": f"{side} x {side}", "seed": seed, "detector": name}
        yield row | {"megabytes": len(model) / 1e6, "milliseconds": min(taken)}


PROTOCOLS = {"classes": classes, "surfaces": surfaces, "embeddings": embeddings, "latency": latency}


# --- report -----------------------------------------------------------------------------------------------------------


def report(path: str) -> str:
    """Return the results as a table: the mean over the sets, of the mean over the seeds and with its deviation."""
    with Path(path).open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    by_detector: dict[str, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_detector[row["detector"]][row["seed"]].append(row)
    figures = [name for name in _FIGURES if any(name in row for row in rows)]
    lines = [
        "| detector | sets | seeds | " + " | ".join(figure.replace("_", " ") for figure in figures) + " |",
        "|---" * (3 + len(figures)) + "|",
    ]
    for name, seeds in by_detector.items():
        cells = [name, str(max(len(of_seed) for of_seed in seeds.values())), str(len(seeds))]
        for figure in figures:
            means = [
                np.mean([row[figure] for row in of_seed if figure in row] or [np.nan]) for of_seed in seeds.values()
            ]
            deviation = f" ± {np.std(means):.3f}" if len(means) > 1 else ""
            cells.append("" if np.isnan(means).any() else f"{np.mean(means):.3f}{deviation}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


_FIGURES = ("auroc", "realness_auroc", "pixel_auroc", "aupro", "alarms", "megabytes", "seconds", "milliseconds")


def main() -> None:
    """Run one protocol, or show its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", choices=[*PROTOCOLS, "report"])
    parser.add_argument("data")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--detectors", default="gandetect,knn,pca,iforest,mahalanobis")
    parser.add_argument("--out", default=os.devnull)
    arguments = parser.parse_args()
    if arguments.protocol == "report":
        print(report(arguments.data))
        return
    with Path(arguments.out).open("a", encoding="utf-8") as out:
        for seed in map(int, arguments.seeds.split(",")):
            for row in PROTOCOLS[arguments.protocol](arguments.data, seed, arguments.detectors.split(",")):
                line = json.dumps(row)
                print(line, flush=True)
                out.write(f"{line}\n")
                out.flush()


if __name__ == "__main__":
    main()

"""One model for several products: every picture is judged given its folder, here a digit of MNIST.

Two sets: of all ten digits, new ones in the folder of another digit; of the even digits, odd ones in a folder. Normal
are new digits in their own folder. Every detector sees the folder or sees it not::

    python benchmarks/products.py mnist.npz --seeds 0,1,2

``alarms`` are the shares of normal pictures with a p-value of at most 0.05: of all, and in the folders with the fewest
and the most.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from gandetect import Scorer, fit_images

N_TRAIN = 300
"""Training pictures in each folder."""

Figures = dict[str, float]
Pictures = tuple[np.ndarray, np.ndarray]
"""Pictures, (n, height, width), and the numbers of their folders."""


def drawn(data: dict[str, np.ndarray], products: list[int], seed: int, *, strange: bool) -> tuple[Pictures, ...]:
    """Return training, normal and anomalous pictures with their folders."""
    random = np.random.default_rng(seed)
    labels, tested = data["y_train"], data["y_test"]
    seen = np.concatenate([random.permutation(np.flatnonzero(labels == own))[:N_TRAIN] for own in products])
    normal = np.flatnonzero(np.isin(tested, products))
    odd = np.flatnonzero(~np.isin(tested, products)) if strange else normal
    put = np.array([random.choice([folder for folder in products if folder != own]) for own in tested[odd]])
    train, new = data["X_train"], data["X_test"]
    return (train[seen], labels[seen]), (new[normal], tested[normal]), (new[odd], put)


def gandetect(train: Pictures, normal: Pictures, odd: Pictures, seed: int, *, given: bool) -> Figures:
    """Fit the package's own detector, with or without the folders."""
    model = fit_images(train[0][..., None], folders=train[1].astype(str).tolist() if given else None, seed=seed)
    scorer = Scorer(model)
    answers = [
        scorer(scorer.schema.raw(pictures[..., None], folders.astype(str).tolist()), ["anomaly_score", "p_value"])
        for pictures, folders in (normal, odd)
    ]
    alarms = answers[0]["p_value"] <= 0.05
    by_folder = [alarms[normal[1] == folder].mean() for folder in np.unique(normal[1])]
    shares = {"alarms": alarms.mean(), "fewest": min(by_folder), "most": max(by_folder)}
    return {"auroc": auroc(*(answer["anomaly_score"] for answer in answers)), **shares, "megabytes": len(model) / 1e6}


def peer(
    fit: Callable[[np.ndarray], Callable[[np.ndarray], np.ndarray]],
    train: Pictures,
    normal: Pictures,
    odd: Pictures,
    *,
    given: bool,
) -> Figures:
    """Fit a detector of vectors, one for each folder where they are given."""
    groups = [np.zeros_like(folders) if not given else folders for _, folders in (train, normal, odd)]
    flat = [pictures.reshape(len(pictures), -1) / 255 for pictures, _ in (train, normal, odd)]
    scores = [np.empty(len(vectors)) for vectors in flat[1:]]
    for group in np.unique(groups[0]):
        score = fit(flat[0][groups[0] == group])
        for own, vectors, into in zip(groups[1:], flat[1:], scores, strict=True):
            into[own == group] = score(vectors[own == group])
    return {"auroc": auroc(*scores)}


def neighbours(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Mean distance to the five nearest training pictures."""
    index = NearestNeighbors(n_neighbors=5).fit(train)
    return lambda new: index.kneighbors(new)[0].mean(1)


def components(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Squared distance to the principal components that hold 95 % of the variance."""
    model = PCA(0.95, svd_solver="full").fit(train)
    return lambda new: np.square(new - model.inverse_transform(model.transform(new))).sum(1)


def auroc(normal: np.ndarray, odd: np.ndarray) -> float:
    """Return how well scores tell both apart."""
    return float(roc_auc_score(np.repeat([0, 1], [len(normal), len(odd)]), np.concatenate([normal, odd])))


def measured(path: str, seed: int) -> dict[tuple[str, str], Figures]:
    """Return the figures of every detector on both sets."""
    data = dict(np.load(path))
    found: dict[tuple[str, str], Figures] = {}
    sets = {"another's folder": (list(range(10)), False), "no folder's own": (list(range(0, 10, 2)), True)}
    for name, (products, strange) in sets.items():
        parts = drawn(data, products, seed, strange=strange)
        for given in (True, False):
            seen = "given" if given else "without"
            start = time.process_time()
            figures = gandetect(*parts, seed, given=given)
            found[name, f"gandetect, {seen}"] = figures | {"seconds": time.process_time() - start}
            for label, fit in {"kNN": neighbours, "PCA": components}.items():
                found[name, f"{label}, {seen}"] = peer(fit, *parts, given=given)
    return found


def main() -> None:
    """Print one Markdown row for each detector and set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0, 1, 2])
    arguments = parser.parse_args()
    results = [measured(arguments.data, seed) for seed in arguments.seeds]
    names = ("auroc", "alarms", "fewest", "most", "megabytes", "seconds")
    print("| new pictures in | detector | " + " | ".join(names) + " |\n" + "|---" * (2 + len(names)) + "|")
    for key in results[0]:
        cells = [
            "" if name not in results[0][key] else f"{np.mean([found[key][name] for found in results]):.3f}"
            for name in names
        ]
        deviation = np.std([found[key]["auroc"] for found in results])
        print(f"| {key[0]} | {key[1]} | {cells[0]} ± {deviation:.3f} | " + " | ".join(cells[1:]) + " |", flush=True)


if __name__ == "__main__":
    main()

"""Take each part out of the default detector in turn, and measure what is lost.

Evidence is removed after one training, by calibrating anew with its weights at zero; whatever shapes the training needs
a training of its own. Every ``NAME.npz`` in the folder holds ``X`` (rows, columns) and ``y`` (1 = anomaly). What the
results file holds is not run again::

    python benchmarks/ablation.py DATA_FOLDER --seeds 0,1,2 --output results/ablation.csv
    python benchmarks/ablation.py --table --output results/ablation.csv
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from detectors import NoGame
from options import names, options, parsed
from sklearn.metrics import average_precision_score, roc_auc_score
from splits import SETTINGS, Split

from gandetect import TableSettings
from gandetect.networks.tables import TablePair
from gandetect.scorer import Scorer
from gandetect.tables import fitting as table_fitting
from gandetect.tables.ensemble import TableRows
from gandetect.tables.frames import array_columns, array_schema
from gandetect.tables.negatives import REFERENCES, SCORED
from gandetect.training.losses import LOSSES

PLAIN = TableSettings(n_planted=0)
"""The defaults; the certificate costs time and has no part in the score."""

DEFAULT = "nothing"

FAR = ("along-1", "inflated", "uniform", "shuffled")
"""The kinds of noise that leave most rows far behind, as against those just beside a row or on a line between two."""

EVIDENCE: dict[str, dict[str, float]] = {
    DEFAULT: {},
    "realness": {"realness_weight": 0.0, "strong_realness_weight": 0.0},
    "strong realness": {"strong_realness_weight": 0.0},
    "recall": {"recall_weight": 0.0},
    "strong typical": {"strong_typical_weight": 0.0},
    "reconstruction": {"reconstruction_weight": 0.0},
    "excess": {"excess_weight": 0.0},
}
"""The settings that take a part of the score out, by its name."""

ASSEMBLY: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "linear path": lambda: patch.object(TableRows, "linear_path", lambda rows, column_of: None),
}
"""What takes a part out of what was trained, by its name."""

TRAINING: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "the game": lambda: patch.dict(LOSSES, logistic=NoGame),
    "caution towards islands": lambda: patch.object(table_fitting, "find_islands", _no_islands),
    "hidden cells": lambda: patch.object(TablePair, "HIDDEN_ROWS", 0.0),
    "heads beside the scored ones": lambda: patch.dict(REFERENCES, {n: REFERENCES[n] for n in SCORED}, clear=True),
    "heads for near noise": lambda: patch.dict(REFERENCES, {n: REFERENCES[n] for n in FAR}, clear=True),
}
"""What takes a part of the training out, by its name."""

PARTS = [*EVIDENCE, *ASSEMBLY, *TRAINING]


def measure(split: Split, seed: int, parts: list[str]) -> Iterator[tuple[str, float, float]]:
    """Yield AUROC and AP in percent without each part."""
    with patch.object(table_fitting, "train_ensemble", _once(table_fitting.train_ensemble)):
        for part in parts:
            if part not in TRAINING:
                with ASSEMBLY.get(part, nullcontext)():
                    yield part, *_accuracy(split, seed, replace(PLAIN, **EVIDENCE.get(part, {})))
    for part in parts:
        if part in TRAINING:
            with TRAINING[part]():
                yield part, *_accuracy(split, seed, PLAIN)


def _no_islands(samples: np.ndarray, seed: int) -> np.ndarray:
    return np.zeros(len(samples), dtype=bool)


def _once(train_ensemble: Callable[..., Any]) -> Callable[..., Any]:
    """Train all members the first time only; sick ones are trained again each time."""
    trained: list[Any] = []

    def train_or_recall(*arguments: Any, members: Any = None, **options: Any) -> Any:
        if members is not None:
            return train_ensemble(*arguments, members=members, **options)
        if not trained:
            trained.append(train_ensemble(*arguments, **options))
        return trained[0]

    return train_or_recall


def _accuracy(split: Split, seed: int, settings: TableSettings) -> tuple[float, float]:
    schema = array_schema(split.X_train.shape[1])
    columns, new = (array_columns(X, schema) for X in (split.X_train, split.X_test))
    model = table_fitting.fit_table(columns, schema, settings=settings, seed=seed)
    score = Scorer(model)(new, ["anomaly_score"])["anomaly_score"]
    return 100 * roc_auc_score(split.y_test, score), 100 * average_precision_score(split.y_test, score)


def run(arguments: argparse.Namespace) -> None:
    """Measure what the results file does not hold yet, set by set."""
    results = pd.read_csv(arguments.output) if arguments.output.exists() else pd.DataFrame(columns=FIELDS)
    done = set(results[FIELDS[:4]].itertuples(index=False, name=None))
    for seed in arguments.seeds:
        for path in sorted(arguments.folder.glob("*.npz")):
            run_of = (arguments.setting, path.stem, seed)
            parts = [part for part in arguments.without if (*run_of, part) not in done]
            if not parts:
                continue
            with np.load(path) as file:
                split = SETTINGS[arguments.setting](file["X"].astype(float), file["y"].astype(int), seed)
            rows = [(*run_of, part, round(auroc, 4), round(ap, 4)) for part, auroc, ap in measure(split, seed, parts)]
            pd.DataFrame(rows, columns=FIELDS).to_csv(
                arguments.output, mode="a", header=not arguments.output.exists(), index=False, lineterminator="\n"
            )
            print(f"{arguments.setting} {path.stem} seed {seed}", file=sys.stderr, flush=True)


FIELDS = ["setting", "set", "seed", "without", "auroc", "ap"]


def table(results: pd.DataFrame) -> str:
    """Return what each part is worth: the default minus the detector without it, mean and 95 % bootstrap interval."""
    lines = [
        "| setting | without | AUROC | AP | the part is worth: AUROC | AP |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for setting, of_setting in results.groupby("setting", sort=False):
        by_set = of_setting.groupby(["without", "set"], sort=False)[["auroc", "ap"]].mean()
        for part in [part for part in PARTS if part in by_set.index]:
            worth = by_set.loc[DEFAULT] - by_set.loc[part]
            mean = by_set.loc[part].mean()
            cells = ["", ""] if part == DEFAULT else [interval(worth[name].to_numpy()) for name in ("auroc", "ap")]
            lines.append(f"| {setting} | {part} | {mean.auroc:.2f} | {mean.ap:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def interval(values: np.ndarray) -> str:
    """Return the mean and its bootstrap interval over the sets."""
    drawn = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{values.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def parts_named(text: str) -> list[str]:
    """Split a list of parts and refuse unknown ones."""
    unknown = [name for name in names(text) if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(PARTS)}, found {', '.join(unknown)}")
    return names(text)


def main() -> None:
    """Run the ablation or render its results."""
    parser = options(__doc__, "ablation.csv")
    parser.add_argument("--setting", choices=SETTINGS, default="one-class")
    parser.add_argument("--without", type=parts_named, default=PARTS, help="parts, a,b; default: all")
    arguments = parsed(parser)
    if arguments.table:
        print(table(pd.read_csv(arguments.output)))
    else:
        run(arguments)


if __name__ == "__main__":
    main()

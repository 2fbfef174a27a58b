"""Do p-values keep what they promise? False alarms among held-out normal rows, and the false discovery rate.

Every ``NAME.npz`` in the folder holds ``X`` (rows, columns) and ``y`` (1 = anomaly). A random half of the normal rows
trains; the other half and all anomalies are scored. One row of results per set and seed is appended to a CSV file::

    python benchmarks/calibration.py DATA_FOLDER --seeds 0,1,2,3,4 --output benchmarks/results/calibration.csv
    python benchmarks/calibration.py --table --output benchmarks/results/calibration.csv
"""

from __future__ import annotations

import csv
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from options import options, parsed
from scipy.stats import betabinom
from splits import split_one_class

LEVELS = (0.01, 0.05, 0.1)
"""False-alarm rates that are checked."""

RATE = 0.1
"""False discovery rate that is asked for."""

CENTRAL = 0.99
"""Probability of the interval in which the number of false alarms should lie."""


def flagged(p_values: np.ndarray, level: float) -> int:
    """Count the rows that a model file flags at a level: it compares in single precision."""
    return int((p_values <= np.float32(level)).sum())


def measure(path: Path, seed: int) -> dict[str, Any]:
    """Fit on one split and count false alarms and discoveries, as shipped and without the correction for averaging."""
    import gandetect.tables.calibration
    from gandetect import GANDetector, PValueCounts
    from gandetect.calibration import calibrate

    with np.load(path) as file:
        split = split_one_class(file["X"].astype(np.float64), file["y"].astype(int), seed)
    with mock.patch.object(gandetect.tables.calibration, "calibrate", wraps=calibrate) as calibration:
        detector = GANDetector(random_state=seed).fit(split.X_train)
    plain = calibrate(calibration.call_args.args[0])
    p_values = detector.p_value(split.X_test)
    normal = split.y_test == 0
    at = np.searchsorted(plain.scores, detector.anomaly_score(split.X_test).astype(np.float32))
    counts = PValueCounts()
    counts.add(p_values)
    found = p_values <= counts.discovery_limit(RATE)
    return {
        "set": path.stem,
        "seed": seed,
        "n_train": len(split.X_train),
        "n_normal": int(normal.sum()),
        "n_anomalies": int((~normal).sum()),
        **{f"flagged_at_{level}": flagged(p_values[normal], level) for level in LEVELS},
        **{f"plain_flagged_at_{level}": flagged(plain.p_values[at][normal], level) for level in LEVELS},
        "found": int(found.sum()),
        "found_normal": int(found[normal].sum()),
    }


def expected(n_train: int, n_normal: int, level: float) -> tuple[float, float] | None:
    """Return the central interval of the number of false alarms; None where no p-value is as small as the level."""
    rank = int(np.floor(level * (n_train + 1) + 1e-9))
    if rank < 1:
        return None
    count = betabinom(n_normal, rank, n_train + 1 - rank)
    return float(count.ppf((1 - CENTRAL) / 2)), float(count.ppf((1 + CENTRAL) / 2))


def judged(results: pd.DataFrame, prefix: str) -> Iterator[tuple[float, float, str]]:
    """Yield level, share of normal rows flagged and whether their number is as expected, for every set and seed."""
    for row in results.to_dict("records"):
        for level in LEVELS:
            interval = expected(row["n_train"], row["n_normal"], level)
            if interval is not None:
                count = row[f"{prefix}flagged_at_{level}"]
                verdict = "fewer" if count < interval[0] else "more" if count > interval[1] else "as expected"
                yield level, count / row["n_normal"], verdict


def false_alarm_table(results: pd.DataFrame, prefix: str) -> str:
    """Render how often the number of false alarms is as expected."""
    frame = pd.DataFrame(judged(results, prefix), columns=["level", "share", "verdict"])
    lines = [
        "| level | cases | mean share flagged | as expected | fewer | more |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, group in [*((f"{level:g}", frame[frame.level == level]) for level in LEVELS), ("all", frame)]:
        shares = [f"{100 * (group.verdict == verdict).mean():.1f} %" for verdict in ("as expected", "fewer", "more")]
        mean = "-" if name == "all" else f"{group.share.mean():.4f}"
        lines.append(f"| {name} | {len(group)} | {mean} | {' | '.join(shares)} |")
    return "\n".join(lines)


def discovery_table(results: pd.DataFrame) -> str:
    """Render the false discovery rate and the power, over the seeds, of every set."""
    results = results.assign(
        false=results.found_normal / results.found.clip(lower=1),
        power=(results.found - results.found_normal) / results.n_anomalies,
        needed=np.ceil((results.n_normal + results.n_anomalies) / (RATE * (results.n_train + 1))),
    )
    lines = [
        "| set | training rows | normal | anomalies | needed at the smallest p | false discoveries | power |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, group in results.groupby("set", sort=True):
        first = group.iloc[0]
        cells = [name, *(str(first[column]) for column in ("n_train", "n_normal", "n_anomalies"))]
        lines.append(
            f"| {' | '.join(cells)} | {first.needed:.0f} | {group.false.mean():.3f} | {group.power.mean():.3f} |"
        )
    lines.append(f"| mean | | | | | {results.false.mean():.3f} | {results.power.mean():.3f} |")
    return "\n".join(lines)


def report(results: pd.DataFrame) -> str:
    """Render all tables as Markdown."""
    seeds = ", ".join(str(seed) for seed in sorted(results.seed.unique()))
    return "\n\n".join(
        [
            f"{results.set.nunique()} sets, seeds {seeds}.",
            false_alarm_table(results, ""),
            "Without the correction for averaging:",
            false_alarm_table(results, "plain_"),
            f"Benjamini and Hochberg at {RATE:g}:",
            discovery_table(results),
        ]
    )


def run_all(folder: Path, seeds: list[int], output: Path) -> None:
    """Measure what the results file does not hold yet."""
    done = (
        set() if not output.exists() else set(pd.read_csv(output)[["set", "seed"]].itertuples(index=False, name=None))
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for path in sorted(folder.glob("*.npz")):
            if (path.stem, seed) in done:
                continue
            with warnings.catch_warnings(action="ignore"):  # how the training went is not measured here
                result = measure(path, seed)
            is_new = not output.exists()
            with output.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(result), lineterminator="\n")
                if is_new:
                    writer.writeheader()
                writer.writerow(result)
            print(f"{path.stem} seed {seed}", file=sys.stderr, flush=True)


def main() -> None:
    """Run the benchmark or render its results."""
    arguments = parsed(options(__doc__, "calibration.csv"))
    if arguments.table:
        print(report(pd.read_csv(arguments.output)))
    else:
        run_all(arguments.folder, arguments.seeds, arguments.output)


if __name__ == "__main__":
    main()

"""What a detector costs: seconds of `fit`, size of the file, rows per second, CPU time of a `score` process.

    python benchmarks/cost.py

Prints a Markdown table. Processes are run several times and the smallest CPU time counts; ratios are of one run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gandetect import GANDetector

BARE = "import numpy, onnxruntime"


def made_rows(n_rows: int, n_columns: int, seed: int = 0) -> np.ndarray:
    """Return correlated normal columns."""
    random = np.random.default_rng(seed)
    return random.normal(size=(n_rows, n_columns)) @ np.random.default_rng(1).normal(size=(n_columns, n_columns))


def seconds_to_fit(n_rows: int, n_columns: int) -> tuple[float, GANDetector]:
    """Return the wall-clock seconds of one fit with the defaults, and the detector."""
    X = made_rows(n_rows, n_columns)
    start = time.perf_counter()
    detector = GANDetector(random_state=0).fit(X)
    return time.perf_counter() - start, detector


def rows_per_second(detector: GANDetector, n_columns: int, n_rows: int = 100_000) -> float:
    """Return how fast raw rows are scored, one thread."""
    X = made_rows(n_rows, n_columns, seed=2)
    columns = {f"x{i}": X[:, i] for i in range(n_columns)}
    start = time.perf_counter()
    detector.scorer_(columns, ["anomaly_score", "p_value", "is_anomaly"])
    return n_rows / (time.perf_counter() - start)


def cpu_seconds(command: list[str], folder: Path, repeats: int = 7) -> float:
    """Return the smallest user and system time of a process."""
    times = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def score_process_ratio(detector: GANDetector, n_columns: int, n_rows: int) -> tuple[float, float]:
    """Return the CPU seconds of `gandetect score` and its ratio to a bare import of numpy and onnxruntime."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        detector.save(folder / "gandetect.onnx")
        header = ",".join(f"x{i}" for i in range(n_columns))
        np.savetxt(
            folder / "new.csv", made_rows(n_rows, n_columns, 3), delimiter=",", header=header, comments="", fmt="%.6g"
        )
        command = [str(Path(sys.executable).with_name("gandetect")), "score", "new.csv", "-o", "scored.csv"]
        score = cpu_seconds(command, folder)
        return score, score / cpu_seconds([sys.executable, "-c", BARE], folder)


def main() -> None:
    """Measure and print."""
    small, detector = seconds_to_fit(2_000, 20)
    large, _ = seconds_to_fit(20_000, 20)
    _, wide = seconds_to_fit(2_000, 30)
    score, ratio = score_process_ratio(detector, 20, 1_000)
    rows = [
        ("fit, 2 000 rows x 20 columns", f"{small:.1f} s"),
        ("fit, 20 000 rows x 20 columns", f"{large:.1f} s ({large / small:.2f} times as long)"),
        ("model file, 20 / 30 columns", f"{len(detector.model_) / 1e3:.0f} kB / {len(wide.model_) / 1e3:.0f} kB"),
        ("rows per second, 20 columns, one thread", f"{rows_per_second(detector, 20):,.0f}"),
        ("`score` process, 1 000 rows, CPU time", f"{score:.2f} s, {ratio:.2f} x `python -c '{BARE}'`"),
    ]
    print("| what | measured |\n|---|---|")
    for what, measured in rows:
        print(f"| {what} | {measured} |")


if __name__ == "__main__":
    main()

"""What a model file costs where it is used: latency, throughput, size, load, memory, start; with peers in the same run.

    python benchmarks/edge.py [--rows 1000000]

Prints Markdown tables. Contenders take turns, several times, and the best of each counts: what else the machine does
hits all of them. One thread for everything, and of rows seconds of the processor are counted; the fastest reader of the
CSV file may use all processors. No rows: without that file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is loaded

import numpy as np
from cost import made_rows
from onnxruntime import RunOptions
from pyod.models.alad import ALAD
from pyod.models.ecod import ECOD
from pyod.models.knn import KNN
from sklearn.ensemble import IsolationForest

from gandetect import GANDetector, Scorer, export_model
from gandetect.scorer import open_session

ANSWERS = ["anomaly_score", "p_value", "is_anomaly"]
N_COLUMNS, N_TRAINING, BATCH, N_BATCHES = 20, 5_000, 1_000, 20
BARE = "import numpy, onnxruntime"
COMMAND = str(Path(sys.executable).with_name("gandetect"))

Score = Callable[[np.ndarray], object]


@dataclass
class Used:
    """What a process used: seconds of the clock and of processors, MB of memory at its largest."""

    wall: float
    cpu: float
    memory: float


# --- latency and throughput -------------------------------------------------------------------------------------------


def contenders(models: dict[str, bytes]) -> dict[str, Score]:
    """Return functions that score rows, by name; peers are fitted on the same rows."""
    rows = made_rows(N_TRAINING, N_COLUMNS)
    forest = IsolationForest(random_state=0).fit(rows)
    runs: dict[str, Score] = {}
    for name, model in models.items():
        runs |= {f"{name}, the graph": _graph(model), f"{name}, `Scorer`": _scorer(model)}
    runs |= {
        "IsolationForest, scikit-learn": forest.score_samples,
        "IsolationForest, skl2onnx": _through_onnx(forest, rows),
    }
    for peer in (KNN(method="mean"), ALAD(), ECOD()):
        runs[f"{type(peer).__name__}, PyOD"] = peer.fit(rows).decision_function
    return runs


def _columns(X: np.ndarray) -> dict[str, np.ndarray]:
    return {f"x{i}": X[:, i] for i in range(N_COLUMNS)}


def _graph(model: bytes) -> Score:
    session, options = open_session(model), RunOptions()
    options.only_execute_path_to_fetches = True
    return lambda X: session.run(ANSWERS, _columns(X), options)


def _scorer(model: bytes) -> Score:
    scorer = Scorer(model)
    return lambda X: scorer(_columns(X), ANSWERS)


def _through_onnx(forest: IsolationForest, rows: np.ndarray) -> Score:
    from skl2onnx import to_onnx

    model = to_onnx(forest, rows[:1].astype(np.float32), target_opset={"": 18, "ai.onnx.ml": 3})
    session = open_session(model.SerializeToString())
    name = session.get_inputs()[0].name
    return lambda X: session.run(None, {name: X.astype(np.float32)})


def best_median(runs: dict[str, Score], X: np.ndarray, repeats: int, rounds: int) -> dict[str, float]:
    """Return each contender's median seconds for `X`, the best of several rounds in which all take turns."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            best[name] = min(best[name], float(np.median([_seconds(run, X) for _ in range(repeats)])))
    return best


def _seconds(run: Score, X: np.ndarray) -> float:
    start = time.process_time()
    run(X)
    return time.process_time() - start


def speed_lines(models: dict[str, bytes], rounds: int) -> Iterator[str]:
    """Yield one line for each contender."""
    runs = contenders(models)
    one = best_median(runs, made_rows(1, N_COLUMNS, 2), 50, rounds)
    batch = best_median(runs, made_rows(BATCH, N_COLUMNS, 2), 5, rounds)
    forest = batch["IsolationForest, scikit-learn"]
    yield "| scores | one row, p50 | rows/s in batches of 1 000 | times scikit-learn's IsolationForest |"
    yield "|---|---|---|---|"
    for name in runs:
        yield f"| {name} | {1e6 * one[name]:.0f} us | {BATCH / batch[name]:,.0f} | {forest / batch[name]:.2f} |"


# --- the file and the process -----------------------------------------------------------------------------------------


def load_seconds(model: bytes) -> float:
    """Return the seconds that ONNX Runtime takes to open a model."""
    return min(_seconds(lambda _: open_session(model), np.empty(0)) for _ in range(20))


def used(command: list[str], folder: Path, repeats: int) -> Used:
    """Run a command several times; return the least of everything."""
    launched = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    runs = [
        json.loads(subprocess.run(launched, cwd=folder, check=True, capture_output=True).stdout) for _ in range(repeats)
    ]
    return Used(*(min(figures) for figures in zip(*runs, strict=True)))


LAUNCHER = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
wall = time.perf_counter() - start
process.returncode = os.waitstatus_to_exitcode(status)
print([wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024])
sys.exit(process.returncode)
"""
"""Runs a command from a small process: a child inherits the memory of its parent in what the system says of it."""


def write_rows(path: Path, n_rows: int) -> None:
    """Write rows of 20 numbers with six digits."""
    header = ",".join(f"x{i}" for i in range(N_COLUMNS))
    np.savetxt(path, made_rows(n_rows, N_COLUMNS, 3), delimiter=",", header=header, comments="", fmt="%.6g")


def process_lines(folder: Path, names: Iterable[str], n_rows: int) -> Iterator[str]:
    """Yield what whole processes use: one row, and many."""
    score = {name: [COMMAND, "score", "--quiet", "-m", f"{name}.onnx", "-o", "scored.csv"] for name in names}
    bare = used([sys.executable, "-c", BARE], folder, 15)
    write_rows(folder / "one.csv", 1)
    yield "| process | wall s | CPU s | memory MB |\n|---|---|---|---|"
    yield _process_line(f"`python -c '{BARE}'`", bare)
    for name, command in score.items():
        one = used([*command, "one.csv"], folder, 15)
        yield _process_line(f"`score`, 1 row, {name}: {one.cpu / bare.cpu:.2f} x the CPU time", one)
    if not n_rows:
        return
    write_rows(folder / "many.csv", n_rows)
    readers = {name: used([sys.executable, "-c", code], folder, 2) for name, code in READERS.items()}
    fastest = min(reader.wall for reader in readers.values())
    for name, command in score.items():
        many = used([*command, "many.csv"], folder, 2)
        yield _process_line(f"`score`, {n_rows:,} rows, {name}: {many.wall / fastest:.1f} x the fastest reader", many)
    for name, reader in readers.items():
        yield _process_line(f"reading {n_rows:,} rows: {name}", reader)


READERS = {
    "csv": "import csv\nfor row in csv.reader(open('many.csv', newline='')): pass",
    "numpy.loadtxt": "import numpy; numpy.loadtxt('many.csv', delimiter=',', skiprows=1)",
    "pandas": "import pandas; pandas.read_csv('many.csv')",
    "pyarrow": "import pyarrow.csv; pyarrow.csv.read_csv('many.csv')",
    "polars": "import polars; polars.read_csv('many.csv')",
}
"""Programs that only read the file; interpreters and imports are part of the time, as they are of `score`."""


def _process_line(name: str, run: Used) -> str:
    return f"| {name} | {run.wall:.2f} | {run.cpu:.2f} | {run.memory:.0f} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="Rows of the large CSV file.")
    parser.add_argument("--rounds", type=int, default=10, help="How often the contenders take turns.")
    options = parser.parse_args()
    model = GANDetector(random_state=0).fit(made_rows(N_TRAINING, N_COLUMNS)).model_
    models = {
        "default": model,
        "half": export_model(model, storage="fp16").model,
        "distilled": export_model(model, distill=True).model,
    }
    print("| file | kB | opened by ONNX Runtime in |\n|---|---|---|")
    for name, contents in models.items():
        print(f"| {name} | {len(contents) / 1e3:.0f} | {1e3 * load_seconds(contents):.1f} ms |")
    print()
    for line in speed_lines(models, options.rounds):
        print(line)
    print()
    with tempfile.TemporaryDirectory() as folder:
        for name, contents in models.items():
            (Path(folder) / f"{name}.onnx").write_bytes(contents)
        for line in process_lines(Path(folder), ("default", "distilled"), options.rows):
            print(line)


if __name__ == "__main__":
    main()

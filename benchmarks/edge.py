"""What a model file costs where it is used: latency, throughput, size, load, memory, start; with peers in the same run.

    python benchmarks/edge.py [--parts files,speed,start,table] [--rows 1000000]

Prints Markdown tables. Contenders take turns, several times, and the best of each counts: what else the machine does
hits all of them. One thread for everything, and of rows seconds of the processor are counted; readers of the CSV file
may use all processors.
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
from pyod.models.alad import ALAD
from pyod.models.ecod import ECOD
from pyod.models.knn import KNN
from sklearn.ensemble import IsolationForest

from gandetect import GANDetector, Scorer, export_model
from gandetect.modality import VERDICT
from gandetect.scorer import open_session

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
    session = open_session(model)
    return lambda X: session.run(VERDICT, _columns(X))  # ONNX Runtime computes all other outputs, too


def _scorer(model: bytes) -> Score:
    scorer = Scorer(model)
    return lambda X: scorer(_columns(X), VERDICT)


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


def file_lines(models: dict[str, bytes]) -> Iterator[str]:
    """Yield one line for each model file."""
    yield "| file | kB | opened by ONNX Runtime in | checked and opened by `Scorer` in, with its first answer |"
    yield "|---|---|---|---|"
    row = made_rows(1, N_COLUMNS, 2)
    for name, contents in models.items():
        opened = least_seconds(lambda _, model=contents: open_session(model), row)
        answered = least_seconds(lambda X, model=contents: _scorer(model)(X), row)
        yield f"| {name} | {len(contents) / 1e3:.0f} | {1e3 * opened:.1f} ms | {1e3 * answered:.1f} ms |"


def least_seconds(run: Score, X: np.ndarray) -> float:
    """Return the seconds that something takes, the least of 20 times."""
    return min(_seconds(run, X) for _ in range(20))


def best_of(commands: dict[str, list[str]], folder: Path, rounds: int) -> dict[str, Used]:
    """Run commands in turn, several times; return the least of everything for each."""
    runs: dict[str, list[list[float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            launched = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
            process = subprocess.run(launched, cwd=folder, check=True, capture_output=True)
            runs[name].append(json.loads(process.stdout))
    return {name: Used(*(min(figures) for figures in zip(*found, strict=True))) for name, found in runs.items()}


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


def score_command(model: str, data: str, *, with_pyarrow: bool = False) -> list[str]:
    """Return what scores a file; without pyarrow as if it were not installed."""
    program = [COMMAND] if with_pyarrow else [sys.executable, "-c", WITHOUT_PYARROW]
    return [*program, "score", "--quiet", "-m", f"{model}.onnx", "-o", f"scored_{model}.csv", data]


WITHOUT_PYARROW = "import sys; sys.modules['pyarrow'] = None; from gandetect_cli.main import run; run()"


def start_lines(folder: Path, models: Iterable[str]) -> Iterator[str]:
    """Yield what whole processes use for one row."""
    write_rows(folder / "one.csv", 1)
    commands = {f"`score`, 1 row, {model}": score_command(model, "one.csv", with_pyarrow=True) for model in models}
    bare, *runs = best_of({BARE: [sys.executable, "-c", BARE], **commands}, folder, 15).values()
    yield "| process | wall s | CPU s | times the CPU time | memory MB |\n|---|---|---|---|---|"
    for name, run in zip((f"`python -c '{BARE}'`", *commands), (bare, *runs), strict=True):
        yield f"| {name} | {run.wall:.2f} | {run.cpu:.2f} | {run.cpu / bare.cpu:.2f} | {run.memory:.0f} |"


def table_lines(folder: Path, models: Iterable[str], n_rows: int, rounds: int) -> Iterator[str]:
    """Yield what whole processes use for a table, a twentieth of it, and for reading it alone."""
    sizes = (n_rows // 20, n_rows)
    for size in sizes:
        write_rows(folder / f"{size}.csv", size)
    commands = {
        f"`score`, {size:,} rows, {model}": score_command(model, f"{size}.csv") for model in models for size in sizes
    }
    commands |= {
        f"`score`, {n_rows:,} rows, {model}, with pyarrow": score_command(model, f"{n_rows}.csv", with_pyarrow=True)
        for model in models
    }
    readers = {
        f"reading {n_rows:,} rows: {name}": [sys.executable, "-c", code.format(f"{n_rows}.csv")]
        for name, code in READERS.items()
    }
    runs = best_of(commands | readers, folder, rounds)
    wall, cpu = min(runs[name].wall for name in readers), min(runs[name].cpu for name in readers)
    yield "| process | wall s | times the fastest reader | CPU s | times the thriftiest reader | memory MB |"
    yield "|---|---|---|---|---|---|"
    for name, run in runs.items():
        yield (
            f"| {name} | {run.wall:.2f} | {run.wall / wall:.1f} | {run.cpu:.2f} | {run.cpu / cpu:.1f} "
            f"| {run.memory:.0f} |"
        )


READERS = {
    "csv": "import csv\nfor row in csv.reader(open('{}', newline='')): pass",
    "numpy.loadtxt": "import numpy; numpy.loadtxt('{}', delimiter=',', skiprows=1)",
    "pandas": "import pandas; pandas.read_csv('{}')",
    "pyarrow": "import pyarrow.csv; pyarrow.csv.read_csv('{}')",
    "polars": "import polars; polars.read_csv('{}')",
}
"""Programs that only read the file; interpreters and imports are part of the time, as they are of `score`."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="files,speed,start,table", help="What to measure, in this order.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="Rows of the table.")
    parser.add_argument("--rounds", type=int, default=10, help="How often the contenders take turns.")
    parser.add_argument("--table-rounds", type=int, default=3, help="How often they do with the table.")
    options = parser.parse_args()
    model = GANDetector(random_state=0).fit(made_rows(N_TRAINING, N_COLUMNS)).model_
    models = {
        "default": model,
        "half": export_model(model, storage="fp16").model,
        "distilled": export_model(model, distill=True).model,
    }
    whole = ("default", "distilled")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model_name, contents in models.items():
            (folder / f"{model_name}.onnx").write_bytes(contents)
        parts: dict[str, Callable[[], Iterator[str]]] = {
            "files": lambda: file_lines(models),
            "speed": lambda: speed_lines(models, options.rounds),
            "start": lambda: start_lines(folder, whole),
            "table": lambda: table_lines(folder, whole, options.rows, options.table_rounds),
        }
        for part in options.parts.split(","):
            print(*parts[part](), sep="\n", end="\n\n", flush=True)


if __name__ == "__main__":
    main()

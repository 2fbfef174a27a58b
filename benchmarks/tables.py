"""Compare detectors on a folder of labelled tables: accuracy, false alarms and seconds.

Every ``NAME.npz`` in the folder holds ``X`` (rows, columns) and ``y`` (1 = anomaly). Results are appended to a CSV file
one by one; what is already in it is not run again, so an interrupted run goes on where it stopped::

    python benchmarks/tables.py DATA_FOLDER --output results.csv
    python benchmarks/tables.py --table --output results.csv
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from detectors import DETECTORS
from sklearn.metrics import average_precision_score, roc_auc_score

FIELDS = (
    "setting",
    "set",
    "seed",
    "detector",
    "n_train",
    "n_test",
    "auroc",
    "ap",
    "fit_seconds",
    "score_seconds",
    "flagged_at_0.05",
    "flagged_at_0.1",
    "error",
)
KEY = ["setting", "set", "seed", "detector"]
ALPHAS = (0.05, 0.1)

Result = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One detector on one set with one seed."""

    setting: str
    path: Path
    seed: int
    detector: str

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies the run in the results, as text."""
        return (self.setting, self.path.stem, str(self.seed), self.detector)


@dataclass(frozen=True)
class Split:
    """The rows to train on, the rows to score, and the labels of the latter (1 = anomaly)."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def split_one_class(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    """Train on a random half of the normal rows; test on the other half and every anomaly."""
    normal = np.random.RandomState(seed).permutation(np.flatnonzero(y == 0))
    half = len(normal) // 2
    test = np.concatenate([normal[half:], np.flatnonzero(y == 1)])
    return Split(X[normal[:half]], X[test], y[test])


def split_contaminated(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    """Train on all rows, anomalies included, and score the same rows."""
    return Split(X, X, y)


SETTINGS = {"one-class": split_one_class, "contaminated": split_contaminated}


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what the function returns and the wall-clock seconds that it took."""
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def accuracy(y: np.ndarray, scores: np.ndarray) -> Result:
    """Return AUROC and average precision in percent."""
    return {"auroc": 100 * roc_auc_score(y, scores), "ap": 100 * average_precision_score(y, scores)}


def flagged_normal(split: Split, p_value: Callable[[np.ndarray], np.ndarray]) -> Result:
    """Return the share of held-out normal rows that would raise an alarm at each false-alarm rate."""
    p_values = p_value(split.X_test[split.y_test == 0])
    return {f"flagged_at_{alpha}": float(np.mean(p_values <= alpha)) for alpha in ALPHAS}


def measure(run: Run) -> list[Result]:
    """Train and score; return one result for the detector and one for each of its parts."""
    with np.load(run.path) as file:
        X, y = file["X"].astype(np.float64), file["y"].astype(int)
    split = SETTINGS[run.setting](X, y, run.seed)
    detector = DETECTORS[run.detector]
    import_module(detector.module)
    fitted, fit_seconds = timed(lambda: detector.fit(split.X_train, run.seed))
    scores, score_seconds = timed(lambda: fitted.score(split.X_test))
    common = {**identity(run), "n_train": len(split.X_train), "n_test": len(split.X_test)}
    common |= {"fit_seconds": fit_seconds, "score_seconds": score_seconds}
    alarms = flagged_normal(split, fitted.p_value) if fitted.p_value and run.setting == "one-class" else {}
    parts = fitted.parts(split.X_test) if fitted.parts else {}
    return [
        {**common, **accuracy(split.y_test, scores), **alarms},
        *(
            {**common, "detector": f"{run.detector}:{name}", **accuracy(split.y_test, part)}
            for name, part in parts.items()
        ),
    ]


def identity(run: Run) -> Result:
    """Return the fields that name the run."""
    return dict(zip(KEY, run.key, strict=True))


def measure_or_report(run: Run) -> list[Result]:
    """Measure; a detector that fails becomes a row with its error, so that the others go on."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return measure(run)
    except Exception as error:  # any failure of any peer is a result
        return [{**identity(run), "error": f"{type(error).__name__}: {error}".replace("\n", " ")[:300]}]


def measure_all(runs: list[Run], jobs: int) -> Iterator[list[Result]]:
    """Yield the results of each run, in order, with so many runs at a time."""
    if jobs == 1:
        yield from map(measure_or_report, runs)
        return
    # Forking a process in which torch has started its threads can hang.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(measure_or_report, runs)


def keys_done(path: Path) -> set[tuple[str, ...]]:
    """Return the keys of the runs that the results file already holds; one that failed is tried again."""
    if not path.exists():
        return set()
    with path.open(newline="", encoding="utf-8") as file:
        return {tuple(row[name] for name in KEY) for row in csv.DictReader(file) if not row["error"]}


def append(path: Path, results: Iterable[Result]) -> None:
    """Add results to the file, which gets its header with the first."""
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if is_new:
            writer.writeheader()
        for result in results:
            writer.writerow({name: short(value) for name, value in result.items()})


def short(value: Any) -> Any:
    """Round floats for the file: four decimals of a percent or a second are plenty."""
    return round(value, 4) if isinstance(value, float) else value


def describe(result: Result) -> str:
    """Return one line for the terminal."""
    name = f"{result['set']} seed {result['seed']} {result['detector']}"
    if "error" in result:
        return f"{name}: {result['error']}"
    return f"{name}: AUROC {result['auroc']:.2f}, AP {result['ap']:.2f}, fit {result['fit_seconds']:.1f} s"


def run_all(arguments: argparse.Namespace) -> None:
    """Run what the results file does not hold yet."""
    done = keys_done(arguments.output)
    runs = [run for run in planned(arguments) if run.key not in done]
    for number, results in enumerate(measure_all(runs, arguments.jobs), 1):
        append(arguments.output, results)
        for result in results:
            print(f"[{number}/{len(runs)}] {describe(result)}", file=sys.stderr, flush=True)


def planned(arguments: argparse.Namespace) -> Iterator[Run]:
    """Yield every run that the command line asks for."""
    for path in sorted(arguments.folder.glob("*.npz")):
        if arguments.sets is None or path.stem in arguments.sets:
            for seed in arguments.seeds:
                for detector in arguments.detectors:
                    yield Run(arguments.setting, path, seed, detector)


def table(results: pd.DataFrame) -> str:
    """Render means, ranks and wins as Markdown, over the runs that every detector finished."""
    cells = results.pivot_table(index=["set", "seed"], columns="detector", values="auroc").reindex(
        columns=results["detector"].unique()
    )
    finished = cells.dropna()
    kept = results.set_index(["set", "seed"]).loc[finished.index]
    groups = kept.groupby("detector")
    means = groups[["auroc", "ap", "flagged_at_0.05", "flagged_at_0.1", "fit_seconds", "score_seconds"]].mean()
    means["lowest"], means["longest"] = groups["auroc"].min(), groups["fit_seconds"].max()
    # A part of a detector is not a rival of its whole.
    rivals = finished[[name for name in finished if ":" not in str(name)]]
    means["rank"] = rivals.rank(axis=1, ascending=False).mean()
    means["wins"] = rivals.eq(rivals.max(axis=1), axis=0).sum()
    lines = [table_row(name, row) for name, row in means.sort_values("auroc", ascending=False).iterrows()]
    head = (
        "| detector | mean AUROC | lowest | mean AP | mean rank | wins | flagged at 0.05, 0.1 | fit s: mean, longest | "
        "score s |\n|---|---|---|---|---|---|---|---|---|"
    )
    return f"{len(finished)} of {len(cells)} runs (sets x seeds) finished by all.\n\n" + "\n".join([head, *lines])


def table_row(name: Any, row: pd.Series) -> str:
    """Render one detector; parts have neither rank nor wins."""
    rank, wins = ("-", "-") if pd.isna(row["rank"]) else (f"{row['rank']:.2f}", f"{row['wins']:.0f}")
    shares = [row[f"flagged_at_{alpha}"] for alpha in ALPHAS]
    flagged = "-" if pd.isna(shares[0]) else ", ".join(f"{share:.3f}" for share in shares)
    times = f"{row['fit_seconds']:.2f}, {row['longest']:.2f} | {row['score_seconds']:.2f}"
    accuracy = f"{row['auroc']:.2f} | {row['lowest']:.1f} | {row['ap']:.2f}"
    return f"| {name} | {accuracy} | {rank} | {wins} | {flagged} | {times} |"


def names(text: str) -> list[str]:
    """Split a list of names given as ``a,b``."""
    return text.split(",")


def known_detectors(text: str) -> list[str]:
    """Split a list of detectors and refuse unknown ones."""
    unknown = [name for name in names(text) if name not in DETECTORS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(DETECTORS)}, found {', '.join(unknown)}")
    return names(text)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="folder of NAME.npz files with X and y")
    parser.add_argument("--detectors", type=known_detectors, default=list(DETECTORS), help="a,b; default: all")
    parser.add_argument("--sets", type=names, help="a,b, without .npz; default: all")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in names(text)], default=[0], help="0,1,2")
    parser.add_argument("--setting", choices=SETTINGS, default="one-class")
    parser.add_argument(
        "--output", type=Path, default=Path("results.csv"), help="results are appended to this CSV file"
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--table", action="store_true", help="render the results file as Markdown instead")
    parsed = parser.parse_args(arguments)
    if parsed.folder is None and not parsed.table:
        parser.error("expected the folder with the data, or --table")
    return parsed


def main() -> None:
    """Run the benchmark or render its results."""
    arguments = parse()
    if arguments.table:
        results = pd.read_csv(arguments.output)
        # A part of a detector, ``detector:part``, goes with its whole.
        chosen = results["detector"].str.split(":").str[0].isin(arguments.detectors)
        print(table(results[chosen & (results["setting"] == arguments.setting)]))
    else:
        run_all(arguments)


if __name__ == "__main__":
    main()

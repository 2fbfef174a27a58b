"""Compare detectors on a folder of labelled tables: accuracy, false alarms and seconds.

Every ``NAME.npz`` in the folder holds ``X`` (rows, columns) and ``y`` (1 = anomaly); ``NAME.csv`` beside it holds the
same rows with their texts, for `gandetect-texts`. Results are appended to a CSV file one by one; what is already in it
is not run again, so an interrupted run goes on where it stopped::

    python benchmarks/tables.py DATA_FOLDER --output results.csv
    python benchmarks/tables.py --table --output results.csv
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from detectors import DETECTORS, default_detectors
from options import names, options, parsed
from report import ALPHAS, KEY, latest, report
from sklearn.metrics import average_precision_score, roc_auc_score
from splits import SETTINGS, Split
from workers import call_each

FIELDS = (
    *KEY,
    "n_train",
    "n_train_anomalies",
    "n_test",
    "auroc",
    "ap",
    "fit_seconds",
    "score_seconds",
    *(f"flagged_at_{alpha}" for alpha in ALPHAS),
    "error",
)

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


def read_split(run: Run) -> Split:
    """Return the rows of a run, as its detector may see them."""
    detector = DETECTORS[run.detector]
    with np.load(run.path) as file:
        X, y = file["X"].astype(np.float64), file["y"].astype(int)
    if detector.reads_texts:
        X = pd.read_csv(run.path.with_suffix(".csv")).to_numpy(dtype=object)
    split = SETTINGS[run.setting](X, y, run.seed)
    if not detector.uses_labels:
        return split.unlabelled()
    if split.known is None:
        raise ValueError(f"expected a setting with known anomalies for {run.detector}, found {run.setting}")
    return split


def measure(run: Run) -> list[Result]:
    """Train and score; return one result for the detector and one for each of its parts."""
    split, detector = read_split(run), DETECTORS[run.detector]
    import_module(detector.module)
    fitted, fit_seconds = timed(lambda: detector.fit(split.X_train, split.known, run.seed))
    scores, score_seconds = timed(lambda: fitted.score(split.X_test))
    common = {**identity(run), "n_train": len(split.X_train), "n_train_anomalies": split.n_anomalies}
    common |= {"n_test": len(split.X_test), "fit_seconds": fit_seconds, "score_seconds": score_seconds}
    # In the contaminated setting the normal rows that are scored are not held out.
    held_out = split.X_test is not split.X_train
    alarms = flagged_normal(split, fitted.p_value) if fitted.p_value and held_out else {}
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


def failure(run: Run, error: Exception) -> list[Result]:
    """Return the one result of a run that did not finish."""
    return [{**identity(run), "error": f"{type(error).__name__}: {error}".replace("\n", " ")[:300]}]


def measure_or_report(run: Run) -> list[Result]:
    """Measure; a detector that fails becomes a row with its error, so that the others go on."""
    try:
        # Some peers print every epoch.
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            return measure(run)
    except Exception as error:  # any failure of any peer is a result
        return failure(run, error)


def measure_all(runs: list[Run], jobs: int, limit: float | None) -> Iterator[list[Result]]:
    """Yield the results of each run, in order of completion, with so many runs at a time."""
    # Runs side by side must not take each other's cores, or their seconds would mean nothing.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    for run, outcome in call_each(measure_or_report, runs, jobs, limit):
        yield failure(run, outcome) if isinstance(outcome, Exception) else outcome


def keys_done(path: Path, *, retry: bool = False) -> set[tuple[str, ...]]:
    """Return the keys of the runs that the results file already holds; with ``retry`` not of those that failed."""
    if not path.exists():
        return set()
    with path.open(newline="", encoding="utf-8") as file:
        return {tuple(row[name] for name in KEY) for row in csv.DictReader(file) if not (retry and row["error"])}


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


def check_header(path: Path) -> None:
    """Raise ValueError if the results file has other columns than ours."""
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            found = next(csv.reader(file), [])
        if found != list(FIELDS):
            raise ValueError(
                f"expected the columns {', '.join(FIELDS)} in {path}, found {', '.join(found)}; choose another --output"
            )


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
    check_header(arguments.output)
    done = keys_done(arguments.output, retry=arguments.retry)
    runs = [run for run in planned(arguments) if run.key not in done]
    for number, results in enumerate(measure_all(runs, arguments.jobs, arguments.limit), 1):
        append(arguments.output, results)
        for result in results:
            print(f"[{number}/{len(runs)}] {describe(result)}", file=sys.stderr, flush=True)


def planned(arguments: argparse.Namespace) -> Iterator[Run]:
    """Yield every run that the command line asks for."""
    for path in sorted(arguments.folder.glob("*.npz")):
        if arguments.sets is None or path.stem in arguments.sets:
            for seed in arguments.seeds:
                for detector in arguments.detectors or default_detectors(arguments.setting):
                    yield Run(arguments.setting, path, seed, detector)


def known_detectors(text: str) -> list[str]:
    """Split a list of detectors and refuse unknown ones."""
    unknown = [name for name in names(text) if name not in DETECTORS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(DETECTORS)}, found {', '.join(unknown)}")
    return names(text)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = options(__doc__, "results.csv")
    parser.add_argument("--detectors", type=known_detectors, help="a,b; default: the setting's peers and gandetect")
    parser.add_argument("--sets", type=names, help="a,b, without .npz; default: all")
    parser.add_argument("--setting", choices=SETTINGS, default="one-class")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--limit", type=float, help="seconds after which a run is ended and counts as failed")
    parser.add_argument("--retry", action="store_true", help="run again what failed before")
    parser.add_argument(
        "--reference", default="gandetect", help="with --table: whose differences to the others are shown"
    )
    return parsed(parser, arguments)


def main() -> None:
    """Run the benchmark or render its results."""
    arguments = parse()
    if arguments.table:
        results = latest(pd.read_csv(arguments.output), arguments.setting, arguments.detectors)
        if results.empty:
            sys.exit(
                f"Expected results of the setting {arguments.setting} in {arguments.output}, found none; run it first."
            )
        print(report(results, arguments.reference))
    else:
        run_all(arguments)


if __name__ == "__main__":
    main()

"""Do explanations name the right columns? Those in which a normal row got values of another row, 1 to 3, must lead.

Precision at k (k columns were replaced) of every way to blame columns, on the same rows; random blame gives the column
"chance". The time is that of all rows at once, divided by their number::

    python benchmarks/explanations.py FOLDER --table thyroid_sick.csv --limit 40
    python benchmarks/explanations.py FOLDER --only 4_breastw,38_thyroid,40_vowels,6_cardio,20_letter --rows 30 --shap
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from splits import split_one_class

from gandetect import Scorer, explain, fit_table
from gandetect.column import NUMERIC, Column, Kind
from gandetect.readers.schemas import find_schema
from gandetect.readers.tables import read_table
from gandetect.readers.values import parse_columns
from gandetect.schema import Schema

Columns = dict[str, np.ndarray]
LABEL, NORMAL = "diagnosis", "negative"


@dataclass(frozen=True)
class Table:
    """Rows to learn from, other normal rows, both as raw columns, and what the columns are."""

    name: str
    schema: Schema
    train: Columns
    normal: Columns


def adbench(path: Path, seed: int) -> Table:
    """Return a table of numbers, split as in the one-class setting."""
    data = np.load(path)
    split = split_one_class(data["X"].astype(np.float64), data["y"], seed)
    names = [f"x{i}" for i in range(split.X_train.shape[1])]
    schema = Schema(tuple(Column(name, Kind.NUMBER) for name in names))
    train, normal = (
        dict(zip(names, np.ascontiguousarray(X.T), strict=True))
        for X in (split.X_train, split.X_test[split.y_test == 0])
    )
    return Table(path.stem, schema, train, normal)


def raw_table(path: Path, seed: int) -> Table:
    """Return a table of mixed kinds: half of its normal rows to learn from, the other half beside them."""
    chunks = list(read_table(path))
    text = {name: np.concatenate([chunk.columns[name] for chunk in chunks]) for name in chunks[0].names}
    lines = [line for chunk in chunks for line in chunk.lines]
    schema = find_schema(text, lines, label=LABEL)
    columns = parse_columns(text, lines, schema).columns
    rows = np.random.RandomState(seed).permutation(np.flatnonzero(text[LABEL] == NORMAL))
    return Table(path.stem, schema, taken(columns, rows[: len(rows) // 2]), taken(columns, rows[len(rows) // 2 :]))


def taken(columns: Columns, rows: Any) -> Columns:
    """Return some rows of all columns."""
    return {name: values[rows] for name, values in columns.items()}


def replaced(table: Table, n_rows: int, seed: int) -> tuple[Columns, np.ndarray]:
    """Return normal rows with 1 to 3 features of each taken from another one, and which, (rows, features)."""
    random = np.random.default_rng(seed)
    names = [column.name for column in table.schema.features]
    n_normal = len(table.normal[names[0]])
    rows, others = (random.permutation(n_normal)[:n_rows] for _ in range(2))
    mask = random.random((len(rows), len(names))).argsort(1).argsort(1) < random.integers(1, 4, len(rows))[:, None]
    columns = taken(table.normal, rows)
    for position, name in enumerate(names):
        given = table.normal[name][others]
        mask[:, position] &= (given != columns[name]) & (given == given)  # the same or a missing value replaces nothing
        columns[name] = np.where(mask[:, position], given, columns[name])
    changed = mask.any(1)
    return taken(columns, changed), mask[changed]


def precision(blame: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean share of replaced features among as many that have most of the blame."""
    rank = (-blame).argsort(1, kind="stable").argsort(1)
    n_replaced = mask.sum(1)
    return float((((rank < n_replaced[:, None]) & mask).sum(1) / n_replaced).mean())


def z_scores(table: Table, columns: Columns) -> np.ndarray:
    """Return each feature's distance to its mean in standard deviations; of a category that of its level's entry."""
    scores = []
    for column in table.schema.features:
        train, values = table.train[column.name], columns[column.name]
        if column.kind not in NUMERIC:
            share = np.array([(train == value).mean() for value in values])
            scores.append((1 - share) / np.sqrt(np.maximum(share * (1 - share), 1e-6)))
            continue
        scores.append(np.abs(values - np.nanmean(train)) / max(float(np.nanstd(train)), 1e-12))
    return np.nan_to_num(np.stack(scores, axis=1))


def shap_values(table: Table, scorer: Scorer, columns: Columns, n_background: int = 30) -> np.ndarray:
    """Return what SHAP's KernelExplainer says of the anomaly score, with training rows as its background."""
    import shap

    names = [column.name for column in table.schema.features]

    def score(X: np.ndarray) -> np.ndarray:
        return scorer(dict(zip(names, X.T, strict=True)), ["anomaly_score"])["anomaly_score"].astype(np.float64)

    background = np.stack([table.train[name][:n_background] for name in names], axis=1)
    X = np.stack([columns[name] for name in names], axis=1)
    return np.asarray(shap.KernelExplainer(score, background).shap_values(X, silent=True))


def timed(blame: Callable[[], np.ndarray], repeats: int = 1) -> tuple[np.ndarray, float]:
    """Return what a function returns, and the seconds of its fastest run."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        values = blame()
        seconds.append(time.perf_counter() - start)
    return values, min(seconds)


def measured(table: Table, arguments: argparse.Namespace) -> Iterator[tuple[str, float, float]]:
    """Yield the precision of each way to blame, and its milliseconds for a row."""
    scorer = Scorer(fit_table(table.train, table.schema, seed=arguments.seed))
    columns, mask = replaced(table, arguments.rows, arguments.seed)
    ways: dict[str, Callable[[], np.ndarray]] = {
        "z-score": lambda: z_scores(table, columns),
        "contributions": lambda: scorer(columns, ["contributions"])["contributions"],
        "explain": lambda: explain(scorer, columns).blame,
    }
    if arguments.shap:
        ways["SHAP"] = lambda: shap_values(table, scorer, columns)
    yield "chance", float(mask.mean()), 0.0
    for name, blame in ways.items():
        values, seconds = timed(blame, 1 if name == "SHAP" else 3)
        yield name, precision(values, mask), 1000 * seconds / len(mask)


def tables(arguments: argparse.Namespace) -> Iterator[Table]:
    """Yield the tables that the command line names."""
    for path in sorted(arguments.folder.glob("*.npz")):
        if not arguments.only or path.stem in arguments.only:
            table = adbench(path, arguments.seed)
            if len(table.schema.features) <= arguments.limit:
                yield table
    if arguments.table:
        yield raw_table(arguments.table, arguments.seed)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="npz files with X and y")
    parser.add_argument("--table", type=Path, help="a raw CSV file, with a column 'diagnosis'")
    parser.add_argument("--only", type=lambda text: text.split(","), help="names of the sets, without .npz")
    parser.add_argument("--limit", type=int, default=100, help="largest number of columns")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shap", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Print one Markdown row for each table, and the means."""
    warnings.simplefilter("ignore")
    arguments, found = parse(), []
    for table in tables(arguments):
        row = list(measured(table, arguments))
        if not found:
            titles = [name for name, _, _ in row] + [f"{name} ms" for name, _, _ in row[1:]]
            print(f"| table | columns | {' | '.join(titles)} |\n|{'---|' * (2 + len(titles))}")
        values = [value for _, value, _ in row] + [milliseconds for _, _, milliseconds in row[1:]]
        found.append(values)
        cells = [f"{value:.3f}" for value in values]
        print(f"| {table.name} | {len(table.schema.features)} | {' | '.join(cells)} |", flush=True)
    print(f"| mean | | {' | '.join(f'{value:.3f}' for value in np.mean(found, axis=0))} |")


if __name__ == "__main__":
    main()

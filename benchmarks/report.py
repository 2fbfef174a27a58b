"""From the results of many runs to Markdown: means, ranks, and intervals of the differences between detectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

KEY = ["setting", "set", "seed", "detector"]
ALPHAS = (0.05, 0.1)
N_RESAMPLES = 10_000


def comparable(results: pd.DataFrame, setting: str, detectors: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the latest result of each run in a setting, for those sets and seeds that every chosen detector has tried.

    A run that failed counts as tried. A part of a detector, ``detector:part``, goes with its whole.
    """
    chosen = results[results["setting"] == setting].drop_duplicates(KEY, keep="last")
    wholes = chosen["detector"].str.split(":").str[0]
    if detectors is not None:
        chosen = chosen[wholes.isin(list(detectors))]
    tried = rivals(chosen).groupby(["set", "seed"])["detector"].nunique()
    complete = tried.index[tried == rivals(chosen)["detector"].nunique()]
    return chosen[pd.MultiIndex.from_frame(chosen[["set", "seed"]]).isin(complete)]


def rivals(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of whole detectors: a part of one is not a rival of its whole."""
    return results[~results["detector"].str.contains(":")]


def ranks(results: pd.DataFrame) -> pd.DataFrame:
    """Return the ranks by AUROC (sets, detectors), 1 = best, averaged over seeds; failed runs share the last ones."""
    cells = rivals(results).pivot_table(
        index=["set", "seed"], columns="detector", values="auroc", aggfunc="first", dropna=False
    )
    by_run = cells.fillna(-np.inf).rank(axis=1, ascending=False)
    return by_run.groupby("set").mean()


def wins(results: pd.DataFrame) -> pd.Series:
    """Return on how many sets each detector has the highest mean AUROC; only one that finished every seed can win."""
    by_set = rivals(results).groupby(["set", "detector"])["auroc"].agg(lambda values: values.mean(skipna=False))
    cells = by_set.unstack()
    return cells.eq(cells.max(axis=1), axis=0).sum()


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row of measures for each detector, best first.

    Means are over sets, of each set's mean over the seeds that the detector finished: what it could not finish is
    missing from its own means alone, is counted, and ranks last.
    """
    by_set = results.groupby(["detector", "set"])[["auroc", "ap", "fit_seconds", "score_seconds"]].mean()
    table = by_set.groupby("detector").mean()
    table["lowest"] = by_set["auroc"].groupby("detector").min()
    table["deviation"] = results.groupby(["detector", "seed"])["auroc"].mean().groupby("detector").std()
    groups = results.groupby("detector")
    table["finished"], table["runs"] = groups["auroc"].count(), groups.size()
    table["longest_fit"], table["longest_score"] = groups["fit_seconds"].max(), groups["score_seconds"].max()
    table["rank"], table["wins"] = ranks(results).mean(), wins(results)
    return table.sort_values("auroc", ascending=False)


def differences(results: pd.DataFrame, reference: str, other: str, measure: str) -> np.ndarray:
    """Return reference minus other on each set (sets,), averaged over the seeds that both finished."""
    cells = results.pivot_table(index=["set", "seed"], columns="detector", values=measure, aggfunc="first")
    if other not in cells or reference not in cells:
        return np.empty(0)
    return (cells[reference] - cells[other]).groupby("set").mean().dropna().to_numpy()


def bootstrap_interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean, resampling the values with replacement."""
    picks = np.random.default_rng(seed).integers(len(values), size=(N_RESAMPLES, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def report(results: pd.DataFrame, reference: str) -> str:
    """Render everything that is known about one setting as Markdown."""
    n_sets, n_runs = results["set"].nunique(), len(results[["set", "seed"]].drop_duplicates())
    head = f"{n_sets} sets, {n_runs / max(n_sets, 1):g} seeds."
    lines = [head, mixed_in(results), main_table(results), false_alarms(results), difference_table(results, reference)]
    return "\n\n".join(line for line in lines if line)


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Render a table."""
    head = list(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def main_table(results: pd.DataFrame) -> str:
    """Render one row for each detector and each part of one."""
    head = ["detector", "mean AUROC", "± over seeds", "lowest", "mean AP", "mean rank", "wins", "finished"]
    head += ["fit s: mean, longest", "score s: mean, longest"]
    return markdown(head, (main_row(str(name), row) for name, row in summary(results).iterrows()))


def main_row(name: str, row: pd.Series) -> list[str]:
    """Render one detector; parts have neither rank nor wins."""
    return [
        name,
        number(row["auroc"]),
        number(row["deviation"]),
        number(row["lowest"], 1),
        number(row["ap"]),
        number(row["rank"]),
        number(row["wins"], 0),
        f"{row['finished']:.0f} of {row['runs']:.0f}",
        f"{number(row['fit_seconds'])}, {number(row['longest_fit'])}",
        f"{number(row['score_seconds'])}, {number(row['longest_score'])}",
    ]


def number(value: Any, decimals: int = 2) -> str:
    """Render a number, or a dash where there is none."""
    return "-" if pd.isna(value) else f"{value:.{decimals}f}"


def difference_table(results: pd.DataFrame, reference: str) -> str:
    """Render the reference's mean difference to every other detector, with intervals, hardest rival first."""
    others = [str(name) for name in summary(rivals(results)).index if name != reference]
    rows = [
        [name, *(interval(differences(results, reference, name, measure)) for measure in ("auroc", "ap"))]
        for name in others
    ]
    return markdown([f"{reference} minus", "AUROC (95 % interval)", "AP (95 % interval)"], rows)


def interval(values: np.ndarray) -> str:
    """Render the mean of some differences with its interval."""
    if len(values) == 0:
        return "-"
    low, high = bootstrap_interval(values)
    return f"{values.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def false_alarms(results: pd.DataFrame) -> str:
    """Say how many held-out normal rows each detector with p-values flags; empty where none has any."""
    columns = [f"flagged_at_{alpha}" for alpha in ALPHAS]
    shares = results.groupby("detector")[columns].mean().dropna()
    rates = " and ".join(f"{alpha:g}" for alpha in ALPHAS)
    return "\n".join(
        f"`{name}` flags {' and '.join(f'{share:.3f}' for share in row)} of the held-out normal rows "
        f"at a false-alarm rate of {rates}."
        for name, row in zip(shares.index, shares.to_numpy(), strict=True)
    )


def mixed_in(results: pd.DataFrame) -> str:
    """Say what share of the training rows are anomalies; empty where none are."""
    runs = results.dropna(subset="auroc").drop_duplicates(["set", "seed"])
    if "n_train_anomalies" not in runs or not runs["n_train_anomalies"].sum() > 0:
        return ""
    shares = (100 * runs["n_train_anomalies"] / runs["n_train"]).groupby(runs["set"]).mean()
    most = shares.max()
    short = shares[shares < 0.9 * most]
    text = f"Anomalies among the training rows: {most:.1f} % on {len(shares) - len(short)} sets"
    listed = ", ".join(f"{name} {share:.1f}" for name, share in short.sort_values().items())
    return f"{text}, less on {listed}." if listed else f"{text}."

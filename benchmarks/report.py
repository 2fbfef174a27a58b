"""From the results of many runs to Markdown: means, ranks, and intervals of the differences between detectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from splits import n_for_share

KEY = ["setting", "set", "seed", "detector"]
ALPHAS = (0.05, 0.1)
N_RESAMPLES = 10_000


def latest(results: pd.DataFrame, setting: str, detectors: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the latest result of each run in a setting; a part of a detector, ``detector:part``, goes with it."""
    chosen = results[results["setting"] == setting].drop_duplicates(KEY, keep="last")
    if detectors is None:
        return chosen
    return chosen[chosen["detector"].str.split(":").str[0].isin(list(detectors))]


def tried_by_all(results: pd.DataFrame) -> pd.DataFrame:
    """Return the results on those sets and seeds that every detector has tried; a run that failed counts as tried."""
    whole = rivals(results)
    n_tried = whole.groupby(["set", "seed"])["detector"].nunique()
    complete = n_tried.index[n_tried == whole["detector"].nunique()]
    return results[pd.MultiIndex.from_frame(results[["set", "seed"]]).isin(complete)]


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
    # A detector that never finished has no column.
    cells = cells.reindex(columns=[reference, other])
    return (cells[reference] - cells[other]).groupby("set").mean().dropna().to_numpy()


def bootstrap_interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean, resampling the values with replacement."""
    picks = np.random.default_rng(seed).integers(len(values), size=(N_RESAMPLES, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def report(results: pd.DataFrame, reference: str) -> str:
    """Render the results of one setting as Markdown."""
    kept = tried_by_all(results)
    parts = [counts(results, kept), anomalies_in_training(kept), main_table(kept)]
    parts += [false_alarms(kept), difference_table(kept, reference) if reference in set(kept["detector"]) else ""]
    return "\n\n".join(part for part in parts if part)


def counts(results: pd.DataFrame, kept: pd.DataFrame) -> str:
    """Say on how many sets and seeds the detectors are compared."""
    n_left_out = len(results.drop_duplicates(["set", "seed"])) - len(kept.drop_duplicates(["set", "seed"]))
    text = f"{kept['set'].nunique()} sets, seeds {', '.join(str(seed) for seed in sorted(kept['seed'].unique()))}"
    left_out = f"; left out since not every detector has tried them: {n_left_out} runs" if n_left_out else ""
    return f"{text}{left_out}."


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


def anomalies_in_training(results: pd.DataFrame) -> str:
    """Say how many anomalies the detectors trained on, where the number differs between sets by design."""
    setting = str(results["setting"].iloc[0])
    if setting != "labelled" and not setting.startswith("mixed-"):
        return ""
    # Detectors without labels do not see the known anomalies, those with labels see all of them.
    rows = results.dropna(subset="auroc").sort_values("n_train_anomalies").drop_duplicates("set", keep="last")
    found = rows.set_index("set")["n_train_anomalies"].astype(int)
    if setting == "labelled":
        return f"Known anomalies: {found.min()} to {found.max()} a set."
    percent = float(setting.removeprefix("mixed-"))
    n_rows = rows.set_index("set")["n_train"]
    short = found[found < (n_rows - found).map(lambda n_normal: n_for_share(n_normal, percent))]
    text = f"{percent:g} % of the training rows are anomalies"
    if short.empty:
        return f"{text}."
    listed = ", ".join(f"{name} {100 * n / n_rows[name]:.1f}" for name, n in short.items())
    return f"{text}; where that is more than half of the set's anomalies, only these: {listed}."

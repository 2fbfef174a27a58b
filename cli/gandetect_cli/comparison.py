"""What a comparison of answers with labels says, in words: the same for rows and for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gandetect_cli.terminal import counted, share, table

if TYPE_CHECKING:
    from gandetect import Evaluation


def summary_lines(result: Evaluation, n_false: int, rule: str, noun: str = "row") -> list[str]:
    """Say how many there were, how well the scores rank them, and what was flagged among the normal ones.

    Parameters
    ----------
    result : Evaluation
        The comparison.
    n_false : int
        Normal ones that are flagged.
    rule : str
        When one is flagged.
    noun : str
        What was scored.
    """
    n_normal = result.n_rows - result.n_anomalies
    return [
        f"{counted(result.n_rows, noun)}, {counted(result.n_anomalies, 'anomaly', 'anomalies')} among them",
        f"AUROC              {result.auroc:.4f}{_interval(result.auroc_interval)}",
        f"average precision  {result.average_precision:.4f}{_interval(result.average_precision_interval)}",
        f"normal {noun}s flagged at {rule}: {n_false:,} of {n_normal:,} ({share(n_false, n_normal)})",
    ]


def _interval(interval: tuple[float, float]) -> str:
    return f"  (95 % interval {interval[0]:.4f} to {interval[1]:.4f})"


def threshold_lines(result: Evaluation, noun: str = "row") -> str:
    """Lay out what every false-alarm rate would bring."""
    header = ("false-alarm rate", f"{noun}s flagged", "anomalies found", "precision", "recall")
    rows = [
        (
            f"{threshold.alpha:g}",
            f"{threshold.n_alarms:,}",
            f"{threshold.n_hits:,}",
            "-" if threshold.precision is None else f"{threshold.precision:.3f}",
            f"{threshold.recall:.3f}",
        )
        for threshold in result.thresholds
    ]
    return table(header, rows)

"""What scoring costs on this machine: seconds to load, of one row, of a batch, and memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from gandetect import Scorer
from gandetect.modality import VERDICT
from gandetect_cli.terminal import duration, size, table

SECONDS = 1.0
"""Time that each measurement takes, more or less."""


@dataclass(frozen=True)
class Timing:
    """Costs of a model file on this machine.

    Parameters
    ----------
    onnxruntime : str
        Version of ONNX Runtime.
    threads : int
        Threads within a run.
    unit : str
        What a row is.
    load_seconds : float
        From the file to the first answer: reading, checking, opening, one row.
    row_seconds, row_seconds_95 : float
        Median and 95th percentile for one row.
    batch_rows : int
        Rows of a batch: as many as go into one run.
    batch_seconds : float
        Median for a batch.
    peak_bytes : int or None
        Most memory that this process had; None where the system does not say.
    """

    onnxruntime: str
    threads: int
    unit: str
    load_seconds: float
    row_seconds: float
    row_seconds_95: float
    batch_rows: int
    batch_seconds: float
    peak_bytes: int | None

    def text(self) -> str:
        """Lay it out for people."""
        rate = self.batch_rows / self.batch_seconds
        memory = "unknown" if self.peak_bytes is None else size(self.peak_bytes)
        rows = [
            ("ONNX Runtime", self.onnxruntime, f"threads: {self.threads}"),
            ("load", duration(self.load_seconds), "from the file to the first answer"),
            (f"one {self.unit}", duration(self.row_seconds), f"95 % within {duration(self.row_seconds_95)}"),
            (f"{self.batch_rows:,} {self.unit}s", duration(self.batch_seconds), f"{rate:,.0f} a second"),
            ("memory", memory, "the most that this process had"),
        ]
        return table(("cost", "measured", ""), rows)


def measure(model: str, threads: int) -> Timing:
    """Score the golden rows of a verified model again and again."""
    start = time.perf_counter()
    scorer = Scorer(model, threads=threads)
    one = golden_rows(scorer, 1)
    scorer(one, VERDICT)
    load = time.perf_counter() - start
    n_rows = scorer.chunk_size(scorer.schema.feeds(one))
    batch = golden_rows(scorer, n_rows)
    row, row_95 = np.percentile(_seconds(lambda: scorer(one, VERDICT)), [50, 95])
    return Timing(
        onnxruntime=onnxruntime.__version__,
        threads=scorer.threads,
        unit=scorer.schema.noun,
        load_seconds=load,
        row_seconds=float(row),
        row_seconds_95=float(row_95),
        batch_rows=n_rows,
        batch_seconds=float(np.median(_seconds(lambda: scorer(batch, VERDICT)))),
        peak_bytes=_peak_bytes(),
    )


def golden_rows(scorer: Scorer, n_rows: int) -> Any:
    """Return raw data of any number of rows: the golden ones, repeated."""
    inputs = scorer.manifest["golden"]["inputs"]
    return scorer.schema.raw_from_json(
        {name: [values[i % len(values)] for i in range(n_rows)] for name, values in inputs.items()}
    )


def _seconds(run: Callable[[], object]) -> list[float]:
    """Run again and again, after three times to warm up, and return how long each took."""
    for _ in range(3):
        run()
    times: list[float] = []
    while sum(times) < SECONDS:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def _peak_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak

"""How long a report of many rows takes, how large it is and how much memory it needs; a process of its own each time.

::

    python benchmarks/report_page.py --rows 100000
"""

from __future__ import annotations

import argparse
import csv
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
MODEL, ROWS = ROOT / "models" / "machines.onnx", ROOT / "data" / "machines" / "new.csv"


def write_rows(path: Path, n_rows: int) -> None:
    """Write a table of so many rows drawn from the sample's, with seed 0."""
    with ROWS.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    draw = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(draw.choice(rows) for _ in range(n_rows))


def measure(n_rows: int) -> tuple[float, float, float]:
    """Return wall-clock seconds, seconds of the processor, and the size of the page in MB."""
    with TemporaryDirectory() as folder:
        data, page = Path(folder, "new.csv"), Path(folder, "page.html")
        write_rows(data, n_rows)
        command = [sys.executable, "-c", "from gandetect_cli.main import run; run()", "report", MODEL, data, "-q"]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([*command, "-o", page], check=True)
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return seconds, used, page.stat().st_size / 1e6


def main() -> None:
    """Measure a few times and print the best."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    best = min(measure(arguments.rows) for _ in range(arguments.repeats))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    print("| rows | s | s of the processor | MB of the page | MB of memory at most |\n| --- | --- | --- | --- | --- |")
    print(f"| {arguments.rows:,} | {best[0]:.1f} | {best[1]:.1f} | {best[2]:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    main()

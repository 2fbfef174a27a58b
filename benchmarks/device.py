"""What a device needs to score with a model file: disk, and memory on one core with 512 MB.

    python benchmarks/device.py
    python benchmarks/device.py --cpp PROGRAM      with what docs/edge/score.cpp was compiled to, too

Prints a Markdown table. Node.js and the browser are in it where `tests/edge/install_clients.sh` has installed them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
MODEL, ROWS = ROOT / "models" / "machines.onnx", ROOT / "docs" / "edge" / "rows.json"
PACKAGES = ROOT / "docs" / "edge" / "node_modules"
N_ROWS = 100_000

# What chunks are for: all rows in one run.
AT_ONCE = """
import json, sys
import numpy, onnxruntime
model, rows, n_rows = sys.argv[1], json.load(open(sys.argv[2])), int(sys.argv[3])
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
types = {"tensor(double)": float, "tensor(string)": object}
feeds = {i.name: numpy.resize(numpy.array(rows[i.name], types[i.type]), n_rows) for i in session.get_inputs()}
session.run(None, feeds)
"""

# The limit is on addresses, which is stricter than on memory in use.
LIMITED = ("sh", "-c", 'ulimit -v 524288; exec taskset -c 0 "$@"', "sh")
# Node.js reserves addresses that it never uses: no limit.
ONE_CORE = ("taskset", "-c", "0")


def needed(names: Iterable[str]) -> set[str]:
    """Return distributions and what they need on this machine, without extras."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            requirements = map(Requirement, metadata.requires(name) or ())
            waiting += [r.name for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


def megabytes_of(*names: str) -> float:
    """Return the size of all files of distributions and of what they need."""
    files = (Path(file.locate()) for name in needed(names) for file in metadata.files(name) or ())
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def peak_megabytes(*command: str | Path) -> float:
    """Return the most memory that a process had in use; this process is small, or it would count."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}")
    return 1024 * usage.ru_maxrss / 1e6


def long_table(folder: Path) -> Path:
    """Repeat the rows of the sample table."""
    with (ROOT / "data" / "machines" / "new.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    path = folder / "many.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *(rows[i % len(rows)] for i in range(N_ROWS))])
    return path


def python_costs() -> list[tuple[str, float, float]]:
    """Return what Python needs: host, disk, memory."""
    gandetect = Path(sys.executable).with_name("gandetect")
    ours = megabytes_of("gandetect")
    with tempfile.TemporaryDirectory() as name:
        many, scored = long_table(Path(name)), Path(name) / "scored.csv"
        score = peak_megabytes(*LIMITED, gandetect, "score", many, "--model", MODEL, "-o", scored)
    bare = peak_megabytes(*LIMITED, sys.executable, ROOT / "docs" / "edge" / "score.py", MODEL, ROWS)
    at_once = peak_megabytes(*ONE_CORE, sys.executable, "-c", AT_ONCE, MODEL, ROWS, N_ROWS)
    return [
        ("Python, `score.py`, 3 rows", megabytes_of("onnxruntime", "numpy"), bare),
        (f"Python, {N_ROWS:,} rows in one run (no limit)", megabytes_of("onnxruntime", "numpy"), at_once),
        ("`gandetect verify`", ours, peak_megabytes(*LIMITED, gandetect, "verify", MODEL)),
        (f"`gandetect score`, {N_ROWS:,} rows of CSV", ours, score),
    ]


def node_costs() -> list[tuple[str, float, float]]:
    """Return what Node.js needs beside itself."""
    library = PACKAGES / "onnxruntime-node" / "bin" / "napi-v6" / "linux" / "x64"
    if not library.exists():
        return []
    disk = sum(file.stat().st_size for file in library.iterdir()) / 1e6
    program = ROOT / "docs" / "edge" / "score.mjs"
    return [
        (
            "Node.js, `score.mjs`, 3 rows (without Node.js)",
            disk,
            peak_megabytes(*ONE_CORE, "node", program, MODEL, ROWS),
        )
    ]


def cpp_costs(program: str | None) -> list[tuple[str, float, float]]:
    """Return what the C++ program needs; the library is the one that it is linked with."""
    if program is None:
        return []
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    library = Path(re.search(r"libonnxruntime\S* => (\S+)", linked)[1])
    disk = (library.stat().st_size + Path(program).stat().st_size) / 1e6
    return [("C++, `score.cpp`, 3 rows", disk, peak_megabytes(*LIMITED, program, MODEL, ROWS))]


def browser_size() -> str:
    """Say what a browser loads."""
    web = PACKAGES / "onnxruntime-web" / "dist"
    files = [web / "ort-wasm-simd-threaded.wasm", web / "ort.wasm.bundle.min.mjs", MODEL]
    if not web.exists():
        return ""
    plain = sum(file.stat().st_size for file in files) / 1e6
    packed = sum(len(gzip.compress(file.read_bytes())) for file in files) / 1e6
    return f"\nA browser loads {plain:.1f} MB, runtime and model together; packed with gzip {packed:.1f} MB."


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpp", metavar="PROGRAM")
    arguments = parser.parse_args()
    print("| host | disk, MB | memory, MB |\n|---|---|---|")
    for host, disk, memory in [*python_costs(), *node_costs(), *cpp_costs(arguments.cpp)]:
        print(f"| {host} | {disk:.0f} | {memory:.0f} |")
    print(browser_size())


if __name__ == "__main__":
    main()

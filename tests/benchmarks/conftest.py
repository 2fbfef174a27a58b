"""The benchmarks are scripts, not a package: their folder goes onto the path, as when one of them is run."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
